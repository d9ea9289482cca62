from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation import bootstrap
from pipeline.evaluation.metrics import points
from pipeline.evaluation.metrics.weighted import among
from pipeline.evaluation.question import Question
from pipeline.tasks import TASKS
from pipeline.tasks.schemes import SCHEMES

LANDMARKS = TASKS["landmarks"]
TASK_OF = {count: LANDMARKS.pointed(count) for count in SCHEMES}
# Outer eye corners and the points of the pupils as the literature numbers them (from 0).
CORNERS = {68: (36, 45), 98: (60, 72), 29: (8, 9)}
PUPILS = {68: (range(36, 42), range(42, 48)), 98: ([96], [97]), 29: ([16], [17])}
MOUTH = {68: range(48, 68), 98: range(76, 96), 29: range(22, 28)}


def outcome(count: int = 68, n: int = 100, seed: int = 0, missed: float = 0.1) -> points.Outcome:
    """Shapes of some size anywhere in a picture, and answers of which some are good and some are far off."""
    rng = np.random.default_rng(seed)
    label = rng.uniform(0, 200, (n, 1, 2)) + rng.uniform(0, 1, (n, count, 2)) * rng.uniform(60, 300, (n, 1, 2))
    value = label + rng.normal(size=label.shape) * rng.uniform(1, 20, (n, 1, 1))
    frame = frame_of(count, label, value).assign(detected=(rng.random(n) >= missed).astype(int))
    return points.outcome(frame, Question.of(TASK_OF[count]))


def frame_of(count: int, label: np.ndarray, value: np.ndarray) -> pd.DataFrame:
    names = TASK_OF[count].numbers
    tables = [
        pd.DataFrame(shapes.reshape(len(shapes), -1), columns=[f"{kind}_{name}" for name in names])
        for kind, shapes in (("label", label), ("value", value))
    ]
    return pd.concat(tables, axis=1)


def distance(a, b) -> float:
    return math.hypot(a[0] - b[0], a[1] - b[1])


def centre(shape, numbers) -> tuple[float, float]:
    numbers = list(numbers)
    return sum(shape[i][0] for i in numbers) / len(numbers), sum(shape[i][1] for i in numbers) / len(numbers)


def by_loops(o: points.Outcome, w: np.ndarray) -> dict[str, float]:
    """Every metric with no arrays; a weight is a count, and the area is summed in steps of 0.0001."""
    count, faces = o.label.shape[1], []
    for label, value, found, times in zip(o.label.tolist(), o.value.tolist(), o.found, w, strict=True):
        xs, ys = [p[0] for p in label], [p[1] for p in label]
        mean = sum(distance(a, b) for a, b in zip(label, value, strict=True)) / count
        left, right = PUPILS[count]
        lengths = {
            "nme": distance(label[CORNERS[count][0]], label[CORNERS[count][1]]),
            "nme_pupil": distance(centre(label, left), centre(label, right)),
            "nme_box": math.sqrt((max(xs) - min(xs)) * (max(ys) - min(ys))),
        }
        faces += [{name: mean / length if found else math.inf for name, length in lengths.items()}] * int(times)
    values = {}
    for name in ("nme", "nme_pupil", "nme_box"):
        errors = [face[name] for face in faces if face[name] < math.inf]
        values[name] = sum(errors) / len(errors)
    for text, bound in (("10", 0.1), ("8", 0.08)):
        values[f"fr{text}"] = sum(face["nme"] > bound for face in faces) / len(faces)
        steps = [(i + 0.5) * 1e-4 for i in range(round(bound / 1e-4))]
        reached = np.searchsorted(sorted(face["nme"] for face in faces), steps, side="right") / len(faces)
        values[f"auc{text}"] = float(reached.sum()) * 1e-4 / bound
    return values


@pytest.mark.parametrize("count", SCHEMES)
def test_agrees_with_plain_loops_under_any_weights(count):
    o = outcome(count)
    assert 0 < (~o.found).sum() < 30
    weights = np.random.default_rng(1).integers(0, 4, (3, 100))
    ours = points.compute(o, weights)
    assert list(ours) == list(points.metrics(o.question))
    for row, w in enumerate(weights):
        for name, value in by_loops(o, w).items():
            assert ours[name][row] == pytest.approx(value, **({"abs": 1e-3} if "auc" in name else {"rel": 1e-10})), name
    assert all(0.05 < values[0] < 0.95 for name, values in ours.items() if name[:2] in ("fr", "au"))


