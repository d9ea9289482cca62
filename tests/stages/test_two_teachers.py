"""A student of a tough and a tolerant teacher, from its plan to its card, killed, and with damaged answers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.artifacts import cards
from pipeline.artifacts.hdf5 import Structure
from pipeline.inputs.datasets import pts
from pipeline.inputs.shape_model import ShapeModel
from stages.cli import cli

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
FACES = 40
BOTH = "tough+tolerant"
EPOCHS = 6  # so that there is time to be killed in
TIMEOUT_S = 120
STUDENT = "landmarks-student-deit-tough_tolerant-kd-s0"
LABELS = {role: f"landmarks-labels-{role}" for role in ("tough", "tolerant")}


@pytest.fixture(scope="module")
def data(portrait, tmp_path_factory):
    """Photographs with a file of 68 points beside each: a shape that differs in three ways, and a little besides."""
    folder, rng = tmp_path_factory.mktemp("pointed") / "faces", np.random.default_rng(0)
    folder.mkdir()
    mean, ways = rng.uniform(30, 90, (68, 2)), rng.normal(0, 4, (3, 68, 2))
    for number in range(FACES):
        picture = np.roll(portrait(120, 120, number), number % 8, axis=0)  # so that no two are alike
        Image.fromarray(picture).save(folder / f"{number:03d}.png")
        shape = mean + np.tensordot(rng.normal(size=3), ways, 1) + rng.normal(0, 0.5, (68, 2))
        (folder / f"{number:03d}.pts").write_text(pts.text_of(shape))
    return folder


def words(command, data, cache, *options, teacher=BOTH) -> list[str]:
    """A command on the smoke preset; faces are cut out by their points, so that nobody looks for them."""
    given = {"task": "landmarks", "preset": "smoke", "data": data, "cache": cache, "device": "cpu", "workers": 1}
    given |= {"box": "points", "teacher": teacher, "seed": 0, "epochs": EPOCHS, "checkpoint-s": 0}
    known = {name for parameter in cli.commands[command].params for name in parameter.opts}
    pairs = [(f"--{name}", value) for name, value in given.items() if f"--{name}" in known]
    return ["--quiet", command, *map(str, [*(word for pair in pairs for word in pair), *options])]


def run(*arguments, **named):
    return CliRunner().invoke(cli, words(*arguments, **named))


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A cache in which the student and its evaluation are."""
    cache = tmp_path_factory.mktemp("finished") / "cache"
    made = run("evaluate", data, cache)
    assert made.exit_code == 0, repr(made.exception)
    return cache


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of it, in which nothing of the student is."""
    cache = tmp_path / "cache"
    shutil.copytree(finished, cache, symlinks=True)
    for path in (cache / "faces").glob(f"*{STUDENT}*"):
        shutil.rmtree(path)
    return cache


def one(cache: Path, slug: str) -> Path:
    """The folder of an artifact."""
    (folder,) = (cache / "faces").glob(f"{slug}-????????")
    return folder


def test_the_plan_names_both_teachers_the_labels_of_each_and_the_student_of_both(data, tmp_path):
    planned = run("plan", data, tmp_path / "cache").output
    slugs = [line.split()[0].rpartition("-")[0] for line in planned.splitlines()[:-1]]
    models = [*(f"landmarks-teacher-{role}" for role in LABELS), STUDENT]
    evaluations = [f"evaluation-{name}" for name in models]
    expected = ["samples", "inputs", "split", *models, *LABELS.values(), *evaluations, "landmarks-report"]
    assert sorted(slugs) == sorted(expected)
    assert all(slugs.index(LABELS[role]) < slugs.index(STUDENT) for role in LABELS)
    assert planned.splitlines()[-1] == f"{len(expected)} to run"


def test_status_knows_what_is_there_of_both(data, finished):
    lines = [line.split() for line in run("status", data, finished).output.splitlines()[:-1]]
    state = {name.rpartition("-")[0]: state for state, _, _, name, *_ in lines}
    assert state.pop("landmarks-report") == "missing"
    assert set(state.values()) == {"fresh"}
    assert {*LABELS.values(), "landmarks-teacher-tough", "landmarks-teacher-tolerant", STUDENT} <= set(state)


def test_the_student_and_its_answers_name_both_roles(finished):
    folder = one(finished, STUDENT)
    card, made = cards.read(folder), {}
    for role, slug in LABELS.items():
        made[f"labels_{role}"] = json.loads((one(finished, slug) / "record.json").read_text())["fingerprint"]
    assert (card["teacher"], card["loss"]) == (BOTH, "kd")
    assert card["labels_fingerprints"] == made
    record = json.loads((folder / "record.json").read_text())
    assert made.items() <= record["inputs"].items()
    text = (one(finished, f"evaluation-{STUDENT}") / "MODEL_CARD.md").read_text()
    assert "tough" in text.casefold()
    assert "tolerant" in text.casefold()


def test_the_tolerant_teacher_alone_has_a_shape_model_and_the_teachers_answer_differently(finished):
    tough, tolerant = (one(finished, f"landmarks-teacher-{role}") for role in LABELS)
    assert {"shape_model.npz", "soft_points.csv"} <= {path.name for path in tolerant.iterdir()}
    assert not (tough / "shape_model.npz").exists()
    assert ShapeModel.load(tolerant / "shape_model.npz").mean.shape == (68, 2)
    assert [cards.read(folder)["loss"] for folder in (tough, tolerant)] == ["label", "label"]
    frame = pd.read_csv(one(finished, f"evaluation-{STUDENT}") / "predictions.csv")
    assert frame.filter(regex="^teacher_value_p0_").notna().all(axis=None)
    weights = [(folder / "weights.safetensors").read_bytes() for folder in (tough, tolerant)]
    assert weights[0] != weights[1]


def start(data, cache) -> subprocess.Popen:
    """Begin to distil in a process group of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    arguments = [word for word in words("distill", data, cache) if word != "--quiet"]
    return subprocess.Popen([sys.executable, "-m", "stages", *arguments], cwd=ROOT, start_new_session=True, **pipes)


