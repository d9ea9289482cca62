"""Simulated sessions: who sits there, what a stimulus does to the skin, and the files in BioVid's form."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config import SynthesizeConfig
from pipeline.errors import ConfigError, DataError
from pipeline.synth import sessions
from pipeline.synth.sessions import RATE_HZ, STEPS, Plan
from pipeline.synth.volunteers import REPEATS, TRIALS, volunteer
from stages import synthesize

pytest.importorskip("neurokit2", reason="neurokit2 (extra synth) is not installed")

ROOT = Path(__file__).resolve().parents[2]
SEED = 3
PEOPLE = [volunteer(SEED, number) for number in range(40)]


def made(n: int, out: Path, seed: int = SEED) -> Path:
    return synthesize.run(SynthesizeConfig(form="skin-conductance", n=n, seed=seed, workers=1), out)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def calm():
    """A person without drift, ripples and restlessness, whose strongest stimuli come first."""
    order = tuple(np.repeat([4, 0, 1, 2, 3], REPEATS).tolist())
    still = dict.fromkeys(("drift", "wander", "breath_us", "pulse_us", "restless_hz"), 0.0)
    starts_s = tuple(100.0 * trial for trial in range(TRIALS))  # no response reaches into the next window
    loud = {"level_us": 5.0, "gain_us": 2.0, "latency_s": 1.5, "haste_s": 0.5, "pace": 0.6, "responds": True}
    return replace(PEOPLE[0], order=order, starts_s=starts_s, **still, **loud)


def conductance(person, trial):
    return sessions.skin_conductance(person, trial, 60.0, np.random.default_rng(0))


def test_the_canonical_response_is_bachs_in_seconds():
    shape = sessions.canonical_response()
    peak = int(shape.argmax())
    assert shape.max() == pytest.approx(1, abs=1e-3)
    assert shape[0] < 0.05
    assert 2.0 < peak / RATE_HZ < 2.8
    assert 4.5 < np.argmax(shape[peak:] < 0.5) / RATE_HZ < 6.0
    assert (np.diff(shape[:peak]) > 0).all()


def test_of_four_people_two_are_men_and_one_hardly_responds():
    for group in range(0, len(PEOPLE), 4):
        four = PEOPLE[group : group + 4]
        assert sorted(person.sex for person in four) == ["m", "m", "w", "w"]
        assert [person.responds for person in four].count(False) == 1
    weak, others = ([p.gain_us for p in PEOPLE if p.responds == responds] for responds in (False, True))
    assert max(weak) < min(others)


def test_every_session_holds_every_level_alike_and_felt_pain_grows_with_it():
    for person in PEOPLE:
        assert sorted(person.order) == sorted([*range(5)] * REPEATS)
        assert min(np.diff(person.starts_s)) >= 12
        by_level = {person.order[trial]: person.felt(trial) for trial in range(TRIALS)}
        felt = [by_level[level] for level in range(5)]
        assert felt[0] == 0
        assert felt[4] == 1
        assert (np.diff(felt) > 0).all()


def test_the_same_level_means_another_height_in_another_person():
    mild = {person.number: (1 / 4) ** person.exponent for person in PEOPLE}
    assert min(mild.values()) < 0.1
    assert max(mild.values()) > 0.5


def test_subjects_are_named_as_biovid_names_them_and_none_twice():
    names = [person.subject_id for person in PEOPLE]
    assert all(re.fullmatch(r"9\d{5}_[mw]_\d\d", name) for name in names)
    assert len({name.split("_")[0] for name in names}) == len(names)
    assert volunteer(SEED + 1, 0).subject_id not in names


def test_a_stimulus_raises_the_conductance_after_its_latency_by_its_height(calm):
    signal = conductance(calm, 0)
    (first_s, height_us), *_ = sessions.responses(calm, 0)[0]
    assert first_s == pytest.approx(1.5 - 0.5, abs=0.2)
    assert height_us == pytest.approx(2.0, rel=0.4)
    before = signal[: int(first_s * RATE_HZ)]
    assert before.mean() == pytest.approx(5.0, abs=0.01)
    assert before.std() < 2 * sessions.NOISE_US
    assert signal.max() - 5.0 >= 0.98 * height_us


def test_without_a_stimulus_a_calm_person_stays_at_the_level(calm):
    signal = conductance(calm, REPEATS)
    assert sessions.responses(calm, REPEATS)[0] == []
    assert np.abs(signal - 5.0).max() < 6 * sessions.NOISE_US


def test_a_response_reaches_into_the_next_window(calm):
    close = replace(calm, starts_s=tuple(12.0 * trial for trial in range(TRIALS)))
    first = REPEATS  # of the windows without a stimulus
    assert conductance(close, first)[0] > conductance(calm, first)[0] + 0.02
    assert conductance(close, first)[0] > conductance(close, first)[-1]


def test_stronger_pain_comes_earlier_and_tenses_the_muscles(calm):
    latencies_s = [np.mean([sessions.responses(calm, t)[0][0][0] for t in range(s, s + REPEATS)]) for s in (0, 16)]
    assert latencies_s[0] < latencies_s[1]
    rest, tensed = (sessions.muscle(4.0, tensed_uv, seed=7) for tensed_uv in (0.0, 30.0))
    assert rest.std() == pytest.approx(4.0, rel=0.2)
    assert tensed.std() > 2 * rest.std()
    assert tensed[: RATE_HZ // 2].std() == pytest.approx(rest[: RATE_HZ // 2].std(), rel=0.5)


@pytest.mark.parametrize("bpm", [60.0, 90.0])
def test_the_heart_beats_at_its_rate(bpm):
    beat = sessions.heartbeat(bpm, seed=5)
    assert len(beat) == STEPS
    beats = np.flatnonzero((beat[1:-1] > beat[:-2]) & (beat[1:-1] >= beat[2:]) & (beat[1:-1] > 0.5 * beat.max()))
    apart_s = np.diff(beats[np.insert(np.diff(beats) > 15, 0, True)]) / RATE_HZ
    assert 60 / np.median(apart_s) == pytest.approx(bpm, rel=0.08)


def test_a_file_is_a_table_of_six_columns_with_an_even_clock(tmp_path):
    out = made(2, tmp_path)
    truth = pd.read_csv(out / "truth.csv")
    for file in truth.file:
        table = pd.read_csv(out / file, sep="\t")
        assert tuple(table) == sessions.COLUMNS
        assert table.notna().all(axis=None)
        assert len(table) == 5.5 * RATE_HZ
        assert (np.diff(table.time) == 1e6 / RATE_HZ).all()
        assert table.gsr.min() > 0
        assert not re.search(rb"(^|\t)-0(\.0+)?(\t|$)", gzip.decompress((out / file).read_bytes()), re.MULTILINE)


def test_a_set_is_the_same_bytes_however_it_was_made(tmp_path, monkeypatch):
    grown = made(2, tmp_path / "grown")
    lost = sorted(grown.glob("*/*.gz"))[0]
    monkeypatch.setattr(time, "time", lambda: 1.9e9)  # gzip would write the hour
    lost.unlink()
    made(5, grown)
    assert contents(grown) == contents(made(5, tmp_path / "whole"))
    before = contents(grown)
    made(5, grown)
    assert contents(grown) == before


def test_another_seed_is_other_people_and_not_for_the_same_folder(tmp_path):
    made(1, tmp_path)
    with pytest.raises(DataError, match=r"seed 3 there, 4 asked.*OUT="):
        made(1, tmp_path, seed=4)


@pytest.mark.parametrize("name", ["height", "quality"])
def test_the_size_of_a_picture_is_refused_where_there_is_none(name, tmp_path):
    config = replace(SynthesizeConfig(form="skin-conductance", n=1), **{name: 96})
    with pytest.raises(ConfigError, match=rf"{name.upper()}=96.*make synthesize FORM=skin-conductance"):
        synthesize.run(config, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_signals_need_neither_the_parametric_human_nor_opengl(tmp_path):
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('anny', 'vtk', 'vtkmodules')))\n"
        "from pipeline.config import SynthesizeConfig\n"
        "from stages import synthesize\n"
        f"synthesize.run(SynthesizeConfig(form='skin-conductance', n=1, workers=1), {str(tmp_path / 'set')!r})\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)
    assert len(list((tmp_path / "set").glob("*/*_bio.csv.gz"))) == 1


def test_a_plan_names_its_file_as_biovid_does():
    person = volunteer(SEED, 1)
    level = ("BL1", "PA1", "PA2", "PA3", "PA4")[person.order[2]]
    assert Plan(SEED, TRIALS + 2).file == f"{person.subject_id}/{person.subject_id}-{level}-002_bio.csv.gz"
