"""Status, plan and garbage collection: true to what a build then does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.artifacts import locks, status
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import Artifact, ArtifactStore, Node
from tests.helpers.locks import HOLD, USE, running
from tests.helpers.nodes import Config, run

CONFIG = Config()


def spoiled_folder(file):
    file.unlink()
    file.mkdir()


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "cache" / "demo")


@pytest.fixture
def raw(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.jpg").write_bytes(b"a")
    return RawData(tmp_path / "raw")


def nodes(raw, *, first=CONFIG, second=CONFIG, version=1):
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
        assert f"process {process.pid}" in status.unneeded(store, [])[partial]
        assert partial not in status.remove(store, [], [partial])
    finally:
        process.kill()
        process.wait()
    assert status.unneeded(store, [])[partial] == ""


def test_a_damaged_artifact_is_shown(store, raw):
    _, node = nodes(raw)
    (store.build(node)[0].path / "data.txt").write_text("")
    state, reason = states(store, node)["student"]
    assert state == "damaged"
    assert "has 0 bytes" in reason


def test_garbage_is_what_no_wanted_node_needs(store, raw):
    old, new = nodes(raw)[1], nodes(raw, second=Config(epochs=2))[1]
    store.build(old, new)
    assert status.unneeded(store, [new]) == {store.folder(old): ""}
    assert status.remove(store, [new], [store.folder(old), store.folder(new)]) == [store.folder(old)]
    assert not store.folder(old).exists()
    assert not locks.lock_of(store.folder(old)).exists()
    assert store.find(new)
    assert status.unneeded(store, [new]) == {}


@pytest.mark.parametrize("name", ["raw", "my-notes", "notes-12345678", "notes-12345678.partial"])
def test_a_folder_of_the_users_own_is_foreign_and_never_removed(store, raw, name):
    _, node = nodes(raw)
    store.build(node)
    own = store.root / name
    own.mkdir()
    (own / "precious.txt").write_text("mine")
    assert states(store, node)[name.rsplit("-", 1)[0]] == ("foreign", "not made by this program; gc leaves it")
    assert own not in status.unneeded(store, [])
    assert own not in status.remove(store, [], [own])
    assert (own / "precious.txt").read_text() == "mine"


def test_a_copy_of_an_artifact_under_a_name_of_the_users_own_is_foreign(store, raw):
    (artifact,) = store.build(nodes(raw)[1])
    shutil.copytree(artifact.path, store.root / "student-to-keep-12345678")
    assert set(status.unneeded(store, [])) == {path.parent for path in store.records()} - {
        store.root / "student-to-keep-12345678"
    }


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_text("{"), spoiled_folder])
def test_what_lost_its_record_is_ours_by_its_lock(store, raw, damage):
    (artifact,) = store.build(nodes(raw)[1])
    damage(artifact.path / "record.json")
    assert status.remove(store, [], [artifact.path]) == [artifact.path]
    shutil.rmtree(store.root / ".locks")
    assert not artifact.path.exists()


def test_what_a_command_with_other_options_uses_stays(store, raw):
    """A build that found an artifact fresh may read it until its process ends."""
    first, second = nodes(raw)
    store.build(second)
    with running(USE, store.root, first.folder_name) as process:
        users = status.unneeded(store, [])
        assert f"process {process.pid} on " in users[store.folder(first)]
        assert users[store.folder(second)] == ""
        assert status.remove(store, [], list(users)) == [store.folder(second)]
        assert store.find(first)
    assert status.remove(store, [], [store.folder(first)]) == [store.folder(first)]


def test_verify_reads_every_file_and_names_the_damaged_one(store, raw):
    old, new = nodes(raw)[1], nodes(raw, second=Config(epochs=2))[1]
    store.build(old, new)
    for node in (old, new):
        (store.folder(node) / "data.txt").write_text("y" * 1000)
    assert {s.state for s in status.status(store, [new])} == {"fresh", "stale"}
    damaged = [s for s in status.status(store, [new], verify=True) if s.state == "damaged"]
    assert {s.name for s in damaged} == {old.folder_name, new.folder_name}
    assert all("data.txt is not the file that its record describes" in s.reason for s in damaged)
