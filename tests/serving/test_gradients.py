"""Grad-CAM and the two ways to read attention, against values by hand and against timm's own attention."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from pipeline import models
from pipeline.config import Architecture
from pipeline.serving import gradients
from tests.helpers.networks import BLOCKS, TINY

CLASSES = ["no_pain", "pain"]
RESNET = Architecture("resnet10t", image_size=64, weights="random")
DEEP = replace(TINY, options=(("embed_dim", 24), ("depth", 2), ("num_heads", 3)), image_size=64)


class Linear(nn.Module):
    """A picture is its own last map; an answer is a weighted mean of it."""

    def __init__(self, weights):
        super().__init__()
        self.weights = torch.tensor(weights)

    def forward_features(self, pictures):
        return pictures

    def forward_head(self, features):
        return features.mean((2, 3)) @ self.weights.T


def first(raw):
    return raw[:, 0]


def test_grad_cam_of_a_linear_network_is_its_class_activation_map():
    pictures = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]])  # (1, 2 channels, 1, 2)
    cam = gradients.grad_cam(Linear([[2.0, -1.0]]), pictures, first)
    # Weights are 2 and -1 over two places: (2 * 1 - 3) / 2 < 0 is cut off, (2 * 2 - 0) / 2 = 2.
    np.testing.assert_allclose(cam.numpy(), [[[0.0, 2.0]]])


@pytest.fixture(scope="module")
def transformer():
    return models.build(DEEP, CLASSES, seed=1).eval()


@pytest.fixture(scope="module")
def pictures():
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def timms(transformer, pictures):
    """The attention of each block as timm itself computes it when it is told not to fuse."""
    matrices, hooks = [], []
    for block in transformer.blocks:
        block.attn.fused_attn = False
        hooks.append(block.attn.attn_drop.register_forward_hook(lambda _, __, given: matrices.append(given.detach())))
    answers = models.logits(transformer, pictures)
    for block, hook in zip(transformer.blocks, hooks, strict=True):
        block.attn.fused_attn = True
        hook.remove()
    return [matrix.double().numpy() for matrix in matrices], answers


def test_attention_in_the_open_is_timms_and_changes_no_answer(transformer, pictures, timms):
    matrices, answers = timms
    with torch.no_grad(), gradients._Attention() as seen:
        np.testing.assert_allclose(transformer(pictures), answers, atol=1e-6)
    for own, theirs in zip(seen.matrices, matrices, strict=True):
        np.testing.assert_allclose(own, theirs, atol=1e-6)


def test_rollout_follows_attention_through_the_blocks(transformer, pictures, timms):
    mixed = [matrix.mean(1) / 2 + np.eye(18) / 2 for matrix in timms[0]]  # 16 places and two tokens
    expected = (mixed[1] @ mixed[0])[:, :2, 2:].mean(1).reshape(2, 4, 4)
    np.testing.assert_allclose(gradients.rollout(transformer, pictures), expected, atol=1e-6)


def test_attention_gradients_are_of_the_score_that_is_asked(transformer, pictures):
    no_pain, pain, both = (
        gradients.attention_gradient(transformer, pictures, score)
        for score in (first, lambda raw: -raw[:, 0], lambda raw: 2 * raw[:, 0])
    )
    assert no_pain.min() >= 0
    assert no_pain.shape == (2, 4, 4)
    assert not np.allclose(no_pain, pain)
    assert not np.allclose(no_pain, both)  # of two blocks the products grow by four, the sums by two


def test_attention_gradients_of_one_block_are_attention_by_its_gradient(pictures):
    network = models.build(replace(DEEP, options=(("embed_dim", 24), ("depth", 1), ("num_heads", 3))), CLASSES).eval()
    given = gradients.attention_gradient(network, pictures, first)
    with gradients._Attention() as seen:
        answers = network(pictures)
        (slopes,) = torch.autograd.grad(answers[:, 0].sum(), seen.matrices)
    expected = (seen.matrices[0] * slopes).relu().mean(1)[:, :2, 2:].mean(1).reshape(2, 4, 4)
    np.testing.assert_allclose(given.numpy(), expected.detach().numpy(), atol=1e-7)


@pytest.mark.parametrize("method", [gradients.rollout, gradients.attention_gradient])
def test_random_weights_give_another_map(method, transformer, pictures):
    """The sanity check of Adebayo et al. 2018: a map that does not depend on what was learned explains nothing."""
    other = models.build(DEEP, CLASSES, seed=2).eval()
    maps = [method(network, pictures, first).flatten(1).numpy() for network in (transformer, other)]
    assert all(np.corrcoef(a, b)[0, 1] < 0.8 for a, b in zip(*maps, strict=True))


def test_grad_cam_of_random_weights_is_another_map(pictures):
    networks = [models.build(RESNET, CLASSES, seed=seed).eval() for seed in (1, 2)]
    maps = [gradients.grad_cam(network, pictures, first).flatten(1).numpy() for network in networks]
    assert all(one.any() for one in maps)
    assert all(np.corrcoef(a, b)[0, 1] < 0.8 for a, b in zip(*maps, strict=True))


def test_a_network_is_one_of_maps_or_one_of_attention(transformer, pictures):
    convolutions = models.build(BLOCKS, CLASSES).eval()
    assert gradients.attends(transformer)
    assert not gradients.gives_map(transformer, pictures)
    assert gradients.gives_map(convolutions, pictures)
    assert not gradients.attends(convolutions)
