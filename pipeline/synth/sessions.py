"""Windows of a simulated session in BioVid's form: six columns, a file for each stimulus, and the truth about it.

NeuroKit2 simulates the signals: the shape of a skin conductance response (`eda_simulate`: the canonical response of
Bach et al. 2010), the heartbeat (`ecg_simulate`: McSharry et al. 2003) and the muscles (`emg_simulate`). What comes
when, how large and how fast follows the person and the stimulus.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipeline.synth.volunteers import INTERVAL_S, LEVELS, TRIALS, Volunteer, volunteer

RATE_HZ = 64
STEPS = 352
WINDOW_S = STEPS / RATE_HZ  # 5.5
COLUMNS = ("time", "gsr", "ecg", "emg_trapezius", "emg_corrugator", "emg_zygomaticus")
DECIMALS = (0, 3, 0, 1, 1, 1)  # of microseconds, microsiemens and microvolts
PAUSE_S = sum(INTERVAL_S) / 2
MEMORY = 3  # stimuli before a window whose responses still reach into it
FOOT = 0.02  # share of its height at which a response begins
WAVES = (1.5, 5.0)  # slow waves of the level in a session
VARIED = 0.1  # of the log-height of a response, from one stimulus of a level to the next
JITTER_S = 0.05  # of its latency
NOISE_US = 0.004
TENSED_UV = {"emg_trapezius": 6.0, "emg_corrugator": 30.0, "emg_zygomaticus": 15.0}  # by the strongest pain


@dataclass(frozen=True)
class Plan:
    """What file `number` of a set holds; it depends on nothing but (seed, number)."""

    seed: int
    number: int

    @property
    def person(self) -> Volunteer:
        return volunteer(self.seed, self.number // TRIALS)

    @property
    def trial(self) -> int:
        return self.number % TRIALS

    @property
    def file(self) -> str:
        subject_id, level = self.person.subject_id, LEVELS[self.person.order[self.trial]]
        return f"{subject_id}/{subject_id}-{level}-{self.trial:03d}_bio.csv.gz"


def simulate(what: Plan) -> tuple[np.ndarray, dict]:
    """The window, float64 (STEPS, 6) in the order of COLUMNS, and its row of truth.csv."""
    person, trial = what.person, what.trial
    seeds = np.random.SeedSequence((what.seed, what.number, 60)).generate_state(3 + len(TENSED_UV)).tolist()
    heart_bpm = np.random.default_rng(seeds[0]).normal(person.heart_bpm + person.quickening_bpm * person.felt(trial), 1)
    columns = {
        "time": np.arange(STEPS) * (1e6 / RATE_HZ),
        "gsr": skin_conductance(person, trial, heart_bpm, np.random.default_rng(seeds[1])),
        "ecg": heartbeat(heart_bpm, seeds[2]),
    }
    for seed, (name, tensed_uv) in zip(seeds[3:], TENSED_UV.items(), strict=True):
        columns[name] = muscle(person.tension_uv, tensed_uv * person.felt(trial), seed)
    return np.stack([columns[name] for name in COLUMNS], axis=1), truth_row(what, float(heart_bpm))


def truth_row(what: Plan, heart_bpm: float) -> dict:
    """What is true of a window; latency and height are of the first response to the stimulus, none without one."""
    person, trial = what.person, what.trial
    caused, _ = responses(person, trial)
    latency_s, height_us = caused[0] if caused else (None, None)
    return {
        "file": what.file,
        "region": "full",
        "subject_id": person.subject_id,
        "level": person.order[trial],
        "sex": person.sex,
        "age": person.age,
        "trial": trial,
        "responds": person.responds,
        "felt": round(person.felt(trial), 3),
        "responses": len(caused),
        "latency_s": latency_s and round(latency_s, 3),
        "height_us": height_us and round(height_us, 4),
        "level_us": round(float(level_us(person, person.starts_s[trial])), 3),
        "heart_bpm": round(heart_bpm, 1),
    }


def save_window(values: np.ndarray, path: Path) -> None:
    """Write a gzipped, tab-separated table in one step; the same values are the same bytes, whenever written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [np.round(column, n) + 0.0 for column, n in zip(values.T, DECIMALS, strict=True)]  # no -0
    cells = [[f"{value:.{n}f}" for value in column.tolist()] for column, n in zip(columns, DECIMALS, strict=True)]
    text = "\n".join(["\t".join(row) for row in [COLUMNS, *zip(*cells, strict=True)]])
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(text.encode() + b"\n")
    partial.replace(path)


