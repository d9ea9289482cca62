"""Losses of features by hand, at equality, by their gradients, and against public implementations."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from timm.task.distillation import FeatureDistillationTask
from torch import nn
from torchdistill.losses.mid_level import ATLoss, RKDLoss

from pipeline import models
from pipeline.distillation.losses.features import (
    attention_loss,
    contrastive_loss,
    cosine_loss,
    features_loss,
    hint_loss,
    relation_loss,
    rkd_loss,
)
from tests.helpers.presets import NETWORKS

HIDDEN = {"cosine": cosine_loss, "rkd": rkd_loss, "contrastive": contrastive_loss}
HIDDEN |= {"features": features_loss, "relation": relation_loss}
MAPS = {"hint": hint_loss, "attention": attention_loss}
LOSSES = HIDDEN | MAPS


def draw(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def features(name: str, seed: int, batch: int = 4) -> torch.Tensor:
    return draw(seed, batch, 6) if name in HIDDEN else draw(seed, batch, 6, 2, 3)


def outputs(student: torch.Tensor, teacher: torch.Tensor) -> tuple[dict, dict]:
    return {"s": {"output": student}}, {"t": {"output": teacher}}


def test_cosine_by_hand():
    student, teacher = torch.tensor([[3.0, 0.0], [0.0, 2.0]]), torch.tensor([[1.0, 1.0], [0.0, -1.0]])
    assert cosine_loss(student, teacher).item() == pytest.approx(((1 - math.sqrt(0.5)) + 2) / 2)


def test_cosine_is_torchs():
    student, teacher = draw(0, 4, 6), draw(1, 4, 6)
    torch.testing.assert_close(cosine_loss(student, teacher), nn.CosineEmbeddingLoss()(student, teacher, torch.ones(4)))


def test_hint_by_hand():
    student, teacher = torch.tensor([[[[1.0, 3.0]], [[5.0, 7.0]]]]), torch.tensor([[[[1.0, 1.0]], [[5.0, 10.0]]]])
    assert hint_loss(student, teacher).item() == pytest.approx((4 + 9) / 4)


def test_the_finer_grid_is_averaged_to_the_coarser():
    fine, coarse = torch.tensor([[[[1.0, 3.0], [5.0, 7.0]]]]), torch.tensor([[[[3.0]]]])
    assert hint_loss(fine, coarse).item() == hint_loss(coarse, fine).item() == pytest.approx((4 - 3) ** 2)
    tall, flat = torch.arange(4.0).view(1, 1, 4, 1), torch.tensor([[[[2.0, 3.0]]]])
    assert hint_loss(tall, flat).item() == pytest.approx((1.5 - 2.5) ** 2)


@pytest.mark.parametrize("grid", [(2, 3), (3, 3), (4, 7), (1, 1)])
def test_averaging_is_torchs_adaptive_pooling(grid):
    fine, coarse = draw(0, 2, 5, 5, 7), draw(1, 2, 5, *grid)
    expected = F.mse_loss(F.adaptive_avg_pool2d(fine, grid), coarse)
    torch.testing.assert_close(hint_loss(fine, coarse), expected)


@pytest.mark.parametrize("steps", [1, 3, 5, 7])
def test_maps_of_signals_are_compared_on_the_coarser_time(steps):
    fine, coarse = draw(0, 2, 5, 7), draw(1, 2, 5, steps)
    expected = F.mse_loss(F.adaptive_avg_pool1d(fine, steps), coarse)
    torch.testing.assert_close(hint_loss(fine, coarse), expected)
    torch.testing.assert_close(hint_loss(coarse, fine), expected)
    as_pictures = hint_loss(fine[:, :, None], coarse[:, :, None])
    torch.testing.assert_close(hint_loss(fine, coarse), as_pictures)


def test_attention_of_signals_by_hand():
    student, teacher = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[0.0, 1.0], [2.0, 0.0]]])
    assert attention_loss(student, teacher).item() == pytest.approx(3 * math.sqrt(2 / 17))


def test_hint_on_pooled_features_is_timms():
    student, teacher = (models.build(NETWORKS["resnet"], ["a", "b"], seed) for seed in (0, 1))
    task = FeatureDistillationTask(student, teacher, nn.CrossEntropyLoss(), verbose=False).eval()
    images = draw(0, 2, 3, 32, 32).float()
    expected = task(images, torch.tensor([0, 1]))["kd_loss"].detach()
    as_maps = (models.outputs(m, images, ["hidden"])["hidden"][..., None, None] for m in (student, teacher))
    torch.testing.assert_close(hint_loss(*as_maps), expected)


def test_attention_by_hand():
    # Squares summed over channels: (1, 4) against (4, 1), each of length sqrt(17).
    student = torch.tensor([[[[1.0, 2.0]]]])
    teacher = torch.tensor([[[[0.0, 1.0]], [[2.0, 0.0]]]])
    assert attention_loss(student, teacher).item() == pytest.approx(3 * math.sqrt(2 / 17))


def test_attention_is_torchdistills_after_the_paper():
    student, teacher = draw(0, 4, 6, 3, 3), draw(1, 4, 5, 3, 3)
    pair = {"student": {"io": "output", "path": "s"}, "teacher": {"io": "output", "path": "t"}}
    theirs = ATLoss({"pair": pair}, mode="paper")
    torch.testing.assert_close(attention_loss(student, teacher), theirs(*outputs(student, teacher)))


def test_attention_of_grids_that_differ_is_compared_on_the_coarser():
    fine = draw(0, 4, 6, 4, 4)
    averaged = F.avg_pool2d(fine.square().sum(1, keepdim=True), 2).sqrt()
    assert attention_loss(fine, averaged).item() == pytest.approx(0, abs=1e-7)


def test_rkd_by_hand():
    right = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    equilateral = torch.tensor([[0.0, 0.0], [2.0, 0.0], [1.0, math.sqrt(3)]])
    mean = (2 + math.sqrt(2)) / 3  # of the right triangle's sides 1, 1, sqrt(2)
    sides = 2 * (1 / mean - 1) ** 2 + (math.sqrt(2) / mean - 1) ** 2
    cosines = 0.5**2 + 2 * (math.sqrt(0.5) - 0.5) ** 2
    # Half of each square; a pair counts twice among 9, the angle at a corner twice among 27.
    assert rkd_loss(right, equilateral).item() == pytest.approx(sides / 9 + 2 * cosines / 27)


def test_rkd_is_torchdistills():
    student, teacher = draw(0, 5, 6), draw(1, 5, 9)
    theirs = RKDLoss("s", "t", dist_factor=1.0, angle_factor=2.0, reduction="mean")
    torch.testing.assert_close(rkd_loss(student, teacher), theirs(*outputs(student, teacher)))


def test_rkd_knows_neither_scale_nor_rotation():
    teacher = draw(0, 5, 6)
    rotation = torch.linalg.qr(draw(1, 6, 6)).Q
    assert rkd_loss(3 * teacher @ rotation + 1, teacher).item() == pytest.approx(0, abs=1e-12)


def test_contrastive_by_hand():
    apart = torch.eye(2)
    assert contrastive_loss(3 * apart, apart, temperature=0.5).item() == pytest.approx(math.log(1 + math.exp(-2)))
    assert contrastive_loss(apart.flip(0), apart, temperature=0.5).item() == pytest.approx(math.log(1 + math.exp(2)))


def test_features_by_hand():
    student, teacher = torch.tensor([[1.0, 3.0], [0.0, 2.0]]), torch.tensor([[1.0, 1.0], [2.0, 2.0]])
    assert features_loss(student, teacher).item() == pytest.approx((4 + 4) / 4)


def test_relation_by_hand():
    student = torch.tensor([[3.0, 0.0], [0.0, 2.0]])  # at right angles: a squared distance of 2
    teacher = torch.tensor([[1.0, 1.0, 0.0], [-2.0, -2.0, 0.0]])  # opposite: 4
    assert relation_loss(student, teacher).item() == pytest.approx(2 * (2 - 4) ** 2 / 4)
    assert relation_loss(student[:1], teacher[:1]).item() == pytest.approx(0, abs=1e-12)


def test_relation_is_the_mean_square_of_the_differences_of_squared_distances():
    student, teacher = draw(0, 5, 6), draw(1, 5, 3)
    squares = [torch.cdist(*2 * (f / f.norm(dim=1, keepdim=True),)) ** 2 for f in (student, teacher)]
    torch.testing.assert_close(relation_loss(student, teacher), F.mse_loss(*squares))


def test_contrastive_is_least_where_the_embeddings_are_equal():
    teacher = torch.eye(4, 6, dtype=torch.float64)
    student = teacher.clone().requires_grad_()
    least = contrastive_loss(student, teacher)
    least.backward()
    assert student.grad.abs().max() < 1e-3
    assert all(contrastive_loss(teacher + 0.1 * draw(seed, 4, 6), teacher) > least for seed in range(20))


@pytest.mark.parametrize("name", ["cosine", "hint", "attention", "rkd", "features", "relation"])
def test_zero_at_equality(name):
    teacher = features(name, 0)
    assert LOSSES[name](teacher.clone(), teacher).item() == pytest.approx(0, abs=1e-12)
    assert LOSSES[name](features(name, 1), teacher) > 1e-2


@pytest.mark.parametrize("name", LOSSES)
def test_gradients(name):
    teacher = features(name, 1)
    assert torch.autograd.gradcheck(lambda f: LOSSES[name](f, teacher), features(name, 0).requires_grad_())


def test_gradients_through_unequal_grids():
    for loss in MAPS.values():
        student = draw(0, 2, 3, 4, 4).requires_grad_()
        assert torch.autograd.gradcheck(lambda f, loss=loss: loss(f, draw(1, 2, 3, 2, 3)), student)


@pytest.mark.parametrize("case", ["one face", "equal faces", "a silent student", "a silent teacher"])
@pytest.mark.parametrize("name", LOSSES)
def test_features_that_say_nothing_give_finite_gradients(name, case):
    batch = 1 if case == "one face" else 4
    student, teacher = features(name, 0, batch).float(), features(name, 1, batch).float()
    if case == "equal faces":
        student[1], teacher[2] = student[0], teacher[0]
    elif case != "one face":
        (student if case == "a silent student" else teacher).zero_()
    student.requires_grad_()
    found = LOSSES[name](student, teacher)
    found.backward()
    assert torch.isfinite(found)
    assert torch.isfinite(student.grad).all()
    if case == "equal faces":
        assert student.grad.abs().max() < 10


@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_is_compared_in_float32(name):
    student, teacher = features(name, 0).half(), features(name, 1).half()
    found = LOSSES[name](student, teacher)
    assert found.dtype == torch.float32
    assert torch.equal(found, LOSSES[name](student.float(), teacher.float()))
