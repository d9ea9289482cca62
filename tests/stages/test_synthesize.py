"""The synthesize stage around a stand-in for what makes the files: resume, growth, refusal to mix recipes."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from pipeline.config import DEMO_SETS, SynthesizeConfig
from pipeline.errors import DataError, MissingDependencyError
from pipeline.synth.identity import cell
from pipeline.synth.singles import CLASSES
from pipeline.synth.truth import save_picture
from pipeline.tasks import TASKS
from stages import synthesize
from stages.cli import cli


def pair_rows(what) -> list[dict]:
    people = {"gender": what.gender, "age_group": what.age_group, "ethnicity": what.ethnicity, "expression": "x"}
    return [
        {"file": what.file, "region": region, "subject_id": what.subject_id, "label": int(what.pain and k)}
        | people
        | {"pspi": 0.1 * what.number}
        for k, region in enumerate(("left", "right"))
    ]


def single_rows(what) -> list[dict]:
    gender, age_group, ethnicity = cell(what.seed, what.identity)
    people = {"gender": gender, "age_group": age_group, "ethnicity": ethnicity, "expression": what.expression}
    return [{"file": what.file, "region": "full", "subject_id": what.subject_id} | people]


@pytest.fixture
def rendered(monkeypatch) -> list[str]:
    """Replaces the renderer; lists the files it was asked for."""
    asked: list[str] = []
    rows_of = {"pairs": pair_rows, "expression": single_rows}

    def render(plans, config, out):
        for what in plans:
            asked.append(what.file)
            picture = np.full((8, 14, 3), what.number, np.uint8)
            save_picture(picture, out / what.file, config.quality)
            yield [(what.file, rows_of[config.form](what))]

    monkeypatch.setattr(synthesize, "_make", render)
    monkeypatch.setattr(synthesize, "_packages", lambda *_: {"anny": "0"})
    return asked


def test_pictures_truth_and_recipe_lie_side_by_side(rendered, tmp_path):
    out = synthesize.run(SynthesizeConfig(n=40), tmp_path / "set")
    truth = pd.read_csv(out / "truth.csv")
    assert len(truth) == 80
    assert {path.name for path in out.iterdir()} == {*truth.file, "truth.csv", "synthesize.json"}
    counts = json.loads((out / "synthesize.json").read_text())["counts"]
    assert counts["pairs"] == 40
    assert counts["label"] == {"0": 20, "1": 20}
    assert counts["gender"] == {"Man": 20, "Woman": 20}


def test_single_faces_lie_in_a_folder_per_class_with_the_size_of_their_form(rendered, tmp_path):
    out = synthesize.run(SynthesizeConfig(form="expression", n=14, seed=2), tmp_path / "set")
    truth = pd.read_csv(out / "truth.csv")
    assert {str(path.relative_to(out)) for path in out.rglob("*.jpg")} == set(truth.file)
    assert set(truth.file.str.split("/").str[0]) == set(CLASSES)
    recipe = json.loads((out / "synthesize.json").read_text())
    assert (recipe["config"]["height"], recipe["config"]["quality"]) == (224, 80)
    assert recipe["counts"]["faces"] == 14
    assert recipe["counts"]["expression"] == dict.fromkeys(CLASSES, 2)


def test_a_lost_single_face_is_made_again_alone(rendered, tmp_path):
    config = SynthesizeConfig(form="expression", n=14, seed=2)
    synthesize.run(config, tmp_path)
    lost = sorted(tmp_path.glob("fear/*.jpg"))[0]
    lost.unlink()
    rendered.clear()
    synthesize.run(config, tmp_path)
    assert rendered == [f"fear/{lost.name}"]


def test_a_second_run_makes_nothing_and_changes_nothing(rendered, tmp_path):
    synthesize.run(SynthesizeConfig(n=6), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    rendered.clear()
    synthesize.run(SynthesizeConfig(n=6), tmp_path)
    assert rendered == []
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_larger_set_keeps_what_is_there(rendered, tmp_path):
    synthesize.run(SynthesizeConfig(n=6), tmp_path / "grown")
    rendered.clear()
    synthesize.run(SynthesizeConfig(n=9), tmp_path / "grown")
    assert len(rendered) == 3
    synthesize.run(SynthesizeConfig(n=9), tmp_path / "whole")
    grown, whole = ((tmp_path / name / "truth.csv").read_bytes() for name in ("grown", "whole"))
    assert grown == whole


def test_a_smaller_set_would_leave_pictures_without_truth(rendered, tmp_path):
    synthesize.run(SynthesizeConfig(n=4), tmp_path)
    with pytest.raises(DataError, match=r"holds 4 pairs, 3 asked"):
        synthesize.run(SynthesizeConfig(n=3), tmp_path)


def test_a_lost_picture_and_a_cut_journal_are_made_good(rendered, tmp_path):
    synthesize.run(SynthesizeConfig(n=5), tmp_path)
    truth = (tmp_path / "truth.csv").read_bytes()
    first = sorted(tmp_path.glob("*.jpg"))[0]
    first.unlink()
    (tmp_path / synthesize.JOURNAL).write_text('[{"file": "half a li')
    rendered.clear()
    synthesize.run(SynthesizeConfig(n=5), tmp_path)
    assert rendered == [first.name]
    assert (tmp_path / "truth.csv").read_bytes() == truth
    assert not (tmp_path / synthesize.JOURNAL).exists()


def test_another_recipe_is_refused_by_name(rendered, tmp_path):
    synthesize.run(SynthesizeConfig(n=2, seed=1), tmp_path)
    with pytest.raises(DataError, match=r"seed 1 there, 2 asked.*OUT="):
        synthesize.run(SynthesizeConfig(n=2, seed=2), tmp_path)


def test_two_forms_do_not_share_a_folder(rendered, tmp_path):
    synthesize.run(SynthesizeConfig(n=2), tmp_path)
    with pytest.raises(DataError, match=r"form pairs there, expression asked.*OUT="):
        synthesize.run(SynthesizeConfig(form="expression", n=2), tmp_path)


def test_a_recipe_older_than_an_option_had_its_default(rendered, tmp_path):
    synthesize.run(SynthesizeConfig(n=2), tmp_path)
    recipe = json.loads((tmp_path / "synthesize.json").read_text())
    del recipe["config"]["form"]
    (tmp_path / "synthesize.json").write_text(json.dumps(recipe))
    rendered.clear()
    synthesize.run(SynthesizeConfig(n=2), tmp_path)
    assert rendered == []


DAMAGES = {
    "empty": b"",
    "no text": b"\xff\xfe\x00",
    "a list": b"[1]",
    "null": b"null",
    "nested deeply": b"[" * 100_000,
    "of other types": b'{"config": {"n": [1]}, "renderer": "1"}',
    "lacking": b'{"renderer": 1}',
    "a table of something else": b"a,b\n1,2\n",
}


@pytest.mark.parametrize("name", [synthesize.RECIPE, synthesize.TRUTH])
@pytest.mark.parametrize("damage", [*DAMAGES, "a pipe", "a folder", "a link to itself"])
def test_damaged_files_of_the_folder_are_named(name, damage, rendered, tmp_path):
    path = synthesize.run(SynthesizeConfig(n=2), tmp_path) / name
    path.unlink()
    if damage in DAMAGES:
        path.write_bytes(DAMAGES[damage])
    else:
        {"a pipe": os.mkfifo, "a folder": os.mkdir, "a link to itself": lambda p: p.symlink_to(p.name)}[damage](path)
    with pytest.raises(DataError, match=f"{name} is damaged.*OUT=") as told:
        synthesize.run(SynthesizeConfig(n=2), tmp_path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("line", [b"\xff\xfe", b"[]", b"[[]]", b"null", b'[{"file": {}}]', b"[" * 100_000])
def test_a_line_of_the_journal_that_is_damaged_is_rendered_again(line, rendered, tmp_path):
    out = synthesize.run(SynthesizeConfig(n=2), tmp_path)
    truth = (out / synthesize.TRUTH).read_bytes()
    (out / synthesize.TRUTH).unlink()
    (out / synthesize.JOURNAL).write_bytes(line + b"\n")
    rendered.clear()
    synthesize.run(SynthesizeConfig(n=2), tmp_path)
    assert len(rendered) == 2
    assert (out / synthesize.TRUTH).read_bytes() == truth


def test_a_file_in_place_of_the_folder_is_one_line(rendered, tmp_path):
    (tmp_path / "set").touch()
    with pytest.raises(DataError, match=r"OUT=.*must be a folder"):
        synthesize.run(SynthesizeConfig(n=2), tmp_path / "set")


@pytest.mark.parametrize(("form", "package"), [("pairs", "anny"), ("skin-conductance", "neurokit2")])
def test_a_missing_package_is_named(form, package, monkeypatch, tmp_path):
    def missing(name):
        raise synthesize.PackageNotFoundError(name)

    monkeypatch.setattr(synthesize, "version", missing)
    with pytest.raises(MissingDependencyError, match=rf"FORM={form} needs.*{package}.*synth"):
        synthesize.run(SynthesizeConfig(form=form, n=1), tmp_path)


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_the_set_of_a_task_is_made_by_its_own_recipe_but_for_what_is_said(task, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(synthesize, "run", lambda config, out: asked.append(config) or out)
    options = ["synthesize", "--task", task.name, "--out", str(tmp_path)]
    for further in ([], ["--n", "8"]):
        CliRunner().invoke(cli, [*options, *further], catch_exceptions=False)
    shipped, fewer = asked
    recipe = synthesize.recipe_of(DEMO_SETS / task.demo)
    assert {name: getattr(shipped, name) for name in recipe} == recipe
    assert fewer == replace(shipped, n=8)
