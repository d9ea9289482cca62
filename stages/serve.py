"""Serve a trained network: a page and an API on this machine, until Ctrl-C or SIGTERM.

It writes nothing: what visitors send lies in memory or in files without a name, and goes with the answer.
"""

from __future__ import annotations

import logging
from pathlib import Path

from pipeline.errors import MissingDependencyError
from pipeline.serving_config import ServeConfig

PACKAGES = {"fastapi", "multipart", "prometheus_client", "python_multipart", "starlette", "uvicorn"}

log = logging.getLogger(__name__)


def run(model: Path, device: str, config: ServeConfig) -> None:
    """Serve until the process is told to end.

    Parameters
    ----------
    model : folder of a teacher or a student, waited for while another process is making it, or an exported ONNX file.
    device : cpu, cuda, cuda:N, or auto.
    config : where to listen, and all limits.

    Raises
    ------
    ArtifactError : ``model`` is not a trained model.
    ConfigError : it reads what no page can send, or nobody can listen there.
    MissingDependencyError : the packages of the extra ``serve`` are not installed.
    """
    from pipeline.artifacts import uses
    from pipeline.compute import devices
    from pipeline.serving import engines, place

    try:
        from pipeline.serving.app import server
    except ModuleNotFoundError as error:
        if error.name not in PACKAGES:
            raise
        raise MissingDependencyError(
            f"Serving needs the package {error.name}: pip install -e '.[serve,video]' -c constraints.txt"
        ) from error
    with uses.using(place.awaited(model, engines.EXPORTED)):
        server.serve(model, devices.pick(device), config)
