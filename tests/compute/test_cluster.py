"""Tasks in processes of this machine and of local clusters."""

from __future__ import annotations

import os
import sys
import tempfile
import time

import joblib
import numpy as np
import pytest

from pipeline.compute import cluster
from pipeline.errors import ConfigError, DataError, MissingDependencyError

BACKENDS = ("loky", "dask", "ray")
PACKAGES = {"dask": "distributed", "ray": "ray"}


def number_and_process(number: int) -> tuple[int, int]:
    return number, os.getpid()


def spoiled(number: int) -> int:
    raise DataError(f"picture {number} went bad")


def tasks(function, count: int = 12):
    return [joblib.delayed(function)(number) for number in range(count)]


@pytest.fixture(params=BACKENDS)
def backend(request):
    if request.param in PACKAGES:
        pytest.importorskip(PACKAGES[request.param], reason="the extra cluster brings it")
    return request.param


def test_every_task_is_done_once_in_other_processes(backend):
    found = list(cluster.unordered(tasks(number_and_process), backend, workers=2))
    assert sorted(number for number, _ in found) == list(range(12))
    assert os.getpid() not in {process for _, process in found}


def slower_the_earlier(number: int) -> int:
    time.sleep((12 - number) / 100)
    return number


def test_in_order_the_results_are_those_of_the_tasks():
    assert list(cluster.ordered(tasks(slower_the_earlier), workers=2)) == list(range(12))


def test_large_arrays_come_through_without_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    array = np.arange(2**20)
    assert list(cluster.unordered([joblib.delayed(np.sum)(array)] * 2, workers=2)) == [array.sum()] * 2
    assert not list(tmp_path.rglob("*"))
    assert not [name for name in os.listdir("/dev/shm") if f"folder_{os.getpid()}_" in name]


def temporary_folder(number: int) -> str:
    return tempfile.gettempdir()


def test_workers_make_temporary_files_where_this_process_does(tmp_path, monkeypatch):
    for name in ("of one stage", "of the next"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))
        assert set(cluster.ordered(tasks(temporary_folder), workers=2)) == {str(tmp_path / name)}


def test_a_workers_error_comes_through_as_it_is(backend):
    with pytest.raises(DataError, match="went bad"):
        list(cluster.unordered(tasks(spoiled), backend, workers=2))


@pytest.mark.parametrize("backend", PACKAGES)
def test_a_missing_package_says_how_to_get_it(backend, monkeypatch):
    monkeypatch.setitem(sys.modules, PACKAGES[backend], None)
    with pytest.raises(MissingDependencyError, match=rf"BACKEND={backend}.*pip install -e '\.\[cluster\]'"):
        list(cluster.unordered(tasks(number_and_process), backend))


def test_no_cluster_at_the_address_is_said(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "CONNECT_S", 0.2)
    with pytest.raises(ConfigError, match=r"SCHEDULER=tcp://127\.0\.0\.1:9"):
        list(cluster.unordered(tasks(number_and_process), "dask", "tcp://127.0.0.1:9"))


def test_a_running_cluster_is_used_and_left_running():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as running:
        pids = {worker.pid for worker in running.workers.values()}
        for _ in range(2):
            found = list(cluster.unordered(tasks(number_and_process), "dask", running.scheduler_address))
            assert {process for _, process in found} <= pids
