"""The graphs of outer folds: what they share, what each has of its own, and how many there are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import ArtifactStore, Node, topological
from pipeline.errors import ConfigError, DataError
from stages.cli import cli
from stages.folds import Folds, count_of
from stages.graph import Graph, Recipe, Selection
from tests.fakes.classify import Fakes
from tests.helpers.nodes import Config, run
from tests.helpers.presets import PRESETS

SELECTION = Selection(("resnet", "swin", "none"), ("deit",), (0, 1, 2))


@pytest.fixture
def raw(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"a")
    return RawData(tmp_path)


def crossed(raw, cv="3"):
    preset = PRESETS["smoke"].changed({"split": {"cv": cv}})
    return Folds(Graph(preset, raw), 1 if cv == "0" else int(cv))


def names(*nodes):
    return {node.folder_name for node in topological(nodes)}


def test_folds_share_index_and_inputs_and_nothing_that_learned(raw):
    folds = crossed(raw)
    one, two = (names(*graph.evaluations(SELECTION)) for graph in folds.graphs[:2])
    assert one & two == {folds.samples.folder_name, folds.inputs.folder_name}
    alone = names(Graph(PRESETS["smoke"], raw).report(SELECTION))
    assert names(folds.report(SELECTION)) & alone == {folds.samples.folder_name, folds.inputs.folder_name}
    assert len(names(folds.report(SELECTION))) == 2 + 3 * (1 + 2 * 2 + 9 + 11) + 1


def test_slugs_say_the_fold(raw):
    folds = crossed(raw)
    slugs = {node.slug for node in topological([folds.report(SELECTION)])}
    assert {"split-cv3-0", "teacher-swin-cv3-1", "labels-swin-cv3-2", "student-deit-swin-hard-s0-cv3-0"} <= slugs
    assert {"evaluation-student-deit-none-s1-cv3-2", "report-cv3", "samples", "inputs"} <= slugs
    one = {node.slug for node in topological([crossed(raw, "0").report(SELECTION)])}
    assert not [slug for slug in one if "cv" in slug]


def test_one_split_is_the_graph_it_always_was(raw):
    graph = Graph(PRESETS["smoke"], raw)
    assert crossed(raw, "0").report(SELECTION).fingerprint == graph.report(SELECTION).fingerprint


def test_recipes_share_the_teachers_and_labels_of_their_fold(raw):
    folds = crossed(raw)
    few, more = (Selection(("swin", "none"), ("deit",), (0,), losses) for losses in (("hard",), ("hard", "soft")))
    assert names(*folds.evaluations(few)) < names(*folds.evaluations(more))
    made = {
        node.stage
        for node in topological(folds.evaluations(more))
        if node.folder_name not in names(*folds.evaluations(few))
    }
    assert made == {"distill", "evaluate"}


def test_cross_fitted_labels_work_within_a_fold(raw):
    folds = crossed(raw)
    labels = folds.graphs[2].labels("swin", 1, 4)
    assert labels.slug == "labels-swin-f4-cv3-2"
    teachers = [node for name, node in labels.inputs.items() if name.startswith("teacher_")]
    assert [node.config.fold for node in teachers] == [0, 1, 2, 3]
    assert {node.inputs["split"].slug for node in teachers} == {"split-cv3-2"}


def test_a_run_is_its_students_of_all_folds(raw):
    folds = crossed(raw)
    grid = folds.pooled_runs(SELECTION)
    assert len(grid) == 9
    for models in grid:
        assert [model.inputs["split"] for model in models] == folds.splits
        assert len({(model.config.teacher, model.config.seed) for model in models}) == 1
    assert folds.runs(SELECTION) == [model for models in grid for model in models]
    assert {folds.evaluation(model).inputs["split"] for model in grid[0]} == set(folds.splits)


def test_a_folds_number_reaches_all_that_learns_in_it_and_the_seed_of_the_split_every_fold(raw):
    first = crossed(raw)
    other = Folds(Graph(PRESETS["smoke"].changed({"split": {"cv": "3", "seed": 1}}), raw), 3)
    recipe = Recipe("deit", "none", "label")
    students = [graph.student(recipe, 0).fingerprint for graph in (*first.graphs, *other.graphs)]
    assert len(set(students)) == 6


def test_with_each_subject_left_out_the_index_says_how_many_folds_there_are(tmp_path):
    fakes = Fakes(tmp_path, subjects=40, size=8)
    with pytest.raises(DataError, match=r"CV=subject has a fold for each subject.*Make it first: make index"):
        count_of("subject", fakes.samples, fakes.store)
    assert count_of("0", fakes.samples, fakes.store) == 1
    assert count_of("7", fakes.samples, fakes.store) == 7


@pytest.mark.parametrize(("subjects", "message"), [(2, "Give a number of folds: CV=0"), (501, "CV=10"), (3, None)])
def test_few_subjects_and_many_are_not_left_out_one_by_one(tmp_path, subjects, message):
    def index(config, work):
        return run(config, work) | {"counts": {"subjects": subjects}}

    store, samples = ArtifactStore(tmp_path), Node("index", "samples", 1, Config(), {}, index)
    store.build(samples)
    if message is None:
        assert count_of("subject", samples, store) == subjects
    else:
        with pytest.raises(ConfigError, match=message):
            count_of("subject", samples, store)


def command(name, tmp_path, *options):
    return CliRunner().invoke(cli, ["--quiet", name, "--preset", "smoke", "--cache", str(tmp_path), *options])


@pytest.mark.parametrize("name", ["plan", "status"])
def test_without_an_index_nothing_is_made_to_count_its_subjects(tmp_path, name):
    said = command(name, tmp_path, "--cv", "subject")
    assert "make index" in str(said.exception)
    assert not list(tmp_path.glob("*/samples-*"))


def test_plan_counts_the_folds(tmp_path):
    said = command("plan", tmp_path, "--cv", "4", "--teacher", "swin,none")
    assert said.output.splitlines()[-1] == f"{2 + 4 * (1 + 2 + 2 + 3) + 1} to run"


def test_more_students_in_all_folds_than_anybody_means_are_refused(tmp_path):
    said = command("plan", tmp_path, "--cv", "100", "--seed", ",".join(map(str, range(60))))
    assert "CV=100 asks for 18,000 students in 100 folds, at most 10,000 go together" in str(said.exception)


@pytest.mark.parametrize("text", ["1", "2", "101", "-5", "five", "3.0", "subjects", ""])
def test_a_number_of_folds_that_cannot_be_is_refused(tmp_path, text):
    said = command("plan", tmp_path, "--cv", text)
    assert "no number of outer folds" in said.output + str(said.exception)


@pytest.mark.parametrize("name", ["split", "teacher", "distill", "report", "sweep", "plan", "status", "gc"])
def test_a_leak_is_refused_by_every_command_before_anything_is_made(tmp_path, name):
    said = command(name, tmp_path, "--split-by", "sample")
    assert "I_KNOW_IT_LEAKS=1" in str(said.exception)
    assert not list(tmp_path.iterdir())


def test_a_fold_whose_people_answer_nothing_is_refused_before_faces_are_looked_for(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    rows = []
    for number in range(12):
        picture = np.random.default_rng(number).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(picture).save(folder / f"{number:02d}.png")
        pain = "" if number == 7 else ("no_pain", "pain")[number % 2]
        rows.append((f"{number:02d}.png", pain, ("anger", "fear")[number % 2], f"s{number}"))
    frame = pd.DataFrame(rows, columns=["path", "pain", "expression", "subject"])
    frame.to_csv(folder / "faces.csv", index=False)
    given = ("--data", str(folder / "faces.csv"), "--teacher", "none")
    said = command("report", tmp_path / "cache", "--cv", "subject", *given)
    assert "no face that answers what TASK=pain asks" in str(said.exception)
    assert not list((tmp_path / "cache").glob("*/inputs-*"))
