"""Which outputs of which samples are explained."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.evaluation import bootstrap, explanations
from pipeline.evaluation.explanations import EXPLAINED, chosen
from pipeline.tasks import PAIN, TASKS
from pipeline.tasks.task import EXPLAINED_KINDS


def test_every_kind_that_a_task_calls_explained_has_an_output_to_explain():
    assert set(EXPLAINED) == set(EXPLAINED_KINDS)
    named = {name for name, task in TASKS.items() if task.explained}
    assert named == {"pain", "expression", "intensity"}


def test_of_two_classes_the_positive_one_is_explained_and_of_more_the_true_one():
    labels = pd.DataFrame({"label": [0, 1, 1]})
    outputs, true = EXPLAINED["classify"](labels, PAIN)
    assert outputs.tolist() == [1, 1, 1]
    assert true.tolist() == [False, True, True]
    outputs, true = EXPLAINED["classify"](pd.DataFrame({"label": [6, 0]}), TASKS["expression"])
    assert outputs.tolist() == [6, 0]
    assert true.all()


def test_of_numbers_there_is_something_to_see_above_the_lowest():
    outputs, true = EXPLAINED["regress"](pd.DataFrame({"label_pspi": [0.0, 3.0]}), TASKS["intensity"])
    assert outputs.tolist() == [0, 0]
    assert true.tolist() == [False, True]


def test_half_of_what_is_explained_shows_something_if_it_can():
    true = np.array([True] * 3 + [False] * 7)
    order = np.array([9, 0, 8, 1, 7, 2, 6, 3, 5, 4])
    assert chosen(true, order, 4).tolist() == [0, 1, 8, 9]
    assert chosen(true, order, 8).tolist() == [0, 1, 2, 3, 6, 7, 8, 9]  # what one half lacks, the other has more of
    assert chosen(~true, order, 8).tolist() == [0, 1, 2, 3, 6, 7, 8, 9]
    assert chosen(true, order, 100).tolist() == list(range(10))
    assert chosen(true, order, 3).tolist() == [0, 1, 9]


def test_maps_agree_as_their_coarse_cells_correlate():
    first = np.random.default_rng(0).random((3, 32, 32))
    second = np.stack([2 * first[0] + 1, first[1][::-1], np.ones((32, 32))])
    given = explanations.agreement(first, second)
    cells = [one.reshape(8, 4, 8, 4).sum((1, 3)).ravel() for one in (first[1], second[1])]
    np.testing.assert_allclose(given[:2], [1, np.corrcoef(*cells)[0, 1]])
    assert np.isnan(given[2])  # a map with nothing in it agrees with none


def test_another_sample_is_alike_and_of_the_same_networks():
    folds, true = np.array([0, 0, 1, 0, 1, 0, 1]), np.array([1, 0, 1, 1, 1, 0, 0], bool)
    places = explanations.others(folds, true)
    assert places.tolist() == [3, 5, 4, 0, 2, 1, 6]  # of the last there is no other


def test_the_share_on_what_moved_is_of_the_whole_map():
    maps = np.array([[[1.0, 3.0], [0.0, 4.0]]] * 2)
    moved = np.array([[[0, 1], [1, 0]], [[0, 0], [0, 0]]])
    np.testing.assert_allclose(explanations.on_parts(maps, moved), [3 / 8, np.nan])


def test_the_mean_of_a_resample_is_over_the_samples_that_have_a_value():
    values = np.array([1.0, np.nan, 3.0])
    weights = np.array([[1.0, 1.0, 1.0], [2.0, 1.0, 0.0], [0.0, 3.0, 0.0]])
    assert explanations.mean(values, weights)[:2].tolist() == [2.0, 1.0]
    assert np.isnan(explanations.mean(values, weights)[2])
    assert bootstrap.interval(explanations.mean(values, weights)).undefined == 1
