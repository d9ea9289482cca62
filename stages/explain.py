"""Show which parts of a face or a frame an answer rests on.

Writes ``explain.csv``, a row for each face or frame and method, and ``overlays/``: a picture of each, the input as the
network reads it and, beside it, the heat maps over it. Of a sample of a cache whose 68 points are known the table also
says how much of a map lies on the parts of the face, and on those whose muscles moved.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import results
from pipeline.errors import ConfigError
from pipeline.serving_config import ExplainConfig

if TYPE_CHECKING:
    from pipeline.serving.explained_inputs import Input
    from pipeline.serving.explainer import Explainer

TABLE = "explain.csv"
OVERLAYS = "overlays"
EXPLAINED = ("output", "value", "in_domain", "method")
AFTER = ("overlay", "reason")

log = logging.getLogger(__name__)


def run(
    source: Path | None,
    sample: str,
    model: Path,
    out: Path,
    device: str = "auto",
    config: ExplainConfig | None = None,
) -> Path:
    """Explain the answers to pictures, or to a sample of the cache that the model lies in.

    Parameters
    ----------
    source : what ``sources.find`` takes, without videos and cameras; None with a sample.
    sample : its sample_id; empty with a source.
    model : folder of a teacher or a student, or an exported ONNX file.
    out : folder of the results; made when missing.
    device : cpu, cuda, cuda:N, or auto.
    config : the options.

    Returns
    -------
    The path of ``explain.csv``.

    Raises
    ------
    ConfigError : not one of source and sample is given, or the model cannot be explained so.
    DataError : the source holds no picture, or there is no such sample.
    ArtifactError : ``model`` is not a trained model, or damaged.
    """
    from tqdm import tqdm

    from pipeline.artifacts import uses
    from pipeline.compute import devices
    from pipeline.serving import engines, explained_inputs, place
    from pipeline.serving.explainer import Explainer

    check_asked(source, sample)
    config = config or ExplainConfig()
    with uses.using(place.awaited(model, engines.EXPORTED)):
        device = devices.pick(device)
        if source:
            asked = explained_inputs.of_pictures(source, model, out, device, (OVERLAYS,))
        else:
            asked = explained_inputs.of_sample(sample, model, device)
        explainer = Explainer(asked.network, config.method, config.output)
        log.info("explain: %s by %s", model, ", ".join(explainer.methods))
        columns, explained = [*asked.columns, *EXPLAINED, *asked.measures, *AFTER], 0
        bar = tqdm(total=asked.count, desc="explain", unit="file", disable=None, leave=False)
        with results.filling(out), results.Table(out / TABLE, columns) as table, bar:
            last = None
            for one in asked.inputs:
                rows = list(_rows(one, explainer, out))
                for row in rows:
                    table.add(row)
                explained += one.image is not None
                bar.update(one.name != last)
                last = one.name
    words = asked.network.task["samples"]
    log.info("%d %s in %d pictures explained", explained, words, asked.count)
    return out / TABLE


def check_asked(source: Path | None, sample: str) -> None:
    """Raise ConfigError unless one of both is given."""
    if bool(source) == bool(sample):
        raise ConfigError(
            "explain takes pictures, or a sample of the cache: give either INPUT=/path/to/them or SAMPLE=<sample_id>"
        )


def _rows(one: Input, explainer: Explainer, out: Path) -> Iterator[dict[str, Any]]:
    """The rows of one input, one a method; its picture is written on the way."""
    import numpy as np

    from pipeline.artifacts.suffixes import escaped
    from pipeline.serving.pictures import face_name

    if one.image is None:
        yield one.cells | {"reason": one.reason}
        return
    made = explainer.explained(one.image, one.answer)
    content = io.BytesIO()
    made.picture(one.image).save(content, "PNG")
    name = face_name(one.name, ".png", one.face)
    fault = results.save(content.getvalue(), out / OVERLAYS / name, out / f"{OVERLAYS}.draft")
    after = {"reason": f"no overlay: {fault}"} if fault else {"overlay": f"{OVERLAYS}/{escaped(name)}"}
    stated = {"output": made.output, "value": made.value, "in_domain": one.answer.cells.get("in_domain")}
    measured = one.measured(np.stack(list(made.maps.values())))
    for number, method in enumerate(made.maps):
        shares = {name: float(values[number]) for name, values in measured.items()}
        yield one.cells | stated | {"method": method} | shares | after