def test_the_area_is_exactly_that_under_the_steps_of_the_curve():
    o = outcome()
    nme = points.sample_nme(o)
    for name, bound in points.BOUNDS.items():
        ends = np.unique(np.r_[0, nme[nme < bound], bound])  # the curve is flat from one of them to the next
        x, y = np.diff(ends), [(nme <= end).mean() for end in ends[:-1]]
        [area] = points.compute(o, np.ones((1, 100)), (f"auc{name}",))[f"auc{name}"]
        assert area == pytest.approx((x * y).sum() / bound, rel=1e-12)


def test_the_curve_counts_every_face_and_ends_at_the_share_that_has_not_failed():
    o = outcome()
    x, y = points.ced(points.sample_nme(o), o.found, 0.1, 1000)
    assert (x[0], x[-1], len(x)) == (0, 0.1, 1001)
    assert (np.diff(y) >= 0).all()
    values = points.compute(o, np.ones((1, 100)))
    assert y[-1] == pytest.approx(1 - values["fr10"][0])
    assert y[800] == pytest.approx(1 - values["fr8"][0])
    assert np.trapezoid(y, x) / 0.1 == pytest.approx(values["auc10"][0], abs=1e-3)
    unbounded = points.ced(points.sample_nme(o), o.found, 100.0, 1)[1]
    assert unbounded[-1] == o.found.mean()  # not found is never reached
    assert np.isnan(points.ced(np.empty(0), np.empty(0, bool), 0.1, 2)[1]).all()


def test_a_bootstrap_weight_is_the_same_as_the_sample_repeated():
    o = outcome(29)
    weights = bootstrap.resamples(np.arange(100) // 2, 20, seed=0)
    every, of_points, of_regions = (f(o, weights) for f in (points.compute, points.per_output, points.by_region))
    for row, w in enumerate(weights):
        again = among(o, np.repeat(np.arange(100), w.astype(int)))
        ones = np.ones((1, len(again.found)))
        for name, value in points.compute(again, ones).items():
            assert every[name][row] == pytest.approx(value[0], rel=1e-10)
        np.testing.assert_allclose(of_points["nme"][row], points.per_output(again, ones)["nme"][0])
        for name, value in points.by_region(again, ones).items():
            assert of_regions[name][row] == pytest.approx(value[0], rel=1e-10)


@pytest.mark.parametrize("count", SCHEMES)
def test_points_and_regions_add_up_to_the_face(count):
    o, ones = outcome(count), np.ones((1, 100))
    [nme] = points.compute(o, ones, ("nme",))["nme"]
    [of_points] = points.per_output(o, ones)["nme"]
    assert of_points.mean() == pytest.approx(nme)
    assert points.by_region(o, ones)["mouth"][0] == pytest.approx(of_points[list(MOUTH[count])].mean())
    wrong = o.value.copy()
    wrong[:, 3] += 50
    moved = points.per_output(replace(o, errors=np.linalg.norm(wrong - o.label, axis=2)), ones)["nme"][0]
    assert np.flatnonzero(np.abs(moved - of_points) > 1e-9).tolist() == [3]


def test_faces_that_were_not_found_by_hand():
    """Eye corners 100 apart; every point 6 px off, then 9, then right but in no face, then found and wholly wrong."""
    label = np.zeros((4, 29, 2))
    label[:, 9, 0] = 100
    value = label + np.array([6, 9, 0, 1000])[:, None, None] * np.array([0, 1])
    frame = frame_of(29, label, value)
    question = Question.of(TASK_OF[29])
    o = points.outcome(frame.assign(detected=[1, 1, 0, 1]), question)
    np.testing.assert_allclose(points.sample_nme(o), [0.06, 0.09, np.nan, 10])
    values = {name: v[0] for name, v in points.compute(o, np.ones((1, 4))).items()}
    assert values["nme"] == pytest.approx((0.06 + 0.09 + 10) / 3)
    assert (values["fr10"], values["fr8"]) == (0.5, 0.75)
    assert values["auc10"] == pytest.approx((0.4 + 0.1) / 4)
    assert values["auc8"] == pytest.approx(0.25 / 4)
    without_answer = points.outcome(frame.assign(value_p3_x=[0, np.nan, 0, 0]), question)
    assert without_answer.found.tolist() == [True, False, True, True]


def test_a_face_without_a_size_is_left_out():
    o = outcome(29, missed=0)
    label = o.label.copy()
    label[:10, 9] = label[:10, 8]  # both corners in one place
    frame, question = frame_of(29, label, o.value), o.question
    flat, ones = points.outcome(frame, question), np.ones((1, 100))
    values = points.compute(flat, ones)
    rest = points.compute(among(flat, slice(10, None)), np.ones((1, 90)))
    for name in ("nme", "fr10", "fr8", "auc10", "auc8"):
        assert values[name][0] == pytest.approx(rest[name][0])
    assert not np.isnan(points.sample_nme(flat, "nme_box")).any()
    assert points.extras(flat)["without_size"] == 10
    assert points.extras(flat)["not_found"] == 0


def test_undefined_is_nan_and_can_be_written():
    o = outcome(29)
    lost = replace(o, found=np.zeros(100, bool))
    values = points.compute(lost, np.ones((1, 100)))
    assert {name for name, v in values.items() if np.isnan(v[0])} == {"nme", "nme_pupil", "nme_box"}
    assert (values["fr10"][0], values["auc8"][0]) == (1, 0)
    assert json.loads(json.dumps(points.extras(lost), allow_nan=False))["regions"]["mouth"] is None
    nothing = points.compute(among(o, np.zeros(100, bool)), np.ones((2, 0)))
    assert all(np.isnan(v).all() for v in nothing.values())
    alone = points.compute(o, bootstrap.resamples(np.zeros(100), 3, 0))
    assert all(np.isnan(v).tolist() == [False, True, True, True] for v in alone.values())


def test_every_metric_says_what_becomes_of_faces_that_were_not_found():
    for name, metric in points.metrics(Question.of(LANDMARKS)).items():
        assert "not found" in metric.meaning, name
        assert metric.lower_is_better == (not name.startswith("auc"))
        assert metric.percent


def warps(n: int, seed: int = 0) -> np.ndarray:
    """Similarities that turn by any angle, with some that scale the axes apart: pixels to shares, (N, 2, 3)."""
    rng = np.random.default_rng(seed)
    angle, scale = rng.uniform(-np.pi, np.pi, n), rng.uniform(1 / 800, 1 / 50, n)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)
    turn = turn * scale[:, None, None] * np.where(np.arange(n) % 3, 1, rng.uniform(0.5, 1, n))[:, None, None]
    turn[::4, 0] *= 0.7
    return np.concatenate([turn, rng.uniform(-2, 2, (n, 2, 1))], axis=2)