def test_a_killed_student_of_both_goes_on_to_the_same_weights(data, finished, copied, caplog):
    killed = start(data, copied)
    deadline = time.monotonic() + TIMEOUT_S
    while killed.poll() is None and time.monotonic() < deadline:
        if next((copied / "faces").glob(f"{STUDENT}-*.partial/checkpoint.pt"), None):
            break
        time.sleep(0.002)
    assert killed.poll() is None, killed.communicate()[1].decode()
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert next((copied / "faces").glob(f"{STUDENT}-*.partial/checkpoint.pt"))
    with caplog.at_level("INFO"):
        resumed = run("distill", data, copied)
    assert resumed.exit_code == 0, repr(resumed.exception)
    assert "resuming" in caplog.text
    for name in ("weights.safetensors", "history.csv"):
        assert (one(copied, STUDENT) / name).read_bytes() == (one(finished, STUDENT) / name).read_bytes(), name


@pytest.mark.parametrize("role", LABELS)
def test_without_the_answers_of_one_teacher_it_is_asked_again_and_the_student_is_the_same(role, data, finished, copied):
    shutil.rmtree(one(copied, LABELS[role]))
    made = run("distill", data, copied)
    assert made.exit_code == 0, repr(made.exception)
    assert (one(copied, LABELS[role]) / "labels.h5").exists()
    name = "weights.safetensors"
    assert (one(copied, STUDENT) / name).read_bytes() == (one(finished, STUDENT) / name).read_bytes()


@pytest.mark.parametrize("role", LABELS)
def test_answers_whose_file_is_gone_are_named(role, data, copied):
    (one(copied, LABELS[role]) / "labels.h5").unlink()
    refused = run("distill", data, copied)
    assert refused.exit_code == 1
    assert f"{one(copied, LABELS[role]).name}" in str(refused.exception)
    assert "labels.h5" in str(refused.exception)


