"""Commands say what they use; it holds until they end, however they end."""

from __future__ import annotations

import os
import pickle
import threading
from pathlib import Path

import pytest

from pipeline.artifacts import uses
from pipeline.artifacts.locks import LOCKS
from pipeline.artifacts.uses import Uses, excluding, users, using
from pipeline.errors import ArtifactError
from tests.helpers.locks import USE, running


def files(root):
    return sorted((root / LOCKS / uses.USES).iterdir())


def test_another_process_is_seen_until_it_is_killed_and_then_cleared(tmp_path):
    with running(USE, tmp_path, "inputs-00000001", "split-00000002") as process, excluding(tmp_path):
        found = users(tmp_path)
        assert set(found) == {"inputs-00000001", "split-00000002"}
        assert all(who.startswith(f"process {process.pid} on ") for who in found.values())
        assert len(files(tmp_path)) == 1
    with excluding(tmp_path):
        assert users(tmp_path) == {}
    assert files(tmp_path) == []


def test_this_process_is_not_in_its_own_way_and_keeps_one_descriptor(tmp_path):
    mine = Uses(tmp_path)
    mine.add(["a"])
    before = len(os.listdir("/proc/self/fd"))
    mine.add(["a", "b"])
    mine.add(["c"])
    assert len(os.listdir("/proc/self/fd")) == before
    with excluding(tmp_path):
        assert users(tmp_path) == {}
    assert [line for line in files(tmp_path)[0].read_text().splitlines()[1:]] == ["a", "b", "c"]
    del mine
    assert files(tmp_path) == []


def test_whoever_comes_next_removes_the_file_of_a_killed_command(tmp_path):
    with running(USE, tmp_path, "a"):
        pass
    assert len(files(tmp_path)) == 1
    mine = Uses(tmp_path)
    mine.add(["b"])
    assert [file.name.split("-")[-2] for file in files(tmp_path)] == [str(os.getpid())]


def test_nobody_begins_to_use_anything_while_the_store_is_cleaned(tmp_path):
    mine, begun = Uses(tmp_path), threading.Event()
    thread = threading.Thread(target=lambda: (mine.add(["a"]), begun.set()))
    with excluding(tmp_path):
        thread.start()
        assert not begun.wait(0.3)
    assert begun.wait(10)
    thread.join()


def test_a_folder_that_is_read_outside_of_a_build(tmp_path):
    with using(tmp_path / "model"):
        assert not list(tmp_path.iterdir())  # no store of ours: left as it is
    (tmp_path / LOCKS).mkdir()
    with using(tmp_path / "student-00000001"):
        assert "student-00000001" in files(tmp_path)[0].read_text()
    assert files(tmp_path) == []


def test_a_store_that_cannot_be_written_can_be_read(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(uses, "excluding", refuse)
    Uses(tmp_path).add(["a"])


@pytest.mark.parametrize(
    ("place", "make"),
    [
        *((place, make) for place in (LOCKS, f"{LOCKS}/{uses.USES}") for make in (os.mkfifo, Path.touch)),
        *((f"{LOCKS}/{uses.STORE_LOCK}", make) for make in (os.mkfifo, os.mkdir)),
        *((f"{LOCKS}/{uses.USES}/host-1-0", make) for make in (os.mkfifo, os.mkdir)),
    ],
)
def test_the_wrong_kind_of_thing_is_named_with_its_remedy(tmp_path, place, make):
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    make(tmp_path / place)
    with pytest.raises(ArtifactError, match=f"{place} must be .* Remove it: rm "):
        Uses(tmp_path).add(["a"])


def test_another_process_says_itself_what_it_uses(tmp_path):
    ours = Uses(tmp_path)
    ours.add(["inputs-00000001"])
    theirs = pickle.loads(pickle.dumps(ours))
    theirs.add(["inputs-00000001"])
    assert len(files(tmp_path)) == 2