def test_pixels_to_shares_and_back():
    pixels = np.random.default_rng(1).uniform(0, 4000, (20, 29, 2))
    warp = warps(20)
    shares = np.array([[w[:, :2] @ p + w[:, 2] for p in face] for w, face in zip(warp, pixels, strict=True)])
    np.testing.assert_allclose(points.pixels(shares, warp), pixels, rtol=1e-9, atol=1e-6)
    assert np.isnan(points.pixels(shares, np.zeros((20, 2, 3)))).all()


def test_raw_outputs_become_pixels_by_the_warp_of_their_sample(tmp_path):
    task, n = TASK_OF[29], 6
    question, rng, warp = Question.of(task), np.random.default_rng(0), warps(n)
    label = rng.uniform(0, 900, (n, 29, 2))
    samples = pd.DataFrame(label.reshape(n, -1), columns=[f"points29_{i}_{axis}" for i in range(29) for axis in "xy"])
    samples["points29"] = [1.0] * 5 + [np.nan]
    labels = points.label_columns(samples, task)
    assert labels.notna().all(axis=1).tolist() == [True] * 5 + [False]
    table = labels.assign(**{f"warp_{i}": warp.reshape(n, 6)[:, i] for i in range(6)}, detected=1)[:5]
    true = np.einsum("nij,nkj->nki", warp, np.concatenate([label, np.ones((n, 29, 1))], axis=2))[:5]
    raw = true.reshape(5, -1).astype(np.float32)
    frame = points.prediction_columns(table.set_axis([7, 8, 9, 3, 4]), raw, question, raw + np.float32(0.5))
    frame.to_csv(tmp_path / "predictions.csv", index=False, float_format="%.9g")
    o = points.outcome(pd.read_csv(tmp_path / "predictions.csv"), question)
    np.testing.assert_allclose(o.label, label[:5], atol=1e-5)
    np.testing.assert_allclose(o.value, label[:5], atol=0.01)
    half = np.linalg.inv(warp[:5, :, :2]) @ np.array([0.5, 0.5])
    np.testing.assert_allclose(o.teacher_value - o.value, np.broadcast_to(half[:, None], o.value.shape), atol=0.01)
    untaught = points.prediction_columns(table, raw, question)
    assert points.outcome(untaught, question).teacher_value is None


def test_no_face_at_all_has_no_metrics():
    shapes = np.random.default_rng(0).uniform(0, 200, (2, 68, 2))
    nothing = points.outcome(frame_of(68, shapes, shapes).iloc[:0], Question.of(LANDMARKS))
    assert nothing.label.shape == (0, 68, 2)
    assert all(np.isnan(values).all() for values in points.compute(nothing, np.ones((3, 0))).values())
