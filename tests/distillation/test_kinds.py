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
    truth = np.array([0, 1, 2, 2])
    assert CLASSIFY.disagreement(np.array([0, 1, 2, 2], np.uint16), truth) == 0
    assert CLASSIFY.disagreement(np.array([1, 1, 0, 2], np.uint16), truth) == 2


def test_truth_is_read_as_the_teacher_labels_it():
    """Classes by their place in the task: what is hardened can be compared with what is read."""
    for task in (PAIN, EXPRESSION):
        truth, _ = CLASSIFY.read(pd.DataFrame({task.target: task.outputs}), task)
        assert CLASSIFY.disagreement(CLASSIFY.harden(np.eye(len(task.outputs))), truth) == 0


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
    assert MULTILABEL.disagreement(hard, LABELS) == 3
    row = MULTILABEL.validate(outputs, LABELS, None, FIRE)
    expected = f1_score(LABELS, hard, average=None)
    assert [row["val_f1_fire"], row["val_f1_smoke"]] == pytest.approx(expected)
    assert row["val_macro_f1"] == pytest.approx(expected.mean())
    loss = F.binary_cross_entropy_with_logits(outputs, torch.from_numpy(LABELS))
    assert row["val_loss"] == pytest.approx(loss.item())
