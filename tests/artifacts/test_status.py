"""Status, plan and garbage collection: true to what a build then does."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace

import pytest

from pipeline.artifacts import status
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import Artifact, ArtifactStore, Node
from pipeline.config import option
from tests.helpers.locks import HOLD


@dataclass(frozen=True)
class Config:
    epochs: int = option(1, "A field that counts.")


def run(config, work, **inputs):
    (work.path / "data.txt").write_text("x" * 1000)
    return {}


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "cache" / "demo")


@pytest.fixture
def raw(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.jpg").write_bytes(b"a")
    return RawData(tmp_path / "raw")


def nodes(raw, *, first=Config(), second=Config(), version=1):
    upstream = Node("one", "faces", version, first, {"raw": raw}, run)
    return upstream, Node("two", "student", 1, second, {"faces": upstream}, run)


def states(store, node):
    return {state.name.rsplit("-", 1)[0]: (state.state, state.reason) for state in status.status(store, [node])}


def test_missing_then_fresh(store, raw):
    _, node = nodes(raw)
    assert states(store, node) == {"faces": ("missing", "missing"), "student": ("missing", "missing")}
    store.build(node)
    assert states(store, node) == {"faces": ("fresh", ""), "student": ("fresh", "")}
    assert all(state.size_bytes > 1000 for state in status.status(store, [node]))


def test_a_changed_config_is_stale_with_the_change_named(store, raw):
    store.build(nodes(raw)[1])
    _, changed = nodes(raw, second=Config(epochs=5))
    found = [(s.state, s.reason) for s in status.status(store, [changed])]
    assert found == [
        ("fresh", ""),
        ("missing", "changed: epochs 1 → 5"),
        ("stale", "now wanted: epochs 1 → 5"),
    ]


def test_the_plan_names_what_runs_and_why_and_build_runs_just_that(store, raw):
    store.build(nodes(raw)[1])
    _, changed = nodes(raw, version=2)
    assert [(n.slug, why) for n, why in status.plan(store, changed)] == [
        ("faces", "changed: version 1 → 2"),
        ("student", "changed: input faces"),
    ]
    ran = []
    recording = [replace(n, run=lambda c, w, **i: ran.append(w.node.slug) or run(c, w)) for n in nodes(raw, version=2)]
    second = replace(recording[1], inputs={"faces": recording[0]})
    store.build(second)
    assert ran == ["faces", "student"]
    assert status.plan(store, second) == []


def test_each_record_is_read_once_however_many_artifacts_are_missing(store, raw, monkeypatch):
    old = [nodes(raw, second=Config(epochs=number)) for number in range(2, 8)]
    store.build(*(second for _, second in old))
    read = []
    original = Artifact.load
    monkeypatch.setattr(Artifact, "load", lambda path: read.append(path) or original(path))
    status.status(store, nodes(raw, version=2))
    assert len(read) == len(set(read)) == 7


def test_a_partial_folder_says_whether_somebody_is_at_it(store, raw):
    _, node = nodes(raw)
    store.build(*node.upstream())
    partial = store.partial(node)
    partial.mkdir()
    assert states(store, node)["student"] == ("partial", "was interrupted")
    assert status.plan(store, node)[0][1] == "partial: goes on where it was"
    lock = store.root / ".locks" / f"{node.folder_name}.lock"
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    try:
        assert f"being made by process {process.pid}" in states(store, node)["student"][1]
        assert partial not in status.unneeded(store, [])
    finally:
        process.kill()
        process.wait()
    assert partial in status.unneeded(store, [])


def test_a_damaged_artifact_is_shown(store, raw):
    _, node = nodes(raw)
    (store.build(node)[0].path / "data.txt").write_text("")
    state, reason = states(store, node)["student"]
    assert state == "damaged"
    assert "has 0 bytes" in reason


def test_garbage_is_what_no_wanted_node_needs(store, raw):
    old, new = nodes(raw)[1], nodes(raw, second=Config(epochs=2))[1]
    store.build(old, new)
    assert status.unneeded(store, [new]) == [store.folder(old)]
    for path in status.unneeded(store, [new]):
        status.remove(path)
    assert not store.folder(old).exists()
    assert store.find(new)
    assert status.unneeded(store, [new]) == []
