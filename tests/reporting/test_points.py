from __future__ import annotations

import base64
import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts.arrays import read_table
from pipeline.config import ReportConfig
from pipeline.evaluation.metrics import points as measure
from pipeline.evaluation.question import Question
from pipeline.reporting import contents, page, point_pictures, points, points_ablation, points_ced, points_figures
from pipeline.reporting.methods import tested as in_order
from pipeline.tasks.schemes import SCHEMES
from tests.fakes.points import BOTH, LANDMARKS, PointFakes
from tests.reporting.conftest import gathered, material_of

pytestmark = pytest.mark.slow

REGIONS = SCHEMES[68].regions


@pytest.fixture(scope="module")
def point_fakes(tmp_path_factory):
    return PointFakes(tmp_path_factory.mktemp("points"), subjects=120, size=48)


@pytest.fixture(scope="module")
def pointed(point_fakes):
    """The report's material of 68 points: a tough and a tolerant teacher, students of each, of both and of none."""
    return material_of(point_fakes, gathered(point_fakes, point_fakes.models(seeds=2)))


@pytest.fixture(scope="module")
def html(pointed):
    return page.render(**contents.collect(pointed))


def shares_of(frame):
    """Errors of every point over the distance of the eye corners, by hand: (faces, points); NaN where not found."""
    true, predicted = (
        frame[[f"{kind}_{name}" for name in LANDMARKS.numbers]].to_numpy().reshape(len(frame), 68, 2)
        for kind in ("label", "value")
    )
    between = np.hypot(*(true[:, 36] - true[:, 45]).T)
    off = np.hypot(*np.moveaxis(true - predicted, -1, 0)) / between[:, None]
    return np.where(frame["detected"].to_numpy()[:, None] == 1, off, np.nan)


def nme_of(method):
    """The NME of a method by hand, the mean over seeds."""
    return np.mean([np.nanmean(shares_of(in_order(run)).mean(axis=1)) for run in method.runs])


def by_teacher(material):
    return {method.teacher: method for method in material.methods if not method.is_teacher}


def faces(distances, found):
    """An outcome of faces whose points all lie so far to the right of the true ones; the eye corners are 1 apart."""
    label = np.zeros((len(distances), 68, 2))
    label[:, 45, 0] = 1
    value = label + np.array(distances)[:, None, None] * [1, 0]
    columns = {f"label_{n}": c for n, c in zip(LANDMARKS.numbers, label.reshape(len(label), -1).T, strict=True)}
    columns |= {f"value_{n}": c for n, c in zip(LANDMARKS.numbers, value.reshape(len(label), -1).T, strict=True)}
    frame = pd.DataFrame(columns).assign(detected=np.array(found, int))
    return measure.outcome(frame, Question.of(LANDMARKS))


def test_faces_that_were_not_found_are_beyond_any_error():
    outcome = faces([0.02, 0.06, 0.0], found=[True, True, False])
    weights = np.array([[1.0, 1, 1], [0, 2, 1], [2, 0, 0]])
    np.testing.assert_allclose(points_ced._within(outcome, 0.05, weights), [1 / 3, 0, 1])
    np.testing.assert_allclose(points_ced._within(outcome, 0.10, weights), [2 / 3, 2 / 3, 1])


def test_the_curve_is_the_share_of_all_faces_up_to_an_error(pointed):
    method = by_teacher(pointed)[BOTH]
    x, y = points_ced._curve(method)
    place = int(np.argmin(np.abs(x - 0.05)))
    nme = [shares_of(in_order(run)).mean(axis=1) for run in method.runs]
    assert x[place] == pytest.approx(0.05)
    assert y[place] == pytest.approx(np.mean([np.mean(one <= 0.05) for one in nme]))
    assert 0 < y[place] < y[-1] < 1
    table = points_ced.ced(pointed).tables["ced"]
    numbers = table.numbers.query("model == @method.title").set_index("nme")["share"]
    assert numbers.iloc[place] == y[place]
    shown = table.shown.set_index("Model").loc[method.title, "≤ 5 %"]
    assert shown.value == f"{100 * y[place]:.1f}"


def test_two_tested_faces_were_not_found_and_have_no_error(pointed):
    made = points_ced.ced(pointed)
    assert made.words["not_found"] == 2
    most = (pointed.test["samples"] - 2) / pointed.test["samples"]
    assert made.tables["ced"].numbers["share"].max() <= most
    frame = in_order(pointed.favourite.runs[0])
    error = shares_of(frame).mean(axis=1)
    worst, right = point_pictures.chosen(frame, error, ReportConfig(examples=len(frame)))
    assert len(worst) == len(frame) - 2
    assert (frame["detected"].iloc[[*worst, *right]] == 1).all()


