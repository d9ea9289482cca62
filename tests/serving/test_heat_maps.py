"""Heat maps by all methods: where they lie, what they sum to, and what is refused."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.config import Architecture, ResizeConfig
from pipeline.errors import ConfigError
from pipeline.inputs import batches
from pipeline.serving import colors
from pipeline.serving.heat_maps import ALL_POINTS, METHODS, default_method, fitting, heat_maps, overlay
from pipeline.serving.network import Network
from pipeline.tasks import PAIN, TASKS
from tests.helpers.networks import saved, saved_of_frames
from tests.serving.answering import SMALL, always, points

SWIN = Architecture(
    "swin_tiny_patch4_window7_224",
    options=(("embed_dim", 12), ("depths", (1, 1)), ("num_heads", (1, 2))),
    image_size=56,
    weights="random",
)
DUAL = Architecture("dual:cnn4", (("channels", (4, 4, 8, 8)), ("hidden", 8)), 32, "random")


@pytest.fixture(scope="module")
def deit(tmp_path_factory):
    return Network(saved(tmp_path_factory.mktemp("deit"), PAIN, SMALL), "cpu")


@pytest.fixture(scope="module")
def swin(tmp_path_factory):
    return Network(saved(tmp_path_factory.mktemp("swin"), PAIN, SMALL, architecture=SWIN), "cpu")


@pytest.fixture(scope="module")
def faces():
    return {"rgb": np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)}


def test_what_fits_depends_on_the_network_and_on_what_is_asked(deit, swin, tmp_path):
    assert fitting(deit) == ("rollout", "attention-gradient", "occlusion")
    assert default_method(deit) == "attention-gradient"
    assert fitting(swin) == ("grad-cam", "occlusion")
    assert default_method(swin) == "grad-cam"
    places = Network(saved(tmp_path, points(5), SMALL), "cpu")
    assert fitting(places) == ("occlusion",)
    assert default_method(places) == "occlusion"


def test_a_network_is_asked_once_what_fits(swin, faces, monkeypatch):
    heat_maps(swin, faces, [0, 1, 1], "grad-cam")
    blanks = []
    monkeypatch.setattr(batches, "blank", lambda *given: blanks.append(given))
    heat_maps(swin, faces, [0, 1, 1], default_method(swin))
    assert not blanks


@pytest.mark.parametrize("method", METHODS)
def test_a_map_is_shares_of_its_sum(method, deit, swin, faces):
    maps = heat_maps(swin if method == "grad-cam" else deit, faces, [0, 1, 1], method)
    assert maps.shape == (3, 64, 64)
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    np.testing.assert_allclose(maps.sum((1, 2)), 1, atol=1e-4)


def test_the_same_face_of_a_batch_has_the_same_map(swin, faces):
    twenty = {"rgb": np.repeat(faces["rgb"][:1], 20, axis=0)}
    maps = heat_maps(swin, twenty, [1] * 20, "grad-cam")
    np.testing.assert_allclose(maps, np.repeat(maps[:1], 20, axis=0), atol=1e-7)


def test_no_faces_have_no_maps(deit):
    for method in fitting(deit):
        assert heat_maps(deit, {"rgb": np.empty((0, 64, 64, 3), np.uint8)}, [], method).shape == (0, 64, 64)


def test_a_map_with_nothing_in_it_is_the_same_everywhere(tmp_path, faces):
    answers = Network(always(saved(tmp_path, PAIN, SMALL), [1.0, 2.0]), "cpu")
    for method in ("attention-gradient", "occlusion"):
        maps = heat_maps(answers, {"rgb": faces["rgb"][:1]}, [1], method)
        np.testing.assert_allclose(maps, 1 / 64**2, rtol=1e-6)


class Asked(SimpleNamespace):
    __hash__ = object.__hash__


def asked(kind, logits, count=2):
    """A network of a file, which gives these raw outputs of faces (N, S, S, 3)."""
    return Asked(
        reads=("rgb",), module=None, task={"kind": kind}, names=["a"] * count, card={"architecture": "file"},
        logits=lambda inputs: logits(inputs["rgb"].astype(np.float32)),
    )  # fmt: skip


def test_occlusion_finds_the_spot_that_an_answer_comes_from():
    face = np.full((1, 48, 48, 3), 127, np.uint8)
    face[0, 8:16, 32:40] = 255
    network = asked("classify", lambda faces: np.stack([0 * faces[:, 0, 0, 0], faces.mean((1, 2, 3))], 1))
    (heat,) = heat_maps(network, {"rgb": face}, [1], default_method(network))
    # Patches are of 8 pixels, every 4: those that touch the spot reach 4 pixels beyond it at most by half.
    assert heat[8:16, 32:40].sum() > 0.4
    assert heat[0:24, 24:48].sum() == pytest.approx(1, abs=1e-5)
    assert heat.argmax() in np.ravel_multi_index(np.mgrid[8:16, 32:40], heat.shape)
    (against,) = heat_maps(network, {"rgb": face}, [0], "occlusion")
    np.testing.assert_allclose(against, 1 / 48**2, rtol=1e-5)  # covering it never lowers the other class


def test_a_logit_of_classes_counts_beside_the_others():
    """What adds to all logits alike changes no probability, so it is no reason for a class."""
    face = np.full((1, 48, 48, 3), 255, np.uint8)
    network = asked("classify", lambda faces: np.repeat(faces.mean((1, 2, 3))[:, None], 2, 1))
    np.testing.assert_allclose(heat_maps(network, {"rgb": face}, [1], "occlusion"), 1 / 48**2, rtol=1e-4)


def test_occlusion_of_points_is_how_far_they_move():
    face = np.full((1, 48, 48, 3), 127, np.uint8)
    face[0, :8, :8] = face[0, 40:, 40:] = 255

    def corners(faces):
        top, bottom, still = (part.mean((1, 2, 3)) for part in (faces[:, :8, :8], faces[:, 40:, 40:], 0 * faces))
        return np.stack([top, still, still, bottom], 1)

    network = asked("points", corners, 4)
    top, bottom, both = (heat_maps(network, {"rgb": face}, [output], "occlusion")[0] for output in (1, 2, ALL_POINTS))
    assert top[:24, :24].sum() == pytest.approx(1, abs=1e-5)  # either number of a point stands for it
    assert bottom[24:, 24:].sum() == pytest.approx(1, abs=1e-5)
    assert both[:24, :24].sum() == pytest.approx(0.5, abs=1e-5)


def test_what_reads_two_cameras_is_not_explained(tmp_path):
    network = Network(saved_of_frames(tmp_path, TASKS["fire-smoke"], ResizeConfig(frame_size=32), DUAL), "cpu")
    with pytest.raises(ConfigError, match=r"reads rgb and ir; `explain` explains pictures of one camera"):
        default_method(network)


def test_a_method_or_an_output_that_does_not_fit_is_said(deit, faces):
    with pytest.raises(ConfigError, match=r"METHOD=grad-cam does not fit .* METHOD=rollout or attention-gradient"):
        heat_maps(deit, faces, [0, 0, 0], "grad-cam")
    for outputs in ([0, 1, 2], [0, 1], [-1, 0, 0]):
        with pytest.raises(ConfigError, match="expected for each of 3 inputs an output from 0 to 1"):
            heat_maps(deit, faces, outputs, "rollout")


def test_an_overlay_colours_what_is_hot_and_leaves_the_rest():
    face = np.full((4, 4, 3), 100, np.uint8)
    heat = np.zeros((4, 4), np.float32)
    heat[0, 0] = 0.5
    over = overlay(face, heat)
    assert over.dtype == np.uint8
    assert (over[1:] == 100).all()
    expected = 0.4 * 100 + 0.6 * colors.along_scale(np.array(1.0))
    np.testing.assert_allclose(over[0, 0], expected, atol=0.5)
    assert np.array_equal(overlay(face, np.full((4, 4), 1 / 16)), face)
