"""A card says how faces were made, and what does not say it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.artifacts.store import Artifact
from pipeline.config import AlignConfig, as_dict
from pipeline.errors import ArtifactError
from pipeline.inputs.faces.card import Preparation, prepared
from stages import align

CONFIG = AlignConfig(face_size=64, margin=0.4, min_face=0.25, fine_min_face_px=30, align="none")
MODEL = Path("cache/demo/student-deit")


@pytest.fixture
def entry() -> dict:
    record = {"stage": "align", "version": align.VERSION, "config": as_dict(CONFIG)}
    return prepared(Artifact(Path("inputs-00000000"), record))


def test_what_the_stage_was_told_comes_back_from_the_card(entry):
    assert Preparation.of_card({"prepare": entry}, MODEL) == Preparation("none", 64, 0.4, 0.25, 30)


def test_what_cannot_change_a_face_is_not_in_it(entry):
    assert not {"device", "workers", "backend", "data"} & set(entry)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 3}, "of align version 3, here is align version"),
        ({"kind": "resize"}, "of resize version"),
    ],
)
def test_faces_made_otherwise_are_refused(entry, change, message):
    with pytest.raises(ArtifactError, match=message) as error:
        Preparation.of_card({"prepare": entry | change}, MODEL)
    assert "Train it anew: make distill" in str(error.value)


def test_a_card_without_it_is_refused_and_says_what_it_lacks(entry):
    with pytest.raises(ArtifactError, match=r"student-deit .* model.json lacks prepare\. Train it anew"):
        Preparation.of_card({"alignment": {"face_size": 64, "margin": 0.25}}, MODEL)
    del entry["min_face"], entry["version"]
    with pytest.raises(ArtifactError, match="lacks version, min_face in prepare"):
        Preparation.of_card({"prepare": entry}, MODEL)