def test_parts_of_the_face_are_means_of_their_points(pointed):
    tables = points.regions(pointed).tables
    regions = tables["regions"].numbers.set_index(["model", "region"])["value"]
    of_points = tables["points"].numbers.set_index(["model", "point"])["value"]
    for method in pointed.shown:
        each = [shares_of(in_order(run)) for run in method.runs]
        for name, numbered in REGIONS.items():
            by_hand = np.mean([np.nanmean(off[:, list(numbered)]) for off in each])
            assert regions[method.title, name] == pytest.approx(by_hand)
        assert of_points[method.title, 8] == pytest.approx(np.mean([np.nanmean(off[:, 8]) for off in each]))
    assert set(tables["points"].numbers["region"]) == set(REGIONS)
    assert len(of_points) == 68 * len(pointed.shown)


def test_errors_are_drawn_of_the_best_student_and_against_the_one_without_a_teacher(pointed):
    drawn = points.regions(pointed).figures
    method, alone = pointed.favourite, by_teacher(pointed)["none"]
    assert method.teacher == BOTH
    nme, untaught = (
        np.mean([np.nanmean(shares_of(in_order(run)), axis=0) for run in one.runs], axis=0) for one in (method, alone)
    )
    assert f"from {100 * nme.min():.1f} to {100 * nme.max():.1f} percent" in drawn["errors-of-points"].alt
    assert f"{(nme < untaught).sum()} come nearer" in drawn["change-of-points"].alt


def test_an_untaught_favourite_is_compared_with_nobody(point_fakes):
    models = [point_fakes.model("tough"), point_fakes.model("mobilenetv2", "none")]
    alone = material_of(point_fakes, gathered(point_fakes, models))
    made = points.regions(alone)
    assert list(made.figures) == ["errors-of-points"]
    assert not made.words["compared"]


def test_teachers_alone_have_curves_and_the_better_one_is_drawn(point_fakes):
    teachers = material_of(
        point_fakes, gathered(point_fakes, [point_fakes.model("tough"), point_fakes.model("tolerant")])
    )
    assert teachers.favourite.teacher == "tough"
    assert list(points_ced.ced(teachers).figures) == ["ced-teachers"]
    assert points_ablation.ablation(teachers) is None
    assert list(points.regions(teachers).figures) == ["errors-of-points"]


def test_students_are_compared_with_the_untaught_one_and_several_teachers_with_fewer(pointed):
    tables = points_ablation.ablation(pointed).tables
    students = by_teacher(pointed)
    reached = tables["ablation-mobilenetv2"]
    assert reached.shown["Teacher"].tolist() == ["No teacher", "Tolerant", "Tough", "Tough + tolerant"]
    gains = tables["ablation-mobilenetv2-gains"].numbers.query("metric == 'nme'").set_index(["first", "second"])
    expected = {("tolerant", "none"), ("tough", "none"), (BOTH, "none"), (BOTH, "tolerant"), (BOTH, "tough")}
    assert set(gains.index) == expected
    for first, second in expected:
        by_hand = nme_of(students[first]) - nme_of(students[second])
        assert gains.loc[(first, second), "value"] == pytest.approx(by_hand)
    assert gains.loc[(BOTH, "none"), "high"] < 0


def test_differences_are_paired_in_every_resample(pointed):
    students = by_teacher(pointed)
    numbers = points_ablation.ablation(pointed).tables["ablation-mobilenetv2-gains"].numbers
    row = numbers.query("metric == 'auc10' and first == @BOTH and second == 'tough'").iloc[0]
    drawn = np.sort((students[BOTH].mean("auc10") - students["tough"].mean("auc10"))[1:])
    rank = int((len(drawn) + 1) * 0.025 + 1e-9)
    assert (row["low"], row["high"]) == (drawn[rank - 1], drawn[-rank])
    assert row["low"] > 0


def test_three_teachers_are_compared_with_each_set_of_fewer():
    methods = [dataclasses.make_dataclass("M", ["teacher", "is_untaught", "is_taught"])(t, t == "none", t != "none")
               for t in ("none", "a", "b", "a+b", "b+c", "a+b+c")]  # fmt: skip
    pairs = {(first.teacher, second.teacher) for first, second in points_ablation.compared(methods)}
    assert {pair for pair in pairs if "none" not in pair} == {
        ("a+b", "a"), ("a+b", "b"), ("b+c", "b"), ("a+b+c", "a"), ("a+b+c", "b"), ("a+b+c", "a+b"), ("a+b+c", "b+c"),
    }  # fmt: skip
    assert {first for first, second in pairs if second == "none"} == {"a", "b", "a+b", "b+c", "a+b+c"}


def test_one_taught_student_is_no_ablation_and_a_tough_teacher_has_no_soft_points(point_fakes, sections):
    models = [point_fakes.model("tough"), *(point_fakes.model("mobilenetv2", t) for t in ("tough", "none"))]
    few = material_of(point_fakes, gathered(point_fakes, models))
    assert points_ablation.ablation(few) is None
    assert points.soft_points(few) is None
    anchors = [section.anchor for section in sections(few)]
    assert "ablation" not in anchors
    assert "soft-points" not in anchors


