"""What networks give beside their logits: pooled features and feature maps, of every family alike."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest
import torch
from torch import nn

from pipeline import models
from pipeline.config import Architecture
from pipeline.errors import ConfigError
from tests.helpers.presets import NETWORKS as OF_FAMILIES

CLASSES = ["no_pain", "pain"]
SMALL = (("embed_dim", 48), ("depth", 2), ("num_heads", 3))
NETWORKS = [
    *(replace(architecture, trained="all") for architecture in OF_FAMILIES.values()),
    Architecture("deit_tiny_patch16_224", SMALL, image_size=32, weights="random"),
    Architecture("vit_tiny_patch16_224", (*SMALL, ("drop_rate", 0.5)), image_size=32, weights="random"),
    Architecture("mobilenetv3_small_050", (("drop_rate", 0.5),), image_size=64, weights="random"),
    Architecture("convnext_atto", image_size=64, weights="random"),
    Architecture("efficientnet_b0", (("drop_path_rate", 0.2),), image_size=64, weights="random"),
]
KINDS = ("tokens", "hidden", "map")


def images(architecture: Architecture) -> torch.Tensor:
    size = architecture.image_size
    return torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=NETWORKS, ids=lambda architecture: architecture.name)
def network(request):
    return models.build(request.param, CLASSES), images(request.param)


def test_tokens_in_training_are_those_of_a_plain_step(network):
    model, batch = network
    model.train()
    for kinds in (("tokens",), ("tokens", "hidden"), ("tokens", "map"), KINDS):
        with torch.random.fork_rng():
            torch.manual_seed(2)  # of dropout
            found = models.observe(model, batch, kinds)
        with torch.random.fork_rng():
            torch.manual_seed(2)
            plain = model(batch)
        assert found.keys() == set(kinds)
        assert isinstance(plain, tuple) == (len(found["tokens"]) == 2)
        for token, expected in zip(found["tokens"], plain if isinstance(plain, tuple) else (plain,), strict=True):
            assert torch.equal(token, expected)


def test_answers_are_the_logits_and_features_in_use(network):
    model, batch = network
    found = models.outputs(model.train(), batch, ("map", "logits", "hidden"))
    assert list(found) == ["map", "logits", "hidden"]
    assert torch.equal(found["logits"], models.logits(model, batch))
    assert not model.training
    assert found["hidden"].shape == (3, models.width(model, "hidden"))
    assert found["map"].shape[:2] == (3, models.width(model, "map"))
    assert found["map"].ndim == 4
    with torch.no_grad():
        assert torch.equal(found["hidden"], model.forward_head(model.forward_features(batch), pre_logits=True))
    for tensor in found.values():
        assert tensor.dtype == torch.float32
        assert not tensor.requires_grad
        assert not tensor.is_inference()  # a loss may keep it for its gradients


def test_one_kind_alone_is_the_same(network):
    model, batch = network
    together = models.outputs(model, batch, ("logits", "hidden", "map"))
    for kind, expected in together.items():
        assert torch.equal(models.outputs(model, batch, [kind])[kind], expected)


def test_features_are_differentiable(network):
    model, batch = network
    found = models.observe(model.train(), batch, ("hidden", "map"))
    (found["hidden"].square().sum() + found["map"].square().sum()).backward()
    first = next(model.parameters())
    assert torch.isfinite(first.grad).all()
    assert first.grad.abs().sum() > 0


def test_the_map_lies_on_the_picture():
    """Its cells are those of the picture: a change in one corner changes that corner's cell."""
    swin = OF_FAMILIES["swin"]
    model, batch = models.build(swin, CLASSES), images(swin)
    changed = batch.clone()
    size = swin.image_size
    changed[:, :, : size // 4, -size // 4 :] += 3
    before, after = (models.outputs(model, pictures, ["map"])["map"] for pictures in (batch, changed))
    moved = (after - before).square().sum((0, 1))
    assert all(moved[0, -1] > 100 * moved[other] for other in ((0, 0), (-1, 0), (-1, -1)))


def test_a_residual_networks_pooled_map_is_its_hidden_features():
    resnet = OF_FAMILIES["resnet"]
    found = models.outputs(models.build(resnet, CLASSES), images(resnet), ("hidden", "map"))
    torch.testing.assert_close(found["map"].mean((2, 3)), found["hidden"])


def test_a_distilled_networks_hidden_features_are_the_mean_of_its_tokens():
    model, batch = models.build(OF_FAMILIES["deit"], CLASSES), images(OF_FAMILIES["deit"])
    with torch.no_grad():
        tokens = model.eval().forward_features(batch)[:, :2]
    torch.testing.assert_close(models.outputs(model, batch, ["hidden"])["hidden"], tokens.mean(1))


class _Odd(nn.Module):
    pretrained_cfg: ClassVar = {"architecture": "odd"}

    def forward_features(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures

    def forward_head(self, features: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        return features  # never pooled


@pytest.mark.parametrize(("kind", "what"), [("map", "feature map"), ("hidden", "pooled features")])
def test_a_network_that_has_none_is_named(kind, what):
    with pytest.raises(ConfigError, match=rf"odd gives no {what} \({kind}\)"):
        models.outputs(_Odd(), torch.zeros(1, 3, 4, 4), [kind])
    with pytest.raises(ConfigError, match=f"odd gives no {what}"):
        models.width(_Odd(), kind)
