"""Losses of logits by hand, at equality, by their gradients, and against public implementations."""

from __future__ import annotations

import math
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from timm.task.distillation import LogitDistillationTask
from torch import nn
from torchdistill.losses.mid_level import DISTLoss, KDLoss

from pipeline.distillation.losses.logits import dist_loss, dkd_loss, filled, label_loss, soft_loss

LABEL = torch.tensor([0, 1, 1, 0, 1])


def draw(classes: int, seed: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(5, classes, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def logs(*rows: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(rows).log()


def outputs(student: torch.Tensor, teacher: torch.Tensor) -> tuple[dict, dict]:
    return {"s": {"output": student}}, {"t": {"output": teacher}}


def test_label_loss_by_hand():
    # Probabilities of the true classes: 3/4 and 1/2.
    found = label_loss(logs((1, 3), (1, 1)), torch.tensor([1, 0]))
    assert found.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_over_two_classes_it_is_binary_cross_entropy_of_the_difference():
    logits = draw(2, 0)
    binary = F.binary_cross_entropy_with_logits(logits[:, 1] - logits[:, 0], LABEL.double())
    torch.testing.assert_close(label_loss(logits, LABEL), binary)


def test_label_loss_of_shares_by_hand():
    # Three quarters of a picture are of the first class; the student gives both classes 1/2, then 1/4 and 3/4.
    shares = torch.tensor([[0.75, 0.25]])
    assert label_loss(logs((1, 1)), shares).item() == pytest.approx(math.log(2))
    expected = 0.75 * math.log(4) + 0.25 * math.log(4 / 3)
    assert label_loss(logs((1, 3)), shares).item() == pytest.approx(expected)


@pytest.mark.parametrize("weights", [None, (0.2, 1.8)])
def test_shares_of_0_and_1_are_labels(weights):
    logits, weights = draw(2, 0), None if weights is None else torch.tensor(weights, dtype=torch.float64)
    shares = F.one_hot(LABEL, 2).double()
    torch.testing.assert_close(label_loss(logits, shares, weights), label_loss(logits, LABEL, weights))


def test_soft_loss_by_hand():
    # At temperature 2 the teacher gives 1/4 and 3/4, the student 1/2 and 1/2.
    found = soft_loss(logs((1, 1)), 2 * logs((1, 3)), temperature=2)
    assert found.item() == pytest.approx(4 * (0.25 * math.log(0.5) + 0.75 * math.log(1.5)))


def test_dkd_by_hand():
    # The true class's share is 1/2 against 1/4; the others share 1:1 against 1:2.
    student, teacher = logs((1 / 4, 1 / 4, 1 / 2)), logs((1 / 2, 1 / 4, 1 / 4))
    target = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    others = 0.5 * math.log(3 / 2) + 0.5 * math.log(3 / 4)
    found = dkd_loss(student, teacher, torch.tensor([0]), alpha=2, beta=3, temperature=1)
    assert found.item() == pytest.approx(2 * target + 3 * others)


@pytest.mark.parametrize("label", [LABEL, LABEL + 1])
def test_the_parts_of_dkd_make_up_the_soft_loss(label):
    """Zhao et al. 2022, equation 5: with the teacher's doubt as the weight of the second part."""
    student, teacher, temperature = draw(4, 0), draw(4, 1), 3.0
    doubt = 1 - (teacher / temperature).softmax(1).gather(1, label[:, None])[:, 0]
    rows = zip(student.split(1), teacher.split(1), label.split(1), doubt.tolist(), strict=True)
    parts = [dkd_loss(s, t, one, alpha=1, beta=weight, temperature=temperature) for s, t, one, weight in rows]
    torch.testing.assert_close(torch.stack(parts).mean(), soft_loss(student, teacher, temperature))


def test_dkd_is_the_authors():
    """The form of the authors' code: the true class is pushed out of the softmax by a large number."""
    student, teacher, temperature = draw(5, 0), draw(5, 1), 4.0
    mask = F.one_hot(LABEL, 5)
    p_student, p_teacher = ((logits / temperature).softmax(1) for logits in (student, teacher))
    two = [torch.stack([(p * mask).sum(1), (p * (1 - mask)).sum(1)], 1) for p in (p_student, p_teacher)]
    target = F.kl_div(two[0].log(), two[1], reduction="sum") * temperature**2 / len(LABEL)
    others = F.kl_div(
        (student / temperature - 1000.0 * mask).log_softmax(1),
        (teacher / temperature - 1000.0 * mask).softmax(1),
        reduction="sum",
    )
    expected = target + 8 * others * temperature**2 / len(LABEL)
    torch.testing.assert_close(dkd_loss(student, teacher, LABEL, temperature=temperature), expected)


def test_dkd_of_two_classes_is_the_soft_loss():
    student, teacher = draw(2, 0), draw(2, 1)
    torch.testing.assert_close(dkd_loss(student, teacher, LABEL, temperature=3.0), soft_loss(student, teacher, 3.0))


def test_dkd_takes_the_largest_share_for_the_label():
    student, teacher = draw(3, 0), draw(3, 1)
    shares = 0.6 * F.one_hot(LABEL, 3).double() + 0.4 / 3
    assert torch.equal(dkd_loss(student, teacher, shares), dkd_loss(student, teacher, LABEL))


def test_dist_by_hand():
    student, teacher = logs((0.5, 0.3, 0.2), (0.6, 0.3, 0.1)), logs((0.2, 0.3, 0.5), (0.6, 0.3, 0.1))
    # Rows correlate by -13/14 and 1; columns of two by 1, by 0 where nothing varies, and by 1.
    between, within = 1 - (-13 / 14 + 1) / 2, 1 - 2 / 3
    found = dist_loss(student, teacher, beta=2, gamma=3, temperature=1)
    assert found.item() == pytest.approx(2 * between + 3 * within, abs=1e-5)


def test_dist_of_two_classes_only_asks_which_way_they_lean():
    student, teacher = draw(2, 0).requires_grad_(), draw(2, 1)
    found = dist_loss(student, teacher, gamma=0, temperature=1)
    disagreeing = (student.argmax(1) != teacher.argmax(1)).double().mean()
    torch.testing.assert_close(found.detach(), 2 * disagreeing)
    found.backward()
    assert student.grad.abs().max() < 1e-9


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-9, 1e-4, 1.0, 1e3])
def test_dist_has_bounded_gradients_whatever_the_logits(classes, scale):
    student = (scale * draw(classes, 0, torch.float32)).requires_grad_()
    dist_loss(student, draw(classes, 1, torch.float32), temperature=1).backward()
    assert student.grad.abs().max() < 1e3


LOSSES = {
    "soft": lambda student, teacher: soft_loss(student, teacher, 4.0),
    "dkd": lambda student, teacher: dkd_loss(student, teacher, LABEL),
    "dist": dist_loss,
}


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", LOSSES)
def test_zero_and_flat_at_equality(name, classes):
    student = draw(classes, 0).requires_grad_()
    found = LOSSES[name](student, student.detach())
    found.backward()
    assert abs(found.item()) < 1e-12
    assert student.grad.abs().max() < 1e-9
    assert LOSSES[name](draw(classes, 1), student.detach()) > 1e-3


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", [*LOSSES, "label", "shares"])
def test_gradients(name, classes):
    losses = LOSSES | {
        "label": lambda student, _: label_loss(student, LABEL, torch.arange(1.0, 1 + classes, dtype=torch.float64)),
        "shares": lambda student, teacher: label_loss(student, teacher.softmax(1)),
    }
    teacher = draw(classes, 1)
    student = draw(classes, 0).requires_grad_()
    assert torch.autograd.gradcheck(lambda logits: losses[name](logits, teacher), student)


class _Constant(nn.Module):
    """A network for timm's task that gives the same logits whatever it sees."""

    pretrained_cfg: ClassVar = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    num_classes, in_chans = 4, 3

    def __init__(self, logits: torch.Tensor):
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_soft_loss_is_timms(temperature):
    student, teacher = draw(4, 0, torch.float32), draw(4, 1, torch.float32)
    task = LogitDistillationTask(
        _Constant(student), _Constant(teacher), nn.CrossEntropyLoss(), temperature=temperature, verbose=False
    )
    expected = task(torch.zeros(5, 3, 2, 2), LABEL)["kd_loss"].detach()
    torch.testing.assert_close(soft_loss(student, teacher, temperature), expected)


def test_soft_loss_with_labels_is_torchdistills():
    student, teacher, temperature = draw(4, 0), draw(4, 1), 4.0
    theirs = KDLoss("s", "output", "t", "output", temperature=temperature, alpha=0.3)
    expected = theirs(*outputs(student, teacher), LABEL)
    found = 0.3 * label_loss(student, LABEL) + 0.7 * soft_loss(student, teacher, temperature)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("classes", [2, 4])
def test_dist_is_torchdistills(classes):
    student, teacher = draw(classes, 0), draw(classes, 1)
    theirs = DISTLoss("s", "output", "t", "output", beta=2.0, gamma=0.5, tau=3.0)
    found = dist_loss(student, teacher, beta=2.0, gamma=0.5, temperature=3.0)
    torch.testing.assert_close(found, theirs(*outputs(student, teacher)))


MISSING = torch.tensor([0, -1, 1, -1, 1])
KNOWN = MISSING >= 0


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, torch.tensor([0.2, 1.8], dtype=torch.float64)])
def test_of_partial_labels_the_loss_is_that_of_the_known_ones(mixed, smoothing, weights):
    label = F.one_hot(MISSING.clamp(min=0), 2).double() * 0.7 + 0.15 if mixed else MISSING
    if mixed:
        label[~KNOWN] = torch.nan
    found, expected = draw(2, 0).requires_grad_(), draw(2, 0).requires_grad_()
    one = label_loss(found, label, weights, smoothing, partial=True)
    other = label_loss(expected[KNOWN], label[KNOWN], weights, smoothing)
    torch.testing.assert_close(one, other)
    one.backward()
    other.backward()
    torch.testing.assert_close(found.grad, expected.grad)
    assert (found.grad[~KNOWN] == 0).all()


