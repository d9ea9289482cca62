"""Tasks: what their words and numbers mean, and that all of them can be learned."""

from __future__ import annotations

import dataclasses
import math
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from pipeline import tasks
from pipeline.config import DEMO_SETS, as_dict, fingerprinted
from pipeline.distillation.kinds import KINDS
from pipeline.errors import ConfigError
from pipeline.inputs.batches import MODALITIES
from pipeline.tasks import DEFAULT, PAIN, TASKS, Task

EXPRESSION = TASKS["expression"]
LEVELS = Task("level", "classify", "pspi", ("none", "some", "much"), levels=((0, "none"), (1, "some"), (4, "much")))


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_task_can_be_learned(task):
    assert task.kind in KINDS
    assert set(task.teacher_inputs) | set(task.student_inputs) <= set(MODALITIES)
    assert (DEMO_SETS / task.demo).parent == DEMO_SETS


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_tasks_words_are_its_own(task):
    assert len(set(task.outputs)) == len(task.outputs)
    assert {output for _, output in task.aliases} <= set(task.outputs)
    assert not {alias for alias, _ in task.aliases} & set(task.outputs)
    assert {output for _, output in task.levels} <= set(task.outputs)
    assert all(task.read(word) == output for word, output in task.words.items())
    assert 0 <= task.positive_output < len(task.outputs)


def test_tasks_stand_in_files_of_their_name():
    assert set(TASKS) >= {"pain", "expression"}
    for name, task in TASKS.items():
        assert task.name == name
        assert sys.modules[f"pipeline.tasks.{name}"].TASK is task
    assert TASKS[DEFAULT] is PAIN


@pytest.mark.parametrize(
    ("cell", "output"),
    [
        *(("pain", "pain"), ("no_pain", "no_pain"), (" pain ", "pain")),
        *((word, None) for word in ("", "  ", "yawn", "Pain", "2", math.nan, None, np.nan)),
    ],
)
def test_a_word_is_an_output_or_nothing(cell, output):
    assert PAIN.read(cell) == output


@pytest.mark.parametrize(
    ("cell", "output"),
    [("happy", "happiness"), ("joy", "happiness"), ("anger", "anger"), ("sad", "sadness"), ("pain", None), ("", None)],
)
def test_aliases_are_other_words_of_an_output(cell, output):
    assert EXPRESSION.read(cell) == output


@pytest.mark.parametrize(("cell", "output"), [(1, "pain"), ("0", "no_pain"), ("painless", "no_pain")])
def test_an_alias_may_be_a_number(cell, output):
    assert PAIN.read(cell) == output


@pytest.mark.parametrize(
    ("cell", "output"),
    [
        *((0, "none"), ("0.99", "none"), (1, "some"), (np.float32(3.9), "some"), ("4", "much"), (16, "much")),
        *((-0.5, None), ("", None), (math.nan, None), ("much", None), (None, None)),
    ],
)
def test_a_number_is_the_level_that_it_reaches(cell, output):
    assert LEVELS.read(cell) == output


def test_words_are_all_that_mean_an_output():
    words = EXPRESSION.words
    assert words["smile"] == words["laugh"] == words["happiness"] == "happiness"
    assert set(words.values()) == set(EXPRESSION.outputs)
    assert replace(PAIN, aliases=()).words == {"no_pain": "no_pain", "pain": "pain"}


def test_the_positive_output_is_the_one_named_or_the_last():
    assert PAIN.positive_output == 1
    assert replace(PAIN, positive="no_pain").positive_output == 0
    assert LEVELS.positive_output == 2


def test_a_task_that_there_is_not_is_named_with_those_that_there_are():
    assert tasks.find("pain") is PAIN
    with pytest.raises(ConfigError) as caught:
        tasks.find("boredom")
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith("TASK=boredom is no task: ")
    assert all(name in text for name in TASKS)


def test_what_is_asked_is_in_the_fingerprint_how_it_is_said_is_not():
    said = {"sample", "samples", "subject", "demo", "presets"}
    assert fingerprinted(PAIN).keys() == {f.name for f in dataclasses.fields(Task)} - said
    assert fingerprinted(replace(PAIN, subject="hurt", samples="pictures")) == fingerprinted(PAIN)
    assert fingerprinted(replace(PAIN, aliases=(("hurt", "pain"),))) != fingerprinted(PAIN)
    assert as_dict(PAIN)["samples"] == "faces"
    assert "presets" not in as_dict(PAIN)


def test_a_task_is_a_value():
    assert hash(replace(PAIN)) == hash(PAIN)
    with pytest.raises(dataclasses.FrozenInstanceError):
        PAIN.name = "other"


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_task_travels_to_other_processes(task):
    assert pickle.loads(pickle.dumps(task)) == task


def test_tasks_are_known_without_torch():
    code = "import sys; from pipeline import tasks; tasks.find('pain').read('pain'); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
