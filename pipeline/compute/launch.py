"""A stage in several processes of this machine, by the launcher of torchrun.

Every process runs the whole stage and works with the others as ``pipeline.distributed`` says. When one fails, the
others are ended and its error is raised here; when this process is told to end, or is killed, so are they.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

from pipeline.compute import orphans
from pipeline.errors import ConfigError, PainDistillError

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)  # that torch's launcher takes
ERROR = "error-{}.pickle"


def in_processes(run: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Let a stage run in ``config.nproc`` processes; one runs right here.

    Parameters
    ----------
    run : the stage, ``run(config, work, **inputs)``; on CUDA each process finds its own device in the config.

    Returns
    -------
    A function that gives what the stage gives in the first process.

    Raises
    ------
    ConfigError : there are not as many devices, or a process was killed.
    """

    @wraps(run)
    def launched(config: Any, work: Any, **inputs: Any) -> dict[str, Any]:
        return _launch(launched, config, work, inputs) if config.nproc > 1 else run(config, work, **inputs)

    return launched


def _launch(stage: Callable, config: Any, work: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    from pipeline.compute import distributed

    distributed.check(config.device, config.nproc)
    orphans.name_semaphores()
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("torch.distributed.elastic")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what it says of errors is raised here
    with _signals_returned(), tempfile.TemporaryDirectory(prefix="paindistill-") as scratch:
        launcher = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=config.nproc,
            run_id=work.fingerprint[:8],
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            max_restarts=0,
            # The first process shows progress and warnings; what the others say would be the same.
            logs_specs=DefaultLogsSpecs(scratch, dict.fromkeys(range(1, config.nproc), Std.ALL)),
        )
        level = logging.getLogger().getEffectiveLevel()
        try:
            return elastic_launch(launcher, _process)(os.getpid(), stage, config, work, inputs, scratch, level)[0]
        except ChildFailedError as error:
            raise _cause(Path(scratch), config.nproc, error.get_first_failure()[1].exitcode) from None


def _process(
    parent: int, stage: Callable, config: Any, work: Any, inputs: Mapping[str, Any], scratch: str, level: int
) -> Any:
    """One of the processes."""
    from pipeline.compute import distributed

    orphans.end_with(parent)  # torch interrupts it then, which what waits for another process does not notice

    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=level)
    try:
        with distributed.joined(config.device) as device:
            summary = stage.__wrapped__(replace(config, device=device), work, **inputs)
            return summary if distributed.team().chief else None
    except Exception as error:
        if not isinstance(error, PainDistillError):
            error.add_note(traceback.format_exc())
        Path(scratch, ERROR.format(os.environ["RANK"])).write_bytes(pickle.dumps(error))
        raise


def _cause(scratch: Path, processes: int, exit_code: int) -> Exception:
    """The error that ended the processes, rather than what it did to the others."""
    files = sorted(scratch.glob(ERROR.format("*")), key=lambda file: file.stat().st_mtime_ns)
    errors = [pickle.loads(file.read_bytes()) for file in files]
    known = [error for error in errors if isinstance(error, PainDistillError)]
    if known or (errors and exit_code > 0):
        return (known or errors)[0]
    return ConfigError(
        f"One of the NPROC={processes} processes was killed (exit code {exit_code}), perhaps for want of memory. "
        "Run the command again, with fewer processes or a smaller BATCH_SIZE."
    )


@contextmanager
def _signals_returned() -> Iterator[None]:
    """Give the signals back to whom torch's launcher took them from; one that came meanwhile acts then."""
    from torch.distributed.elastic.multiprocessing.api import SignalException

    before = {number: signal.getsignal(number) for number in SIGNALS}
    come = None
    try:
        yield
    except SignalException as error:
        come = error.sigval
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)
    if come:
        signal.raise_signal(come)
