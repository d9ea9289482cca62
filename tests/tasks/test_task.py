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
from pipeline.tasks import DEFAULT, PAIN, TASKS, Task, find, objective
from pipeline.tasks.schemes import SCHEMES

EXPRESSION, SKIN = TASKS["expression"], TASKS["skin-conductance"]
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
        assert sys.modules[f"pipeline.tasks.{name.replace('-', '_')}"].TASK is task
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


@pytest.mark.parametrize(
    ("text", "outputs"),
    [
        *((text, ("BL1", "PA4")) for text in ("0,4", "4,0", "BL1, PA4", "0|4", "4|0")),
        ("0,3,4", ("BL1", "PA3", "PA4")),
        *((text, ("BL1", "PA1+PA2", "PA3+PA4")) for text in ("0|1,2|3,4", "4,3|0|PA2,1")),
        ("0,1|4", ("BL1+PA1", "PA4")),
        ("0|1,2,3,4", ("BL1", "PA1+PA2+PA3+PA4")),
        ("0|1,3", ("BL1", "PA1+PA3")),  # a level between them that nobody asks for
    ],
)
def test_levels_are_chosen_and_joined(text, outputs):
    task = SKIN.grouped(text)
    assert task.outputs == outputs
    for number, word in enumerate(SKIN.outputs):
        joined = next((name for name in outputs if word in name.split("+")), None)
        assert task.read(word) == task.read(str(number)) == task.read(number) == joined
    assert all(task.read(word) == output for word, output in task.words.items())
    assert not {alias for alias, _ in task.aliases} & set(task.outputs)
    assert task.positive_output == len(outputs) - 1
    assert fingerprinted(task) != fingerprinted(SKIN)
    assert (task.sweeps, task.presets, task.name) == (SKIN.sweeps, SKIN.presets, SKIN.name)


def test_all_levels_in_any_order_are_the_task_itself():
    assert SKIN.grouped("0,1,2,3,4") == SKIN.grouped("PA4,PA3,2,1,BL1") == SKIN


def test_levels_of_numbers_are_chosen_and_joined():
    task = replace(LEVELS, ordered=True, positive="much").grouped("none|some,much")
    assert task.outputs == ("none", "some+much")
    assert [task.read(number) for number in (0, 1, 9, -1)] == ["none", "some+much", "some+much", None]
    assert task.positive == "some+much"
    task = replace(LEVELS, ordered=True, positive="some").grouped("none,much")
    assert [task.read(number) for number in (0, 1, 3.9, 4)] == ["none", None, None, "much"]
    assert task.positive_output == 1


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("0", "is one class"),
        ("0,1,2|", "names ''"),
        ("", "names ''"),
        ("|", "names ''"),
        ("0,,4", "names ''"),
        ("0,5", "names '5', TASK=skin-conductance has the levels BL1 or 0, PA1 or 1,"),
        ("0,4,0", "a level twice"),
        ("0|4,0", "a level twice"),
        ("0,BL1", "a level twice"),
        ("0,2|1,3", "between those of another"),
        ("0,4|1", "between those of another"),
    ],
)
def test_levels_that_cannot_be_classes_are_refused(text, part):
    with pytest.raises(ConfigError) as caught:
        SKIN.grouped(text)
    assert str(caught.value).startswith(f"LEVELS={text}")
    assert part in str(caught.value)


def test_only_a_task_of_levels_has_levels():
    with pytest.raises(ConfigError, match="the classes of TASK=pain are no levels"):
        tasks.find("pain", "0,1")
    assert tasks.find("skin-conductance", "0,4") == SKIN.grouped("0,4")
    assert tasks.find("skin-conductance") is SKIN


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_levels_can_be_joined_without_doubt(task):
    assert not task.ordered or not any("+" in output or "," in output for output in task.outputs)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_sweep_is_made_of_losses_that_differ(task):
    for name, losses in task.sweeps.items():
        assert name == name.lower()
        assert name not in objective.REQUIRED_TARGETS
        assert len({objective.canonical(loss) for loss in losses}) == len(losses) > 1


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
    said = {"sample", "samples", "subject", "demo", "presets", "study", "sweeps"}
    assert fingerprinted(PAIN).keys() == {f.name for f in dataclasses.fields(Task)} - said
    assert fingerprinted(replace(PAIN, subject="hurt", samples="pictures")) == fingerprinted(PAIN)
    assert fingerprinted(replace(PAIN, aliases=(("hurt", "pain"),))) != fingerprinted(PAIN)
    assert as_dict(PAIN)["samples"] == "faces"
    assert not {"presets", "sweeps"} & as_dict(PAIN).keys()


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


def test_of_another_number_the_bounds_must_be_given():
    asked = find("intensity", target="phq_score", bounds="0,27")
    assert (asked.target, asked.outputs, asked.targets) == ("phq_score", ("phq_score",), ("phq_score",))
    assert asked.bounds == (0, 27)
    assert asked.cuts == (6.75, 13.5, 20.25)
    assert find("intensity", target="pspi") == TASKS["intensity"]
    with pytest.raises(ConfigError, match=r"TARGET=phq_score .* RANGE=0,27"):
        find("intensity", target="phq_score")


@pytest.mark.parametrize("text", ["", "0", "0,", "3,1", "1,1", "a,b", "0,1,2", "nan,1", "0,inf"])
def test_bounds_are_two_rising_numbers(text):
    with pytest.raises(ConfigError, match=r"RANGE=.*lowest and the highest"):
        find("intensity", bounds=text)


def test_only_a_task_of_a_number_has_a_target_and_a_range():
    for given in ({"target": "pspi"}, {"bounds": "0,1"}):
        with pytest.raises(ConfigError, match="TASK=pain asks for no number"):
            find("pain", **given)


@pytest.mark.parametrize("count", SCHEMES)
def test_of_other_points_outputs_and_mirror_are_theirs(count):
    asked = find("landmarks", points=count)
    assert asked.target == f"points{count}"
    assert len(asked.outputs) == len(asked.mirrored) == count
    assert asked.numbers[:3] == ("p0_x", "p0_y", "p1_x")
    assert len(asked.numbers) == 2 * count


def test_there_are_no_other_sets_of_points_and_no_points_of_other_tasks():
    with pytest.raises(ConfigError, match="sets of 68, 98, 29 points"):
        find("landmarks", points=5)
    with pytest.raises(ConfigError, match="TASK=pain asks for no points"):
        find("pain", points=68)
