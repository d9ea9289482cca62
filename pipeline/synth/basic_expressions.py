"""Seven basic expressions as people show them: of varied strength, mixed with others, never quite clean.

The prototypes follow the action units that Ekman, Friesen and Hager give for each emotion (FACS Investigator's Guide,
2002, table 10-2), as far as the renderer knows them; lips pressed or spread stand for the units it does not code.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.synth.expressions import Expression, compose

Range = tuple[float, float]


# Ranges of action units (0-5) and, by name, of face units outside them, at full strength; a class has several variants.
PROTOTYPES: Mapping[str, tuple[Mapping[int | str, Range], ...]] = {
    "anger": (
        {4: (4, 5), 5: (1, 3.5), 7: (2, 5), 17: (1, 3), "mouthPress*": (0.4, 1.0), "browDown*": (0.1, 0.5)},
        {4: (4.5, 5), 5: (0, 3), 7: (2, 5), 10: (0, 2), 25: (3, 5), 26: (0, 1.5), "browDown*": (0.1, 0.5)},
    ),
    "disgust": (
        {9: (3, 5), 10: (3, 5), 6: (0, 2.5), 4: (0, 1.5), 17: (1, 3)},
        {9: (2.5, 5), 10: (3.5, 5), 15: (2, 4), 25: (1, 3), 7: (0, 3)},
    ),
    "fear": (
        {1: (4, 5), 2: (0.5, 2.5), 4: (1.5, 3.5), 5: (3.5, 5), 20: (3, 5), 25: (3, 5)},
        {1: (4, 5), 2: (0.5, 2.5), 4: (1.5, 3.5), 5: (3.5, 5), 20: (3, 5), 25: (3, 5), 26: (1, 3)},
    ),
    "happiness": (
        {6: (1, 4), 12: (2.5, 5), "mouthSmile*": (0, 0.3)},
        {6: (2, 5), 7: (0, 2), 12: (3, 5), 25: (2, 5), "mouthSmile*": (0, 0.3)},
        {6: (3, 5), 7: (0, 3), 12: (3.5, 5), 25: (3, 5), 26: (2, 5), "mouthSmile*": (0, 0.3)},
    ),
    "neutral": ({},),
    "sadness": (
        {1: (4, 5), 4: (1, 3), 15: (4, 5), 17: (1, 3)},
        {1: (4, 5), 4: (0, 2), 7: (1, 4), 15: (4, 5), 25: (0, 1.5), "mouthRollLower": (0.0, 0.4)},
    ),
    "surprise": (
        {1: (3.5, 5), 2: (4, 5), 5: (3, 5), 25: (1, 3), 27: (2.5, 5)},
        {1: (3.5, 5), 2: (4, 5), 5: (2, 5), 25: (1, 3), 26: (3, 5)},
    ),
}
STRENGTH = (0.6, 1.0)
BLEND_CHANCE, BLEND_WEIGHT = 0.6, (0.05, 0.25)  # of another class, times its full strength
STRAY_UNITS, STRAY_LEVEL = (1, 2, 4, 6, 7, 10, 12, 15, 17, 20, 25), (0.0, 1.0)
MAX_ASYMMETRY = 0.45


def basic_expression(name: str, rng: np.random.Generator) -> Expression:
    """One face showing the class `name`: a variant at some strength, at times mixed with another class, and strays."""
    levels = _drawn(name, rng.uniform(*STRENGTH), rng)
    if rng.random() < BLEND_CHANCE:
        other = str(rng.choice([n for n in PROTOTYPES if n != name]))
        for unit, level in _drawn(other, rng.uniform(*BLEND_WEIGHT), rng).items():
            levels[unit] = max(levels.get(unit, 0.0), level)
    for unit in rng.choice(STRAY_UNITS, 2, replace=False):
        levels[int(unit)] = levels.get(int(unit), 0.0) + rng.uniform(*STRAY_LEVEL)
    units = {unit: level for unit, level in levels.items() if isinstance(unit, int)}
    extras = {unit: level for unit, level in levels.items() if isinstance(unit, str)}
    return compose(name, units, rng, MAX_ASYMMETRY, extras)


def _drawn(name: str, strength: float, rng: np.random.Generator) -> dict[int | str, float]:
    """Levels of one variant of a class at one strength."""
    variants = PROTOTYPES[name]
    variant = variants[int(rng.integers(len(variants)))]
    return {unit: strength * rng.uniform(*span) for unit, span in variant.items()}
