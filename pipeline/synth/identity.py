"""Who is shown: a person's age, gender, ethnicity group, face shape, skin and hair, from one seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

ETHNICITIES = ("Black", "South Asian", "Middle Eastern", "Caucasian", "Asian")  # SynPAIN's order
OLD_FROM = 50
GROUP_CELLS = 20  # gender x age group x ethnicity: every block of 20 identities holds each once

# Mean shares of anny's African, Asian and Caucasian phenotypes in each group.
PHENOTYPE_MIX = {
    "Black": (0.90, 0.03, 0.07),
    "South Asian": (0.22, 0.16, 0.62),
    "Middle Eastern": (0.10, 0.05, 0.85),
    "Caucasian": (0.02, 0.03, 0.95),
    "Asian": (0.03, 0.92, 0.05),
}
# sRGB skin tones, light to dark end of each group.
SKIN_TONES = {
    "Black": ((156, 110, 82), (80, 54, 43)),
    "South Asian": ((196, 148, 112), (128, 86, 62)),
    "Middle Eastern": ((218, 174, 142), (166, 118, 88)),
    "Caucasian": ((234, 194, 170), (204, 154, 128)),
    "Asian": ((232, 192, 158), (198, 150, 114)),
}
HAIR_COLOURS = {
    "black": (22, 18, 17),
    "dark brown": (46, 31, 23),
    "brown": (86, 57, 37),
    "auburn": (104, 52, 30),
    "blond": (176, 138, 88),
    "light blond": (206, 176, 126),
}
HAIR_ODDS = {
    "Black": (0.8, 0.2, 0, 0, 0, 0),
    "South Asian": (0.7, 0.3, 0, 0, 0, 0),
    "Middle Eastern": (0.45, 0.4, 0.15, 0, 0, 0),
    "Caucasian": (0.08, 0.25, 0.29, 0.1, 0.18, 0.1),
    "Asian": (0.75, 0.25, 0, 0, 0, 0),
}
EYE_COLOURS = {
    "dark": (52, 32, 22),
    "brown": (94, 58, 34),
    "hazel": (112, 92, 52),
    "green": (94, 112, 80),
    "blue": (92, 124, 156),
    "grey": (118, 128, 134),
}
SHAPE_PREFIXES = ("eyes", "nose", "mouth", "chin", "cheek", "forehead", "head", "eyebrows", "ear", "eye")
# Changes that move or tilt the whole head, or that age it a second time.
FIXED_SHAPES = ("head-age", "head-trans", "head-angle", "mouth-trans", "head-back", "eye-trans", "eye-push")


@dataclass(frozen=True)
class Identity:
    """One synthetic person; the fields that shading and truth need."""

    seed: int
    gender: str  # "Man" or "Woman"
    age: int
    ethnicity: str
    phenotype: Mapping[str, float]
    shape: Mapping[str, float]  # coefficients of local changes, by blendshape label
    skin_srgb: tuple[float, float, float]
    hair_srgb: tuple[float, float, float]
    eye_srgb: tuple[float, float, float]
    hair_style: str
    recede: float
    fringe: float
    curls: bool
    beard: float
    freckles: float
    redness: float
    brow_density: float
    brow_width: float
    clothes_srgb: tuple[float, float, float]
    neckline: float
    lipstick: float

    @property
    def age_group(self) -> str:
        return "Old" if self.age >= OLD_FROM else "Young"

    @property
    def grey(self) -> float:
        """How deep age's traces are, 0 (under 25) to 1 (85)."""
        return float(np.clip((self.age - 25) / 60, 0, 1))


def identity_seed(seed: int, number: int) -> int:
    """The seed of identity `number` in the set `seed`, a counter-based hash of 64 bits.

    It does not depend on how many identities are made, so a set can grow without changing.
    """
    words = np.random.SeedSequence(entropy=(seed, number)).generate_state(2, np.uint32)
    return int(words[0]) << 32 | int(words[1])


def identity_seeds(seed: int, n: int) -> frozenset[int]:
    """All identity seeds of the first n pairs of a set; sets meant to share nobody are disjoint here."""
    return frozenset(identity_seed(seed, number) for number in range(n))


