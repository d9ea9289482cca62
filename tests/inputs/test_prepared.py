"""A card says how inputs were made, and what does not say it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.artifacts.store import Artifact
from pipeline.config import AlignConfig, ResizeConfig, WindowConfig, as_dict
from pipeline.errors import ArtifactError, ConfigError
from pipeline.inputs import prepared
from pipeline.inputs.faces.card import Preparation as FacePreparation
from pipeline.inputs.frames.card import Preparation as FramePreparation
from pipeline.inputs.signals.card import Preparation as WindowPreparation
from pipeline.inputs.signals.card import channels_of, check_filter
from pipeline.tasks import TASKS
from stages import align, resize, window
from stages.graph import all_stages

MODEL = Path("cache/demo/student-deit")
FACES = Artifact(
    Path("inputs-00000000"),
    {
        "stage": "align",
        "version": align.VERSION,
        "config": as_dict(AlignConfig(face_size=64, margin=0.4, min_face=0.25, fine_min_face_px=30, align="none")),
    },
)
SIGNALS = Artifact(
    Path("inputs-00000001"),
    {
        "stage": "window",
        "version": window.VERSION,
        "config": as_dict(WindowConfig(channel="gsr, ecg", outliers=0.0, scaling="window")),
        "summary": {"rate_hz": 62.5, "steps": 344},
    },
)
SCALES = {"rgb": {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}, "ir": {"mean": [0.5], "std": [0.2]}}
FRAMES = Artifact(
    Path("inputs-00000002"),
    {
        "stage": "resize",
        "version": resize.VERSION,
        "config": as_dict(ResizeConfig(frame_size=64, filters="clahe, minmax")),
        "summary": {"scales": SCALES},
    },
)
PREPARATIONS = {
    "align": FacePreparation("none", 64, 0.4, 0.25, 30, "mtcnn"),
    "window": WindowPreparation(("gsr", "ecg"), 62.5, 344, 5, 2, 0.0, "window"),
    "resize": FramePreparation(64, ("clahe", "minmax"), SCALES),
}
ARTIFACTS = {"align": FACES, "window": SIGNALS, "resize": FRAMES}


@pytest.fixture(params=ARTIFACTS)
def stage(request) -> str:
    return request.param


@pytest.fixture
def entry(stage) -> dict:
    return prepared.entry(ARTIFACTS[stage])


def test_every_stage_that_prepares_inputs_is_in_the_table():
    stages = {name for name, module in all_stages().items() if module.OUTPUT == "inputs"}
    assert stages == set(prepared.MODULES)
    assert {task.prepare for task in TASKS.values()} <= stages


def test_what_the_stage_was_told_comes_back_from_the_card(stage, entry):
    assert prepared.of_card({"prepare": entry}, MODEL) == PREPARATIONS[stage]


def test_what_cannot_change_an_input_is_not_in_it(entry):
    assert not {"device", "workers", "backend", "data"} & set(entry)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 999}, r"of \w+ version 999, here is align version \d+, window version \d+, resize version \d+"),
        ({"kind": "crop"}, "of crop version"),
    ],
)
def test_inputs_made_otherwise_are_refused(entry, change, message):
    with pytest.raises(ArtifactError, match=message) as error:
        prepared.of_card({"prepare": entry | change}, MODEL)
    assert "Train it anew: make distill" in str(error.value)


def test_a_card_without_it_is_refused_and_says_what_it_lacks(stage, entry):
    with pytest.raises(ArtifactError, match=r"student-deit .* model.json lacks prepare\. Train it anew"):
        prepared.of_card({"alignment": {"face_size": 64, "margin": 0.25}}, MODEL)
    field = {"align": "min_face", "window": "rate_hz", "resize": "frame_size"}[stage]
    del entry[field], entry["version"]
    with pytest.raises(ArtifactError, match=f"lacks version, {field} in prepare"):
        prepared.of_card({"prepare": entry}, MODEL)


@pytest.mark.parametrize("text", ["", " , ", "gsr,gsr", "gsr, GSR", ",".join(map(str, range(65)))])
def test_a_list_of_channels_names_each_once(text):
    with pytest.raises(ConfigError, match="CHANNEL=gsr,ecg"):
        channels_of(text)


@pytest.mark.parametrize(("window", "order"), [(4, 2), (3, 3), (5, 7)])
def test_the_advice_for_a_filter_that_there_is_not_makes_one(window, order):
    with pytest.raises(ConfigError) as error:
        check_filter(window, order)
    advised = int(
        str(error.value).rpartition("such as " if window % 2 == 0 else "Give SMOOTH_WINDOW=")[2].split()[0].rstrip(";")
    )
    check_filter(advised, order)
