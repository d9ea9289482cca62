"""The command line: everything documented, defaults from the config dataclasses, errors in one line."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from pipeline import __version__, presets
from pipeline.artifacts.raw_data import RawData
from pipeline.config import DEMO_SETS, PretrainConfig, SynthesizeConfig
from pipeline.errors import ConfigError
from pipeline.tasks import TASKS
from stages import options
from stages.cli import cli
from stages.graph import all_stages
from stages.housekeeping import point
from stages.session import Session
from tests.helpers.presets import PRESETS

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments):
    return CliRunner().invoke(cli, ["--quiet", *map(str, arguments)])


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_and_option_has_help(name):
    command = cli.commands[name]
    assert command.help
    for parameter in command.params:
        assert isinstance(parameter, click.Option)
        assert parameter.help, parameter.name
    assert run(name, "--help").exit_code == 0


@pytest.mark.parametrize("stage", sorted(set(all_stages()) - {"pretrain"}))
def test_every_config_field_is_an_option_of_its_command(stage):
    names = set(options.targets(stage))
    fields = {options.RENAMED.get((stage, f.name), f.name) for f in dataclasses.fields(getattr(PRESETS["demo"], stage))}
    assert fields - options.SELECTED - ({"seed"} if stage == "distill" else set()) <= names


def test_defaults_come_from_the_dataclasses():
    values = {"task": "pain", "preset": None, "data": None}
    assert options.configured(values, "report") == PRESETS["demo"]
    shown = run("distill", "--help").output
    assert f"demo {PRESETS['demo'].distill.epochs}, paper {PRESETS['paper'].distill.epochs}" in shown
    for config, command in ((SynthesizeConfig, "synthesize"), (PretrainConfig, "pretrain")):
        found = {p.name: p.default for p in cli.commands[command].params}
        for field in dataclasses.fields(config):
            if field.name not in options.SELECTED:
                assert found[field.name] == field.default


def test_an_option_sets_the_field_of_its_stage_and_of_no_other():
    values = {
        "task": "pain",
        "preset": "smoke",
        "epochs": 9,
        "teacher_epochs": 4,
        "split_seed": 7,
        "bootstrap_seed": 5,
        "device": "cpu",
    }
    found = options.configured(values, "report")
    assert (found.distill.epochs, found.train_teacher.epochs, found.split.seed) == (9, 4, 7)
    assert (found.evaluate.seed, found.report.seed) == (5, 5)
    assert found.train_teacher.seed == PRESETS["smoke"].train_teacher.seed
    assert {found.align.device, found.distill.device} == {"cpu"}


def test_a_stages_own_options_have_no_prefix():
    assert options.configured({"task": "pain", "preset": None, "epochs": 3}, "train_teacher").train_teacher.epochs == 3
    assert options.configured({"task": "pain", "preset": None, "seed": 3}, "split").split.seed == 3


def test_data_means_the_paper_preset_unless_another_is_named(tmp_path):
    assert options.configured({"task": "pain", "preset": None, "data": str(tmp_path)}, "align").name == "paper"
    assert options.configured({"task": "pain", "preset": "demo", "data": str(tmp_path)}, "align").name == "demo"


def test_a_folder_keeps_its_whole_name_and_a_file_loses_its_suffix(tmp_path):
    (tmp_path / "set.v2").mkdir()
    (tmp_path / "set.v2" / "faces.v3.csv").touch()
    named = [
        options.configured({"task": "pain", "preset": None, "data": str(tmp_path / n)}, "align")
        for n in ("set.v2", "set.v2/faces.v3.csv")
    ]
    assert [options.dataset_name(preset) for preset in [*named, PRESETS["demo"]]] == ["set.v2", "faces.v3", "demo-pain"]


def test_a_study_is_of_the_shipped_set_alone(tmp_path):
    values = {"task": "pain", "preset": "demo", "levels": None}
    for data in (None, str(DEMO_SETS / "pain"), f"{DEMO_SETS}/../demo/pain/"):
        shipped = options.configured(values | {"data": data}, "report")
        assert (shipped.split.cv, shipped.labelled, shipped.seeds, shipped.distill.epochs) == (
            "5",
            (10.0, 0.0),
            (0,),
            2,
        )
    other = options.configured(values | {"data": str(tmp_path)}, "report")
    assert (other.split.cv, other.labelled, other.seeds, other.distill.epochs) == ("0", (0.0,), (0, 1, 2), 6)
    asked = options.configured(values | {"data": str(tmp_path), "cv": "3"}, "report")
    assert asked.split.cv == "3"
    elsewhere = options.configured(values | {"task": "expression", "data": str(DEMO_SETS / "pain")}, "report")
    assert elsewhere.split.cv == "0"


def test_the_selection_narrows_by_names():
    found = options.selection(PRESETS["demo"], {"teacher": "swin, none", "student": None, "seed": "4,5"})
    assert (found.teachers, found.students, found.seeds) == (("swin", "none"), ("deit",), (4, 5))
    assert (found.losses, found.views, found.folds) == (("hard",), (1,), (0,))
    assert found.real_teachers == ("swin",)


def test_losses_are_a_list_and_a_loss_is_a_sum():
    demo = PRESETS["demo"]
    assert options.selection(demo, {"loss": "soft:0.7,hint:0.3"}).losses == ("soft:0.7,hint:0.3",)
    listed = options.selection(demo, {"losses": "hard,soft:0.7+hint:0.3,hint", "views": "5,30", "folds": "0,4"})
    assert listed.losses == ("hard", "soft:0.7,hint:0.3", "label,hint")
    assert (listed.views, listed.folds) == ((5, 30), (0, 4))


def test_budgets_are_numbers_and_shares_each_once():
    found = options.selection(PRESETS["demo"], {"labelled": "10, 0.25,0,10.0,-0"})
    assert found.labelled == (10, 0.25, 0)
    assert {str(n) for n in found.labelled} == {"10.0", "0.25", "0.0"}
    assert options.selection(PRESETS["demo"], {}).labelled == (10.0, 0.0)


def test_a_named_sweep_is_its_losses():
    task = TASKS["skin-conductance"]
    assert options.selection(presets.preset(task, "demo"), {"losses": "classic, hard,soft:0.25+label:0.75"}).losses == (
        "label:0.75,soft:0.25",
        "label:0.75,cosine:0.25",
        "label:0.75,hint:0.25",
        "hard",
    )
    with pytest.raises(ConfigError, match="unknown loss, 'classic'"):  # another task's
        options.selection(PRESETS["demo"], {"losses": "classic"})


def test_levels_change_what_every_stage_is_asked():
    values = {"task": "skin-conductance", "preset": "smoke", "levels": "0|1,2|3,4"}
    preset = options.configured(values, "report")
    assert preset.task.outputs == ("BL1", "PA1+PA2", "PA3+PA4")
    assert preset.distill.task == preset.train_teacher.task == preset.evaluate.task == preset.task
    with pytest.raises(ConfigError, match="LEVELS=0,1: the classes of TASK=expression are no levels"):
        options.configured(values | {"task": "expression", "levels": "0,1"}, "report")


def test_labels_and_students_share_the_views_of_one_option():
    found = options.configured({"task": "pain", "preset": "smoke", "view_seed": 3, "mix": "mixup"}, "report")
    assert (found.teacher_labels.view_seed, found.distill.view_seed) == (3, 3)
    assert (found.teacher_labels.mix, found.distill.mix) == ("mixup", "mixup")


def test_the_limit_of_files_reaches_the_dataset_and_no_fingerprint(monkeypatch, tmp_path):
    limits = []

    def of(data, memo, max_files):
        limits.append(max_files)
        return SimpleNamespace(fingerprint="0")

    monkeypatch.setattr(RawData, "of", of)
    values = {"task": "pain", "preset": "smoke", "data": str(tmp_path), "cache": tmp_path / "cache"}
    made = [Session("index", values | {"max_files": n}).graph.samples.fingerprint for n in (None, 7)]
    assert limits == [PRESETS["smoke"].index.max_files, 7]
    assert made[0] == made[1]


def test_artifacts_never_lie_in_the_dataset_itself(tmp_path):
    (tmp_path / "set").mkdir()
    shown = run("align", "--data", tmp_path / "set", "--cache", tmp_path)
    assert "Choose another folder: CACHE=" in str(shown.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["align", "--preset", "paper"], "give its folder or CSV file as DATA="),
        (["align", "--data", "/nowhere/at/all"], "There is no dataset at /nowhere/at/all"),
        (["teacher", "--teacher", "none"], "Name a teacher: TEACHER=swin"),
        (["distill", "--seed", "one"], "SEED=one: expected whole numbers, separated by commas"),
        (["sweep", "--folds", "1"], "FOLDS=1: expected whole numbers, but not 1"),
        (["sweep", "--losses", "hard,sofd"], "Did you mean soft?"),
        (["teacher-labels", "--features", "maps"], "FEATURES=maps names maps: there are hidden, map"),
        (["distill", "--mix", "cutmix", "--views", "1"], "VIEWS=2"),
        (["report", "--task", "pian"], "TASK=pian is no task: there are"),
        (["pretrain", "--faces-seed", "1"], "FACES_SEED=1 is the demo set's"),
    ],
)
def test_what_a_user_can_fix_is_one_line_and_status_2(arguments, message):
    shown = subprocess.run(
        [sys.executable, "-m", "stages", *arguments], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert shown.returncode == 2
    assert shown.stderr.startswith("Error: ")
    assert message in shown.stderr
    assert len(shown.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("distill", "--epochs", 0),
        ("distill", "--epochs", "abc"),
        ("teacher", "--batch-size", 0),
        ("align", "--face-size", 0),
        ("split", "--train", 0),
        ("index", "--max-skipped", 7),
    ],
)
def test_a_number_that_cannot_work_is_refused_before_anything_runs(arguments):
    shown = run(*arguments)
    assert shown.exit_code == 2
    assert "Invalid value for '--" in shown.output


def test_the_version_is_known_without_an_installation():
    assert run("--version").output == f"paindistill, version {__version__}\n"


def test_an_unknown_network_is_said_before_anything_runs(tmp_path):
    shown = run("report", "--preset", "smoke", "--teacher", "swim,none", "--cache", tmp_path)
    assert isinstance(shown.exception, ConfigError)
    assert "no network named swim" in str(shown.exception)
    assert not list(tmp_path.glob("*/samples-*"))


def test_the_link_to_the_report_moves_on_and_a_folder_in_its_place_is_left_alone(tmp_path):
    one, two, link = (tmp_path / name for name in ("report-1", "report-2", "report"))
    for folder in (one, two, two):
        folder.mkdir(exist_ok=True)
        assert point(link, folder) == link
        assert link.resolve() == folder.resolve()
    link.unlink()
    link.mkdir()
    assert point(link, one) == one
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["report", "report-1", "report-2"]
    assert not list(tmp_path.glob(".report*"))


def test_a_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr("stages.session.configured", lambda *_: 1 / 0)
    assert isinstance(run("align").exception, ZeroDivisionError)
