"""What is measured of an input: the energies of its frequencies, the features of every layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.fft import dctn
from torch.nn import functional as F

from pipeline import models
from pipeline.inputs.views.image import GREY, InputSpec
from pipeline.models.domain import Domain, Gaussian
from pipeline.models.strangeness import ROUNDING_NOISE, Distance, Look, Respects, Strangeness
from tests.helpers.networks import TINY

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def normalised(pictures: torch.Tensor, mean=MEAN, std=STD) -> torch.Tensor:
    return (pictures - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)


@pytest.mark.parametrize(("size", "factor"), [(40, 1), (64, 1), (112, 2), (224, 4)])
def test_the_look_is_the_mean_logarithm_of_the_cosine_transform_of_blocks_of_the_reduced_grey_picture(size, factor):
    pictures = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    grey = F.avg_pool2d((pictures * torch.tensor(GREY).view(1, 3, 1, 1)).sum(1), factor).double().numpy()
    side = size // factor // 8
    blocks = grey[:, : 8 * side, : 8 * side].reshape(2, side, 8, side, 8).swapaxes(2, 3).reshape(2, -1, 8, 8)
    energies = dctn(blocks, axes=(2, 3), norm="ortho").reshape(2, -1, 64)[..., 1:] ** 2
    expected = np.log(energies + ROUNDING_NOISE).mean(axis=1)
    looked = Look({"rgb": InputSpec(size, MEAN, STD)})(normalised(pictures))
    np.testing.assert_allclose(looked.numpy(), expected, atol=1e-3)


def test_the_look_of_two_cameras_is_one_after_the_other_and_brightness_is_no_part_of_it():
    specs = {"rgb": InputSpec(64, MEAN, STD), "ir": InputSpec(64, (0.5,), (0.2,))}
    pictures = 0.5 * torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    infrared = normalised(pictures[:, :1], (0.5,), (0.2,))
    looked = Look(specs)({"ir": infrared, "rgb": normalised(pictures)})
    assert looked.shape == (2, 126)
    torch.testing.assert_close(looked[:, :63], Look({"rgb": specs["rgb"]})(normalised(pictures)))
    torch.testing.assert_close(looked[:, 63:], Look({"ir": specs["ir"]})(infrared))
    brighter = Look({"rgb": specs["rgb"]})(normalised(pictures + 0.3))
    torch.testing.assert_close(brighter, looked[:, :63], atol=1e-3, rtol=0)


def test_respects_are_the_features_of_length_one_the_means_of_every_layer_and_the_look():
    network, specs = models.build(TINY, ("a", "b")), {"rgb": InputSpec(32, MEAN, STD)}
    inputs = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        observed = models.observe(network.eval(), inputs, ("hidden", "layers", "tokens"))
        measured = Respects(specs)(inputs, observed)
        last = models.observe(network, inputs, ("map",))["map"]
    assert {name: tuple(one.shape) for name, one in measured.items()} == {
        "features": (3, 24),
        "layer0": (3, 24),
        "look": (3, 63),
    }
    torch.testing.assert_close(measured["features"].norm(dim=1), torch.ones(3))
    torch.testing.assert_close(measured["layer0"], last.mean(dim=(2, 3)))
    torch.testing.assert_close(observed["tokens"][0], models.logits(network, inputs))
    assert list(Respects(specs)(inputs, {})) == ["look"]


def test_the_score_is_the_weighted_geometric_mean_of_the_distances_in_shares_of_the_threshold():
    one = np.ones(1, np.float32)
    middle = np.zeros(63, np.float32)
    first = Gaussian(middle, np.eye(1, 63, dtype=np.float32), 4 * one, one, np.float32([0.25]))
    second = Gaussian(np.zeros(24, np.float32), np.eye(1, 24, dtype=np.float32), one, one, np.float32([0.75]))
    specs = {"rgb": InputSpec(32, MEAN, STD)}
    strangeness = Strangeness(Domain({"look": first, "layer0": second}, 2 * one), specs)
    inputs = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    layer = torch.tensor([[3.0] + [0.0] * 23, [0.0] * 22 + [3.0, 4.0]])
    torch.testing.assert_close(Distance(second)(layer), torch.tensor([3.0, 5.0]))
    looked = Look(specs)(inputs)
    far = torch.sqrt(looked[:, 0] ** 2 / 4 + looked[:, 1:].square().sum(dim=1))
    expected = far**0.25 * torch.tensor([3.0, 5.0]) ** 0.75 / 2
    torch.testing.assert_close(strangeness(inputs, {"layers": (layer,)}), expected)
