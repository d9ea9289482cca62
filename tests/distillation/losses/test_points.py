"""Losses of points, by hand, by their curves and by what they are made for: one minimum, at the true point."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch

from pipeline.distillation.losses.points import (
    CONSTANTS,
    Zones,
    assistive_loss,
    guaranteed,
    kd_loss,
    main_loss,
    wing_loss,
)

NAN = math.nan
ZONES = Zones(0.4, 0.9, -0.45)
PAPER, CODE = CONSTANTS["paper"], CONSTANTS["code"]
GRID = torch.arange(-1200, 1201, dtype=torch.float64) / 2000  # 0 in the middle
ERRORS = (0.0, 0.0137, 0.1, 0.4)  # of teachers


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 0.5


def one(value: float) -> torch.Tensor:
    return torch.tensor([[value]], dtype=torch.float64)


def curve(loss) -> torch.Tensor:
    """A loss of a single coordinate, by its difference to a truth at 0 over the grid."""
    return torch.vmap(lambda difference: loss(difference.view(1, 1)))(GRID)


def slopes(loss, differences) -> list[float]:
    """The gradient of a loss of a single coordinate at some differences to a truth at 0."""
    found = []
    for difference in differences:
        prediction = one(difference).requires_grad_()
        found.append(torch.autograd.grad(loss(prediction), prediction)[0].item())
    return found


def test_wing_by_hand():
    near, far = 4 / 256, 30 / 256
    found = wing_loss(torch.tensor([[near, -far]]), torch.zeros(1, 2))
    expected = 10 * math.log(1 + 4 / 2) + (30 - (10 - 10 * math.log(1 + 10 / 2)))
    assert found.item() == pytest.approx(expected / 256 / 2, rel=1e-5)


def test_wing_is_continuous_where_its_pieces_meet():
    width = 10 / 256
    below, above = (wing_loss(one(width + step), one(0.0)).item() for step in (-1e-9, 1e-9))
    assert below == pytest.approx(above, abs=1e-8)
    assert slopes(lambda p: wing_loss(p, one(0.0)), [1e-6, 0.5]) == pytest.approx([10 / 2, 1], rel=1e-3)


def test_main_by_hand():
    """A teacher that is 0.2 away: 3 |d| within, d^2 + 0.6 - 0.04 beyond."""
    prediction = torch.tensor([[0.1, -0.5]], dtype=torch.float64)
    found = main_loss(prediction, torch.zeros(1, 2), torch.tensor([[0.2, 0.2]], dtype=torch.float64), 3.0)
    assert found.item() == pytest.approx((0.3 + 0.25 + 0.6 - 0.04) / 2)


def test_the_assistive_loss_by_hand_in_each_of_its_zones():
    """A teacher 0.4 off, so that its influence fades below 0.16 and turns at 0.4; on both sides alike."""
    expected = {0.5: 0.9 * 0.1, 0.4: 0.0, 0.3: -0.45 * 0.1, 0.16: -0.45 * 0.24, 0.08: -0.45 * 0.5 * 0.32, 0.0: 0.0}
    for difference, value in expected.items():
        for side, teacher in itertools.product((1, -1), (0.4, -0.4)):
            found = assistive_loss(one(0.1 + side * difference), one(0.1), one(0.1 + teacher), ZONES)
            assert found.item() == pytest.approx(value, abs=1e-12)


def test_the_gradients_of_the_assistive_loss_by_hand():
    """Towards the teacher beyond it, towards the truth within, and within - 2 |d| / bound of that where it fades."""
    found = slopes(lambda p: assistive_loss(p, one(0.0), one(-0.4), ZONES), [0.5, 0.3, 0.08, 0.0, -0.08, -0.3, -0.5])
    fading = -0.45 * (0.4 - 2 * 0.08) / 0.16
    assert found == pytest.approx([0.9, 0.45, fading, 0, -fading, -0.45, -0.9])


@pytest.mark.parametrize("zones", [zones for constants in CONSTANTS.values() for zones in constants.zones(2)])
def test_the_assistive_loss_is_continuous(zones):
    error = 0.3
    for border in (zones.inner * error, error):
        below, above = (assistive_loss(one(border + s), one(0.0), one(error), zones).item() for s in (-1e-9, 1e-9))
        assert below == pytest.approx(above, abs=1e-8)
    steps = curve(lambda p: assistive_loss(p, one(0.0), one(error), zones)).diff().abs().max().item()
    assert steps < 4 * (GRID[1] - GRID[0])  # no slope is steeper than within / inner = 3


def test_a_teacher_that_is_right_only_pulls_to_the_truth():
    zones = Zones(0.4, 0.9, -0.45)
    prediction = torch.tensor([[0.25, 0.0, -0.5]], dtype=torch.float64, requires_grad=True)
    loss = assistive_loss(prediction, torch.zeros(1, 3), torch.zeros(1, 3), zones)
    assert loss.item() == pytest.approx(0.9 * 0.75 / 3)
    assert torch.autograd.grad(loss, prediction)[0].tolist() == [pytest.approx([0.3, 0, -0.3])]


def losses_of_points(truth: torch.Tensor):
    first, second = truth + 0.1 * draw(*truth.shape, seed=5), truth + 0.3 * draw(*truth.shape, seed=6)
    return {
        "wing": lambda p: wing_loss(p, truth),
        "main": lambda p: main_loss(p, truth, second, 3.0),
        "assistive": lambda p: assistive_loss(p, truth, first, ZONES),
        "kd": lambda p: kd_loss(p, truth, (first, second), CODE),
    }


NAMES = list(losses_of_points(draw(1, 2)))


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_the_values(name):
    """What stands still for the gradient, T', signs and zones, is constant around every point but for the borders."""
    loss = losses_of_points(draw(6, 4, seed=1))[name]
    assert torch.autograd.gradcheck(loss, draw(6, 4, seed=2).requires_grad_())
    near = (draw(6, 4, seed=1) + 0.02 * draw(6, 4, seed=3)).requires_grad_()
    assert torch.autograd.gradcheck(loss, near)


