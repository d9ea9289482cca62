"""Kinds of tasks: their truth read from a table, mixed like their views, hardened, and measured in training."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.utils.class_weight import compute_class_weight

from pipeline.distillation.kinds import KINDS
from pipeline.errors import DataError
from pipeline.inputs import keyed_random
from pipeline.inputs.views import image
from pipeline.inputs.views.image import GROUP, IDENTITY, PARAMETERS, InputSpec
from pipeline.inputs.views.plan import Drawn, Plan, Views
from pipeline.tasks import PAIN, Task, find

CLASSIFY = KINDS["classify"]
EXPRESSION = find("expression")
LEVELS = Task("level", "classify", "score", ("none", "some", "much"), levels=((0, "none"), (1, "some"), (4, "much")))
CELLS = ["happy", "neutral", "", "yawn", "anger", math.nan, "joy", None, "surprise"]


def test_cells_become_class_numbers_and_their_places():
    truth, places = CLASSIFY.read(pd.DataFrame({"expression": CELLS}), EXPRESSION)
    assert [EXPRESSION.outputs[number] for number in truth] == [
        "happiness",
        "neutral",
        "anger",
        "happiness",
        "surprise",
    ]
    assert places.tolist() == [0, 1, 4, 6, 8]
    assert truth.dtype == places.dtype == np.int64


def test_a_columns_numbers_become_levels():
    truth, places = CLASSIFY.read(
        pd.DataFrame({"score": [0, 0.9, 1, 3.5, 16, np.nan, -1]}, index=list("abcdefg")), LEVELS
    )
    assert truth.tolist() == [0, 0, 1, 1, 2]
    assert places.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("cells", [[], ["yawn", ""]])
def test_where_nothing_is_told_nothing_is_read(cells):
    truth, places = CLASSIFY.read(pd.DataFrame({"pain": cells}), PAIN)
    assert (len(truth), len(places)) == (0, 0)
    assert truth.dtype == places.dtype == np.int64


def test_a_class_that_nobody_shows_is_named():
    CLASSIFY.check(np.arange(7), EXPRESSION)
    with pytest.raises(DataError, match=r"No training face is fear, surprise: 10 faces"):
        CLASSIFY.check(np.array([0, 1, 3, 4, 5] * 2), EXPRESSION)
    with pytest.raises(DataError, match=r"No training window is pain: 3 windows"):
        CLASSIFY.check(np.zeros(3, np.int64), replace(PAIN, sample="window", samples="windows"))


def test_targets_of_plain_views_are_the_classes_of_the_samples():
    truth, index = np.array([3, 0, 6, 6, 1]), np.array([4, 0, 2, 4])
    for drawn in (Drawn(), Views(Plan(0), keyed_random.keys("abcde"), {}).draw(index, 1)):
        target = CLASSIFY.targets(truth, index, drawn, EXPRESSION)
        assert target.dtype == torch.int64
        assert target.tolist() == [1, 3, 6, 1]


def test_targets_of_mixed_views_are_shares_by_hand():
    drawn = Drawn(partners=np.array([2, 0]), kept=np.array([0.75, 0.5], np.float32))
    target = CLASSIFY.targets(np.array([1, 0, 2]), np.array([1, 0]), drawn, LEVELS)
    assert target.dtype == torch.float32
    assert target.tolist() == [[0.75, 0, 0.25], [0, 1, 0]]  # the second mixes a sample with itself


@pytest.mark.parametrize("mix", ["cutmix", "mixup"])
def test_shares_follow_what_is_drawn(mix):
    truth, index = np.arange(40) % 7, np.arange(40)
    drawn = Views(Plan(2, mix=mix, mix_probability=0.5), keyed_random.keys(map(str, range(40))), {}).draw(index, 3)
    target = CLASSIFY.targets(truth, index, drawn, EXPRESSION).numpy()
    np.testing.assert_allclose(target.sum(1), 1, atol=1e-6)
    same = truth[drawn.partners] == truth
    np.testing.assert_allclose(target[index, truth], np.where(same, 1, drawn.kept), atol=1e-6)
    unmixed = drawn.kept == 1
    assert 5 < unmixed.sum() < 35
    assert np.array_equal(target[unmixed], np.eye(7, dtype=np.float32)[truth[unmixed]])


def test_balanced_sampling_draws_classes_alike():
    truth = np.array([2, 0, 2, 1])
    assert np.array_equal(CLASSIFY.strata(truth), truth)


def test_weights_are_those_of_scikit_learn_or_none():
    truth = np.array([0, 1, 1, 2, 2, 2, 0, 2])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=truth)
    np.testing.assert_allclose(CLASSIFY.weights("balanced", truth, LEVELS).numpy(), expected, rtol=1e-6)
    assert CLASSIFY.weights("none", truth, LEVELS) is None


def test_hard_labels_are_the_highest_logits():
    outputs = np.array([[0.1, 0.3, -1], [-5, -6, -4], [2, 2, 1]], np.float32)
    hard = CLASSIFY.harden(outputs)
    assert hard.dtype == np.uint16
    assert hard.tolist() == [1, 2, 0]


def drawn_outputs(count: int, classes: int) -> tuple[torch.Tensor, np.ndarray]:
    rng = np.random.default_rng(count)
    truth = rng.integers(0, classes, count)
    return torch.from_numpy(rng.normal(size=(count, classes)) + 1.5 * np.eye(classes)[truth]).float(), truth


@pytest.mark.parametrize("task", [PAIN, EXPRESSION, LEVELS], ids=lambda task: task.name)
def test_validation_agrees_with_scikit_learn(task):
    classes = len(task.outputs)
    outputs, truth = drawn_outputs(200, classes)
    row = CLASSIFY.validate(outputs, truth, None, task)
    predicted = outputs.argmax(1).numpy()
    f1 = f1_score(truth, predicted, average=None)
    assert row["val_balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert [row[f"val_f1_{name}"] for name in task.outputs] == pytest.approx(f1.tolist())
    assert row["val_loss"] == pytest.approx(F.cross_entropy(outputs, torch.from_numpy(truth)).item())
    assert list(row) == ["val_loss", "val_balanced_accuracy", *(f"val_f1_{name}" for name in task.outputs)]
    assert all(type(value) is float for value in row.values())


def test_class_weights_weigh_the_loss_alone():
    outputs, truth = drawn_outputs(50, 3)
    weights = torch.tensor([0.2, 1.0, 1.8])
    plain, weighted = (CLASSIFY.validate(outputs, truth, one, LEVELS) for one in (None, weights))
    expected = F.cross_entropy(outputs, torch.from_numpy(truth), weight=weights).item()
    assert weighted.pop("val_loss") == pytest.approx(expected)
    assert plain.pop("val_loss") != pytest.approx(expected)
    assert plain == weighted


def test_classes_that_do_not_occur_count_in_no_mean():
    """Of three classes one occurs and one is called; f1 of a class of which there is neither is 0."""
    outputs = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    row = CLASSIFY.validate(outputs, np.array([1, 1, 1]), None, LEVELS)
    assert row["val_balanced_accuracy"] == pytest.approx(2 / 3)
    assert [row[f"val_f1_{name}"] for name in LEVELS.outputs] == pytest.approx([0, 0.8, 0])


def test_a_teachers_mistakes_are_counted():
    outputs = np.eye(3, dtype=np.float32)[[0, 1, 2, 2]]
    assert CLASSIFY.agreement(outputs, np.array([0, 1, 2, 2]), LEVELS) == {"disagrees": 0}
    assert CLASSIFY.agreement(outputs, np.array([1, 1, 0, 2]), LEVELS) == {"disagrees": 2}


def test_truth_is_read_as_the_teacher_labels_it():
    """Classes by their place in the task: what is hardened can be compared with what is read."""
    for task in (PAIN, EXPRESSION):
        truth, _ = CLASSIFY.read(pd.DataFrame({task.target: task.outputs}), task)
        assert CLASSIFY.agreement(np.eye(len(task.outputs)), truth, task) == {"disagrees": 0}


def test_what_is_hidden_is_no_class_and_counts_nowhere():
    truth, kept = np.array([2, 0, 2, 1]), np.array([True, False, True, True])
    hidden = CLASSIFY.hide(truth, kept)
    assert hidden.tolist() == [2, -1, 2, 1]
    assert hidden.dtype == np.int64
    assert np.array_equal(CLASSIFY.known(hidden), kept)
    assert (CLASSIFY.strata(hidden) < 0).tolist() == [False, True, False, False]
    with pytest.raises(DataError, match=r"with a known label is none: of 4 faces, 3 are labelled.*LABELLED="):
        CLASSIFY.check(hidden, LEVELS)
    CLASSIFY.check(np.append(hidden, 0), LEVELS)


def test_shares_with_an_unknown_half_are_unknown():
    drawn = Drawn(partners=np.array([2, 0, 1]), kept=np.array([0.75, 0.5, 1], np.float32))
    target = CLASSIFY.targets(np.array([1, 0, -1]), np.array([1, 2, 0]), drawn, LEVELS)
    assert target[:2].isnan().all()
    assert target[2].tolist() == [0, 1, 0]
    assert CLASSIFY.targets(np.array([1, -1]), np.array([1, 0]), Drawn(), LEVELS).tolist() == [-1, 1]


MULTILABEL = KINDS["multilabel"]
FIRE = Task("fire", "multilabel", "fire", ("fire", "smoke"), sample="frame", samples="frames")
LABELS = np.array([[1, 0], [0, 1], [1, 1], [0, 0], [1, 0]], np.float32)


def test_labels_are_read_where_all_of_them_are_known():
    table = pd.DataFrame({"smoke": [0, 1, "", 1, 2, 1], "fire": ["1", 0, 1, math.nan, 0, "1.0"], "other": range(6)})
    truth, places = MULTILABEL.read(table, FIRE)
    assert truth.tolist() == [[1, 0], [0, 1], [1, 1]]
    assert places.tolist() == [0, 1, 5]
    assert truth.dtype == np.float32


def test_labels_that_are_hidden_are_not_known():
    kept = np.array([True, False, True, True, False])
    hidden = MULTILABEL.hide(LABELS, kept)
    assert MULTILABEL.known(hidden).tolist() == kept.tolist()
    assert MULTILABEL.strata(hidden).tolist() == [1, -1, 3, 0, -1]
    assert MULTILABEL.strata(LABELS).tolist() == [1, 2, 3, 0, 1]
    MULTILABEL.check(hidden, FIRE)


def test_a_label_that_all_or_none_have_is_named():
    with pytest.raises(DataError, match="Nothing can be learned of fire: all 3 training frames have the same answer"):
        MULTILABEL.check(LABELS[[0, 2, 4]], FIRE)
    hidden = MULTILABEL.hide(LABELS, np.arange(5) < 1)
    with pytest.raises(DataError, match=r"of fire, smoke: all 1 training frames with known labels, of 5 .*LABELLED="):
        MULTILABEL.check(hidden, FIRE)


def test_labels_are_mixed_like_their_views():
    index = np.array([2, 3])
    assert MULTILABEL.targets(LABELS, index, Drawn(), FIRE).tolist() == [[1, 1], [0, 0]]
    drawn = Drawn(partners=np.array([1, 0]), kept=np.array([0.75, 0.5], np.float32))
    assert MULTILABEL.targets(LABELS, index, drawn, FIRE).tolist() == [[0.75, 1], [0.5, 0]]
    hidden = MULTILABEL.hide(LABELS, np.array([False, True, True, True, True]))
    mixed = MULTILABEL.targets(hidden, index, drawn, FIRE)
    assert mixed[0].tolist() == [0.75, 1]
    assert mixed[1].isnan().all()


def test_a_rare_label_counts_as_often_as_it_is_rare():
    assert MULTILABEL.weights("none", LABELS, FIRE) is None
    assert MULTILABEL.weights("balanced", LABELS, FIRE).tolist() == pytest.approx([2 / 3, 3 / 2])


def test_labels_are_called_and_measured_as_by_scikit_learn():
    outputs = torch.tensor([[2.0, -1.0], [0.5, 3.0], [-1.0, 1.0], [-2.0, 0.0], [1.0, 1.0]])
    hard = MULTILABEL.harden(outputs.numpy())
    assert hard.tolist() == [[1, 0], [1, 1], [0, 1], [0, 0], [1, 1]]
    assert MULTILABEL.agreement(outputs.numpy(), LABELS, FIRE) == {"disagrees": 3}
    row = MULTILABEL.validate(outputs, LABELS, None, FIRE)
    expected = f1_score(LABELS, hard, average=None)
    assert [row["val_f1_fire"], row["val_f1_smoke"]] == pytest.approx(expected)
    assert row["val_macro_f1"] == pytest.approx(expected.mean())
    loss = F.binary_cross_entropy_with_logits(outputs, torch.from_numpy(LABELS))
    assert row["val_loss"] == pytest.approx(loss.item())


REGRESS = KINDS["regress"]
INTENSITY = find("intensity")
PHQ = find("intensity", target="phq", bounds="-3,21")
NUMBERS = np.array([[0], [0.5], [0.25], [1], [0]], np.float32)


def test_numbers_become_shares_of_their_bounds():
    table = pd.DataFrame(
        {"phq": ["-3", 9, "", 21, math.nan, "unclear", "3.0"], "pspi": range(7)}, index=list("abcdefg")
    )
    truth, places = REGRESS.read(table, PHQ)
    assert truth.tolist() == [[0], [0.5], [1], [0.25]]
    assert places.tolist() == [0, 1, 3, 6]
    assert (truth.dtype, places.dtype) == (np.float32, np.int64)
    truth, places = REGRESS.read(table.head(0), PHQ)
    assert (truth.shape, len(places)) == ((0, 1), 0)


def test_a_number_outside_its_bounds_is_named():
    table = pd.DataFrame({"pspi": [0, 16, 17, -1, ""]})
    with pytest.raises(DataError, match=r"2 of 5 faces have a pspi outside 0 to 16, such as 17\..*RANGE=LOW,HIGH"):
        REGRESS.read(table, INTENSITY)


def test_numbers_that_are_hidden_are_not_known():
    kept = np.array([True, False, True, True, False])
    hidden = REGRESS.hide(NUMBERS, kept)
    assert hidden.dtype == np.float32
    assert REGRESS.known(hidden).tolist() == kept.tolist()
    assert REGRESS.strata(hidden).tolist() == [0, -1, 2, 4, -1]
    REGRESS.check(hidden, INTENSITY)


def test_strata_are_the_floor_and_four_equal_parts():
    shares = np.array([[0, 1 / 16, 3 / 16, 4 / 16, 7 / 16, 8 / 16, 11 / 16, 12 / 16, 1]], np.float32).T
    strata = REGRESS.strata(shares)
    assert strata.tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert strata.dtype == np.int64


def test_numbers_that_do_not_differ_teach_nothing():
    REGRESS.check(NUMBERS, INTENSITY)
    with pytest.raises(DataError, match=r"of pspi: all 2 training faces have the same value.*make status"):
        REGRESS.check(NUMBERS[[0, 4]], INTENSITY)
    with pytest.raises(DataError, match=r"all 1 training faces with a known number, of 5 .*LABELLED="):
        REGRESS.check(REGRESS.hide(NUMBERS, np.arange(5) < 1), INTENSITY)
    with pytest.raises(DataError, match="all 0 training faces with a known number, of 5"):
        REGRESS.check(REGRESS.hide(NUMBERS, np.arange(5) < 0), INTENSITY)


def test_numbers_are_mixed_like_their_views():
    index = np.array([1, 3, 0])
    plain = REGRESS.targets(NUMBERS, index, Drawn(), INTENSITY)
    assert (plain.tolist(), plain.dtype) == ([[0.5], [1], [0]], torch.float32)
    drawn = Drawn(partners=np.array([2, 0, 1]), kept=np.array([0.75, 0.5, 0.5], np.float32))
    assert REGRESS.targets(NUMBERS, index, drawn, INTENSITY).tolist() == [[0.4375], [0.5], [0.25]]
    hidden = REGRESS.hide(NUMBERS, np.array([False, True, True, True, True]))
    mixed = REGRESS.targets(hidden, index, drawn, INTENSITY)
    assert mixed[0].tolist() == [0.4375]
    assert mixed[1:].isnan().all()


def test_rare_levels_count_as_often_as_they_are_rare():
    truth = np.array([[0]] * 6 + [[0.1]] * 3 + [[0.9]], np.float32)
    assert REGRESS.weights("none", truth, INTENSITY) is None
    weights = REGRESS.weights("balanced", truth, INTENSITY)
    assert weights.dtype == torch.float32
    assert weights.tolist() == pytest.approx([10 / 18, 10 / 9, 1, 1, 10 / 3])  # levels 2 and 3 do not occur
    assert weights[REGRESS.strata(truth)].mean().item() == pytest.approx(1)


def test_validation_of_numbers_agrees_with_numpy():
    rng = np.random.default_rng(0)
    truth = rng.uniform(size=(60, 1)).astype(np.float32)
    outputs = torch.from_numpy((0.6 * truth + 0.5 * rng.uniform(size=(60, 1))).astype(np.float32))
    row = REGRESS.validate(outputs, truth, None, PHQ)
    answered, units = np.clip(outputs.numpy(), 0, 1).astype(float) * 24 - 3, truth.astype(float) * 24 - 3
    together = np.cov(answered[:, 0], units[:, 0], bias=True)
    concordance = 2 * together[0, 1] / (together.trace() + (answered.mean() - units.mean()) ** 2)
    assert row["val_loss"] == pytest.approx(((outputs.numpy() - truth) ** 2).mean(), rel=1e-5)
    assert row["val_ccc"] == pytest.approx(concordance, rel=1e-6)
    assert row["val_mae"] == pytest.approx(np.abs(answered - units).mean(), rel=1e-6)
    assert row["val_rmse"] == pytest.approx(np.sqrt(((answered - units) ** 2).mean()), rel=1e-6)
    assert list(row) == ["val_loss", "val_ccc", "val_mae", "val_rmse"]
    assert f"val_{PHQ.headline}" in row
    assert all(type(value) is float for value in row.values())
    weighted = REGRESS.validate(outputs, truth, torch.tensor([1.0, 5, 1, 1, 1]), PHQ)
    assert weighted.pop("val_loss") != pytest.approx(row.pop("val_loss"))
    assert weighted == row


def test_answers_beyond_the_bounds_are_measured_at_them():
    row = REGRESS.validate(torch.tensor([[-1.0], [2.0]]), np.array([[0], [1]], np.float32), None, INTENSITY)
    assert (row["val_loss"], row["val_ccc"], row["val_mae"]) == (1, pytest.approx(1), 0)
    outputs = np.array([[-1.0], [1.5]], np.float32)
    assert REGRESS.agreement(outputs, np.array([[0.5], [1]], np.float32), INTENSITY) == {"error": 4.0}


def test_where_all_numbers_are_alike_there_is_no_concordance():
    row = REGRESS.validate(torch.full((3, 1), 0.5), np.full((3, 1), 0.5, np.float32), None, INTENSITY)
    assert (row["val_ccc"], row["val_mae"]) == (0, 0)


def test_numbers_and_points_have_no_hard_labels():
    assert [name for name, kind in KINDS.items() if kind.harden is None] == ["regress", "points"]


POINTS = KINDS["points"]
LANDMARKS = find("landmarks", points=29)
SIDE = 96  # pixels of the pictures of dots


def point_table(points: np.ndarray, warps: np.ndarray) -> pd.DataFrame:
    """Points (N, 29, 2) and warps (N, 2, 3) as columns."""
    columns = {f"points29_{i}_{axis}": points[:, i, a] for i in range(29) for a, axis in enumerate("xy")}
    there = np.where(np.isnan(points).any(axis=(1, 2)), np.nan, 1.0)
    return pd.DataFrame(columns | {f"warp_{i}": warps.reshape(-1, 6)[:, i] for i in range(6)} | {"points29": there})


def drawn_points(count: int) -> np.ndarray:
    """Points of some faces in shares, float32 (N, 58), all different and well within the picture."""
    return np.random.default_rng(0).uniform(-0.25, 0.25, (count, 58)).astype(np.float32)


def test_points_become_shares_of_the_input():
    """A face of 200 px about (300, 120), turned by a right angle: what was right is below."""
    pixels = np.tile([[300.0, 120.0], [400.0, 120.0], [300.0, 20.0]], (10, 1))[:29]
    turned = np.array([[0, -1 / 200, 120 / 200], [1 / 200, 0, -300 / 200]])
    plain = np.array([[1 / 100, 0, -3], [0, 1 / 50, -2.4]])
    table = point_table(np.stack([pixels, np.full_like(pixels, np.nan), pixels]), np.stack([turned, plain, plain]))
    truth, places = POINTS.read(table.set_index(pd.Index(list("abc"))), LANDMARKS)
    assert places.tolist() == [0, 2]
    assert (truth.dtype, places.dtype, truth.shape) == (np.float32, np.int64, (2, 58))
    np.testing.assert_allclose(truth[0, :6], [0, 0, 0, 0.5, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(truth[1, :6], [0, 0, 1, 0, 0, -2], atol=1e-6)
    truth, places = POINTS.read(table.head(0), LANDMARKS)
    assert (truth.shape, len(places)) == ((0, 58), 0)


def test_points_that_are_hidden_are_not_known():
    kept = np.array([True, False, True])
    hidden = POINTS.hide(drawn_points(3), kept)
    assert hidden.dtype == np.float32
    assert POINTS.known(hidden).tolist() == kept.tolist()
    assert POINTS.strata(hidden).tolist() == [0, -1, 0]
    POINTS.check(hidden, LANDMARKS)
    with pytest.raises(DataError, match=r"of points29: of 3 training faces none has known points\..*LABELLED="):
        POINTS.check(POINTS.hide(hidden, np.zeros(3, bool)), LANDMARKS)
    assert POINTS.weights("balanced", hidden[kept], LANDMARKS) is None


def view(**parameters: float) -> np.ndarray:
    """A view of one picture, float32 (1, 8), that differs from the picture in some parameters."""
    changed = IDENTITY.copy()
    for name, number in parameters.items():
        changed[PARAMETERS.index(name)] = number
    return changed[None]


def test_points_of_the_samples_themselves_stay():
    truth, index = drawn_points(4), np.array([2, 0])
    for drawn in (Drawn(), Drawn({GROUP: np.repeat(view(), 2, axis=0)})):
        target = POINTS.targets(truth, index, drawn, LANDMARKS)
        assert target.dtype == torch.float32
        np.testing.assert_allclose(target.numpy(), truth[index], atol=1e-6)


def test_points_of_a_mirrored_view_are_mirrored_and_renumbered_by_hand():
    """Points 0 and 1 of COFW, the outer ends of the brows, change places, 20 stays on its own."""
    truth = drawn_points(1)
    found = POINTS.targets(truth, np.array([0]), Drawn({GROUP: view(flip=1)}), LANDMARKS).numpy().reshape(29, 2)
    own = truth.reshape(29, 2)
    for place, before in {0: 1, 1: 0, 20: 20, 8: 9, 9: 8}.items():
        np.testing.assert_allclose(found[place], own[before] * (-1, 1), atol=1e-6)


def test_points_of_a_crop_by_hand():
    """Half the picture's side about (0.1, -0.2) of it: distances double. The shift is in halves of the side."""
    truth = np.zeros((1, 58), np.float32)
    drawn = Drawn({GROUP: view(scale=0.5, shift_x=0.2, shift_y=-0.4)})
    found = POINTS.targets(truth, np.array([0]), drawn, LANDMARKS).reshape(29, 2)
    np.testing.assert_allclose(found, np.tile([[-0.2, 0.4]], (29, 1)), atol=1e-6)


