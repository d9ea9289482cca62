"""The documents are true: their commands exist, their links lead somewhere, their defaults are those of the config."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pipeline import __version__, presets
from pipeline.config import weights_file
from pipeline.distillation.kinds import KINDS
from pipeline.distillation.losses.table import LOSSES, TOGETHER
from pipeline.evaluation.metrics import METRICS
from pipeline.inputs import datasets
from pipeline.reporting.sections import SECTIONS
from pipeline.serving import answers
from pipeline.tasks import TASKS
from pipeline.tasks.objective import OF_OUTPUTS, REQUIRED_TARGETS
from pipeline.tasks.schemes import SCHEMES
from stages import surroundings
from stages.cli import cli
from tests.helpers.presets import PRESETS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
TARGETS = {*cli.commands, "setup", "attack", "test", "lint", "bench", "bench-scale", "bench-gpu", "clean"}
NAMES = ("README.md", "CHANGELOG.md", "docs/architecture.md", "data/README.md", "cache/README.md")
DOCUMENTS = [*(ROOT / name for name in NAMES), *sorted((ROOT / "data" / "demo").rglob("*.md"))]
FORMS = {*datasets.READERS, *datasets.UNPACKING}


def row_of(task, text=README):
    """The cells of a task's row in the README's table of tasks."""
    rows = [line for line in text.splitlines() if line.startswith(f"| `{task.name}` |")]
    assert len(rows) == 1, task.name
    return [cell.strip() for cell in rows[0].strip("|").split("|")]


def told_of(task):
    """What a task's row names of its outputs: each of them, of points how many there may be."""
    return map(str, SCHEMES) if task.kind == "points" else [output.replace("_", " ") for output in task.outputs]


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_task_is_in_the_table_with_its_headline_and_demo_set(task):
    _, asks, _, _, headline, demo = row_of(task)
    assert headline.casefold() == task.headline.replace("_", " ")
    assert f"(data/demo/{task.demo}/README.md)" in demo
    assert all(re.search(rf"\b{re.escape(told)}\b", asks, re.IGNORECASE) for told in told_of(task))


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_the_presets_of_every_task_are_those_of_the_config(task):
    section = README[README.index("## Presets") : README.index("## Data")]
    table = section[section.index(f"`TASK={task.name}`:") :].split("`TASK=")[1]
    lines = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    rows = {title: dict(zip(("demo", "paper", "smoke"), cells, strict=True)) for title, *cells in lines[1:]}
    for name in ("demo", "paper"):
        preset = presets.preset(task, name)
        schedule = rows["schedule"][name]
        assert f"{preset.distill.epochs} epochs, batch {preset.distill.batch_size}" in schedule
        for config in (preset.distill, preset.train_teacher):
            assert f"{config.epochs} epochs" in schedule
            assert f"{config.learning_rate:.0e}".replace("e-0", "e-") in schedule
            assert f"`{config.truth_loss}`" in rows.get("truth loss", {name: "`label`"})[name]
        assert all(f"`{loss}`" in rows["loss"][name] for loss in preset.losses)
        teachers = [f"teacher `{key}`" for text in preset.teachers for key in text.split("+")]
        students = [f"student `{key}`" for key in preset.students]
        assert {*teachers, *students} <= {*rows}
        networks = {f"teacher `{key}`": network for key, network in preset.teacher_networks.items()}
        networks |= {f"student `{key}`": network for key, network in preset.student_networks.items()}
        for title, network in networks.items():
            cell = rows.get(title, {name: "–"})[name]
            assert cell == "–" or f"`{network.name}`" in cell, (name, title)
            assert title not in teachers + students or cell != "–", (name, title)
            assert cell == "–" or ("LoRA" in cell) == network.trained.startswith("lora"), (name, title)
            assert network.weights != "shipped" or weights_file(network).is_file()
        assert all(str(views) in rows["views"][name] for views in preset.views)
        strengths = {config.views_strength for config in (preset.train_teacher, preset.teacher_labels, preset.distill)}
        assert strengths == {"strong" if "strong" in rows["views"][name] else "plain"}


