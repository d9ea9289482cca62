"""Where independent tasks run: in processes of this machine, or by the workers of a dask or ray cluster."""

from __future__ import annotations

import importlib
import logging
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import Any

import joblib
from joblib.externals.loky import process_executor
from tqdm import tqdm

from pipeline.compute import orphans
from pipeline.errors import ConfigError, MissingDependencyError

IDLE_S = 15  # then a process of this machine goes: the stages after this one want its memory
CONNECT_S = 15
ROUNDS_AHEAD = 4  # tasks for each worker between two looks at what is done, where results do not come one by one

Task = tuple[Callable, tuple, dict]  # of joblib.delayed
Start = Callable[[str, int], AbstractContextManager[tuple[joblib.Parallel, int]]]


def unordered(tasks: Sequence[Task], backend: str = "loky", scheduler: str = "", workers: int = 0) -> Iterator[Any]:
    """Run tasks side by side and give their results as they come.

    Parameters
    ----------
    tasks : made by ``joblib.delayed``; what they read by path, the workers must find under the same path.
    backend : ``loky`` (processes of this machine), ``dask`` or ``ray``.
    scheduler : address of a running dask or ray cluster; empty: one on this machine that ends with the tasks.
    workers : processes on this machine; 0: one for each core.

    Raises
    ------
    MissingDependencyError : the backend's package is not installed.
    ConfigError : there is no cluster at the address.
    """
    with STARTS[backend](scheduler, _workers(tasks, workers)) as (run, together):
        for first in range(0, len(tasks), together or max(1, len(tasks))):
            yield from run(tasks[first : first + together] if together else tasks)


def ordered(tasks: Sequence[Task], workers: int = 0) -> Iterator[Any]:
    """Run tasks side by side in processes of this machine and give their results in the order of the tasks.

    Parameters
    ----------
    tasks, workers : as of ``unordered``.
    """
    yield from _processes(_workers(tasks, workers), "generator")(tasks)


def blocks(
    make: Callable,
    pending: Sequence[slice],
    rows: Sequence[Any],
    settings: Any,
    *,
    workers: int,
    few: int,
    title: str,
    unit: str,
) -> Iterator[tuple[slice, Any]]:
    """Make the pending blocks of some rows in processes of this machine, with a progress bar, as they are done.

    Parameters
    ----------
    make : of a block, its rows and the settings: the block and what it became.
    workers : as of ``unordered``.
    few : rows; of fewer, starting another process would take longer than it saves.
    title, unit : of the bar, and what a row is.
    """
    left = sum(block.stop - block.start for block in pending)
    processes = max(1, min(workers or joblib.cpu_count(), left // few))
    tasks = [joblib.delayed(make)(block, rows[block], settings) for block in pending]
    with tqdm(total=len(rows), initial=len(rows) - left, desc=title, unit=unit, disable=None) as bar:
        for block, made in unordered(tasks, workers=processes):
            yield block, made
            bar.update(block.stop - block.start)


def _workers(tasks: Sequence[Task], workers: int) -> int:
    return max(1, min(workers or joblib.cpu_count(), len(tasks)))


def _processes(workers: int, return_as: str) -> joblib.Parallel:
    """Processes of this machine, of one thread each, that end with this one; one alone is this one."""
    return joblib.Parallel(
        n_jobs=workers,
        return_as=return_as,
        idle_worker_timeout=IDLE_S,
        inner_max_num_threads=1,
        # Arrays go through pipes, and nothing into files; without a folder, joblib makes one in shared memory.
        max_nbytes=None,
        temp_folder=tempfile.gettempdir(),
        initializer=_begin_worker,
        # Of another stage, whose temporary folder is gone, no worker is used again.
        initargs=(os.getpid(), tempfile.gettempdir()),
    )


@contextmanager
def _loky(scheduler: str, workers: int) -> Iterator[tuple[joblib.Parallel, int]]:
    yield _processes(workers, "generator_unordered"), 0


def _begin_worker(parent: int, temporary: str) -> None:
    orphans.end_with(parent)
    tempfile.tempdir = temporary
    # Where psutil is installed, loky replaces a worker that grew by 300 MB, which a detector does in a few blocks.
    process_executor._MAX_MEMORY_LEAK_SIZE = math.inf


@contextmanager
def _dask(scheduler: str, workers: int) -> Iterator[tuple[joblib.Parallel, int]]:
    distributed = _imported("distributed", "dask")
    # One thread for each worker, as torch is told; limits of memory would end workers that another program crowds.
    orphans.name_semaphores()
    local = {"n_workers": workers, "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": ":0"}
    logging.getLogger("distributed").setLevel(logging.WARNING)  # it tells every step of a cluster's life
    try:
        client = distributed.Client(scheduler, timeout=CONNECT_S) if scheduler else distributed.Client(**local)
    except (OSError, ValueError) as error:
        raise _unreachable("dask", scheduler, error) from error
    with client, joblib.parallel_config("dask", client=client):
        yield joblib.Parallel(n_jobs=-1, return_as="generator_unordered"), 0


@contextmanager
def _ray(scheduler: str, workers: int) -> Iterator[tuple[joblib.Parallel, int]]:
    ray = _imported("ray", "ray")
    _imported("ray.util.joblib", "ray").register_ray()
    where = {"address": scheduler} if scheduler else {"address": "local", "num_cpus": workers}
    try:
        ray.init(**where, include_dashboard=None if scheduler else False, log_to_driver=False, logging_level="warning")
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreachable("ray", scheduler, error) from error
    try:
        with joblib.parallel_config("ray"):
            yield joblib.Parallel(n_jobs=-1), ROUNDS_AHEAD * int(ray.cluster_resources()["CPU"])
    finally:
        ray.shutdown()


STARTS: dict[str, Start] = {"loky": _loky, "dask": _dask, "ray": _ray}


def _imported(module: str, backend: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f"BACKEND={backend} needs a package that is not here ({error}). Install it: pip install -e '.[cluster]'"
        ) from error


def _unreachable(backend: str, scheduler: str, error: Exception) -> ConfigError:
    where = f"SCHEDULER={scheduler}" if scheduler else "this machine"
    return ConfigError(
        f"No {backend} cluster answers at {where} ({error}). Give the address that the cluster printed when it began, "
        "or no SCHEDULER to begin one here."
    )
