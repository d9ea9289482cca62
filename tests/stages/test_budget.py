"""LABELLED= from the command line to the page."""

from __future__ import annotations

import pandas as pd
import pytest
from click.testing import CliRunner

from pipeline.tasks import TASKS
from stages.cli import cli
from tests.helpers.demo_sets import demo_part
from tests.helpers.figures import drafts

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def drafted():
    """Figures are drafts: what is looked at are tables and words."""
    with drafts():
        yield


def run(*words):
    return CliRunner().invoke(cli, [*map(str, words)])


def test_a_label_budget_goes_from_the_option_to_the_page(tmp_path):
    data = demo_part(tmp_path / "set", TASKS["expression"], subjects=8)
    options = [
        "--task",
        "expression",
        "--preset",
        "smoke",
        "--data",
        data,
        "--cache",
        tmp_path / "cache",
        "--min-face",
        0.3,
    ]
    options += ["--teacher", "swin,none", "--max-skipped", 1]
    made = run("--quiet", "report", *options, "--workers", 1, "--replicates", 50, "--labelled", "0.5,10,0")
    assert made.exit_code == 0, repr(made.exception)
    report = tmp_path / "cache" / "set" / "report"
    page = (report / "index.html").read_text()
    assert "With 10 labelled subjects and the Swin teacher’s answers the" in page
    runs = pd.read_csv(report / "tables" / "runs.csv")
    students = runs[runs["student"].notna()].set_index(["teacher", "labelled"])["labelled_subjects"]
    every = students["swin", 0]
    assert every > 10
    for teacher in ("swin", "none"):
        assert [students[teacher, n] for n in (10, 0.5, 0)] == [10, round(0.5 * every), every]
    assert "LABELLED=" in page
    again = run("plan", *options, "--replicates", 50, "--labelled", "0,10,0.5")
    assert "Nothing to do" in again.output
    less = run("plan", *options, "--replicates", 50)  # what knows all labels is there
    assert [line.split()[0].rsplit("-", 1)[0] for line in less.output.splitlines()[:-1]] == ["expression-report"]
    before = {path.name for path in (tmp_path / "cache" / "set").iterdir()}
    refused = run("--quiet", "distill", *options, "--workers", 1, "--labelled", "1000", "--teacher-epochs", 1)
    assert f"LABELLED=1000 asks for the labels of 1000 training subjects, there are {every:.0f}" in str(
        refused.exception
    )
    assert before == {path.name for path in (tmp_path / "cache" / "set").iterdir()}  # nothing was trained before


def test_in_every_outer_fold_as_many_labels_are_known(tmp_path):
    data = demo_part(tmp_path / "set", TASKS["pain"], subjects=9)
    options = ["--preset", "smoke", "--data", data, "--cache", tmp_path / "cache", "--min-face", 0.3, "--cv", 3]
    options += ["--teacher", "swin,none", "--max-skipped", 1, "--labelled", "4,0", "--replicates", 50, "--workers", 1]
    made = run("--quiet", "report", *options)
    assert made.exit_code == 0, repr(made.exception)
    report = tmp_path / "cache" / "set" / "report"
    assert "of every fold; means over 3 folds" in (report / "index.html").read_text()
    runs = pd.read_csv(report / "tables" / "runs.csv")
    students = runs[runs["student"].notna()].set_index(["teacher", "labelled"])["labelled_subjects"]
    assert students["swin", 4] == students["none", 4] == 4 < students["swin", 0]
