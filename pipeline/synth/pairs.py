"""Pairs in SynPAIN's form: neutral left, pain or another expression right, and the truth about both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.synth.expressions import OTHER_EXPRESSIONS, Expression, neutral, pain
from pipeline.synth.geometry import Pose
from pipeline.synth.identity import ETHNICITIES, Identity, cell, sample_identity
from pipeline.synth.scene import Studio
from pipeline.synth.setting import sample_setting, vary_setting
from pipeline.synth.truth import face_columns, person_columns, phenotype_columns

ASPECT = 1312 / 736


@dataclass(frozen=True)
class Plan:
    """What picture `number` of a set shows; it depends on nothing but (seed, number)."""

    seed: int
    number: int
    pain: bool
    gender: str
    age_group: str
    ethnicity: str

    @property
    def subject_id(self) -> str:
        """SynPAIN's identifier, 1[p][g][a][r][id]."""
        group = ETHNICITIES.index(self.ethnicity)
        flags = f"{int(self.pain)}{int(self.gender == 'Woman')}{int(self.age_group == 'Old')}{group}"
        return f"1{flags}{self.number:05d}"

    @property
    def file(self) -> str:
        return f"{self.subject_id}_{'Pain' if self.pain else 'NoPain'}_{self.gender}_{self.age_group}.jpg"


def plan(seed: int, number: int) -> Plan:
    """The plan of one pair. Each block of 40 holds every gender, age group and ethnicity with and without pain."""
    gender, age_group, ethnicity = cell(seed, number)
    # Neighbouring blocks of 20 pair up: what is in pain in one is not in the other.
    rng = np.random.default_rng((seed, number // 40, 21))
    code = (("Man", "Woman").index(gender), ("Young", "Old").index(age_group), ETHNICITIES.index(ethnicity))
    first = rng.permutation(np.arange(20) % 2).reshape(2, 2, 5)[code]
    return Plan(seed, number, bool(first ^ (number // 20 % 2)), gender, age_group, ethnicity)


def render_pair(studio: Studio, what: Plan, height: int) -> tuple[np.ndarray, list[dict]]:
    """The side-by-side picture, uint8 (height, width, 3), and one truth row per half."""
    person = sample_identity(what.seed, what.number, studio.head.labels)
    rng = np.random.default_rng((person.seed, 10))
    setting = sample_setting(rng)
    width = round(height * ASPECT)
    columns = layout(rng, width)
    faces = (neutral(rng), _expressive(what, rng))
    picture = np.full((height, width, 3), 255, np.uint8)
    rows = []
    for region, (start, stop), face in zip(("left", "right"), columns, faces, strict=True):
        shot = vary_setting(setting, rng)
        half = studio.shoot(person, face, shot, (height, stop - start), rng)
        picture[:, start:stop] = half.picture
        rows.append(_truth(what, person, region, face, shot.pose, half.landmarks + [start, 0]))
    return picture, rows


def _expressive(what: Plan, rng: np.random.Generator) -> Expression:
    if what.pain:
        return pain(rng)
    return OTHER_EXPRESSIONS[str(rng.choice(list(OTHER_EXPRESSIONS)))](rng)


def layout(rng: np.random.Generator, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Columns of the two halves; in four of five pictures a white divider of SynPAIN's 2-9 px parts them."""
    scale = width / 1312
    centre = rng.uniform(653, 657) * scale
    divider = max(1, round(rng.uniform(2, 9) * scale)) if rng.random() < 0.8 else 0
    left = round(centre - divider / 2)
    return (0, left), (left + divider, width)


def _truth(what: Plan, person: Identity, region: str, face: Expression, pose: Pose, points: np.ndarray) -> dict:
    row = {
        "file": what.file,
        "region": region,
        "subject_id": what.subject_id,
        "expression": face.name,
        "label": int(face.name == "pain"),
    }
    return row | person_columns(person) | phenotype_columns(person) | face_columns(face, pose, points, decimals=2)
