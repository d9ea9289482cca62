"""What status and gc say: damage that only reading finds, whose folders are left, and who uses what."""

from __future__ import annotations

from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import ArtifactStore, Node
from pipeline.errors import ArtifactError
from stages import cli, housekeeping
from tests.helpers.locks import USE, running
from tests.helpers.nodes import Config, run


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "cache" / "demo")


@pytest.fixture
def made(store, tmp_path):
    """Two artifacts, one made from the other."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.jpg").write_bytes(b"a")
    inputs = Node("one", "inputs", 1, Config(), {"raw": RawData(tmp_path / "raw")}, run)
    student = Node("two", "student", 1, Config(), {"inputs": inputs}, run)
    store.build(student)
    return inputs, student


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def test_a_damaged_file_is_shown_when_status_reads_all(store, made, capsys):
    housekeeping.status(store, made[1], verify=True)
    assert lines(capsys)[-1].startswith("2 of 2 fresh")
    (store.folder(made[0]) / "data.txt").write_text("y" * 1000)
    housekeeping.status(store, made[1])
    assert lines(capsys)[-1].startswith("2 of 2 fresh")
    housekeeping.status(store, made[1], verify=True)
    damaged, _, total = lines(capsys)
    assert damaged.startswith("damaged")
    assert "rm -r" in damaged
    assert total.startswith("1 of 2 fresh")


def test_folders_of_the_users_own_are_shown_and_not_counted(store, made, capsys):
    (store.root / "precious").mkdir()
    housekeeping.status(store, made[1])
    assert [line.split()[0] for line in lines(capsys)] == ["fresh", "fresh", "foreign", "2"]
    housekeeping.collect(store, [made[1]], yes=True)
    assert lines(capsys) == ["Nothing to remove."]
    assert (store.root / "precious").is_dir()


def test_gc_says_who_uses_what_it_leaves(store, made, capsys):
    inputs, student = made
    with running(USE, store.root, inputs.folder_name) as process:
        housekeeping.collect(store, [], yes=True)
    first, second, last = lines(capsys)
    assert f"left, in use by process {process.pid} on " in first
    assert "left" not in second
    assert last == "Removed 1."
    assert store.find(inputs)
    assert not store.find(student)


def test_what_a_command_begins_to_use_while_gc_asks_is_left(store, made, capsys, monkeypatch):
    inputs, student = made
    with running(USE, store.root) as process:

        def confirm(question):
            monkeypatch.setattr("os.getpid", lambda: process.pid)  # the next use is another process's
            other.build(student)
            monkeypatch.undo()
            return True

        other = ArtifactStore(store.root)
        monkeypatch.setattr(click, "confirm", confirm)
        housekeeping.collect(store, [], yes=False)
    assert store.find(inputs)
    assert store.find(student)
    assert lines(capsys)[2:] == [
        "Removed 0.",
        *(f"Left {housekeeping.shown(store.folder(node))}: it is in use by now." for node in (inputs, student)),
    ]


def test_a_file_in_the_place_of_the_link_to_the_report_is_left_alone(tmp_path):
    (tmp_path / "report-1").mkdir()
    (tmp_path / "report").write_text("mine")
    assert housekeeping.point(tmp_path / "report", tmp_path / "report-1") == tmp_path / "report-1"
    assert (tmp_path / "report").read_text() == "mine"


def test_the_commands_read_a_damaged_report_before_they_show_it(store, made, monkeypatch):
    graph = SimpleNamespace(report=lambda selection: made[1])
    session = SimpleNamespace(build=store.build, graph=graph, selection=None, store=store)
    monkeypatch.setattr(cli, "Session", lambda stage, values, makes=True: session)
    shown = CliRunner().invoke(cli.cli, ["--quiet", "report"])
    assert shown.output.endswith("report/index.html\n")
    (store.folder(made[1]) / "data.txt").write_text("y" * 1000)
    shown = CliRunner().invoke(cli.cli, ["--quiet", "report"])
    assert isinstance(shown.exception, ArtifactError)
    assert "data.txt is not the file" in str(shown.exception)
    assert "index.html" not in shown.output
    for verify, state in (("true", "damaged"), ("false", "fresh")):
        shown = CliRunner().invoke(cli.cli, ["--quiet", "status", "--verify", verify])
        assert shown.output.splitlines()[1].startswith(state)
