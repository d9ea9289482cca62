from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.config import EvaluateConfig, as_dict
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.question import Question
from pipeline.tasks import TASKS


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_record_asks_the_same_question_as_the_task_itself(task):
    recorded = as_dict(EvaluateConfig(task=task))["task"]
    assert Question.of(recorded) == Question.of(task)
    assert Question.of(json.loads(json.dumps(recorded))) == Question.of(task)
    assert Question.of(task).outputs == task.outputs
    assert (Question.of(task).bounds, Question.of(task).cuts) == (task.bounds, task.cuts)
    assert task.headline in METRICS[task.kind].metrics(Question.of(task))


def test_the_positive_class_is_the_named_one_or_the_last():
    pain = TASKS["pain"]
    assert Question.of(pain).positive_output == 1
    assert Question.of(replace(pain, positive="no_pain")).positive_output == 0
    assert Question.of(replace(pain, positive="")).positive_output == 1
    assert not Question.of(TASKS["expression"]).binary


def test_words():
    question = Question("classify", ("mouth_open", "shut"), sample="image")
    assert question.names == ("mouth open", "shut")
    assert question.one == "an image"
    assert Question("regress", ("a",), sample="window").one == "a window"
