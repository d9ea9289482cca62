from __future__ import annotations

import dataclasses

import numpy as np

from pipeline.reporting.answer import answer
from pipeline.reporting.methods import HEADLINE


def with_values(method, values):
    """The method with the given headline values, shape (runs, 1 + replicates)."""
    return dataclasses.replace(method, values={**method.values, HEADLINE: np.asarray(values)})


def renamed(method, student):
    """The method as if another student had learned."""
    runs = []
    for run in method.runs:
        record = {**run.model.record, "config": {**run.model.config, "student": student}}
        runs.append(dataclasses.replace(run, model=dataclasses.replace(run.model, record=record)))
    return dataclasses.replace(method, runs=tuple(runs))


def spread(center, width, seeds=2, replicates=200, seed=0):
    noise = np.random.default_rng(seed).normal(0, width, replicates)
    return np.full((seeds, 1 + replicates), center) + np.r_[0, noise]


def test_says_which_teacher_is_better_when_the_data_do(compared):
    resnet, swin, from_resnet, from_swin, untaught = compared
    from_resnet = with_values(from_resnet, spread(0.90, 0.001))
    from_swin = with_values(from_swin, spread(0.95, 0.001, seed=1))
    said = answer([resnet, swin, from_resnet, from_swin, untaught])
    assert said.headline == "Swin transfers better than ResNet"
    assert "a difference of 5.0 percentage points (95% interval 4." in said.sentences[0]
    assert "(5.0, 5.0)" in said.sentences[0]


def test_says_that_the_data_cannot_tell(compared):
    resnet, swin, from_resnet, from_swin, untaught = compared
    from_resnet = with_values(from_resnet, spread(0.94, 0.02))
    from_swin = with_values(from_swin, spread(0.95, 0.02, seed=1))
    said = answer([resnet, swin, from_resnet, from_swin, untaught])
    assert said.headline == "These data cannot tell which teacher transfers better"
    assert "The interval includes zero" in said.sentences[0]
    assert "−" in said.sentences[0]


def test_seeds_that_disagree_settle_nothing(compared):
    resnet, swin, from_resnet, from_swin, untaught = compared
    from_resnet = with_values(from_resnet, spread(0.90, 0.001))
    values = spread(0.95, 0.001, seed=1)
    values[0] += 0.06
    values[1] -= 0.06
    said = answer([resnet, swin, from_resnet, with_values(from_swin, values), untaught])
    assert said.headline == "These data cannot tell which teacher transfers better"
    assert "The seeds disagree" in said.sentences[0]


def test_with_one_teacher_there_is_nothing_to_compare(compared):
    said = answer([compared[1], compared[3]])
    assert said.headline == "No answer yet: the question needs students of two teachers"
    assert "this report has 1" in said.sentences[0]


def test_two_students_of_one_teacher_are_one_teacher(compared):
    other = renamed(compared[3], "vit")
    said = answer([compared[1], compared[3], other])
    assert "this report has 1." in said.sentences[0]


def test_each_student_is_compared_with_itself_untaught(compared):
    others = [renamed(method, "vit") for method in compared[2:]]
    others[2] = with_values(others[2], np.full_like(others[2].values[HEADLINE], 0.625))
    said = " ".join(answer([*compared, *others]).sentences)
    assert "Against the DeiT student without a teacher (" in said
    assert "Against the vit student without a teacher (62.5%)" in said


def test_one_test_subject_settles_nothing(compared):
    values = [np.c_[[0.5, 0.5], np.full((2, 9), np.nan)], np.c_[[1.0, 1.0], np.full((2, 9), np.nan)]] * 2
    methods = [with_values(method, v) for method, v in zip(compared[:4], values, strict=True)]
    said = answer(methods)
    assert said.headline == "Too few test subjects to tell which teacher transfers better"
    assert "no interval" in said.sentences[0]
    assert "nan" not in " ".join(said.sentences)


def test_teachers_alone_and_undefined_metrics_are_no_crash(compared):
    assert "this report has none" in answer(compared[:2]).sentences[0]
    undefined = [with_values(method, np.full_like(method.values[HEADLINE], np.nan)) for method in compared]
    said = answer(undefined)
    assert said.headline == "The test faces cannot answer the question"
    assert "needs faces with and without pain" in said.sentences[0]
    assert "nan" not in " ".join(said.sentences)