def test_the_answers_of_one_teacher_are_not_taken_for_the_others(data, copied):
    mine, others = (one(copied, LABELS[role]) / "labels.h5" for role in ("tough", "tolerant"))
    shutil.copyfile(others, mine)
    refused = run("distill", data, copied)
    assert refused.exit_code == 1
    assert mine.parent.name in str(refused.exception)
    assert "labels.h5" in str(refused.exception)
    assert not list((copied / "faces").glob(f"{STUDENT}-????????"))


def test_two_caches_that_changed_places_are_named(data, copied):
    tough, tolerant = (one(copied, slug) for slug in LABELS.values())
    tough.rename(tough.with_name("aside"))
    tolerant.rename(tough)
    tough.with_name("aside").rename(tolerant)
    refused = run("distill", data, copied)
    assert refused.exit_code == 1
    assert f"{tough.name} was made with fingerprint" in str(refused.exception)
    assert not list((copied / "faces").glob(f"{STUDENT}-????????"))


@pytest.mark.parametrize("damage", ["a changed point", "cut short", "gone"])
def test_true_points_that_were_damaged_are_named(damage, data, copied):
    file = one(copied, "samples") / "points.h5"
    content = bytearray(file.read_bytes())
    place = Structure.read(file).columns["points68"]
    if damage == "a changed point":
        content[place.offset + place.nbytes // 2 + 3] ^= 1 << 6
        file.write_bytes(content)
    elif damage == "cut short":
        file.write_bytes(content[: len(content) // 2])
    else:
        file.unlink()
    refused = run("distill", data, copied)
    assert refused.exit_code == 1
    assert "points.h5" in str(refused.exception)
    assert "made anew: rm -r" in str(refused.exception)
    assert not list((copied / "faces").glob(f"{STUDENT}-????????"))


def test_a_role_stands_before_any_network(data, tmp_path):
    teacher = "tough=resnet10t+tolerant=resnet10t"
    options = ("--weights", "random", "--teacher-weights", "random")
    planned = run("plan", data, tmp_path / "cache", *options, teacher=teacher)
    assert planned.exit_code == 0, repr(planned.exception)
    slugs = {line.split()[0].rpartition("-")[0] for line in planned.output.splitlines()[:-1]}
    assert {f"landmarks-{what}-{role}_resnet10t" for what in ("teacher", "labels") for role in LABELS} <= slugs
    assert "landmarks-student-deit-tough_resnet10t_tolerant_resnet10t-kd-s0" in slugs
    swapped = run("plan", data, tmp_path / "cache", *options, teacher="tolerant=resnet10t+tough=resnet10t").output
    names = {text: {line.split()[0] for line in text.splitlines()[:-1]} for text in (planned.output, swapped)}
    both = set.intersection(*names.values())
    assert {name.rpartition("-")[0] for name in both} >= {"landmarks-labels-tough_resnet10t", "samples"}


def test_two_teachers_in_one_role_or_of_no_network_are_refused(data, tmp_path):
    for teacher, expected in {
        "tough=resnet10t+tough=resnet18": "two teachers in one role",
        "tough=+tolerant=resnet10t": "a role without a network",
    }.items():
        refused = run("plan", data, tmp_path / "cache", teacher=teacher)
        assert expected in str(refused.exception), teacher


def test_a_loss_of_a_teacher_that_is_not_there_is_refused_before_anything_is_made(data, tmp_path):
    refused = run("distill", data, tmp_path / "cache", "--loss", "kd@tender")
    assert "speaks of tender, the teachers are tough, tolerant" in str(refused.exception)
    assert not list((tmp_path / "cache").glob("*/samples-*"))


def test_each_teacher_is_heard(data, copied):
    made = run("distill", data, copied, teacher=f"{BOTH},tough,tolerant")
    assert made.exit_code == 0, repr(made.exception)
    slugs = [STUDENT, *(f"landmarks-student-deit-{role}-kd-s0" for role in LABELS)]
    weights = {(one(copied, slug) / "weights.safetensors").read_bytes() for slug in slugs}
    assert len(weights) == len(slugs)
