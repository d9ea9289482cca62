"""Tables of numbers, the task's own or another, from the command line on; frames of videos, and the videos' scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.artifacts.locks import lock_of
from pipeline.config import DEMO_SETS
from pipeline.evaluation import videos
from pipeline.evaluation.question import Question
from pipeline.tasks import find
from stages.cli import cli

pytestmark = pytest.mark.slow

PEOPLE, VIDEOS, FRAMES = 12, 2, 5
PHQ = ("--target", "phq_score", "--range", "0,27")


def run(command, data, cache, *options, task="intensity"):
    """A command on the smoke preset, pictures being resized as a whole."""
    given = {"task": task, "preset": "smoke", "data": data, "cache": cache, "device": "cpu", "workers": 1}
    given |= {"align": "none", "face-size": 64, "teacher": "resnet", "epochs": 1, "teacher-epochs": 1}
    known = {name for parameter in cli.commands[command].params for name in parameter.opts}
    pairs = [(f"--{name}", value) for name, value in given.items() if f"--{name}" in known]
    words = ["--quiet", command, *(word for pair in pairs for word in pair), *options]
    return CliRunner().invoke(cli, list(map(str, words)))


def table(folder: Path, name: str, numbers: np.ndarray) -> Path:
    """A table of frames, a row for each number; people have videos, whose names others have, too."""
    folder.mkdir()
    rows = []
    for place, number in enumerate(numbers.tolist()):
        person, rest = divmod(place, VIDEOS * FRAMES)
        video = rest // FRAMES
        blocks = np.random.default_rng(place).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(np.kron(blocks, np.ones((8, 8, 1), np.uint8))).save(folder / f"{place:03d}.png")
        rows.append((f"{place:03d}.png", f"s{person:02d}", f"v{video}", number))
    pd.DataFrame(rows, columns=["path", "subject", "video", name]).to_csv(folder / "frames.csv", index=False)
    return folder / "frames.csv"


@pytest.fixture(scope="module")
def pspi(tmp_path_factory):
    """Frames of videos in which pain comes and goes."""
    peaks = np.random.default_rng(0).uniform(0, 16, (PEOPLE * VIDEOS, 1))
    numbers = (peaks * np.linspace(0, 1, FRAMES)).round().ravel()
    return table(tmp_path_factory.mktemp("pspi") / "videos", "pspi", numbers)


def scores(rows: int = PEOPLE * VIDEOS * FRAMES) -> np.ndarray:
    """Scores of a questionnaire, as many different ones as it has."""
    return np.arange(rows) % 28


def one(cache: Path, slug: str) -> Path:
    """The folder of an artifact."""
    (folder,) = cache.glob(f"*/{slug}-????????")
    return folder


@pytest.fixture(scope="module")
def measured(pspi, tmp_path_factory):
    """A cache with the evaluation of a student and its teacher."""
    cache = tmp_path_factory.mktemp("cache")
    made = run("evaluate", pspi, cache, "--seed", 0)
    assert made.exit_code == 0, repr(made.exception)
    return cache


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_frames_of_videos_are_measured_as_videos_too(role, measured):
    folder = one(measured, f"evaluation-intensity-{role}-*")
    found = json.loads((folder / "videos.json").read_text())
    frame = pd.read_csv(folder / "predictions.csv")
    test = frame[frame["part"] == "test"]
    assert set(frame["sequence"]) == {f"v{video}" for video in range(VIDEOS)}
    subjects = test["subject_id"].nunique()
    assert (found["sequences"], found["frames"], found["subjects"]) == (VIDEOS * subjects, len(test), subjects)
    question = Question.of(find("intensity"))
    expected = videos.measured(test, question, found["replicates"], found["confidence"], seed=0)
    for name, metrics in expected["aggregations"].items():
        for metric, figures in metrics.items():
            shown = [found["aggregations"][name][metric][which] for which in ("value", "low", "high")]
            assert shown == pytest.approx([figures[which] for which in ("value", "low", "high")], abs=1e-6)
    highest = test.groupby(["subject_id", "sequence"])[["label_pspi", "value_pspi"]].max()
    error = (highest["label_pspi"] - highest["value_pspi"]).abs().mean()
    assert found["aggregations"]["max"]["mae"]["value"] == pytest.approx(error)
    assert error > 0


def test_without_videos_there_are_no_scores_of_them(pspi, tmp_path):
    data = table(tmp_path / "frames", "pspi", pd.read_csv(pspi)["pspi"].to_numpy())
    pd.read_csv(data).drop(columns="video").to_csv(data, index=False)
    made = run("evaluate", data, tmp_path / "cache", "--seed", 0, "--teacher", "none")
    assert made.exit_code == 0, repr(made.exception)
    assert not (one(tmp_path / "cache", "evaluation-intensity-student-*") / "videos.json").exists()


def test_another_number_is_planned_and_indexed(tmp_path):
    data, cache = table(tmp_path / "set", "phq_score", scores()), tmp_path / "cache"
    planned, own = (run("plan", data, cache, *options).output for options in (PHQ, ()))
    names, others = ({line.split()[0] for line in text.splitlines()[:-1]} for text in (planned, own))
    assert {name.rpartition("-")[0] for name in names & others} == {"samples", "inputs", "split"}
    assert {name.rpartition("-")[0] for name in names} == {name.rpartition("-")[0] for name in others}
    made = run("index", data, cache, *PHQ)
    assert made.exit_code == 0, repr(made.exception)
    folder = Path(made.output.strip())
    assert folder.name in names
    samples = pd.read_csv(folder / "samples.csv")
    assert samples["phq_score"].tolist() == scores().tolist()
    assert samples["sequence"].nunique() == VIDEOS
    summary = json.loads((folder / "record.json").read_text())["summary"]
    assert (summary["targets"], summary["attributes"]) == (["phq_score"], [])
    assert summary["counts"]["skipped"] == 0
    again = run("plan", data, cache, *PHQ).output
    assert folder.name not in again
    assert f"{len(names) - 1} to run" in again


def test_other_bounds_make_other_models_of_the_same_inputs(tmp_path):
    data, cache = table(tmp_path / "set", "phq_score", scores()), tmp_path / "cache"
    planned = [run("plan", data, cache, *PHQ[:2], "--range", ends).output for ends in ("0,27", "0,30", "0,27.0")]
    names = [{line.split()[0] for line in text.splitlines()[:-1]} for text in planned]
    assert names[0] == names[2]
    assert {name.rpartition("-")[0] for name in names[0] & names[1]} == {"samples", "inputs", "split"}


def test_a_score_for_each_of_few_people_is_divided_though_no_part_has_all_of_them(tmp_path):
    data, cache = table(tmp_path / "set", "phq_score", scores(20)), tmp_path / "cache"
    rows = pd.read_csv(data).assign(subject=[f"p{number}" for number in range(20)])
    rows.to_csv(data, index=False)
    made = run("split", data, cache, *PHQ)
    assert made.exit_code == 0, repr(made.exception)
    assert pd.read_csv(Path(made.output.strip()) / "split.csv")["part"].value_counts().to_dict() == {
        "train": 14,
        "val": 3,
        "test": 3,
    }
    rows.assign(pspi=0).drop(columns="phq_score").to_csv(data, index=False)
    assert "there is nothing to tell apart" in str(run("split", data, cache).exception)


@pytest.mark.parametrize("place", [0, 57, 119])
def test_a_number_that_cannot_be_is_named_before_inputs_are_prepared(place, tmp_path):
    """Whatever part it falls into: in the test part it would be found after the training, if at all."""
    numbers = scores()
    numbers[place] = 28
    data, cache = table(tmp_path / "set", "phq_score", numbers), tmp_path / "cache"
    refused = run("report", data, cache, *PHQ)
    said = f"1 of {len(numbers)} faces have a phq_score outside 0 to 27, such as 28. Give its lowest and highest value"
    assert said in str(refused.exception)
    assert "TARGET=phq_score RANGE=LOW,HIGH" in str(refused.exception)
    assert [path.name.partition("-")[0] for path in (cache / "frames").glob("*-????????")] == ["samples"]
    wider = run("split", data, cache, *PHQ[:2], "--range", "0,28")
    assert wider.exit_code == 0, repr(wider.exception)


def test_a_pspi_that_cannot_be_is_a_row_that_is_left_out_and_named(pspi, tmp_path):
    numbers = pd.read_csv(pspi)["pspi"].to_numpy(copy=True)
    numbers[3] = 17
    data = table(tmp_path / "set", "pspi", numbers)
    folder = Path(run("index", data, tmp_path / "cache").output.strip())
    reasons = pd.read_csv(folder / "skipped.csv")
    assert reasons[["file", "reason"]].to_numpy().tolist() == [["003.png", "out of range: pspi 17, expected 0 to 16"]]
    assert len(pd.read_csv(folder / "samples.csv")) == len(numbers) - 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--target", "phq_score"), "TARGET=phq_score has a lowest and a highest value that nobody knows"),
        (("--target", "phq_score", "--range", "27,0"), "RANGE=27,0: expected the lowest and the highest value"),
        (("--target", "phq_score", "--range", "0,nan"), "RANGE=0,nan: expected the lowest and the highest value"),
        (("--target", "phq_score", "--range", "0"), "RANGE=0: expected the lowest and the highest value"),
    ],
)
def test_a_number_without_its_bounds_is_refused(options, said, tmp_path):
    data = table(tmp_path / "set", "phq_score", scores(30))
    assert said in str(run("plan", data, tmp_path / "cache", *options).exception)


@pytest.mark.parametrize("options", [("--target", "phq", "--range", "0,27"), ()])
def test_a_number_that_the_table_has_not_is_refused_with_those_that_it_has(options, tmp_path):
    data, cache = table(tmp_path / "set", "phq_score", scores()), tmp_path / "cache"
    refused = run("report", data, cache, *options)
    assert f"says nothing of {'phq' if options else 'pspi'}, which TASK=intensity asks for; it knows phq_score" in str(
        refused.exception
    )
    assert not list(cache.glob("*/inputs-*"))


@pytest.mark.parametrize(
    "given",
    [("intensity", *PHQ), ("intensity", "--range", "0,10"), ("landmarks", "--points", "98")],
    ids=["target", "range", "points"],
)
def test_gc_of_another_question_keeps_what_the_usual_ones_need(given, tmp_path):
    task, *options = given
    names = {}
    for name in ("pain", "intensity", "landmarks"):
        planned = run("plan", DEMO_SETS / "pain", tmp_path, task=name)
        names[name] = next(word for word in planned.output.split() if "student" in word)
        folder = tmp_path / "demo-pain" / names[name]
        folder.mkdir(parents=True)
        lock = lock_of(folder)
        lock.parent.mkdir(exist_ok=True)
        lock.touch()
    shown = run("gc", DEMO_SETS / "pain", tmp_path, "--yes", "true", *options, task=task)
    assert shown.exit_code == 0, repr(shown.exception)
    assert [name for name in names.values() if not (tmp_path / "demo-pain" / name).exists()] == []