def test_soft_points_are_those_that_the_tolerant_teacher_wrote(pointed):
    [teacher] = [method for method in pointed.methods if method.is_teacher and method.teacher == "tolerant"]
    true, soft = points._soft(teacher)
    frame = read_table(teacher.runs[0].model.file("soft_points.csv"))
    assert true.shape == soft.shape == (4, 68, 2)
    assert true[2, 8].tolist() == frame.loc[2, ["label_p8_x", "label_p8_y"]].tolist()
    assert soft[2, 8].tolist() == frame.loc[2, ["soft_p8_x", "soft_p8_y"]].tolist()
    made = points.soft_points(pointed)
    assert list(made.figures) == ["soft-points-tolerant"]
    row = made.tables["shape-models"].shown.iloc[0]
    assert (row["Components"], str(row["Left out, NME %"])) == ("14 of 136", "1.13")


def test_points_of_pictures_are_drawn_where_they_are_in_the_inputs(point_fakes, pointed):
    frame = in_order(pointed.favourite.runs[0])
    true = frame[[f"label_{name}" for name in LANDMARKS.numbers]].to_numpy().reshape(len(frame), 68, 2)
    places = point_fakes.table["sample_id"].tolist()
    expected = point_fakes.shares[[places.index(name) for name in frame["sample_id"]]]
    np.testing.assert_allclose(point_pictures.in_shares(true, point_pictures.warps(frame)), expected, atol=1e-6)


def test_an_overlay_has_a_ring_at_each_true_point_and_a_dot_at_each_answer():
    true, predicted = np.array([[0.0, 0.0], [-0.5, 0.25]]), np.array([[0.1, 0.0], [-0.5, 0.3]])
    uri = point_pictures.overlay(np.full((16, 16, 3), 120, np.uint8), true, predicted)
    svg = base64.b64decode(uri.partition("base64,")[2]).decode()
    rings, lines, dots = (re.search(f'id="{name}" d="([^"]*)"', svg)[1] for name in ("true", "lines", "dots"))
    assert re.findall(r"M(\S+) (\S+?)a1\.9", rings) == [("98.1", "100.0"), ("-1.9", "150.0")]
    assert lines == "M100.0 100.0L120.0 100.0M0.0 150.0L0.0 160.0"
    assert dots == "M120.0 100.0h0M0.0 160.0h0"
    assert 'href="data:image/jpeg;base64,' in svg


def test_the_worst_faces_come_first_and_others_are_no_failures(pointed):
    frame = in_order(pointed.favourite.runs[0])
    error = shares_of(frame).mean(axis=1)
    worst, right = point_pictures.chosen(frame, error, pointed.config)
    assert error[worst[0]] == np.nanmax(error)
    assert (np.diff(error[worst]) <= 0).all()
    assert (error[right] <= 0.10).all()
    assert not set(worst) & set(right)
    shown, _ = point_pictures.examples(pointed)
    off = shares_of(frame)[worst[0]]
    parts = {name: off[list(numbered)].mean() for name, numbered in REGIONS.items()}
    assert shown[0].truth == f"NME {100 * error[worst[0]]:.1f} %"
    assert shown[0].lines == (f"{max(parts, key=parts.get)} {100 * max(parts.values()):.1f} %",)


def test_a_page_without_a_face_to_show_is_a_page(point_fakes):
    """Where no example is asked for, and likewise where no face is within 10%."""
    runs = gathered(point_fakes, point_fakes.models(seeds=1))
    without = material_of(point_fakes, runs, examples=0)
    assert point_pictures.examples(without) == ([], [])
    assert "point-examples" in page.render(**contents.collect(without))


def test_dots_are_as_large_as_their_errors():
    np.testing.assert_allclose(points_figures._areas(np.array([0.02, 0.04]), 0.04), [6.5**2, 13.0**2])
    assert points_figures._round_below(0.047) == pytest.approx(0.02)
    assert points_figures._round_below(0.0512) == pytest.approx(0.05)


def test_the_page_has_its_sections_in_their_order(pointed, html):
    anchors = re.findall(r'<section id="([\w-]+)">', html)
    expected = ["results", "losses", "ablation", "ced", "regions", "soft-points", "effects", "transfer", "groups"]
    expected += ["networks", "data", "detection", "overlaid", "point-examples", "reproduce", "checklist", "limits"]
    assert [anchor for anchor in anchors if anchor in expected] == [a for a in expected if a in anchors]
    assert set(expected) - set(anchors) <= {"losses"}
    text = re.sub(
        r"<[^>]+>", " ", re.sub(r"<style>.*?</style>|<code>.*?</code>|<svg.*?</svg>", "", html, flags=re.DOTALL)
    )
    assert "nan" not in text.lower().split()
    assert "2 that were not found are never reached" in re.sub(r"\s+", " ", text)
    assert "subset: challenging" in text


def test_every_table_and_figure_has_a_name_of_its_own(pointed, sections):
    made = sections(pointed)
    for kind in ("tables", "figures"):
        names = [name for section in made for name in getattr(section, kind)]
        assert len(names) == len(set(names))
