"""Losses by hand and against torch's own."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from pipeline.losses import LOSSES, balanced_weights, hard_loss, label_loss


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    outputs = tuple(torch.randn(9, 2, generator=generator) for _ in range(2))
    label, teacher = (torch.randint(0, 2, (9,), generator=generator) for _ in range(2))
    return outputs, {"label": label, "teacher": teacher}


def test_label_loss_by_hand():
    # Probabilities of the true classes: 3/4 and 1/2.
    logits = torch.tensor([[0.0, math.log(3)], [1.0, 1.0]])
    found = label_loss(logits, {"label": torch.tensor([1, 0])})
    assert found.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_over_two_classes_it_is_binary_cross_entropy_of_the_difference(batch):
    (logits, _), targets = batch
    binary = F.binary_cross_entropy_with_logits(logits[:, 1] - logits[:, 0], targets["label"].float())
    torch.testing.assert_close(label_loss(logits, targets), binary)


def test_without_a_teacher_both_tokens_learn_the_label(batch):
    (first, second), targets = batch
    expected = (F.cross_entropy(first, targets["label"]) + F.cross_entropy(second, targets["label"])) / 2
    torch.testing.assert_close(label_loss((first, second), targets), expected)


def test_hard_loss_gives_each_token_its_own_target(batch):
    (first, second), targets = batch
    expected = (F.cross_entropy(first, targets["label"]) + F.cross_entropy(second, targets["teacher"])) / 2
    torch.testing.assert_close(hard_loss((first, second), targets), expected)


def test_gradients_of_one_token_do_not_depend_on_the_others_target(batch):
    (first, second), targets = batch
    first.requires_grad_(), second.requires_grad_()
    by_teacher = torch.autograd.grad(hard_loss((first, second), targets), (first, second))
    other = {**targets, "teacher": 1 - targets["teacher"]}
    by_other = torch.autograd.grad(hard_loss((first, second), other), (first, second))
    assert torch.equal(by_teacher[0], by_other[0])
    assert not torch.equal(by_teacher[1], by_other[1])


def test_a_teacher_that_is_always_right_equals_the_baseline(batch):
    outputs, targets = batch
    agreed = {**targets, "teacher": targets["label"]}
    torch.testing.assert_close(hard_loss(outputs, agreed), label_loss(outputs, agreed))


def test_an_output_without_tokens_learns_both_targets(batch):
    (logits, _), targets = batch
    torch.testing.assert_close(hard_loss(logits, targets), hard_loss((logits, logits), targets))


def test_balanced_weights_make_classes_count_alike():
    labels = torch.tensor([0, 0, 0, 1])
    weights = balanced_weights(labels, 2)
    assert weights.tolist() == pytest.approx([4 / 6, 2])
    assert weights[labels].mean().item() == pytest.approx(1)


@pytest.mark.parametrize("name", LOSSES)
def test_class_weights_change_every_loss(batch, name):
    outputs, targets = batch
    plain = LOSSES[name].function(outputs, targets, None)
    weighted = LOSSES[name].function(outputs, targets, torch.tensor([0.2, 1.8]))
    assert not torch.isclose(plain, weighted)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_float32_whatever_the_network_gives(batch, name):
    outputs, targets = batch
    assert LOSSES[name].function(tuple(o.bfloat16() for o in outputs), targets, None).dtype == torch.float32


def test_every_loss_says_which_targets_it_reads(batch):
    outputs, targets = batch
    for loss in LOSSES.values():
        loss.function(outputs, {name: targets[name] for name in loss.targets}, None)
