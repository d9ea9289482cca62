"""Killed at any moment, the next run ends with what an undisturbed run makes; two runs at once make one artifact.

Commands in processes of their own, killed with all their children (SIGKILL), over pictures made of one photograph.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from click.testing import CliRunner

from stages.cli import cli, main
from tests.attacks.server import MODULES
from tests.helpers.clock import hurried
from tests.helpers.figures import drafts
from tests.helpers.forks import Forks

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
PAIRS = 40  # 80 faces, two blocks
TIMEOUT_S = 120
EPOCHS = 12
ALWAYS = ("--checkpoint-s", 0)


@pytest.fixture(scope="module")
def data(synpain, tmp_path_factory):
    return synpain(tmp_path_factory.mktemp("killed") / "faces", PAIRS)


def command(name, data, cache, *options):
    arguments = [name, "--data", data, "--cache", cache, "--preset", "smoke", "--device", "cpu", "--dataset", "synpain"]
    return [str(word) for word in [*arguments, "--workers", 1, *options]]


def paindistill(errors, *arguments):
    """Run a command, its messages into a file; called in a fork."""
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    sys.argv = ["paindistill", *arguments]
    with hurried(), drafts():
        main()


@pytest.fixture(scope="module")
def forks():
    with Forks(__file__, MODULES) as forks:
        yield forks


@pytest.fixture(scope="module")
def finish(forks, tmp_path_factory):
    """Runs a command to its end: its messages."""
    errors = tmp_path_factory.mktemp("finish") / "stderr"

    def finish(arguments):
        status = forks.finish("paindistill", str(errors), *arguments)
        assert status == 0, errors.read_text()
        return errors.read_text()

    return finish


@pytest.fixture(scope="module")
def kill_when(forks, tmp_path_factory):
    """Runs a command until a moment, which must come before its end, and kills it and its children."""
    errors = tmp_path_factory.mktemp("cut") / "stderr"

    def kill_when(arguments, come):
        assert forks.killed(come, "paindistill", str(errors), *arguments), errors.read_text()

    return kill_when


def partial(cache, slug):
    return next((cache / "faces").glob(f"{slug}-????????.partial"), None)


def artifact(cache, slug):
    (found,) = (cache / "faces").glob(f"{slug}-????????")
    return found


def reached(cache, slug, moment):
    """Whether the artifact in the making has come to a moment: files that are there, or a function of its folder."""
    folder = partial(cache, slug)
    if folder is None:
        return False
    return moment(folder) if callable(moment) else all((folder / name).exists() for name in moment)


def one_block_done(folder, name="inputs.h5"):
    if not (folder / name).exists():  # it appears by a rename, complete in its structure
        return False
    with h5py.File(folder / name) as file:
        return any(digests[:].any() for digests in file["sha256"].values())


def views_begun(folder):
    return one_block_done(folder, "views.h5")


@pytest.fixture(scope="module")
def undisturbed(data, finish, tmp_path_factory):
    cache = tmp_path_factory.mktemp("undisturbed")
    finish(command("distill", data, cache, *DISTILL))
    finish(command("teacher-labels", data, cache, *VIEWS))
    return cache


TEACHER = ("--teacher", "swin", "--epochs", EPOCHS, *ALWAYS)
DISTILL = ("--teacher", "swin", "--seed", 0, "--epochs", EPOCHS, "--teacher-epochs", EPOCHS, *ALWAYS)
LABELS = ("--teacher", "swin", "--teacher-epochs", EPOCHS)
VIEWS = (*LABELS, "--views", 40)
STUDENT = "student-deit-swin-hard-s0"

TRAINED = ("weights.safetensors", "history.csv")
MOMENTS = {  # command, options, artifact, its files, when to kill
    "align, nothing written": ("align", (), "inputs", ("inputs.h5",), ()),
    "align, file laid out": ("align", (), "inputs", ("inputs.h5",), ("inputs.h5",)),
    "align, one block done": ("align", (), "inputs", ("inputs.h5",), one_block_done),
    "labels, begun": ("teacher-labels", LABELS, "labels-swin", ("labels.h5",), ()),
    "labels, file laid out": ("teacher-labels", LABELS, "labels-swin", ("labels.h5",), ("labels.h5",)),
    "views, file laid out": ("teacher-labels", VIEWS, "labels-swin-v40", ("labels.h5", "views.h5"), ("views.h5",)),
    "views, one block done": ("teacher-labels", VIEWS, "labels-swin-v40", ("labels.h5", "views.h5"), views_begun),
    "teacher, begun": ("teacher", TEACHER, "teacher-swin", TRAINED, ()),
    "teacher, after a checkpoint": ("teacher", TEACHER, "teacher-swin", TRAINED, ("checkpoint.pt",)),
    "student, begun": ("distill", DISTILL, STUDENT, TRAINED, ()),
    "student, after a checkpoint": ("distill", DISTILL, STUDENT, TRAINED, ("checkpoint.pt",)),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_run_again_equals_undisturbed(moment, undisturbed, data, finish, kill_when, tmp_path):
    name, options, slug, files, when = MOMENTS[moment]
    cache = tmp_path / "cache"
    shutil.copytree(undisturbed, cache)
    shutil.rmtree(artifact(cache, slug))
    run = command(name, data, cache, *options)
    kill_when(run, lambda: reached(cache, slug, when))
    assert partial(cache, slug), "the killed run left nothing to go on from"
    assert "resuming" in finish(run)
    for file in files:
        assert (artifact(cache, slug) / file).read_bytes() == (artifact(undisturbed, slug) / file).read_bytes(), file
    assert partial(cache, slug) is None


SWEEP = ("--teachers", "swin,none", "--losses", "hard,hint", "--seeds", "0,1", "--views", 2)


def test_a_sweep_that_was_killed_goes_on_where_it_was(undisturbed, data, finish, kill_when, tmp_path):
    cache = tmp_path / "cache"
    shutil.copytree(undisturbed, cache)
    run = command("sweep", data, cache, *SWEEP)
    table = cache / "faces" / "runs.csv"
    kill_when(run, lambda: table.exists() and len(table.read_text().splitlines()) > 2)
    there = {
        path.name: path.stat().st_mtime_ns for path in (cache / "faces").glob("student-*") if "partial" not in path.name
    }
    assert 2 <= len(there) < 6
    said = finish(run)
    assert not [name for name in there if f"{name.rsplit('-', 1)[0]}: making" in said]
    assert all((cache / "faces" / name).stat().st_mtime_ns == time_ns for name, time_ns in there.items())
    rows = table.read_text().splitlines()
    assert len(rows) == 1 + 2 * 2 + 2
    assert (cache / "faces" / "report" / "index.html").exists()


CROSSED = ("--cv", 3, "--teachers", "swin,none", "--seeds", 0)


def test_a_cross_validation_that_was_killed_goes_on_where_it_was(undisturbed, data, finish, kill_when, tmp_path):
    cache = tmp_path / "cache"
    shutil.copytree(undisturbed, cache)
    run = command("report", data, cache, *CROSSED)

    def there():
        return {
            path.parent.name: path.stat().st_mtime_ns for path in (cache / "faces").glob("*-cv3-?-????????/record.json")
        }

    kill_when(run, lambda: any("-cv3-1-" in name and name.startswith("student") for name in there()))
    before = there()
    assert {name.split("-")[0] for name in before} == {"split", "teacher", "labels", "evaluation", "student"}
    assert len(before) < 3 * (1 + 1 + 1 + 2 + 3)
    said = finish(run)
    assert not [name for name in before if f"] {name.rsplit('-', 1)[0]}: making" in said]
    after = there()
    assert before.items() <= after.items()
    assert len(after) == 3 * (1 + 1 + 1 + 2 + 3)
    assert not list((cache / "faces").glob("*.partial"))
    tested = (cache / "faces" / "report" / "tables" / "runs.csv").read_text().splitlines()
    assert len(tested) == 1 + 3
    plan = CliRunner().invoke(cli, command("plan", data, cache, *CROSSED), catch_exceptions=False)
    assert plan.output.startswith("Nothing to do")


def test_two_at_once_make_one_good_artifact(undisturbed, data, tmp_path):
    words = [sys.executable, "-m", "stages", *command("align", data, tmp_path)]
    runs = [subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
    said = [run.communicate(timeout=TIMEOUT_S)[1].decode() for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert artifact(tmp_path, "inputs").joinpath("inputs.h5").read_bytes() == (
        artifact(undisturbed, "inputs").joinpath("inputs.h5").read_bytes()
    )
    waited = [text for text in said if "is being made by process" in text]
    assert len(waited) >= 1
    assert str(runs[0].pid) in said[1] or str(runs[1].pid) in said[0]
