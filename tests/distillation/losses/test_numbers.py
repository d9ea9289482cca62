"""Losses of numbers, by hand, by numpy and by torch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pipeline.distillation.losses.numbers import BETA, FLAT, ccc_loss, levels, mse_loss, smooth_l1_loss

NAN = math.nan
LOSSES = (mse_loss, smooth_l1_loss, ccc_loss)
WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 3.0, 4.0], dtype=torch.float64)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def concordance(first: np.ndarray, second: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Lin's CCC by numpy, with population moments."""
    together = np.cov(first, second, bias=True, aweights=weights)
    means = [np.average(numbers, weights=weights) for numbers in (first, second)]
    return 2 * together[0, 1] / (together[0, 0] + together[1, 1] + (means[0] - means[1]) ** 2)


def test_the_squared_difference_by_hand():
    found = mse_loss(torch.tensor([[0.1], [0.5], [1.0]]), torch.tensor([[0.0], [0.25], [0.5]]))
    assert found.item() == pytest.approx((0.01 + 0.0625 + 0.25) / 3)


def test_the_squared_difference_is_weighted_by_the_level_of_the_truth():
    prediction, truth = torch.tensor([[0.1], [0.5], [1.0]]), torch.tensor([[0.0], [0.25], [0.5]])
    weights = torch.tensor([2.0, 100.0, 3.0, 5.0, 100.0])
    expected = (2 * 0.01 + 3 * 0.0625 + 5 * 0.25) / (2 + 3 + 5)
    assert mse_loss(prediction, truth, weights).item() == pytest.approx(expected)


def test_smooth_l1_is_squared_below_a_tenth_and_linear_beyond():
    prediction = torch.tensor([[0.05], [0.5]])
    found = smooth_l1_loss(prediction, torch.zeros(2, 1))
    assert found.item() == pytest.approx((0.5 * 0.05**2 / 0.1 + 0.5 - 0.05) / 2)
    first, second = draw(9, 2), draw(9, 2, seed=1)
    torch.testing.assert_close(smooth_l1_loss(first, second), F.smooth_l1_loss(first, second, beta=BETA))
    torch.testing.assert_close(smooth_l1_loss(first, second, beta=1.0), mse_loss(first, second) / 2)


def test_the_concordance_is_that_of_numpy():
    first, second = draw(30, 3), 0.3 * draw(30, 3) + draw(30, 3, seed=1)
    expected = np.mean([1 - concordance(a, b) for a, b in zip(first.T.numpy(), second.T.numpy(), strict=True)])
    assert ccc_loss(first, second).item() == pytest.approx(expected, rel=1e-12)


def test_the_concordance_by_hand():
    """Means 1/2 and 3/4, variances 1/4 and 1/16, covariance 1/8."""
    found = ccc_loss(torch.tensor([[0.5], [1.0]]), torch.tensor([[0.0], [1.0]]))
    assert found.item() == pytest.approx(1 - 2 / 8 / (1 / 4 + 1 / 16 + 1 / 16))
    same = draw(8, 2)
    assert ccc_loss(same, same).item() == pytest.approx(0, abs=1e-12)
    assert ccc_loss(1 - same, same).item() > 1


def test_the_concordance_is_weighted_by_the_level_of_the_truth():
    prediction, truth = draw(40, 1), draw(40, 1, seed=1)
    of_each = WEIGHTS[levels(truth)][:, 0].numpy()
    expected = 1 - concordance(prediction[:, 0].numpy(), truth[:, 0].numpy(), of_each)
    assert ccc_loss(prediction, truth, WEIGHTS).item() == pytest.approx(expected, rel=1e-12)
    assert expected != pytest.approx(ccc_loss(prediction, truth).item(), rel=1e-3)


@pytest.mark.parametrize(
    ("prediction", "truth", "expected"),
    [
        ([[0.3]], [[0.7]], 1),
        ([[0.7]], [[0.7]], 1),
        ([[0.3], [0.3]], [[0.7], [0.7]], 1),
        ([[0.3], [0.3], [0.3]], [[0.1], [0.7], [0.2]], 1),
        ([[0.1], [0.7], [0.2]], [[0.3], [0.3], [0.3]], 1),
        ([[1 / 3]] * 7, [[1 / 3]] * 7, 1),
    ],
)
def test_where_nothing_varies_there_is_no_concordance_and_no_gradient_that_is_none(prediction, truth, expected):
    prediction = torch.tensor(prediction, requires_grad=True)
    loss = ccc_loss(prediction, torch.tensor(truth))
    assert loss.item() == pytest.approx(expected, abs=1e-5)
    (gradient,) = torch.autograd.grad(loss, prediction)
    assert torch.isfinite(gradient).all()
    if len(set(truth[n][0] for n in range(len(truth)))) == 1:  # of one true number there is no direction
        assert gradient.abs().max() < 1e-2


def test_what_is_nearly_flat_pulls_no_harder_than_told():
    for spread in (1e-2, 1e-3, 1e-4, 1e-6):
        prediction = (0.5 + spread * draw(16, 1)).requires_grad_()
        (gradient,) = torch.autograd.grad(ccc_loss(prediction, 0.5 + spread * draw(16, 1, seed=1)), prediction)
        assert gradient.norm() < 1 / FLAT


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("loss", LOSSES)
def test_numbers_that_are_not_known_count_for_nothing(loss, weights):
    prediction = draw(6, 1).requires_grad_()
    truth = torch.tensor([[0.2], [NAN], [0.0], [NAN], [0.9], [0.4]], dtype=torch.float64)
    known = ~truth.isnan()
    found = loss(prediction, truth, weights)
    torch.testing.assert_close(found, loss(prediction[known][:, None], truth[known][:, None], weights))
    (gradient,) = torch.autograd.grad(found, prediction)
    assert torch.isfinite(gradient).all()
    assert (gradient[~known] == 0).all()
    assert (gradient[known] != 0).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_where_no_number_is_known_there_is_nothing_to_learn(loss):
    prediction = draw(3, 2).requires_grad_()
    found = loss(prediction, torch.full((3, 2), NAN))
    assert found.item() == 0
    assert (torch.autograd.grad(found, prediction)[0] == 0).all()


def test_a_number_of_which_none_is_known_is_left_out_of_the_mean():
    prediction, truth = draw(5, 2), draw(5, 2, seed=1)
    torch.testing.assert_close(
        ccc_loss(prediction, torch.where(torch.tensor([True, False]), truth, NAN)),
        ccc_loss(prediction[:, :1], truth[:, :1]),
    )


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_those_of_the_values(loss, weights):
    truth = draw(7, 2, seed=1)
    truth[2, 1] = NAN
    assert torch.autograd.gradcheck(lambda prediction: loss(prediction, truth, weights), draw(7, 2).requires_grad_())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("loss", LOSSES)
def test_they_count_in_float32(loss, dtype):
    prediction, truth = draw(5, 1).to(dtype), draw(5, 1, seed=1).float()
    assert loss(prediction, truth).dtype == torch.float32
    torch.testing.assert_close(loss(prediction, truth), loss(prediction.float(), truth))


def test_levels_are_the_floor_and_four_equal_parts_above_it():
    shares = torch.tensor([0.0, 1e-6, 0.2, 0.25, 0.5, 0.74, 0.75, 0.99, 1.0])
    assert levels(shares).tolist() == [0, 1, 1, 2, 3, 3, 4, 4, 4]
    scores = torch.arange(17.0)
    assert levels(scores / 16).bincount().tolist() == [1, 3, 4, 4, 5]
