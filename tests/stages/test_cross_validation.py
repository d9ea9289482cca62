"""Outer cross-validation by the real stages on the smoke preset: all folds, more recipes, cross-fitted, leaking."""

from __future__ import annotations

import pandas as pd
import pytest
from click.testing import CliRunner

from pipeline.artifacts import arrays
from pipeline.tasks import TASKS
from stages.cli import cli
from tests.helpers.demo_sets import demo_part
from tests.helpers.figures import drafts

pytestmark = pytest.mark.slow

SMALL = ("--preset", "smoke", "--workers", 1, "--min-face", 0.3, "--replicates", 20, "--max-skipped", 1)
FACES = [TASKS["pain"], TASKS["expression"]]
BY_TASK = pytest.mark.parametrize("task", FACES, ids=lambda task: task.name)


@pytest.fixture(scope="module", autouse=True)
def drafted():
    """Figures are drafts: what is looked at are tables and words."""
    with drafts():
        yield


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """By task a part of its demo set and a cache, in which its report over five folds lies."""
    return {task.name: tmp_path_factory.mktemp(task.name) for task in FACES}


def command(name, folder, task, *options):
    given = ["--task", task.name, "--data", folder / "set", "--cache", folder / "cache", *SMALL, *options]
    said = CliRunner().invoke(cli, ["--quiet", name, *map(str, given)], catch_exceptions=False)
    assert said.exit_code == 0
    return said.output


def made(folder):
    """The finished artifacts by the time of their records."""
    records = (folder / "cache" / "set").glob("*-????????/record.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in records}


TWO = ("--cv", 5, "--teacher", "swin,none")


def reported(sets, task):
    """The folder of a task with its report over five folds."""
    folder = sets[task.name]
    if not (folder / "set").exists():
        demo_part(folder / "set", task, subjects=10 if len(task.outputs) < 3 else 6)
        command("report", folder, task, *TWO)
    return folder


@BY_TASK
def test_every_subject_is_tested_once_and_the_page_is_over_all(task, sets):
    folder = reported(sets, task)
    store = folder / "cache" / "set"
    [samples] = store.glob("samples-*/samples.csv")
    splits = [arrays.read_table(file) for file in sorted(store.glob("split-cv5-*/split.csv"))]
    assert len(splits) == 5
    tested = pd.concat(frame[frame["part"] == "test"] for frame in splits)
    assert sorted(tested["sample_id"]) == sorted(arrays.read_table(samples)["sample_id"])
    for frame in splits:
        assert frame.groupby("subject_id")["part"].nunique().max() == 1
    runs = pd.read_csv(store / "report" / "tables" / "runs.csv")
    assert runs["outer_folds"].tolist() == [5] * 3
    files = store.glob("evaluation-*student-*-none-s0-cv5-*/predictions.csv")
    pooled = pd.concat(arrays.read_table(file).query("part == 'test'") for file in files)
    accuracy = (pooled["predicted"] == pooled["label"]).mean()
    assert runs.set_index("teacher").loc["none", "accuracy"] == pytest.approx(accuracy)
    assert "Nothing to do" in command("plan", folder, task, *TWO)


@BY_TASK
def test_another_recipe_shares_every_folds_teacher_and_labels(task, sets):
    folder = reported(sets, task)
    before = made(folder)
    command("sweep", folder, task, *TWO, "--losses", "hard,soft")
    after = made(folder)
    assert before.items() <= after.items()
    new = {name.rsplit("-", 1)[0] for name in after.keys() - before.keys()}
    prefix = "" if task.name == "pain" else f"{task.name}-"
    student = task.presets.get("smoke", {}).get("students", ("deit",))[0]
    expected = {f"{prefix}student-{student}-swin-soft-s0-cv5-{fold}" for fold in range(5)}
    assert new == expected | {f"evaluation-{name}" for name in expected} | {f"{prefix}report-cv5"}
    table = pd.read_csv(folder / "cache" / "set" / "runs.csv")
    assert table["outer_folds"].tolist() == [5] * 3
    assert table["loss"].tolist() == ["hard", "soft", "label"]


def test_cross_fitted_labels_within_every_fold(sets):
    task = TASKS["pain"]
    folder = reported(sets, task)
    command("report", folder, task, "--cv", 5, "--teacher", "swin", "--folds", 2)
    assert len(list((folder / "cache" / "set").glob("labels-swin-f2-cv5-*"))) == 5
    assert len(list((folder / "cache" / "set").glob("teacher-swin-f2-?-cv5-*"))) == 10
    page = (folder / "cache" / "set" / "report" / "index.html").read_text()
    assert "Sums over the 5 outer folds" in page


def test_each_subject_left_out(sets, tmp_path):
    task = TASKS["pain"]
    demo_part(tmp_path / "set", task, subjects=5)
    command("report", tmp_path, task, "--cv", "subject", "--teacher", "none")
    store = tmp_path / "cache" / "set"
    [samples] = store.glob("samples-*/samples.csv")
    subjects = arrays.read_table(samples)["subject_id"].nunique()
    assert len(list(store.glob("split-cvsubject-*"))) == subjects
    page = (store / "report" / "index.html").read_text()
    assert f"Each of the {subjects} subjects was left out once" in page
    assert "CV=subject" in page
    assert "Nothing to do" in command("plan", tmp_path, task, "--cv", "subject", "--teacher", "none")


def test_a_leak_is_reported_as_one(sets):
    task = TASKS["pain"]
    folder = reported(sets, task)
    command("report", folder, task, "--split-by", "sample", "--i-know-it-leaks", "true", "--teacher", "none")
    page = (folder / "cache" / "set" / "report" / "index.html").read_text()
    assert "<strong>This split leaks.</strong>" in page
    [card] = [
        path / "MODEL_CARD.md"
        for path in (folder / "cache" / "set").glob("evaluation-student-deit-none-s0-*")
        if "-cv" not in path.name
    ]
    assert "Parts share no subject" not in card.read_text()
