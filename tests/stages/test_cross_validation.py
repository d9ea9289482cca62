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
TASK = TASKS["expression"]
TWO = ("--cv", 3, "--teacher", "swin,none")


@pytest.fixture(scope="module", autouse=True)
def drafted():
    """Figures are drafts: what is looked at are tables and words."""
    with drafts():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A part of a demo set and a cache, in which its report over three folds lies."""
    folder = tmp_path_factory.mktemp("crossed")
    demo_part(folder / "set", TASK, subjects=8)
    command("report", folder, *TWO)
    return folder


def command(name, folder, *options, task=TASK):
    given = ["--task", task.name, "--data", folder / "set", "--cache", folder / "cache", *SMALL, *options]
    said = CliRunner().invoke(cli, ["--quiet", name, *map(str, given)], catch_exceptions=False)
    assert said.exit_code == 0
    return said.output


def made(folder):
    """The finished artifacts by the time of their records."""
    records = (folder / "cache" / "set").glob("*-????????/record.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in records}


def test_every_subject_is_tested_once_and_the_page_is_over_all(folder):
    store = folder / "cache" / "set"
    [samples] = store.glob("samples-*/samples.csv")
    splits = [arrays.read_table(file) for file in sorted(store.glob("split-cv3-*/split.csv"))]
    assert len(splits) == 3
    tested = pd.concat(frame[frame["part"] == "test"] for frame in splits)
    assert sorted(tested["sample_id"]) == sorted(arrays.read_table(samples)["sample_id"])
    for frame in splits:
        assert frame.groupby("subject_id")["part"].nunique().max() == 1
    runs = pd.read_csv(store / "report" / "tables" / "runs.csv")
    assert runs["outer_folds"].tolist() == [3] * 3
    files = store.glob("evaluation-*student-*-none-s0-cv3-*/predictions.csv")
    pooled = pd.concat(arrays.read_table(file).query("part == 'test'") for file in files)
    accuracy = (pooled["predicted"] == pooled["label"]).mean()
    assert runs.set_index("teacher").loc["none", "accuracy"] == pytest.approx(accuracy)
    assert "Nothing to do" in command("plan", folder, *TWO)


def test_another_recipe_shares_every_folds_teacher_and_labels(folder):
    before = made(folder)
    command("sweep", folder, *TWO, "--losses", "hard,soft")
    after = made(folder)
    assert before.items() <= after.items()
    new = {name.rsplit("-", 1)[0] for name in after.keys() - before.keys()}
    expected = {f"expression-student-vit-swin-soft-s0-cv3-{fold}" for fold in range(3)}
    assert new == expected | {f"evaluation-{name}" for name in expected} | {"expression-report-cv3"}
    table = pd.read_csv(folder / "cache" / "set" / "runs.csv")
    assert table["outer_folds"].tolist() == [3] * 3
    assert table["loss"].tolist() == ["hard", "soft", "label"]


def test_cross_fitted_labels_within_every_fold(folder):
    command("report", folder, "--cv", 3, "--teacher", "swin", "--folds", 2)
    assert len(list((folder / "cache" / "set").glob("expression-labels-swin-f2-cv3-*"))) == 3
    assert len(list((folder / "cache" / "set").glob("expression-teacher-swin-f2-?-cv3-*"))) == 6
    page = (folder / "cache" / "set" / "report" / "index.html").read_text()
    assert "Sums over the 3 outer folds" in page


def test_each_subject_left_out(tmp_path):
    task = TASKS["pain"]
    demo_part(tmp_path / "set", task, subjects=4)
    command("report", tmp_path, "--cv", "subject", "--teacher", "none", task=task)
    store = tmp_path / "cache" / "set"
    [samples] = store.glob("samples-*/samples.csv")
    subjects = arrays.read_table(samples)["subject_id"].nunique()
    assert len(list(store.glob("split-cvsubject-*"))) == subjects
    page = (store / "report" / "index.html").read_text()
    assert f"Each of the {subjects} subjects was left out once" in page
    assert "CV=subject" in page
    assert "Nothing to do" in command("plan", tmp_path, "--cv", "subject", "--teacher", "none", task=task)


def test_a_leak_is_reported_as_one(tmp_path):
    demo_part(tmp_path / "set", TASKS["pain"], subjects=8)
    leaky = ("--split-by", "sample", "--i-know-it-leaks", "true")
    command("report", tmp_path, *leaky, "--teacher", "none", task=TASKS["pain"])
    page = (tmp_path / "cache" / "set" / "report" / "index.html").read_text()
    assert "<strong>This split leaks.</strong>" in page
    [card] = (tmp_path / "cache" / "set").glob("evaluation-student-deit-none-s0-*/MODEL_CARD.md")
    assert "Parts share no subject" not in card.read_text()