def test_points_that_are_not_known_are_not_known_in_any_view():
    truth = POINTS.hide(drawn_points(3), np.array([True, False, True]))
    drawn = Views(Plan(0), keyed_random.keys("abc"), {GROUP: image.view_parameters}).draw(np.arange(3), 1)
    target = POINTS.targets(truth, np.arange(3), drawn, LANDMARKS)
    assert target.isnan().all(dim=1).tolist() == [False, True, False]
    assert not target[[0, 2]].isnan().any()


def dot_picture(place: np.ndarray) -> torch.Tensor:
    """A bright round dot on black where a point (2,) in shares lies, uint8 (1, SIDE, SIDE, 3)."""
    centres = (np.arange(SIDE) + 0.5) / SIDE - 0.5
    away = np.hypot(centres[None, :] - place[0], centres[:, None] - place[1])
    dot = np.clip(255 * (1.5 - away * SIDE / 2), 0, 255).astype(np.uint8)
    return torch.from_numpy(np.repeat(dot[None, :, :, None], 3, axis=3))


@pytest.mark.parametrize("number", range(6))
def test_moved_points_are_where_the_view_shows_them(number):
    """Each point as a dot of its own picture, found again in the view that it is shown in, flips among them."""
    truth, index = drawn_points(1), np.array([0])
    drawn = Views(Plan(3), keyed_random.keys(["face"]), {GROUP: image.view_parameters}).draw(index, number)
    flipped = drawn.of(GROUP)[0, PARAMETERS.index("flip")] > 0
    moved = POINTS.targets(truth, index, drawn, LANDMARKS).numpy().reshape(29, 2)
    spec = InputSpec(SIDE, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    for point in (0, 1, 8, 20, 28):
        seen = image.make(dot_picture(truth.reshape(29, 2)[point]), drawn, spec)[0].mean(0).numpy()
        light = np.clip(seen - np.median(seen), 0, None)  # a changed contrast lifts the black around it
        rows, columns = np.indices(light.shape) + 0.5
        found = np.array([(columns * light).sum(), (rows * light).sum()]) / light.sum() / SIDE - 0.5
        place = LANDMARKS.mirrored.index(point) if flipped else point
        np.testing.assert_allclose(moved[place], found, atol=1 / SIDE)


def test_the_views_that_points_are_found_in_again_are_mirrored_and_not():
    drawn = Views(Plan(3), keyed_random.keys(["face"]), {GROUP: image.view_parameters})
    flips = [drawn.draw(np.array([0]), number).of(GROUP)[0, PARAMETERS.index("flip")] for number in range(6)]
    assert set(flips) == {0, 1}


def test_validation_of_points_by_hand():
    """All points off by 3, 4 hundredths; the outer corners of the eyes are 0.2 and 0.4 apart."""
    truth = np.zeros((2, 29, 2), np.float32)
    truth[:, 8, 0], truth[:, 9, 0] = (-0.1, -0.2), (0.1, 0.2)
    outputs = truth + np.array([0.03, -0.04], np.float32)
    row = POINTS.validate(torch.from_numpy(outputs.reshape(2, 58)), truth.reshape(2, 58), None, LANDMARKS)
    expected = (0.05 / 0.2 + 0.05 / 0.4) / 2
    assert row["val_nme"] == pytest.approx(expected, rel=1e-5)
    assert row["val_loss"] == pytest.approx((0.03**2 + 0.04**2) / 2, rel=1e-5)
    assert list(row) == ["val_loss", "val_nme"]
    assert f"val_{LANDMARKS.headline}" in row
    assert all(type(value) is float for value in row.values())
    agreement = POINTS.agreement(outputs.reshape(2, 58), truth.reshape(2, 58), LANDMARKS)
    assert agreement == {"nme": pytest.approx(expected, rel=1e-5)}
