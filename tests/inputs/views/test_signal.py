"""Augmented views of signals: the same at every sampling rate, and unknown where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.errors import ArtifactError
from pipeline.inputs import keyed_random
from pipeline.inputs.views import signal
from pipeline.inputs.views.plan import Drawn, Plan, Views
from pipeline.inputs.views.signal import DRAWS, GROUP, IDENTITY, PARAMETERS, SignalSpec

KEYS = keyed_random.keys(map(str, range(40)))
STEPS = 704


def parameters(batch: int = 1, **changes: float) -> np.ndarray:
    drawn = np.repeat(IDENTITY[None], batch, axis=0)
    for name, value in changes.items():
        drawn[:, PARAMETERS.index(name)] = value
    return drawn


def windows(steps: int = STEPS, batch: int = 6, channels: int = 2) -> torch.Tensor:
    """Slow curves, float32, shape (batch, steps, channels), sampled from one time axis."""
    time = np.arange(steps)[None, :, None] / steps
    number, channel = np.arange(batch)[:, None, None], np.arange(channels)
    curves = np.sin(2 * np.pi * (time * (1 + number % 3) + channel / 3)) + 0.5 * number * time + number
    return torch.from_numpy(curves.astype(np.float32))


def as_read(raw: torch.Tensor) -> torch.Tensor:
    return raw.transpose(1, 2)


def seen(raw: torch.Tensor, drawn: Drawn) -> torch.Tensor:
    raw = raw if drawn.partners is None else torch.cat([raw, raw[drawn.partners]])
    return signal.make(raw, drawn, SignalSpec(*raw.shape[1:]))


def equal(first: torch.Tensor, second: torch.Tensor) -> bool:
    return torch.equal(first.isnan(), second.isnan()) and torch.equal(first.nan_to_num(), second.nan_to_num())


def test_draws_depend_on_seed_name_and_number_alone():
    drawn = signal.view_parameters(3, KEYS, 5)
    assert drawn.dtype == np.float32
    assert np.array_equal(signal.view_parameters(3, KEYS[::-1].copy(), 5)[::-1], drawn)
    for other in (signal.view_parameters(4, KEYS, 5), signal.view_parameters(3, KEYS, 6)):
        assert not (other == drawn).all(0).any()


def test_draws_fill_their_ranges():
    drawn = signal.view_parameters(0, keyed_random.keys(map(str, range(5000))), 0)
    column = dict(zip(PARAMETERS, drawn.T, strict=True))
    ranges = {"shift": (-0.05, 0.05), "warp": (-0.1, 0.1), "scale": (0.8, 1.2), "jitter": (0, 0.05)}
    ranges |= {"mask_width": (0, 0.1), "phase_0": (0, 2 * np.pi), "phase_15": (0, 2 * np.pi)}
    for name, (low, high) in ranges.items():
        assert np.histogram(column[name], 4, (low, high))[0] == pytest.approx(1250, abs=150)
    assert (column["mask_start"] + column["mask_width"] <= 1).all()
    assert np.abs(np.corrcoef(drawn[:, 6:].T) - np.eye(16)).max() < 0.08


def test_nothing_drawn_is_the_signal_itself_and_a_copy():
    raw = windows()
    made = signal.make(raw, Drawn(), SignalSpec(STEPS, 2))
    assert torch.equal(made, as_read(raw))
    assert torch.equal(signal.augment(as_read(raw), parameters(6)), as_read(raw))
    one = windows(channels=1)
    made = signal.make(one, Drawn(), SignalSpec(STEPS, 1))
    one.zero_()  # a buffer that the next batch fills
    assert torch.equal(made, as_read(windows(channels=1)))


@pytest.mark.parametrize("mix", ["none", "cutmix", "mixup"])
@pytest.mark.parametrize("factor", [2, 4])
def test_a_view_is_the_same_at_every_sampling_rate(mix, factor):
    """A teacher at a high rate and a student at a low one see the same."""
    drawn = Views(Plan(3, 5, mix), KEYS[:6], DRAWS).draw(np.arange(6), 2)
    fine = seen(windows(), drawn)[:, :, ::factor]
    coarse = seen(windows()[:, ::factor], drawn)
    assert torch.equal(fine.isnan(), coarse.isnan())
    held = round(STEPS * (1 - signal.LARGEST_SHIFT - signal.LARGEST_WARP / 6)) // factor  # later, an end may be held
    torch.testing.assert_close(fine[..., :held], coarse[..., :held], atol=0.02, rtol=0, equal_nan=True)


def test_a_shift_by_hand():
    raw = torch.arange(10.0).view(1, 1, 10)
    assert signal.augment(raw, parameters(shift=0.2))[0, 0].tolist() == [2, 3, 4, 5, 6, 7, 8, 9, 9, 9]
    assert signal.augment(raw, parameters(shift=-0.15))[0, 0].tolist() == pytest.approx([0, 0, 0.5, *np.arange(1.5, 8)])


def test_a_warp_runs_faster_here_and_slower_there_between_fixed_ends():
    raw = torch.arange(1000.0).view(1, 1, 1000)
    warped = signal.augment(raw, parameters(warp=0.1))[0, 0]
    speed = warped.diff()
    assert speed.max().item() == pytest.approx(1.1, abs=0.01)
    assert speed.min().item() == pytest.approx(0.9, abs=0.01)
    assert warped[[0, 500, 999]].tolist() == pytest.approx([0, 500, 999], abs=0.2)


def test_amplitude_is_about_the_mean_of_what_is_known():
    raw = torch.tensor([[[1.0, 3.0, torch.nan, torch.nan]]])
    assert signal.augment(raw, parameters(scale=1.5))[0, 0, :2].tolist() == [0.5, 3.5]


def test_jitter_is_a_share_of_the_signals_own_deviation_and_differs_between_channels():
    raw = as_read(windows(2816)) * torch.tensor([1.0, 1000.0]).view(1, 2, 1)
    drawn = signal.view_parameters(0, KEYS[:6], 0)
    drawn[:, : PARAMETERS.index("phase_0")] = parameters(6, jitter=0.05)[:, : PARAMETERS.index("phase_0")]
    noise = (signal.augment(raw, drawn) - raw) / raw.std(-1, keepdim=True)
    assert noise.std(-1).numpy() == pytest.approx(0.05, rel=0.1)
    assert np.abs([np.corrcoef(pair)[0, 1] for pair in noise.numpy()]).max() < 0.9
    assert np.abs(noise.numpy().mean(-1)).max() < 0.005


def test_waves_that_are_too_fast_for_the_steps_are_left_out():
    raw, drawn = torch.zeros(1, 1, 20), signal.view_parameters(0, KEYS[:1], 0)
    phases = torch.from_numpy(drawn[:, -signal.WAVES :])
    slow = signal.FREQUENCIES < 10
    by_hand = sum(
        np.cos(2 * np.pi * frequency * np.arange(20) / 20 + phase.item())
        for frequency, phase in zip(signal.FREQUENCIES[slow], phases[0, torch.from_numpy(slow)], strict=True)
    )
    np.testing.assert_allclose(signal._waves(raw, phases)[0, 0], by_hand * np.sqrt(2 / 16), atol=1e-4)


def test_a_masked_stretch_is_unknown_and_nothing_else():
    made = signal.augment(torch.ones(1, 2, 100), parameters(mask_start=0.25, mask_width=0.1))
    assert made.isnan()[0].nonzero()[:, 1].unique().tolist() == list(range(25, 35))
    assert (made[~made.isnan()] == 1).all()


def test_padding_stays_unknown_and_is_never_moved_in():
    raw = as_read(windows(100))
    raw[:3, :, 60:] = torch.nan
    drawn = signal.view_parameters(1, KEYS[:6], 0)
    drawn[:, PARAMETERS.index("mask_width")] = 0
    made = signal.augment(raw, drawn)
    assert made.isnan()[:3, :, 60:].all()
    assert not made[:3, :, :60].isnan().any()
    assert not made[3:].isnan().any()
    short = signal.augment(raw[:3, :, :60], parameters(3, scale=1.2))
    torch.testing.assert_close(signal.augment(raw[:3], parameters(3, scale=1.2))[..., :60], short)
    later = signal.augment(raw[:3], parameters(3, shift=0.05))
    assert torch.equal(later[:, :, 54], raw[:3, :, 59])
    assert torch.equal(later[:, :, 59], raw[:3, :, 59])


def test_a_mask_lies_in_what_is_known():
    raw = torch.ones(1, 1, 100)
    raw[..., 40:] = torch.nan
    made = signal.augment(raw, parameters(mask_start=0.5, mask_width=0.1))
    assert made[0, 0, :40].isnan().nonzero().flatten().tolist() == list(range(20, 24))


def test_a_window_of_nothing_stays_one():
    drawn = signal.view_parameters(1, KEYS[:6], 0)
    assert signal.augment(torch.full((6, 2, 50), torch.nan), drawn).isnan().all()


def test_a_stretch_of_the_partners_time_is_the_same_part_at_every_rate():
    for steps in (8, 80):
        raw = torch.stack([torch.zeros(steps, 1), torch.ones(steps, 1)])
        drawn = Drawn(
            {GROUP: parameters()},
            np.array([1]),
            {GROUP: parameters()},
            np.array([0.75], np.float32),
            np.array([[0, 0, 0.5, 0.5]], np.float32),
            np.array([[0.5, 0.75]], np.float32),
        )
        made = signal.make(raw, drawn, SignalSpec(steps, 1))
        expected = torch.zeros(1, 1, steps)
        expected[..., steps // 2 : 3 * steps // 4] = 1
        assert torch.equal(made, expected)


def test_an_average_is_weighed_by_its_share_and_known_where_both_are():
    raw = torch.stack([torch.full((8, 1), 2.0), torch.full((8, 1), 6.0)])
    raw[0, 7], raw[1, 6] = torch.nan, torch.nan
    nowhere, kept = np.zeros((1, 4), np.float32), np.array([0.25], np.float32)
    drawn = Drawn({GROUP: parameters()}, np.array([1]), {GROUP: parameters()}, kept, nowhere, nowhere[:, :2])
    made = signal.make(raw, drawn, SignalSpec(8, 1))[0, 0]
    assert made[:6].tolist() == pytest.approx([5.0] * 6)
    assert made[6:].isnan().all()


@pytest.mark.parametrize("mix", ["cutmix", "mixup"])
def test_views_that_are_not_mixed_are_the_plain_ones_bit_for_bit(mix):
    raw = windows(96, 40)
    raw[5:20, 70:] = torch.nan
    drawn = Views(Plan(3, 5, mix, mix_probability=0.5), KEYS, DRAWS).draw(np.arange(40), 2)
    plain = Views(Plan(3, 5), KEYS, DRAWS).draw(np.arange(40), 2)
    made, expected = seen(raw, drawn), seen(raw, plain)
    unmixed = drawn.kept == 1
    assert 8 < unmixed.sum() < 32
    assert equal(made[unmixed], expected[unmixed])
    assert all(not equal(made[i], expected[i]) for i in np.flatnonzero(~unmixed & (drawn.partners != np.arange(40))))


def test_a_view_does_not_depend_on_its_batch():
    drawer, raw = Views(Plan(3, 5, "cutmix"), KEYS, DRAWS), windows(176, 40)
    together = seen(raw, drawer.draw(np.arange(40), 2))
    for place in (0, 17, 39):
        drawn = drawer.draw(np.array([place]), 2)
        alone = signal.make(raw[[place, drawn.partners[0]]], drawn, SignalSpec(176, 2))
        torch.testing.assert_close(alone, together[[place]], atol=1e-5, rtol=1e-5, equal_nan=True)


@pytest.mark.parametrize("shape", [(1, 50, 2), (1, 100, 1)])
def test_windows_of_another_shape_are_named(shape):
    with pytest.raises(ArtifactError, match=rf"100 steps in 2 channels, these have {shape[1]} in {shape[2]}"):
        signal.make(torch.zeros(shape), Drawn(), SignalSpec(100, 2))
