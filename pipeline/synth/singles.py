"""Single faces in a folder per class: one of seven expressions each, and the truth about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.synth.basic_expressions import PROTOTYPES, basic_expression
from pipeline.synth.identity import GROUP_CELLS, cell, member, sample_identity
from pipeline.synth.scene import Studio
from pipeline.synth.setting import sample_setting
from pipeline.synth.truth import face_columns, person_columns

CLASSES = tuple(PROTOTYPES)
# Which of a group's five people the seven pictures of a block show: two of them twice, three once.
SITTERS = (0, 0, 1, 1, 2, 3, 4)
CLOSER = 1.1  # a face is the whole subject of its picture: the camera is closer than for a pair


@dataclass(frozen=True)
class Plan:
    """What picture `number` of a set shows; it depends on nothing but (seed, number)."""

    seed: int
    number: int
    identity: int
    expression: str

    @property
    def subject_id(self) -> str:
        return f"S{self.identity:05d}"

    @property
    def file(self) -> str:
        gender, age_group, _ = cell(self.seed, self.identity)
        return f"{self.expression}/{self.number:05d}_{gender}_{age_group}.jpg"


def plan(seed: int, number: int) -> Plan:
    """The plan of one picture. Each 140 hold every gender, age group and ethnicity once with every expression.

    Seven pictures in a row show the seven expressions, by five people of one group; who appears twice shows two.
    """
    block, place = divmod(number, GROUP_CELLS * len(CLASSES))
    group, place = divmod(place, len(CLASSES))
    rng = np.random.default_rng((seed, block, 31))
    code = int(rng.permutation(GROUP_CELLS)[group])
    order = np.random.default_rng((seed, block, 32, group)).permutation(len(CLASSES))
    people = max(SITTERS) + 1
    return Plan(seed, number, member(seed, block * people + SITTERS[place], code), CLASSES[order[place]])


def render_single(studio: Studio, what: Plan, height: int) -> tuple[np.ndarray, list[dict]]:
    """The square picture, uint8 (height, height, 3), and its one truth row."""
    person = sample_identity(what.seed, what.identity, studio.head.labels)
    rng = np.random.default_rng((person.seed, 30, what.number))
    setting = sample_setting(rng)
    setting = replace(setting, head_share=setting.head_share * CLOSER)
    face = basic_expression(what.expression, rng)
    shot = studio.shoot(person, face, setting, (height, height), rng)
    row = {"file": what.file, "region": "full", "subject_id": what.subject_id, "expression": face.name}
    row |= person_columns(person) | face_columns(face, setting.pose, shot.landmarks, decimals=1)
    return shot.picture, [row]
