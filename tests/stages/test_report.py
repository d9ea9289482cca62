from __future__ import annotations

import re

import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from pipeline.artifacts import arrays
from pipeline.config import ReportConfig
from stages import report
from tests.fakes.classify import Fakes
from tests.helpers.figures import drafts

pytestmark = pytest.mark.slow

CONFIG = ReportConfig(replicates=100, examples=4)


@pytest.fixture(scope="module", autouse=True)
def drafted():
    """Figures are drafts: what is looked at are tables and words."""
    with drafts():
        yield


@pytest.fixture(scope="module")
def fakes(tmp_path_factory):
    return Fakes(tmp_path_factory.mktemp("cache"), subjects=80, size=32)


@pytest.fixture(scope="module")
def artifact(fakes):
    return fakes.store.build(fakes.report(report.run, fakes.models(seeds=2), CONFIG))[0]


@pytest.fixture(scope="module")
def html(artifact):
    return artifact.file("index.html").read_text(encoding="utf-8")


def test_the_page_needs_nothing_beside_it(html):
    assert not re.search(r"""(?:src|href)=["'](?!data:image|#)|url\(["']?(?!#)|@import|<script|<link""", html)


def test_every_link_has_its_section_and_no_id_is_there_twice(html):
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'<a href="#([^"]+)"', html)) <= set(ids)
    references = set(re.findall(r'(?:url\(#|xlink:href="#)([^)"]+)', html))
    assert references <= set(ids)


def test_colours_follow_the_page(html):
    [style] = re.findall(r"<style>(.*?)</style>", html, flags=re.DOTALL)
    for variable in set(re.findall(r"var\((--[a-z0-9]+)\)", html)):
        assert f"{variable}:" in style
    figures = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL))
    assert not set(re.findall(r"#[0-9a-f]{6}\b", figures))


def test_tables_and_figures_are_files_too(artifact):
    names = set(artifact.record["files"])
    for table in (
        *("comparison", "students", "effects", "opinions", "transfer", "labels", "calibration", "groups", "gaps"),
        *("networks", "data", "people", "detection", "skipped", "runs", "tripod-ai", "artifacts"),
    ):
        assert {f"tables/{table}.csv", f"tables/{table}.tex"} <= names
    assert "aggregated.json" in names
    assert "figures/roc-swin.png" in names
    assert "figures/reliability-swin.png" in names
    assert "figures/confusion-student-deit-none.png" in names
    assert "figures/training-teacher-resnet.png" in names


def test_the_numbers_are_those_of_the_predictions(fakes, artifact, html):
    comparison = pd.read_csv(artifact.file("tables/comparison.csv"))
    [evaluation] = fakes.store.build(fakes.evaluation(fakes.model("swin")))
    test = arrays.read_table(evaluation.file("predictions.csv")).query("part == 'test'")
    expected = balanced_accuracy_score(test["label"], test["predicted"])
    found = comparison.query("model == 'Swin teacher' and metric == 'balanced_accuracy'")["value"].item()
    assert found == pytest.approx(expected)
    assert f'<span class="value">{100 * expected:.1f}</span>' in html


def test_what_could_not_be_used_is_shown_with_its_reason(fakes, html):
    for name in fakes.table["sample_id"][~fakes.detected]:
        assert name in html
    assert "no face found in two looks" in html
    assert "truncated: 12 of 88 kB" in html


def test_the_same_bytes_again(fakes, artifact):
    def content(path):
        return {file.relative_to(path): file.read_bytes() for file in path.rglob("*.*") if file.name != "record.json"}

    before = content(artifact.path)
    artifact.path.rename(artifact.path.with_name("before"))
    [again] = fakes.store.build(fakes.report(report.run, fakes.models(seeds=2), CONFIG))
    assert content(again.path) == before


def test_few_subjects_are_no_certainty(html):
    assert re.search(r"With only\s+\d+ subjects the intervals are too narrow", html)
    assert "Nothing names the people" not in html


@pytest.mark.parametrize(
    "chosen",
    [
        [("swin", "", 0)],
        [("swin", "", 0), ("deit", "swin", 0)],
        [("deit", "none", 0)],
    ],
    ids=["a teacher alone", "one teacher and its student", "the baseline alone"],
)
def test_any_selection_of_models_has_a_report(fakes, chosen):
    models = [fakes.model(*which) for which in chosen]
    [artifact] = fakes.store.build(fakes.report(report.run, models, CONFIG))
    html = artifact.file("index.html").read_text(encoding="utf-8")
    assert "No answer yet: the question needs students of two teachers" in html
    assert "tables/effects.csv" not in artifact.record["files"]  # nothing to compare
    assert "nan" not in re.sub(r"<svg.*?</svg>|data:image[^\"]+", "", html, flags=re.DOTALL).lower().split()


@pytest.fixture(scope="module")
def crossed(fakes):
    return fakes.store.build(fakes.crossed_report(report.run, 4, CONFIG))[0]


def test_a_report_over_folds_says_so_and_needs_nothing_beside_it(crossed):
    html = crossed.file("index.html").read_text(encoding="utf-8")
    assert "every subject once, by the networks of the one fold, of 4" in html.replace("\n", " ")
    assert '<section id="folds">' in html
    assert {"tables/folds.csv", "tables/fold-rankings.csv", "tables/data.csv"} <= set(crossed.record["files"])
    assert crossed.summary["counts"] == {"models": 8, "methods": 5}
    assert "This split leaks" not in html
    references = set(re.findall(r'href="#([^"]+)"', html))
    assert references <= set(re.findall(r'\bid="([^"]+)"', html))


def test_a_leak_stands_in_red_above_everything(fakes):
    leaky = fakes.leaky()
    [artifact] = leaky.store.build(leaky.report(report.run, leaky.models(seeds=1), CONFIG))
    html = artifact.file("index.html").read_text(encoding="utf-8")
    mark = html.index('<p class="leak"><strong>This split leaks.')
    assert mark < html.index("<h1>")
    [rule] = re.findall(r"\.leak \{[^}]*\}", html)
    assert "color: var(--c6)" in rule
    assert re.search(r"--c6: #a3262e", html)
    assert "whom no model saw in training" not in html
    assert "no subject is in two parts" not in html
    assert "I_KNOW_IT_LEAKS=1" in html
