"""Losses of several yes-or-no labels, by hand, by torch and by the losses of two classes."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from pipeline.distillation.losses.labels import binary_hard_loss, binary_loss, binary_soft_loss
from pipeline.distillation.losses.logits import soft_loss

NAN = math.nan


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_cross_entropy_by_hand():
    logits, label = torch.tensor([[0.0, math.log(3)], [math.log(4), 0.0]]), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    expected = (math.log(2) + math.log(4 / 3) + math.log(5) + math.log(2)) / 4
    assert binary_loss(logits, label).item() == pytest.approx(expected, rel=1e-6)
    weighted = (3 * math.log(2) + math.log(4 / 3) + math.log(5) + math.log(2)) / 4
    assert binary_loss(logits, label, torch.tensor([3.0, 1.0])).item() == pytest.approx(weighted, rel=1e-6)


def test_smoothing_moves_labels_towards_one_half():
    logits, label = draw(5, 3), (draw(5, 3, seed=1) > 0).double()
    expected = F.binary_cross_entropy_with_logits(logits, 0.8 * label + 0.1)
    torch.testing.assert_close(binary_loss(logits, label, smoothing=0.2), expected)


def test_labels_that_are_not_known_count_for_nothing():
    logits = draw(4, 2).requires_grad_()
    label = torch.tensor([[1.0, NAN], [NAN, NAN], [0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    known = ~label.isnan()
    expected = F.binary_cross_entropy_with_logits(logits[known], label[known])
    found = binary_loss(logits, label)
    torch.testing.assert_close(found, expected)
    (gradient,) = torch.autograd.grad(found, logits)
    assert torch.isfinite(gradient).all()
    assert (gradient[~known] == 0).all()
    assert (gradient[known] != 0).all()
    assert binary_loss(draw(2, 2), torch.full((2, 2), NAN)).item() == 0


def test_a_soft_label_is_a_choice_between_two_classes():
    student, teacher = draw(6, 3), 2 * draw(6, 3, seed=1)
    pairs = [torch.stack([t, torch.zeros_like(t)], dim=-1).flatten(0, 1) for t in (student, teacher)]
    torch.testing.assert_close(binary_soft_loss(student, teacher, 4.0), soft_loss(*pairs, 4.0))


def test_the_soft_loss_by_hand_and_its_minimum():
    student, teacher = torch.tensor([[0.0]]), torch.tensor([[4 * math.log(3)]])
    q, p = 0.75, 0.5
    expected = 16 * (q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p)))
    assert binary_soft_loss(student, teacher, 4.0).item() == pytest.approx(expected, rel=1e-6)
    same = draw(6, 3).requires_grad_()
    loss = binary_soft_loss(same, same.detach(), 2.0)
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert torch.autograd.grad(loss, same)[0].abs().max() < 1e-12
    extreme = torch.tensor([[80.0, -80.0]])
    assert torch.isfinite(binary_soft_loss(-extreme, extreme, 1.0))


def test_gradients_are_those_of_the_values():
    label, teacher = (draw(4, 2, seed=1) > 0).double(), draw(4, 2, seed=2)
    for loss in (lambda f: binary_loss(f, label), lambda f: binary_soft_loss(f, teacher, 3.0)):
        assert torch.autograd.gradcheck(loss, draw(4, 2).requires_grad_())


def test_hard_labels_are_half_the_truth_and_half_the_teacher():
    first, second = draw(5, 2), draw(5, 2, seed=1)
    label, called = (draw(5, 2, seed=2) > 0).double(), draw(5, 2, seed=3) > 0
    expected = (binary_loss(first, label) + binary_loss(second, called.double())) / 2
    torch.testing.assert_close(binary_hard_loss(first, second, label, called.long()), expected)
    unknown = torch.full_like(label, NAN)
    alone = (binary_loss(first, called.double()) + binary_loss(second, called.double())) / 2
    torch.testing.assert_close(binary_hard_loss(first, second, unknown, called.long()), alone)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_they_count_in_float32(dtype):
    student, teacher, label = draw(5, 2).to(dtype), draw(5, 2, seed=1).to(dtype), torch.ones(5, 2)
    for found in (binary_loss(student, label), binary_soft_loss(student, teacher, 4.0)):
        assert found.dtype == torch.float32
    torch.testing.assert_close(binary_loss(student, label), binary_loss(student.float(), label))
