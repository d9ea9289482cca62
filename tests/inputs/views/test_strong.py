"""Strong views: what is drawn of a look, what becomes of the picture, and what stays as it is."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pipeline.inputs import keyed_random
from pipeline.inputs.batches import Samples
from pipeline.inputs.views import image, strong
from pipeline.inputs.views.image import InputSpec
from pipeline.inputs.views.plan import Plan, broken_look
from pipeline.inputs.views.strong import IDENTITY, PARAMETERS, Look

KEYS = keyed_random.keys(map(str, range(2000)))
AS_SEEN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


def looks(batch: int = 1, **changes: float) -> np.ndarray:
    drawn = np.repeat(IDENTITY[None], batch, axis=0)
    for name, value in changes.items():
        drawn[:, PARAMETERS.index(name)] = value
    return drawn


def view(pictures: torch.Tensor, size: int, look: np.ndarray, geometry: np.ndarray | None = None) -> torch.Tensor:
    """Pictures (B, S, S, 3) in a look, 0 to 1."""
    geometry = np.repeat(image.IDENTITY[None], len(pictures), axis=0) if geometry is None else geometry
    return image.augment(pictures, geometry, InputSpec(size, **AS_SEEN), look)


@pytest.fixture(scope="module")
def faces() -> torch.Tensor:
    """Six smooth pictures, uint8, 224 px."""
    coarse = torch.rand(6, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    smooth = F.interpolate(coarse, size=(224, 224), mode="bicubic", align_corners=False).clamp(0, 1)
    return (smooth * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def grey(value: int = 102, side: int = 64) -> torch.Tensor:
    return torch.full((1, side, side, 3), value, dtype=torch.uint8)


def test_a_look_depends_on_seed_sample_and_view_alone():
    drawn = strong.of_faces(3, KEYS, 5)
    assert np.array_equal(strong.of_faces(3, KEYS[::-1].copy(), 5)[::-1], drawn)
    for other in (strong.of_faces(4, KEYS, 5), strong.of_faces(3, KEYS, 6)):
        assert not np.isclose(other[:, 0], drawn[:, 0]).any()
    others = image.view_parameters(3, KEYS, 5)
    assert (
        np.abs(np.corrcoef(np.concatenate([drawn, others], axis=1).T)[: len(PARAMETERS), len(PARAMETERS) :]).max() < 0.1
    )


def test_looks_fill_their_ranges_as_often_as_they_say():
    drawn = dict(zip(PARAMETERS, strong.of_faces(0, KEYS, 0).T, strict=True))
    for name, share in strong.OFTEN.items():
        assert (drawn[name] > 0).mean() == pytest.approx(share, abs=0.04), name
    some = {name: drawn[name][drawn[name] > 0] for name in strong.OFTEN}
    assert some["blur"].max() == pytest.approx(strong.LARGEST_BLUR, rel=0.02)
    assert some["noise"].max() == pytest.approx(strong.LARGEST_NOISE, rel=0.02)
    assert (some["compression"].min(), some["compression"].max()) == pytest.approx((0.4, 2.0), rel=0.02)
    assert (some["occluder_width"].min(), some["occluder_width"].max()) == pytest.approx(strong.OCCLUDES, rel=0.05)
    assert np.abs(drawn["warmth"]).max() == pytest.approx(strong.LARGEST_WARMTH, rel=0.02)
    same = np.isclose(drawn["background_red"], drawn["background_red_2"])
    assert same.mean() == pytest.approx(1 / 3, abs=0.04)
    assert (drawn["background_texture"] > 0).mean() == pytest.approx(1 / 3, abs=0.04)


def test_nothing_hides_a_part_of_a_frame():
    faces, frames = strong.of_faces(3, KEYS, 1), strong.of_frames(3, KEYS, 1)
    hides = [PARAMETERS.index(name) for name in ("background_shown", "occluder_width")]
    assert (faces[:, hides].any(axis=0)).all()
    assert not frames[:, hides].any()
    assert np.array_equal(np.delete(frames, hides, axis=1), np.delete(faces, hides, axis=1))


def test_a_look_of_zeros_is_the_plain_view(faces):
    geometry, spec = image.view_parameters(0, KEYS[:6], 2), InputSpec(112, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
    plain = image.augment(faces, geometry, spec)
    torch.testing.assert_close(image.augment(faces, geometry, spec, looks(6)), plain, atol=1e-5, rtol=0)


def test_light_by_hand():
    lit = view(grey(), 8, looks(warmth=0.2, tint=0.05, gamma=0.3), None)[0, :, 4, 4]
    expected = [(0.4 * exp(factor)) ** exp(0.3) for factor in (0.25, -0.05, -0.15)]
    assert lit.tolist() == pytest.approx(expected, abs=1e-5)


def test_the_background_is_outside_an_ellipse_that_stays_about_the_face():
    look = looks(background_shown=1, background_width=0.5, background_height=0.75, background_red=1, background_red_2=1)
    seen = view(grey(), 64, look)[0]
    assert seen[:, 32, 2].tolist() == pytest.approx([1, 0, 0], abs=1e-5)
    assert seen[:, 32, 32].tolist() == pytest.approx([0.4] * 3, abs=1e-5)
    across = (seen[0, 33] < 0.7).sum().item()  # the row of the ellipse's middle: half of 64 pixels are face
    assert across == pytest.approx(32, abs=1)
    nearer = image.IDENTITY.copy()
    nearer[image.PARAMETERS.index("scale")] = 0.8
    assert (view(grey(), 64, look, nearer[None])[0, 0, 33] < 0.7).sum().item() == pytest.approx(40, abs=1)


def test_an_occluder_is_a_box_or_an_ellipse_where_it_was_drawn():
    box = {"occluder_x": 0.5, "occluder_y": -0.5, "occluder_width": 0.25, "occluder_height": 0.125}
    fill = {"occluder_green": 1, "occluder_green_2": 1}
    hidden = view(grey(), 64, looks(**box, **fill))[0, 1] > 0.9
    expected = torch.zeros(64, 64, dtype=torch.bool)
    expected[12:20, 40:56] = True
    assert torch.equal(hidden, expected)
    mirrored = image.IDENTITY.copy()
    mirrored[image.PARAMETERS.index("flip")] = 1
    assert torch.equal(view(grey(), 64, looks(**box, **fill), mirrored[None])[0, 1] > 0.9, expected.flip(1))
    rounded = view(grey(), 64, looks(**box, **fill, occluder_round=1))[0, 1] > 0.9
    assert rounded.sum().item() == pytest.approx(np.pi / 4 * expected.sum().item(), rel=0.1)
    assert not (rounded & ~expected).any()


def test_a_blur_has_the_deviation_that_was_drawn():
    point = torch.zeros(1, 3, 101, 101)
    point[:, :, 50, 50] = 1
    spread = Look(looks(blur=0.012), point.device).taken(point)[0, 0]
    assert spread.sum().item() == pytest.approx(1, abs=1e-4)
    places = torch.arange(101) - 50.0
    assert (spread.sum(0) * places**2).sum().sqrt().item() == pytest.approx(0.012 * 101, rel=0.03)


def test_noise_has_the_deviation_that_was_drawn_and_each_view_its_own():
    looked = np.concatenate([looks(noise=0.05, noise_x=x) for x in (0.1, 0.6)])
    noisy = view(grey().repeat(2, 1, 1, 1), strong.BASE, looked)
    assert (noisy.std(dim=(1, 2, 3)) / 0.05).tolist() == pytest.approx([1, 1], abs=0.02)
    own, other = (noisy - 0.4).flatten(1)
    assert abs(torch.corrcoef(torch.stack([own, other]))[0, 1]) < 0.05


@pytest.mark.parametrize("number", range(3))
def test_two_input_sizes_see_the_same_picture(faces, number):
    geometry, look = image.view_parameters(0, KEYS[:6], number), strong.of_faces(0, KEYS[:6], number)
    large, small = (view(faces, size, look, geometry) for size in (224, 112))
    assert (F.avg_pool2d(large, 2) - small).abs().mean() < 0.01
    assert (small - view(faces, 112, looks(6), geometry)).abs().mean() > 0.05


def test_what_a_picture_becomes_does_not_depend_on_its_batch(faces):
    geometry, look = image.view_parameters(3, KEYS[:6], 1), strong.of_faces(3, KEYS[:6], 1)
    whole = view(faces, 64, look, geometry)
    for rows in ([4], [5, 0, 3]):
        assert torch.equal(view(faces[rows], 64, look[rows], geometry[rows]), whole[rows])


@pytest.mark.parametrize("mix", ["none", "cutmix"])
def test_a_plan_of_strong_views_breaks_the_look_of_photographs_alone(faces, mix):
    names = [f"{n}.jpg#full" for n in range(6)]
    columns = {"rgb": faces.numpy(), "ir": faces[..., :1].numpy()}
    two, index = Samples(columns, np.arange(6), names), np.arange(6)
    plain, broken = (two.views(Plan(4, mix=mix, strong=of)).draw(index, 1) for of in ("", "align"))
    assert (plain.has(strong.GROUP), broken.has(strong.GROUP)) == (False, True)
    assert np.array_equal(plain.of(image.GROUP), broken.of(image.GROUP))
    rows = index if broken.partners is None else np.concatenate([index, broken.partners])
    three, one = InputSpec(32, **AS_SEEN), InputSpec(32, (0.0,), (1.0,))
    infrared = [image.make_uncoloured(faces[rows][..., :1], drawn, one) for drawn in (plain, broken)]
    assert torch.equal(*infrared)
    colours = [image.make(faces[rows], drawn, three) for drawn in (plain, broken)]
    assert (colours[0] - colours[1]).abs().flatten(1).amax(1).min() > 0.01
    alone = Samples({"ir": columns["ir"]}, np.arange(6), names).views(Plan(4, mix=mix, strong="align"))
    assert not alone.draw(index, 1).has(strong.GROUP)


def test_only_strong_views_break_a_look():
    assert [broken_look(strength, "resize") for strength in ("plain", "strong")] == ["", "resize"]
