"""Who sits through a simulated session of heat stimuli: a person's skin, sensitivity, heart and muscles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

LEVELS = ("BL1", "PA1", "PA2", "PA3", "PA4")
REPEATS = 8  # of each level in a session, one after the other
TRIALS = REPEATS * len(LEVELS)
GROUP = 4  # of so many people in a row two are men, and one hardly responds
INTERVAL_S = (12.0, 16.0)  # from one stimulus to the next
SET_CODES, PERSON_CODES = 100, 1000  # how many of each a subject's six digits tell apart


@dataclass(frozen=True)
class Volunteer:
    """One person, and the session that this person sits through; it depends on nothing but (seed, number).

    Attributes
    ----------
    responds : False for the quarter whose skin hardly answers to heat.
    level_us : conductance at rest, when the session begins.
    drift, wander : of that level over the session, as shares of it: a slope, and the amplitude of its slow waves.
    phases : of the slow waves, in radians.
    gain_us : height of the response to the strongest stimulus.
    exponent : of what is felt over the stimulus (Stevens' power law). Below 1, a mild stimulus is felt like a strong
        one: which level a response means in this person cannot be known from other people.
    latency_s, haste_s : from a stimulus to the foot of a weak response; by how much the strongest comes earlier.
    pace : duration of a response, canonical 1.
    restless_hz, restless_us : responses to nothing, a second, and the height of the largest.
    breath_hz, breath_us, pulse_us : ripples of breathing and heartbeat in the skin conductance.
    heart_bpm, quickening_bpm : heart rate at rest, and what the strongest stimulus adds.
    tension_uv : muscle tone at rest.
    order : level of each stimulus, 0-4.
    starts_s : when each stimulus begins.
    """

    seed: int
    number: int
    sex: str
    age: int
    responds: bool
    level_us: float
    drift: float
    wander: float
    phases: tuple[float, ...]
    gain_us: float
    exponent: float
    latency_s: float
    haste_s: float
    pace: float
    restless_hz: float
    restless_us: float
    breath_hz: float
    breath_us: float
    pulse_us: float
    heart_bpm: float
    quickening_bpm: float
    tension_uv: float
    order: tuple[int, ...]
    starts_s: tuple[float, ...]

    @property
    def subject_id(self) -> str:
        """BioVid's form, `900001_m_23`; BioVid's own codes are dates, and none of those begins with a 9."""
        return f"9{self.seed % SET_CODES:02d}{self.number % PERSON_CODES:03d}_{self.sex}_{self.age}"

    def felt(self, trial: int) -> float:
        """How strong a stimulus is to this person, 0 to 1."""
        return (self.order[trial] / (len(LEVELS) - 1)) ** self.exponent if self.order[trial] else 0.0


@lru_cache(maxsize=256)
def volunteer(seed: int, number: int) -> Volunteer:
    """Person `number` of the set `seed`."""
    group, place = divmod(number, GROUP)
    shared = np.random.default_rng((seed, group, 50))
    men = shared.permutation(GROUP)[: GROUP // 2]
    responds = bool(place != shared.integers(GROUP))
    rng = np.random.default_rng((seed, number, 51))
    gain_us = _about(rng, 0.7, 0.55)
    return Volunteer(
        seed=seed,
        number=number,
        sex="m" if place in men else "w",
        age=int(rng.integers(20, 66)),
        responds=responds,
        level_us=_about(rng, 5.0, 0.5),
        drift=float(rng.choice((-1, 1)) * rng.uniform(0.1, 0.45)),
        wander=float(rng.uniform(0.01, 0.03)),
        phases=tuple(float(phase) for phase in rng.uniform(0, 2 * np.pi, 2)),
        gain_us=gain_us * (1.0 if responds else 0.01),
        exponent=float(np.exp(rng.uniform(np.log(0.3), np.log(2.6)))),
        latency_s=float(rng.uniform(0.9, 2.6)),
        haste_s=float(rng.uniform(0.3, 0.9)),
        pace=float(rng.uniform(0.45, 1.0)),
        restless_hz=float(rng.uniform(0.03, 0.12)),
        restless_us=gain_us * (0.3 if responds else 0.12),
        breath_hz=float(rng.uniform(0.15, 0.45)),
        breath_us=float(rng.uniform(0.02, 0.08)),
        pulse_us=float(rng.uniform(0.01, 0.03)),
        heart_bpm=float(rng.uniform(56, 94)),
        quickening_bpm=6.0 if responds else 1.0,
        tension_uv=_about(rng, 4.0, 0.4),
        order=tuple(int(level) for level in np.repeat(rng.permutation(len(LEVELS)), REPEATS)),
        starts_s=tuple(float(start) for start in np.cumsum(rng.uniform(*INTERVAL_S, TRIALS))),
    )


def _about(rng: np.random.Generator, median: float, spread: float) -> float:
    """A log-normal draw."""
    return float(median * np.exp(rng.normal(0, spread)))
