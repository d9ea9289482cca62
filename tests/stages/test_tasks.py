"""Every task, by the same stages: what its students learn from caches, and its whole way from pictures to a page."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from pipeline import presets
from pipeline.artifacts.locks import lock_of
from pipeline.artifacts.store import Node
from pipeline.config import DEMO_SETS
from pipeline.distillation.kinds import KINDS
from pipeline.evaluation.metrics import METRICS
from pipeline.reporting.sections import SECTIONS
from pipeline.tasks import PAIN, TASKS, Task
from stages import distill, teacher_labels, train_teacher
from stages.cli import cli
from tests.fakes import regress
from tests.fakes.classify import Fakes
from tests.fakes.multilabel import FrameFakes
from tests.fakes.points import PointFakes
from tests.fakes.regress import NumberFakes
from tests.helpers.demo_sets import demo_part
from tests.helpers.figures import drafts

FAKES = {"multilabel": FrameFakes, "regress": NumberFakes, "points": PointFakes}  # by kind; of others Fakes
# By kind what else is the same bit for bit from both than hard labels.
LOSSES = {"regress": "label,soft", "points": "label,assistive"}
ONE_SIZE = 12  # of batches, which divides all parts: an answer's last bit may depend on how many are asked at once
SUBJECTS = {"multilabel": 28}  # clips; of other kinds 42
ALL = pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
OF_EACH_KIND = {(task.kind, task.prepare): task for task in TASKS.values()}.values()
EACH_KIND = pytest.mark.parametrize("task", OF_EACH_KIND, ids=lambda task: task.name)
# All but the one whose way test_end_to_end goes.
OTHERS = [task for task in TASKS.values() if task != PAIN]
WHOLE_WAY = pytest.mark.parametrize("task", OTHERS, ids=lambda task: task.name)
VIEWS = {"views": 2, "view_seed": 5}
MIXED = {"mix": "cutmix", "mix_probability": 0.5}  # but of points, which mixed views have none of


@ALL
def test_a_kind_is_in_all_tables(task):
    for table in (KINDS, METRICS, SECTIONS):
        assert task.kind in table


def test_no_kind_can_be_learned_that_cannot_be_measured_and_reported():
    assert set(KINDS) <= set(METRICS) & set(SECTIONS)


def student(fakes: Fakes, task: Task, online: bool) -> Node:
    """A student of the smoke preset, its first teacher in the loop or not; of pictures on strong views."""
    preset = presets.preset(task, "smoke")
    name, views = preset.teachers[0], VIEWS | ({} if task.kind == "points" else MIXED)
    strong = {"views_strength": "strong"} if "rgb" in task.student_inputs else {}
    config = replace(preset.train_teacher, teacher=name, architecture=preset.teacher(name), epochs=1, **strong)
    teacher = Node("train_teacher", f"teacher-{name}", 1, config, fakes.data, train_teacher.run)
    inputs = {"teacher_teacher": teacher}
    if not online:
        config = replace(preset.teacher_labels, teacher=name, batch_size=ONE_SIZE, **views, **strong)
        labels = {**fakes.data, "teacher": teacher}
        inputs = {"labels_teacher": Node("teacher_labels", "labels", 1, config, labels, teacher_labels.run)}
    architecture = preset.student(preset.students[0])
    config = replace(
        preset.distill, teacher=name, architecture=architecture, epochs=2, online=online, **views, **strong
    )
    config = replace(config, loss=LOSSES.get(task.kind, config.loss), batch_size=ONE_SIZE)
    return Node("distill", f"student-{online}", 1, config, {**fakes.data, **inputs}, distill.run)


@pytest.mark.slow
@EACH_KIND
def test_with_a_view_for_each_epoch_the_cached_student_is_the_online_one(task, tmp_path, monkeypatch):
    monkeypatch.setattr(regress, "OF_VIDEO", 2)  # frames
    fakes = FAKES.get(task.kind, Fakes)(tmp_path, SUBJECTS.get(task.kind, 42), size=64, task=task)
    built = fakes.store.build(*(student(fakes, task, online) for online in (False, True)))
    cached, online = (load_file(artifact.file("weights.safetensors")) for artifact in built)
    assert all(torch.equal(cached[name], online[name]) for name in cached)


@pytest.mark.slow
@WHOLE_WAY
def test_from_pictures_to_a_page(task, tmp_path):
    data = demo_part(tmp_path / "set", task, subjects=10 if len(task.outputs) < 3 else 8)
    options = ["--task", task.name, "--preset", "smoke", "--data", data, "--cache", tmp_path / "cache", "--workers", 1]
    options += ["--min-face", 0.3, "--replicates", 20, "--max-skipped", 1]
    with drafts():
        run = CliRunner().invoke(cli, ["--quiet", "report", *map(str, options)], catch_exceptions=False)
    assert run.exit_code == 0
    page = (tmp_path / "cache" / "set" / "report" / "index.html").read_text()
    for output in task.outputs:
        assert output.replace("_", " ") in page
    again = CliRunner().invoke(cli, ["plan", *map(str, options)])
    assert "Nothing to do" in again.output


def test_a_dataset_that_says_nothing_of_the_task_is_refused_before_its_faces_are_looked_for(tmp_path):
    pictures = sorted((DEMO_SETS / "expression" / "neutral").glob("*.jpg"))[:8]
    for number, picture in enumerate(pictures):
        folder = tmp_path / "set" / ("pain" if number % 2 else "no_pain")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, folder / picture.name)
    options = ["--task", "expression", "--preset", "smoke", "--data", tmp_path / "set", "--cache", tmp_path / "cache"]
    run = CliRunner().invoke(cli, ["--quiet", "report", *map(str, options)])
    assert "says nothing of expression, which TASK=expression asks for; it knows pain" in str(run.exception)
    assert "TASK=pain" in str(run.exception)
    assert not list((tmp_path / "cache" / "set").glob("inputs-*"))


def test_gc_keeps_what_another_task_needs(tmp_path):
    cache = tmp_path / "cache"
    options = ["--preset", "smoke", "--cache", cache, "--data", DEMO_SETS / "pain"]
    made = [CliRunner().invoke(cli, ["plan", "--task", name, *map(str, options)]).output for name in TASKS]
    kept = [next(word for word in text.split() if "student" in word) for text in made]
    other = "student-of-no-task-00000000"
    for name in (*kept, other):
        folder = cache / "demo-pain" / name
        folder.mkdir(parents=True)
        lock = lock_of(folder)
        lock.parent.mkdir(exist_ok=True)
        lock.touch()
    shown = CliRunner().invoke(cli, ["gc", "--yes", "true", *map(str, options)])
    assert shown.exit_code == 0, shown.exception
    assert [(cache / "demo-pain" / name).exists() for name in (*kept, other)] == [True] * len(kept) + [False]


def test_gc_under_options_that_another_task_refuses_goes_on_without_it(tmp_path):
    options = ["--preset", "smoke", "--cache", str(tmp_path), "--image-size", "64"]
    refused = CliRunner().invoke(cli, ["plan", "--task", "skin-conductance", *options])
    assert "IMAGE_SIZE" in str(refused.exception)
    shown = CliRunner().invoke(cli, ["gc", "--yes", "true", *options])
    assert shown.output.endswith("Nothing to remove.\n")