def cell(seed: int, number: int) -> tuple[str, str, str]:
    """Gender, age group and ethnicity of identity `number`: each block of 20 is a seeded shuffle of all 20."""
    block, place = divmod(number, GROUP_CELLS)
    code = int(_cell_order(seed, block)[place])
    return ("Man", "Woman")[code % 2], ("Young", "Old")[code // 2 % 2], ETHNICITIES[code // 4]


def member(seed: int, block: int, code: int) -> int:
    """Number of the identity of block `block` whose cell has the number `code`, 0-19."""
    return block * GROUP_CELLS + int(np.flatnonzero(_cell_order(seed, block) == code)[0])


def _cell_order(seed: int, block: int) -> np.ndarray:
    return np.random.default_rng((seed, block, 20)).permutation(GROUP_CELLS)


def sample_identity(seed: int, number: int, shape_labels: tuple[str, ...]) -> Identity:
    """Identity `number` of the set `seed`; shape_labels are the shape model's blendshape names."""
    gender, age_group, ethnicity = cell(seed, number)
    own = identity_seed(seed, number)
    rng = np.random.default_rng(own)
    age = int(rng.integers(18, OLD_FROM)) if age_group == "Young" else int(rng.integers(OLD_FROM + 5, 86))
    skin = _between(*SKIN_TONES[ethnicity], rng.beta(1.6, 1.6)) * rng.normal(1, 0.009, 3)
    woman = gender == "Woman"
    style = _hair_style(woman, age, ethnicity, rng)
    hair = _hair_colour(ethnicity, age, rng)
    return Identity(
        seed=own,
        gender=gender,
        age=age,
        ethnicity=ethnicity,
        phenotype=_phenotype(woman, age, ethnicity, rng),
        shape=_shape(shape_labels, rng),
        skin_srgb=tuple(np.clip(skin, 20, 250)),
        hair_srgb=hair,
        eye_srgb=_eye_colour(ethnicity, rng),
        hair_style=style,
        recede=float(rng.uniform(0, 0.5) if woman or age < 30 else rng.uniform(0, 1.0 + 2.0 * (age - 30) / 55)),
        fringe=float(rng.uniform(2.4, 3.4) if style in ("bob", "long", "tied") and rng.random() < 0.3 else 0.0),
        curls=bool(ethnicity == "Black" or rng.random() < 0.08),
        beard=0.0 if woman else float(rng.choice([0.0, 0.25, 0.5, 1.0], p=[0.45, 0.3, 0.13, 0.12])),
        freckles=float(rng.uniform(0, 1) ** 3 * (1.0 if ethnicity == "Caucasian" else 0.4)),
        redness=float(rng.uniform(0.2, 1.0)),
        brow_density=float(rng.uniform(0.55, 1.0) * (1.0 if woman else 1.1)),
        brow_width=float(rng.uniform(0.75, 1.05) * (0.85 if woman else 1.15)),
        clothes_srgb=tuple(
            np.clip(_between((35, 38, 48), (225, 220, 210), rng.random()) + rng.normal(0, 28, 3), 15, 240)
        ),
        neckline=float(rng.uniform(-16.0, -13.2)),
        lipstick=float(woman and rng.random() < 0.4) * float(rng.uniform(0.3, 0.9)),
    )


def _between(light, dark, share) -> np.ndarray:
    return (1 - share) * np.asarray(light, float) + share * np.asarray(dark, float)


def _phenotype(woman: bool, age: int, ethnicity: str, rng) -> dict[str, float]:
    """anny's phenotype values; its age runs 2/3 (25 years) to 1 (90 years)."""
    mix = rng.dirichlet(30 * np.asarray(PHENOTYPE_MIX[ethnicity]) + 0.05)
    return {
        "gender": float(np.clip(rng.normal(0.92 if woman else 0.08, 0.05), 0, 1)),
        "age": float(2 / 3 + (age - 25) / 65 / 3),
        "muscle": float(rng.uniform(0.35, 0.65)),
        "weight": float(rng.uniform(0.35, 0.75)),
        "height": 0.5,
        "proportions": float(rng.uniform(0.55, 1.0)),
        "african": float(mix[0]),
        "asian": float(mix[1]),
        "caucasian": float(mix[2]),
    }


def _shape(labels: tuple[str, ...], rng) -> dict[str, float]:
    """Local changes drawn for pairs of opposites; left and right follow each other almost exactly."""
    changes = [label for label in labels if label.startswith("local_change:") and _is_facial(label)]
    shared: dict[str, float] = {}
    result: dict[str, float] = {}
    for positive, negative in zip(changes[::2], changes[1::2], strict=True):
        stem = positive.removeprefix("local_change:").removeprefix("l-").removeprefix("r-")
        if stem not in shared:
            shared[stem] = float(np.clip(rng.normal(0, 0.22), -0.5, 0.5))
        value = shared[stem] + float(rng.normal(0, 0.02))
        result[positive if value > 0 else negative] = abs(value)
    return result


def _is_facial(label: str) -> bool:
    name = label.removeprefix("local_change:").removeprefix("l-").removeprefix("r-")
    return name.startswith(SHAPE_PREFIXES) and not name.startswith(FIXED_SHAPES)


def _hair_colour(ethnicity: str, age: int, rng) -> tuple[float, float, float]:
    name = rng.choice(list(HAIR_COLOURS), p=HAIR_ODDS[ethnicity])
    colour = np.asarray(HAIR_COLOURS[name], float) * rng.uniform(0.85, 1.2)
    grey = np.clip((age - rng.uniform(40, 70)) / 22, 0, 1) * rng.uniform(0.5, 1.0)
    return tuple(_between(colour, (168, 164, 160), grey))


def _eye_colour(ethnicity: str, rng) -> tuple[float, float, float]:
    odds = {"Caucasian": (0.05, 0.25, 0.2, 0.15, 0.25, 0.1), "Middle Eastern": (0.35, 0.45, 0.1, 0.1, 0, 0)}
    name = rng.choice(list(EYE_COLOURS), p=odds.get(ethnicity, (0.7, 0.3, 0, 0, 0, 0)))
    return tuple(np.asarray(EYE_COLOURS[name], float) * rng.uniform(0.85, 1.2))


def _hair_style(woman: bool, age: int, ethnicity: str, rng) -> str:
    if woman:
        names, odds = ("long", "bob", "tied", "short", "curly"), [0.34, 0.24, 0.22, 0.12, 0.08]
        if ethnicity == "Black":
            odds = [0.16, 0.14, 0.28, 0.12, 0.30]
    else:
        names, odds = ("short", "crop", "buzz", "bald", "ring", "curly"), [0.38, 0.28, 0.16, 0.08, 0.0, 0.10]
        if age >= OLD_FROM:
            odds = [0.30, 0.22, 0.13, 0.12, 0.20, 0.03]
    return str(rng.choice(names, p=odds))
