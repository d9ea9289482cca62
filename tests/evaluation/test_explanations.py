"""Which outputs of which samples are explained."""

from __future__ import annotations

import numpy as np
import pandas as pd

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