def test_every_loss_is_in_the_table_of_losses():
    section = README[README.index("## Losses") : README.index("## Training")]
    assert set(re.findall(r"^\| `([a-z]\w*)` \|", section, re.MULTILINE)) == set(REQUIRED_TARGETS)


def test_every_loss_is_in_make_help():
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    text = shown[shown.index("\n  LOSS ") : shown.index("\n  TRUTH_LOSS ")]
    assert set(REQUIRED_TARGETS) <= set(re.findall(r"\w+", text))


def test_every_form_of_dataset_is_in_the_documents():
    row = next(line for line in README.splitlines() if line.startswith("| `DATASET` |"))
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    forms_of_help = re.findall(r"\w+", shown[shown.index("\n  DATASET ") : shown.index("\n  COLUMNS ")])
    for form in FORMS:
        assert f"`{form}`" in row
        assert form in forms_of_help


def test_every_task_is_in_make_help():
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(f"TASK={name} " in shown for name in TASKS)
    assert max(map(len, shown.splitlines())) <= 110


def test_every_room_is_in_the_table_of_the_architecture():
    rooms = {path.parent.name for path in (ROOT / "pipeline").glob("*/__init__.py")}
    text = (ROOT / "docs" / "architecture.md").read_text()
    assert set(re.findall(r"`pipeline/(\w+)/`", text[text.index("## Rooms") : text.index("## Artifacts")])) == rooms


def test_every_path_in_the_architecture_is_there():
    text = (ROOT / "docs" / "architecture.md").read_text()
    paths = set(re.findall(r"`((?:pipeline|stages|tests)/[\w./]*)`", text))
    assert paths
    assert all((ROOT / path).exists() for path in paths)


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_the_kind_of_every_task_can_be_learned_measured_reported_and_told(task):
    assert all(task.kind in table for table in (KINDS, METRICS, SECTIONS, LOSSES, OF_OUTPUTS, answers.KINDS))
    assert set(OF_OUTPUTS[task.kind]) <= {*LOSSES[task.kind], *TOGETHER}


def test_the_changelog_begins_with_this_version():
    assert re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0] == __version__


def test_every_target_is_in_the_table():
    rows = set(re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| (`[^|]*`) \|", README, re.MULTILINE))))
    assert rows >= TARGETS


def test_every_make_command_in_the_documents_is_a_target():
    for document in DOCUMENTS:
        named = set(re.findall(r"(?:^ *|`)make ([a-z-]+)", document.read_text(), re.MULTILINE))
        assert named <= TARGETS, document


def test_every_variable_in_the_documents_is_an_option():
    known = {"PYTHON", "BASE_PYTHON", "TESTS", "DATA", "N", "OUT", "INPUT", "MODEL", "SEED", "ONLY", "SCALE"}
    for command in cli.commands.values():
        known |= {option.lstrip("-").replace("-", "_").upper() for p in command.params for option in p.opts}
    for document in DOCUMENTS:
        text = document.read_text()
        assert set(re.findall(r"\b([A-Z][A-Z_]+)=", text)) <= known | {surroundings.TRACEBACK}, document
    table = README[README.index("## Targets") : README.index("## More than one process")]
    assert set(re.findall(r"`([A-Z][A-Z_]+)`", table)) <= known


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


def test_no_placeholder_is_left():
    for document in DOCUMENTS:
        assert not re.findall(r"@[A-Z_]+@|TODO|FIXME|XXX", document.read_text()), document


def test_the_schedule_in_the_readme_and_in_make_help_is_the_presets():
    schedule = PRESETS["demo"].distill
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"demo {schedule.epochs}, paper {PRESETS['paper'].distill.epochs}" in shown
    assert f"demo {schedule.batch_size}, paper {PRESETS['paper'].distill.batch_size}" in shown
    assert f"{schedule.epochs} epochs, batch {schedule.batch_size}" in README


def test_the_demo_sets_say_that_they_are_synthetic():
    sets = [ROOT / "data" / "demo" / task.demo / "README.md" for task in TASKS.values()]
    for document in (ROOT / "README.md", *sets):
        assert re.search(r"not clinical|nothing clinical", document.read_text().replace("*", "")), document
