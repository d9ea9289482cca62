"""Pruned networks are smaller networks of the same kind, and what cannot be pruned says so."""

from __future__ import annotations

import importlib

import pytest
import torch

from pipeline import models
from pipeline.config import Architecture
from pipeline.errors import ConfigError, MissingDependencyError
from pipeline.inputs import batches
from pipeline.models import pruning
from tests.helpers.networks import NARROW
from tests.helpers.presets import NETWORKS

CNN4 = Architecture("cnn4", (("channels", (16, 16, 32, 32)), ("hidden", 16)), 32, "random")
DEIT = Architecture(
    "deit_tiny_distilled_patch16_224", (("embed_dim", 48), ("depth", 2), ("num_heads", 3)), 32, "random"
)
FAMILIES = {
    "cnn4": CNN4,
    "deit": DEIT,
    "swin": NETWORKS["swin"],
    "residual": Architecture("test_resnet", image_size=32, weights="random"),
    "inverted": Architecture("test_efficientnet", image_size=32, weights="random"),
    "heat": Architecture("heat:test_resnet", image_size=64, weights="random"),
    "two branches": Architecture("dual:cnn4", CNN4.options, 32, "random"),
    "signal": NARROW,
}


def made(architecture, seed=0):
    """A network, and two inputs of it."""
    read = models.reads(architecture, pruning.SHAPES)
    specs = batches.specs({"inputs": read})
    blank = batches.blank(specs, "cpu").make(specs)
    noise = torch.Generator().manual_seed(0)
    alone = {"": blank} if torch.is_tensor(blank) else blank
    inputs = {name: torch.randn(2, *t.shape[1:], generator=noise) for name, t in alone.items()}
    network = models.build(architecture, ["a", "b", "c", "d"], seed, read)
    return network, inputs.get("", inputs)


@pytest.mark.parametrize("architecture", FAMILIES.values(), ids=FAMILIES.keys())
def test_every_family_loses_channels_and_knows_what_it_is_then(architecture):
    network, inputs = made(architecture)
    before = sum(p.numel() for p in network.parameters())
    took = pruning.prune(network, inputs, 0.5)
    after = sum(p.numel() for p in network.parameters())
    assert took.parameters == pytest.approx(1 - after / before)
    assert 0.1 < took.parameters < 0.9
    assert 0.1 < took.channels < 0.7
    assert all(p.requires_grad for p in network.parameters())
    seen = models.outputs(network, inputs, ("logits", "hidden", "map"))
    assert seen["logits"].shape == (2, 4)
    assert seen["hidden"].shape == (2, models.width(network, "hidden"))
    assert seen["map"].shape[1] == models.width(network, "map")


def test_half_of_the_channels_is_the_network_of_half_the_width():
    network, inputs = made(CNN4)
    took = pruning.prune(network, inputs, 0.5)
    assert took.channels == 0.5
    half, _ = made(Architecture("cnn4", (("channels", (8, 8, 16, 16)), ("hidden", 8)), 32, "random"))
    shapes = {name: tensor.shape for name, tensor in half.state_dict().items()}
    assert {name: tensor.shape for name, tensor in network.state_dict().items()} == shapes


def test_the_channels_of_the_smallest_weights_go():
    network, inputs = made(CNN4)
    first = network.blocks[0][0]
    with torch.no_grad():
        first.weight[::2] *= 100
        wanted = first.weight[::2].clone()
    pruning.prune(network, inputs, 0.5)
    assert torch.equal(network.blocks[0][0].weight, wanted)


def test_of_a_transformer_the_stream_stays_and_what_lies_between_goes():
    network, inputs = made(DEIT)
    pruning.prune(network, inputs, 0.5)
    block = network.blocks[1]
    assert network.pos_embed.shape[-1] == block.attn.proj.out_features == block.mlp.fc2.out_features == 48
    assert block.mlp.fc1.out_features == 96
    assert block.attn.num_heads * block.attn.head_dim * 3 == block.attn.qkv.out_features < 144
    fused = models.logits(network, inputs)
    for one in network.blocks:
        one.attn.fused_attn = False
    unfused = models.logits(network, inputs)
    assert fused.shape == unfused.shape == (2, 4)


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [
        (Architecture("dual:test_resnet", image_size=64, weights="random"), "cannot be told apart"),
        (Architecture("cnn4", (("channels", (8, 8, 8, 8)), ("hidden", 8)), 32, "random"), "no 8 channels to spare"),
    ],
)
def test_what_cannot_be_pruned_says_so_before_it_is_trained(architecture, reason):
    with pytest.raises(ConfigError, match=rf"PRUNE=0\.4: {architecture.name} .*{reason}.*PRUNE=0"):
        pruning.check(architecture, ("fire", "smoke"), 0.4)


def test_without_the_package_the_extra_is_named(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingDependencyError, match=r"torch-pruning: pip install -e '\.\[prune\]'.*PRUNE=0"):
        pruning.prune(*made(CNN4), 0.4)