@pytest.mark.parametrize("name", NAMES)
def test_points_that_are_not_known_count_for_nothing(name):
    truth = draw(4, 6, seed=1)
    prediction = (truth + 0.2 * draw(4, 6)).requires_grad_()
    gone = torch.tensor([False, True, False, True])
    teachers = losses_of_points(truth)

    def of(rows: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        first, second = (truth + s * draw(4, 6, seed=n) for s, n in ((0.1, 5), (0.3, 6)))
        return {
            "wing": lambda: wing_loss(prediction[rows], hidden[rows]),
            "main": lambda: main_loss(prediction[rows], hidden[rows], second[rows], 3.0),
            "assistive": lambda: assistive_loss(prediction[rows], hidden[rows], first[rows], ZONES),
            "kd": lambda: kd_loss(prediction[rows], hidden[rows], (first[rows], second[rows]), CODE),
        }[name]()

    everyone = torch.ones(4, dtype=torch.bool)
    hidden = torch.where(gone[:, None], NAN, truth)
    found = of(everyone, hidden)
    torch.testing.assert_close(of(everyone, truth), teachers[name](prediction))
    torch.testing.assert_close(found, of(~gone, truth))
    (gradient,) = torch.autograd.grad(found, prediction)
    assert torch.isfinite(gradient).all()
    assert (gradient[gone] == 0).all()
    assert (gradient[~gone] != 0).all()
    nothing = of(everyone, torch.full_like(truth, NAN))
    assert nothing.item() == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", NAMES)
def test_they_count_in_float32(name, dtype):
    loss, prediction = losses_of_points(draw(4, 6, seed=1).float())[name], draw(4, 6).to(dtype)
    assert loss(prediction).dtype == torch.float32
    torch.testing.assert_close(loss(prediction), loss(prediction.float()))


def test_no_gradient_flows_to_a_teacher():
    prediction, teacher = draw(3, 4).requires_grad_(), draw(3, 4, seed=1).requires_grad_()
    loss = kd_loss(prediction, draw(3, 4, seed=2), (teacher, teacher), PAPER)
    assert torch.autograd.grad(loss, teacher, allow_unused=True)[0] is None


def test_the_constants_are_those_that_were_published():
    assert [CONSTANTS[name].main * 2 for name in ("paper", "code")] == [2.5, 2]
    assert PAPER.zones(2) == (Zones(0.4, 0.9, -0.45), Zones(0.4, 0.9, -0.45))
    assert CODE.zones(2) == (Zones(0.15, 1.9, -0.45), Zones(0.15, 1.8, -0.40))
    assert (PAPER.g, CODE.g) == (1, 3)


def test_of_more_teachers_the_last_is_the_tolerant_one_and_all_others_are_tough():
    tough, tolerant = CODE.zones(2)
    assert CODE.zones(4) == (tough, tough, tough, tolerant)
    assert CODE.zones(1) == (tolerant,)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("constants", CONSTANTS.values(), ids=CONSTANTS)
def test_the_whole_loss_is_its_parts_of_any_number_of_teachers(constants, count):
    prediction, truth = draw(5, 6), draw(5, 6, seed=1)
    teachers = [truth + 0.3 * draw(5, 6, seed=2 + n) for n in range(count)]
    errors = torch.stack([(teacher - truth).abs() for teacher in teachers])
    farthest = truth + errors.max(dim=0).values
    expected = count * constants.main * main_loss(prediction, truth, farthest, constants.g)
    for teacher, zones in zip(teachers, constants.zones(count), strict=True):
        expected = expected + assistive_loss(prediction, truth, teacher, zones)
    torch.testing.assert_close(kd_loss(prediction, truth, teachers, constants), expected)


def test_the_whole_loss_by_hand_for_two_teachers():
    """0.2 from the truth, between a tough teacher that is 0.1 off and a tolerant one that is 0.4 off."""
    found = kd_loss(one(-0.2), one(0.0), (one(0.1), one(0.4)), CODE)
    assert found.item() == pytest.approx(2 * 3 * 0.2 + 1.9 * 0.1 - 0.40 * 0.2)


def test_the_main_part_takes_the_teacher_that_is_farther_off_wherever_it_stands():
    near, far = one(0.1), one(0.4)
    both = [kd_loss(one(-0.2), one(0.0), teachers, PAPER) for teachers in ((near, far), (far, near))]
    torch.testing.assert_close(*both)


def kd_curve(errors: tuple[float, ...], constants) -> torch.Tensor:
    return curve(lambda p: kd_loss(p, one(0.0), [one(error) for error in errors], constants))


def rises_from_the_truth(values: torch.Tensor) -> bool:
    middle = len(GRID) // 2
    return bool((values[middle:].diff() > 0).all() and (values[: middle + 1].diff() < 0).all())


@pytest.mark.parametrize("constants", CONSTANTS.values(), ids=CONSTANTS)
def test_the_published_constants_guarantee_the_truth_as_the_minimum(constants):
    assert all(guaranteed(constants, teachers) for teachers in range(1, 9))


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("constants", CONSTANTS.values(), ids=CONSTANTS)
def test_where_it_is_guaranteed_the_only_minimum_is_zero_at_the_truth(constants, count):
    for errors in itertools.product(ERRORS, repeat=count):
        values = kd_curve(errors, constants)
        assert values[len(GRID) // 2].item() == 0
        assert rises_from_the_truth(values), errors
        assert values.min().item() == 0


def test_three_teachers_have_the_same_minimum():
    for errors in ((0.1, 0.0137, 0.4), (0.4, 0.4, 0.4), (0.4, 0.1, 0.0)):
        assert rises_from_the_truth(kd_curve(errors, PAPER))


@pytest.mark.parametrize("constants", CONSTANTS.values(), ids=CONSTANTS)
def test_where_it_is_not_guaranteed_the_minimum_is_elsewhere(constants):
    """At the very border it is still at the truth; with a little less of the main part it is not."""
    falling = sum(-zones.within / zones.inner for zones in constants.zones(2))
    at_the_border = replace(constants, main=falling / 2 / constants.g)
    assert guaranteed(at_the_border, 2)
    assert rises_from_the_truth(kd_curve((0.4, 0.4), at_the_border))
    weaker = replace(constants, main=0.9 * at_the_border.main)
    assert not guaranteed(weaker, 2)
    values = kd_curve((0.4, 0.4), weaker)
    assert values.min().item() < 0
    assert GRID[values.argmin()].abs().item() > 1e-3


@pytest.mark.parametrize("constants", CONSTANTS.values(), ids=CONSTANTS)
def test_with_the_last_teachers_error_a_tough_one_that_is_farther_off_would_move_the_minimum(constants):
    """Why the main part does not take the tolerant teacher's error everywhere, as the authors do."""
    tough, tolerant = one(0.4), one(0.0)

    def theirs(p):
        main = 2 * constants.main * main_loss(p, one(0.0), tolerant, constants.g)
        zones = zip((tough, tolerant), constants.zones(2), strict=True)
        return main + sum(assistive_loss(p, one(0.0), teacher, zone) for teacher, zone in zones)

    values = curve(theirs)
    assert values.min().item() < 0
    assert GRID[values.argmin()].abs().item() > 1e-3
    assert rises_from_the_truth(kd_curve((0.4, 0.0), constants))
