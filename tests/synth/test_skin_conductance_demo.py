"""The shipped skin conductance is what its truth says, small, balanced, and made by the recipe beside it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from pipeline.config import DEMO_SEEDS
from pipeline.synth import SIMULATOR_VERSION, sessions
from pipeline.synth.sessions import Plan
from pipeline.synth.volunteers import LEVELS, REPEATS, TRIALS
from tests.synth import leak

FOLDER = leak.FOLDER
SEED = DEMO_SEEDS["skin-conductance"]
PEOPLE = 32
N = PEOPLE * TRIALS


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "truth.csv")


def test_every_window_has_one_row_and_its_name_says_the_same(truth):
    files = {str(path.relative_to(FOLDER)) for path in FOLDER.glob("*/*")}
    assert len(truth) == len(files) == N
    assert set(truth.file) == files
    parts = truth.file.str.extract(r"^([^/]+)/\1-([A-Z]+\d)-(\d{3})_bio\.csv\.gz$")
    assert (parts[0] == truth.subject_id).all()
    assert (parts[1] == truth.level.map(dict(enumerate(LEVELS)))).all()
    assert (parts[2].astype(int) == truth.trial).all()
    assert (truth.subject_id.str.split("_").str[1] == truth.sex).all()
    assert (truth.subject_id.str.split("_").str[2].astype(int) == truth.age).all()


def test_the_set_fits_its_size():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 8_000_000
    assert not list(FOLDER.rglob("*.partial*"))


def test_the_recipe_makes_these_files(truth):
    recipe = json.loads((FOLDER / "synthesize.json").read_text())
    assert recipe["renderer"] == SIMULATOR_VERSION
    assert recipe["config"] == {"form": "skin-conductance", "n": N, "seed": SEED, "height": 0, "quality": 0}
    assert recipe["counts"]["level"] == {str(level): PEOPLE * REPEATS for level in range(len(LEVELS))}
    assert list(truth.file) == [Plan(SEED, number).file for number in range(N)]


def test_everybody_sits_through_every_level_and_a_quarter_hardly_responds(truth):
    assert set(truth.groupby("subject_id")["level"].value_counts()) == {REPEATS}
    people = truth.drop_duplicates("subject_id")
    assert dict(people.responds.value_counts()) == {True: PEOPLE * 3 // 4, False: PEOPLE // 4}
    assert dict(people.sex.value_counts()) == {"m": PEOPLE // 2, "w": PEOPLE // 2}
    heights_us = truth[truth.level == 4].groupby("responds").height_us.median()
    assert heights_us[True] > 20 * heights_us[False]


def test_the_responses_grow_with_the_level_and_come_earlier(truth):
    mean = truth[truth.responds & (truth.level > 0)].groupby("level")[["height_us", "latency_s", "responses"]].mean()
    assert (np.diff(mean.height_us) > 0).all()
    assert (np.diff(mean.latency_s) < 0).all()
    assert (np.diff(mean.responses) > 0).all()
    assert truth[truth.level == 0].height_us.isna().all()


@pytest.mark.parametrize("number", [0, 500, N - 1])
def test_a_window_can_be_made_again(truth, number, tmp_path):
    pytest.importorskip("neurokit2", reason="neurokit2 (extra synth) is not installed")
    values, row = sessions.simulate(Plan(SEED, number))
    assert {key: value for key, value in row.items() if value is not None} == truth.iloc[number].dropna().to_dict()
    sessions.save_window(values, tmp_path / "window.csv.gz")
    again, shipped = (pd.read_csv(path, sep="\t") for path in (tmp_path / "window.csv.gz", FOLDER / row["file"]))
    for name, decimals in zip(sessions.COLUMNS, sessions.DECIMALS, strict=True):
        # Another processor may round a last digit the other way.
        assert np.abs(again[name] - shipped[name]).max() < 1.5 * 10.0**-decimals, name


@pytest.mark.slow
def test_unseen_windows_of_people_seen_look_far_better_than_unseen_people():
    signals, levels, people = leak.read(FOLDER)
    inputs = leak.features(leak.scaled(signals, people, "subject"))
    over_people, over_windows = (leak.accuracy(inputs, levels, people, unseen, 40) for unseen in ("people", "windows"))
    assert 0.28 < over_people < 0.5  # chance is 0.2
    assert over_windows > over_people + 0.12
