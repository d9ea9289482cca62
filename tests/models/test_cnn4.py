"""The small network of pictures: exactly the described one, among all others in what is asked of a network."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline import models
from pipeline.config import Architecture
from pipeline.errors import ConfigError, WeightsError
from pipeline.models import cnn4, core, cost
from tests.helpers.networks import FINGERPRINT

CLASSES = ["fire", "smoke"]
PLAIN = Architecture("cnn4", image_size=32, weights="random")
DOUBLE = replace(PLAIN, name="cnn4x2")
EACH = pytest.mark.parametrize("architecture", [PLAIN, DOUBLE], ids=lambda a: a.name)


def pictures(size: int = 32) -> Tensor:
    return torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("name", "parameters"), [("cnn4", 1_684_738), ("cnn4x2", 4_821_058)])
def test_there_are_exactly_so_many_parameters(name, parameters):
    with torch.device("meta"):
        model = models.build(Architecture(name, weights="random"), CLASSES)
        gmacs = cost.count_flops(model.eval(), torch.zeros(1, 3, 224, 224)) / 2e9
    assert sum(p.numel() for p in model.parameters()) == parameters
    said = cnn4.__doc__.replace("\n", " ")
    assert f"{parameters:,} parameters" in said
    assert f"{gmacs:.3f} GMACs" in said


def test_the_network_by_hand():
    model, batch = models.build(PLAIN, CLASSES).eval(), pictures()
    found = batch
    for block in model.blocks:
        convolution, norm = block[0], block[1]
        found = F.conv2d(found, convolution.weight, convolution.bias, padding=1)
        found = F.max_pool2d(F.relu(F.batch_norm(found, norm.running_mean, norm.running_var)), 2)
    hidden = F.relu(found.mean((2, 3)) @ model.hidden[0].weight.T + model.hidden[0].bias)
    expected = hidden @ model.classifier.weight.T + model.classifier.bias
    outputs = models.outputs(model, batch, ("logits", "hidden", "map"))
    torch.testing.assert_close(outputs["logits"], expected)
    torch.testing.assert_close(outputs["hidden"], hidden)
    torch.testing.assert_close(outputs["map"], found)
    assert outputs["map"].shape == (3, 512, 2, 2)


@EACH
def test_tokens_and_features_are_those_of_one_pass(architecture):
    model, batch = models.build(architecture, CLASSES), pictures()
    answers = []
    for kinds in (("tokens",), ("tokens", "hidden", "map")):
        with torch.random.fork_rng():
            torch.manual_seed(2)  # of dropout
            answers.append(models.observe(model.train(), batch, kinds)["tokens"][0])
    assert torch.equal(*answers)
    together = models.outputs(model, batch, ("logits", "hidden", "map"))
    for kind, expected in together.items():
        assert torch.equal(models.outputs(model, batch, [kind])[kind], expected)
    assert (models.width(model, "hidden"), models.width(model, "map")) == (256, 512)


@EACH
def test_saved_and_loaded_is_the_same(architecture, tmp_path):
    model = models.build(architecture, CLASSES, seed=1)
    models.save_model(tmp_path, model, models.describe(model, architecture, CLASSES), FINGERPRINT)
    loaded, card = models.load_model(tmp_path)
    assert torch.equal(models.logits(loaded, pictures()), models.logits(model, pictures()))
    assert list(card["inputs"]) == ["rgb"]
    assert models.InputSpec(**card["inputs"]["rgb"]).size == 32


def test_options_make_it_another():
    narrow = replace(PLAIN, options=(("channels", (8, 16, 24, 32)), ("hidden", 12), ("dropout", 0.0)))
    model = models.build(narrow, CLASSES)
    found = models.outputs(model, pictures(), ("hidden", "map"))
    assert (found["hidden"].shape, found["map"].shape) == ((3, 12), (3, 32, 2, 2))
    assert model.dropout.p == 0


@pytest.mark.parametrize("option", [("channels", (8, 16)), ("depth", 3), ("dropout", 2.0)], ids=str)
def test_options_that_it_does_not_have_are_named(option):
    with pytest.raises(ConfigError, match="cnn4 cannot be built for 32 px with options"):
        models.build(replace(PLAIN, options=(option,)), CLASSES)


def test_it_reads_pictures_alone_with_imagenets_scale():
    expected = {"rgb": {"size": 32, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}}
    assert models.reads(PLAIN) == models.reads(PLAIN, {"rgb": (32, 32, 3), "ir": (32, 32, 1)}) == expected
    with pytest.raises(ConfigError, match="cnn4 reads rgb, and the prepared inputs are signal"):
        models.reads(PLAIN, {"signal": (176, 1)})


def test_no_hub_has_weights_of_it():
    with pytest.raises(WeightsError, match="cnn4 has no pretrained weights in a hub"):
        models.build(replace(PLAIN, weights="hub"), CLASSES)


def test_its_name_is_offered():
    with pytest.raises(ConfigError, match="Did you mean cnn4"):
        core.check_name("cnn5")