def skin_conductance(person: Volunteer, trial: int, heart_bpm: float, rng: np.random.Generator) -> np.ndarray:
    """Microsiemens, float (STEPS,): the drifting level, the responses to this stimulus and the tails of those before
    it, responses to nothing, the ripples of breath and pulse, and the amplifier's noise."""
    window_s = np.arange(STEPS) / RATE_HZ
    session_s = person.starts_s[trial] + window_s
    conductance = level_us(person, session_s) + rng.normal(0, NOISE_US, STEPS)
    breath_hz = person.breath_hz * np.exp(rng.normal(0, 0.05))
    for amplitude_us, rate_hz in ((person.breath_us, breath_hz), (person.pulse_us, heart_bpm / 60)):
        conductance += amplitude_us * np.sin(2 * np.pi * (rate_hz * window_s + rng.random()))
    for earlier in range(max(0, trial - MEMORY), trial + 1):
        for delay_s, height_us in [*responses(person, earlier)[0], *responses(person, earlier)[1]]:
            conductance += height_us * _response(session_s - person.starts_s[earlier] - delay_s, person.pace)
    return conductance


def level_us(person: Volunteer, session_s: np.ndarray | float) -> np.ndarray:
    """The level of skin conductance at times of the session, in microsiemens."""
    progress = np.asarray(session_s) / (TRIALS * PAUSE_S)
    waves = sum(np.sin(2 * np.pi * n * progress + phase) for n, phase in zip(WAVES, person.phases, strict=True))
    return person.level_us * (1 + person.drift * progress + person.wander * waves)


Responses = list[tuple[float, float]]  # (seconds after the stimulus, height in microsiemens) of each


@lru_cache(maxsize=4 * TRIALS)
def responses(person: Volunteer, trial: int) -> tuple[Responses, Responses]:
    """What a stimulus causes, and what comes of nothing about that time."""
    rng = np.random.default_rng((person.seed, person.number, 61, trial))
    felt = person.felt(trial)
    first_s = person.latency_s - person.haste_s * felt + rng.normal(0, JITTER_S)
    height_us = person.gain_us * felt * np.exp(rng.normal(0, VARIED))
    second_s, share = first_s + rng.uniform(1.2, 2.0), rng.uniform(0.25, 0.5)
    caused = [(float(first_s), float(height_us)), (float(second_s), float(share * height_us))]
    n_caused = (1 + (rng.random() < 0.9 * felt)) if felt else 0
    n_restless = rng.poisson(person.restless_hz * PAUSE_S)
    times_s = rng.uniform(-PAUSE_S / 2, PAUSE_S / 2, n_restless)
    heights_us = person.restless_us * rng.uniform(0.2, 1.0, n_restless)
    return caused[:n_caused], list(zip(times_s.tolist(), heights_us.tolist(), strict=True))


def _response(time_s: np.ndarray, pace: float) -> np.ndarray:
    """A response of height 1 at times after its foot; 0 before it."""
    shape = canonical_response()
    return np.interp(time_s / pace, np.arange(len(shape)) / RATE_HZ, shape, left=0.0, right=0.0)


@lru_cache(maxsize=1)
def canonical_response() -> np.ndarray:
    """The canonical skin conductance response from its foot on, height 1, at RATE_HZ.

    `eda_simulate` lays 90 s of Bach's response function over 9 s of its clock; with a clock ten times as fast it is in
    seconds: 2.4 s from the foot to the peak, 5.3 s from there to half of it. The delay that it draws is cut off.
    """
    import neurokit2

    clean = {"scr_number": 1, "drift": 0, "noise": 0, "random_state": 0}
    shape = neurokit2.eda_simulate(duration=9, sampling_rate=10 * RATE_HZ, **clean) - 1
    return shape[np.argmax(shape > FOOT) :]


def heartbeat(heart_bpm: float, seed: int) -> np.ndarray:
    """Electrocardiogram in microvolts, float (STEPS,)."""
    import neurokit2

    times = 4  # the model is solved on a finer grid than the file's
    beat_mv = neurokit2.ecg_simulate(
        duration=int(WINDOW_S) + 2,
        sampling_rate=times * RATE_HZ,
        heart_rate=heart_bpm,
        heart_rate_std=1,
        noise=0.01,
        random_state=seed,
    )
    return 1000 * beat_mv[::times][RATE_HZ // 2 :][:STEPS]


def muscle(tension_uv: float, tensed_uv: float, seed: int) -> np.ndarray:
    """Electromyogram in microvolts, float (STEPS,): tone at rest, and a burst of two seconds where pain tenses it."""
    import neurokit2

    first, second = np.random.SeedSequence(seed).generate_state(2).tolist()
    twice = {"duration": 2 * WINDOW_S, "length": 2 * STEPS, "sampling_rate": RATE_HZ, "noise": 0.01}
    rest = neurokit2.emg_simulate(burst_number=0, random_state=first, **twice)
    burst = neurokit2.emg_simulate(burst_number=1, burst_duration=2.0, random_state=second, **twice)
    # The burst lies in the middle of twice the window: the cut lets it begin 0.8 to 1.6 s after the stimulus.
    start = int((WINDOW_S - 1 - np.random.default_rng(seed).uniform(0.8, 1.6)) * RATE_HZ)
    tone = tension_uv * (rest - rest.mean()) / rest.std()
    return (tone + tensed_uv * (burst - rest.mean()))[start : start + STEPS]