@pytest.mark.parametrize("label", [torch.full((5,), -1), torch.full((5, 2), torch.nan)])
def test_a_batch_without_a_label_asks_for_nothing(label):
    logits = draw(2, 0).requires_grad_()
    loss = label_loss(logits, label, partial=True)
    loss.backward()
    assert loss == 0
    assert (logits.grad == 0).all()


def test_where_all_labels_are_there_partial_says_the_same():
    torch.testing.assert_close(label_loss(draw(2, 0), LABEL, partial=True), label_loss(draw(2, 0), LABEL))


def test_missing_labels_are_filled_and_the_others_stay():
    other = torch.tensor([1, 1, 0, 0, 0])
    assert filled(MISSING, other).tolist() == [0, 1, 1, 0, 1]
    shares = torch.full((2, 2), 0.5)
    shares[1] = torch.nan
    assert filled(shares, torch.tensor([0, 1])).tolist() == [[0.5, 0.5], [0, 1]]


def test_dkd_takes_the_teachers_class_where_there_is_no_label():
    student, teacher = draw(3, 0), draw(3, 1)
    label = torch.where(MISSING < 0, teacher.argmax(1), MISSING)
    assert torch.equal(dkd_loss(student, teacher, MISSING), dkd_loss(student, teacher, label))
