from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from pipeline.artifacts.store import Node
from pipeline.config import DEMO_SETS, DistillConfig, IndexConfig
from pipeline.presets import preset
from pipeline.reporting import reproduce
from pipeline.reporting.runs import Run, Trained, task_of
from pipeline.tasks import PAIN, TASKS
from pipeline.tasks.objective import canonical
from tests.fakes.classify import Fakes

DEMO, PAPER = preset(PAIN, "demo"), preset(PAIN, "paper")


def student(fakes, config):
    """A student's artifact made with a config, and nothing in it."""
    slug = f"student-{config.student}-{config.teacher}-v{config.views}-n{config.labelled:g}-s{config.seed}"
    return fakes.store.build(Node("distill", slug, 1, config, fakes.data, lambda *_, **__: {}))[0]


def run_of(model):
    """A run of one network of which nothing but its record is looked at."""
    return Run((Trained(model, None, None, {}, {}, {}),), None, None)


def configs(preset, **changes):
    """The preset's three students in its views, budgets and seeds."""
    fields = {k: v for k, v in vars(preset.distill).items() if k not in ("views", "labelled")}
    fields |= {"architecture": preset.student("deit"), **changes}
    return [
        DistillConfig(**{"views": views, "labelled": labelled} | fields | {"teacher": teacher, "seed": seed})
        for teacher in (*preset.teachers, "none")
        for views in (preset.views if teacher != "none" else (1,))
        for labelled in preset.labelled
        for seed in preset.seeds
    ]


@pytest.fixture
def fakes(tmp_path):
    return Fakes(tmp_path, subjects=40, size=8)


@pytest.mark.parametrize("preset", [DEMO, PAPER], ids=lambda preset: preset.name)
def test_a_preset_is_recognised_by_its_settings(fakes, preset):
    students = [student(fakes, config) for config in configs(preset)]
    assert reproduce.closest_preset(students, PAIN) == (preset, [])


def test_what_was_changed_is_named(fakes):
    students = [student(fakes, config) for config in configs(DEMO, epochs=99)]
    closest, changes = reproduce.closest_preset(students, PAIN)
    assert closest == DEMO
    assert changes == [f"distill: epochs = 99 (preset demo: {DEMO.distill.epochs})"]


def test_a_network_is_told_from_the_preset_by_what_differs(fakes):
    other = replace(DEMO.student("resnet10t"), weights="random", image_size=64)
    config = replace(configs(DEMO)[0], student="resnet10t", architecture=other)
    _, [change] = reproduce.closest_preset([student(fakes, config)], PAIN)
    assert change == (
        "distill: architecture = resnet10t, image_size 64, weights random "
        "(preset demo: resnet10t, image_size 224, weights hub)"
    )


def test_commands(fakes, tmp_path):
    students = [run_of(student(fakes, config)) for config in configs(DEMO)]
    [demo] = fakes.store.build(fakes.samples)
    assert reproduce.commands(demo, students, DEMO) == ["make report", "make plan"]

    node = Node("index", "other", 1, IndexConfig(data=str(tmp_path / "my pictures")), {}, lambda *_, **__: {})
    [other] = fakes.store.build(node)
    others = [run_of(student(fakes, config)) for config in configs(replace(DEMO, seeds=(1,)))]
    some = [run for run in others if run.model.config["teacher"] == "swin"]
    [command, _] = reproduce.commands(other, some, DEMO)
    assert command == "make report DATA='/path/to/my pictures' PRESET=demo TEACHER=swin SEED=1"


def test_another_task_and_several_datasets_are_named(fakes, tmp_path):
    places = f"{tmp_path / 'fer'},{DEMO_SETS / 'expression'}"
    node = Node("index", "two", 1, IndexConfig(data=places), {}, lambda *_, **__: {})
    [samples] = fakes.store.build(node)
    [command, _] = reproduce.commands(samples, [], preset(TASKS["expression"], "paper"))
    assert command == "make report TASK=expression DATA=/path/to/fer,data/demo/expression"


@pytest.mark.parametrize(
    ("levels", "shown"),
    [("0,4", "LEVELS=BL1,PA4"), ("0|1,2|3,4", "LEVELS='BL1|PA1,PA2|PA3,PA4'"), ("0,1,2,3,4", "")],
)
def test_levels_that_were_chosen_are_named_so_that_they_can_be_again(fakes, levels, shown):
    task = TASKS["skin-conductance"]
    [demo] = fakes.store.build(fakes.samples)
    [command, _] = reproduce.commands(demo, [], preset(task.grouped(levels), "demo"))
    words = shlex.split(command)
    assert shown in command
    assert [word for word in words if word.startswith("LEVELS=")] == ([shlex.split(shown)[0]] if shown else [])
    assert task.grouped(shlex.split(shown)[0].removeprefix("LEVELS=") if shown else levels) == task.grouped(levels)


def test_losses_are_the_presets_however_they_are_written(fakes):
    preset_of_levels = preset(TASKS["skin-conductance"], "demo")
    network = preset_of_levels.student("narrow")
    made = [
        replace(preset_of_levels.distill, student="narrow", teacher=teacher, loss=canonical(loss), architecture=network)
        for teacher in preset_of_levels.teachers
        for loss in preset_of_levels.losses
    ]
    runs = [run_of(student(fakes, replace(config, seed=seed, views=5))) for config in made for seed in (0, 1)]
    [demo] = fakes.store.build(fakes.samples)
    assert "LOSSES" not in reproduce.commands(demo, runs, preset_of_levels)[0]


def test_a_task_that_a_record_holds_has_its_presets(fakes):
    task = TASKS["expression"]
    demo = preset(task, "demo")
    config = replace(demo.distill, student="vit", teacher="swin", architecture=demo.student("vit"))
    made = student(fakes, config)
    assert reproduce.closest_preset([made], task_of(made.config)) == (demo, [])


def test_a_grid_is_named_by_what_the_preset_does_not_have(fakes):
    [demo] = fakes.store.build(fakes.samples)
    grid = [config for loss in ("hard", "soft:0.7,hint:0.3") for config in configs(DEMO, loss=loss, views=3, folds=5)]
    students = [run_of(student(fakes, config)) for config in grid]
    [command, _] = reproduce.commands(demo, students, DEMO)
    assert command == "make report LOSSES=hard,soft:0.7+hint:0.3 VIEWS=3 FOLDS=5"


def test_budgets_are_named_of_taught_and_untaught(fakes):
    [demo] = fakes.store.build(fakes.samples)
    grid = [config for labelled in (10.0, 0.25, 0.0) for config in configs(DEMO, labelled=labelled)]
    students = [student(fakes, replace(config, student=f"deit{n}")) for n, config in enumerate(grid)]
    assert reproduce.closest_preset([], PAIN)[0] == DEMO
    runs = [run_of(one) for one in students]
    [command, _] = reproduce.commands(demo, runs, replace(DEMO, students=tuple(f"deit{n}" for n in range(len(grid)))))
    assert command == "make report LABELLED=10,0.25,0"
