"""Augmented views of aligned faces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pipeline.inputs import keyed_random
from pipeline.inputs.views import image as views
from pipeline.inputs.views.image import DRAWS, GROUP, IDENTITY, PARAMETERS, InputSpec
from pipeline.inputs.views.plan import Drawn, Plan, Views

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def parameters(batch: int = 1, **changes: float) -> np.ndarray:
    drawn = np.repeat(IDENTITY[None], batch, axis=0)
    for name, value in changes.items():
        drawn[:, PARAMETERS.index(name)] = value
    return drawn


@pytest.fixture
def faces() -> torch.Tensor:
    """Three smooth pictures, uint8, 64 px."""
    coarse = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    smooth = F.interpolate(coarse, size=(64, 64), mode="bicubic", align_corners=False).clamp(0, 1)
    return (smooth * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def as_pictures(faces: torch.Tensor) -> torch.Tensor:
    return faces.permute(0, 3, 1, 2).float() / 255


def test_parameters_depend_on_seed_sample_and_view_alone():
    keys = keyed_random.keys([f"{i}.jpg#full" for i in range(50)])
    drawn = views.view_parameters(3, keys, 5)
    assert np.array_equal(views.view_parameters(3, keys[::-1].copy(), 5)[::-1], drawn)
    for other in (views.view_parameters(4, keys, 5), views.view_parameters(3, keys, 6)):
        assert not np.isclose(other[:, 0], drawn[:, 0]).any()


def test_parameters_stay_in_their_ranges_and_fill_them():
    drawn = views.view_parameters(0, keyed_random.keys(map(str, range(5000))), 0)
    column = dict(zip(PARAMETERS, drawn.T, strict=True))
    assert column["scale"].min() >= 0.8
    assert column["scale"].max() <= 1
    assert (np.abs(column["shift_x"]) <= 1 - column["scale"] + 1e-6).all()
    assert (np.abs(column["shift_y"]) <= 1 - column["scale"] + 1e-6).all()
    assert set(column["flip"]) == {0, 1}
    assert abs(column["flip"].mean() - 0.5) < 0.03
    assert np.degrees(np.abs(column["angle"])).max() == pytest.approx(10, abs=0.1)
    assert [column[n].mean() for n in ("brightness", "contrast", "saturation")] == pytest.approx([1] * 3, abs=0.02)


def test_identity_at_full_size_is_exact(faces):
    assert torch.equal(views.normalise(faces, InputSpec(64, **PLAIN)), as_pictures(faces))
    spec = InputSpec(64, **IMAGENET)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (spec.mean, spec.std))
    torch.testing.assert_close(views.normalise(faces, spec), (as_pictures(faces) - mean) / std)


@pytest.mark.parametrize("size", [20, 32, 48, 64, 80])
def test_identity_parameters_equal_the_identity_view(faces, size):
    spec = InputSpec(size, **IMAGENET)
    torch.testing.assert_close(
        views.augment(faces, parameters(3), spec), views.normalise(faces, spec), atol=1e-3, rtol=0
    )


def test_half_size_averages_blocks(faces):
    torch.testing.assert_close(views.normalise(faces, InputSpec(32, **PLAIN)), F.avg_pool2d(as_pictures(faces), 2))


def test_shrinking_does_not_alias():
    stripes = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    stripes[:, :, ::2] = 255
    small = views.normalise(stripes, InputSpec(20, **PLAIN))
    assert small.std() < 0.1  # sampling without a filter would leave black and white: 0.5


def test_flip_mirrors(faces):
    spec = InputSpec(64, **IMAGENET)
    flipped = views.augment(faces, parameters(3, flip=1), spec)
    torch.testing.assert_close(flipped, views.normalise(faces, spec).flip(3), atol=1e-3, rtol=0)


def test_crop_takes_the_part_that_was_asked_for(faces):
    # A crop of half the side, centred at (-0.5, 0.5): the lower left quarter.
    cropped = views.augment(faces, parameters(3, scale=0.5, shift_x=-0.5, shift_y=0.5), InputSpec(64, **PLAIN))
    quarter = as_pictures(faces)[:, :, 32:, :32]
    expected = F.interpolate(quarter, size=(64, 64), mode="bilinear", align_corners=False)
    torch.testing.assert_close(cropped[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2], atol=1e-3, rtol=0)


def test_rotation_turns_by_the_angle():
    mark = torch.zeros(1, 65, 65, 3, dtype=torch.uint8)
    mark[:, 32, 50:55] = 255  # right of the centre, at a radius of 20 pixels
    turned = views.augment(mark, parameters(angle=np.pi / 2), InputSpec(65, **PLAIN))[0, 0]
    y, x = np.argwhere(turned.numpy() > 0.5).mean(axis=0)
    assert (y, x) == pytest.approx((12, 32), abs=0.1)


def test_colour_jitter_by_hand():
    face = torch.zeros(1, 4, 4, 3, dtype=torch.uint8)
    face[:, :, :2] = torch.tensor([200, 100, 50], dtype=torch.uint8)
    face[:, :, 2:] = torch.tensor([20, 40, 60], dtype=torch.uint8)
    brightness, contrast, saturation = 1.2, 0.8, 0.75
    found = views.augment(
        face,
        parameters(brightness=brightness, contrast=contrast, saturation=saturation),
        InputSpec(4, **PLAIN),
    )
    weights = np.array(views.GREY)
    colours = brightness * np.array([[200, 100, 50], [20, 40, 60]]) / 255
    colours = contrast * colours + (1 - contrast) * (colours @ weights).mean()
    colours = saturation * colours + (1 - saturation) * (colours @ weights)[:, None]
    assert found[0, :, 1, 0].numpy() == pytest.approx(colours[0], abs=1e-4)
    assert found[0, :, 2, 3].numpy() == pytest.approx(colours[1], abs=1e-4)


def test_colours_stay_between_black_and_white():
    bright = torch.full((1, 8, 8, 3), 250, dtype=torch.uint8)
    spec = InputSpec(8, **IMAGENET)
    found = views.augment(bright, parameters(brightness=1.25), spec)
    white = (1 - np.array(spec.mean)) / np.array(spec.std)
    assert found[0, :, 4, 4].numpy() == pytest.approx(white, abs=1e-5)


def test_two_input_sizes_see_the_same_picture(faces):
    drawn = views.view_parameters(0, keyed_random.keys(["a", "b", "c"]), 1)
    large = views.augment(faces, drawn, InputSpec(64, **PLAIN))
    small = views.augment(faces, drawn, InputSpec(32, **PLAIN))
    assert (F.avg_pool2d(large, 2) - small).abs().mean() < 0.01


def test_points_move_with_the_picture():
    """A bright square is where its centre's coordinates say, in any view."""
    face = torch.zeros(1, 128, 128, 3, dtype=torch.uint8)
    face[:, 40:44, 80:84] = 255
    centre = np.array([[[82 / 64 - 1, 42 / 64 - 1]]])
    keys = keyed_random.keys(["face"])
    for view in range(6):
        drawn = views.view_parameters(0, keys, view)
        seen = views.augment(face, drawn, InputSpec(128, **PLAIN))[0].mean(0).numpy()
        seen -= np.median(seen)  # a changed contrast lifts the black around it
        y, x = (np.indices(seen.shape) * seen).sum(axis=(1, 2)) / seen.sum()
        expected = ((views.view_points(centre, drawn)[0, 0] + 1) * 64 - 0.5).tolist()
        assert (x, y) == pytest.approx(expected, abs=0.1)


KEYS = keyed_random.keys([f"{i}.jpg#full" for i in range(40)])


def test_views_of_several_numbers_are_drawn_at_once():
    drawer = Views(Plan(3, 5), KEYS, DRAWS)
    index, view = np.array([7, 7, 2]), np.array([0, 4, 1])
    together = drawer.draw(index, view).parameters[GROUP]
    for row, (i, v) in enumerate(zip(index, view, strict=True)):
        assert np.array_equal(together[row], views.view_parameters(3, KEYS[[i]], v)[0])


def test_without_augmentation_a_view_is_the_face_itself(faces):
    drawn = Views(Plan(0, augment=False), KEYS, DRAWS).draw(np.arange(3), 2)
    spec = InputSpec(64, **PLAIN)
    assert torch.equal(views.make(faces, drawn, spec), views.normalise(faces, spec))


@pytest.mark.parametrize("size", [32, 64, 128])
def test_a_box_of_the_partner_is_the_same_part_of_the_picture_at_every_size(size):
    own, partner = np.zeros((1, 64, 64, 3), np.uint8), np.full((1, 64, 64, 3), 255, np.uint8)
    boxes, kept = np.array([[0.25, 0.5, 0.75, 1.0]], np.float32), np.array([0.75], np.float32)
    drawn = Drawn({GROUP: IDENTITY[None]}, np.array([0]), {GROUP: IDENTITY[None]}, kept, boxes)
    mixed = views.make(torch.from_numpy(np.concatenate([own, partner])), drawn, InputSpec(size, **PLAIN))
    quarter = size // 4
    expected = torch.zeros(size, size)
    expected[2 * quarter :, quarter : 3 * quarter] = 1
    torch.testing.assert_close(mixed, expected.expand(1, 3, size, size))
    assert mixed.mean().item() == pytest.approx(1 - kept[0])


def test_an_average_is_weighed_by_its_share(faces):
    both = torch.cat([faces[:1], faces[1:2]])
    kept = np.array([0.3], np.float32)
    drawn = Drawn({GROUP: IDENTITY[None]}, np.array([1]), {GROUP: IDENTITY[None]}, kept, np.zeros((1, 4), np.float32))
    spec = InputSpec(64, **IMAGENET)
    expected = 0.3 * views.augment(both[:1], IDENTITY[None], spec) + 0.7 * views.augment(both[1:], IDENTITY[None], spec)
    torch.testing.assert_close(views.make(both, drawn, spec), expected)


@pytest.mark.parametrize("mix", ["cutmix", "mixup"])
def test_views_that_are_not_mixed_are_the_plain_ones_bit_for_bit(mix):
    pictures = torch.randint(0, 256, (40, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    spec, index = InputSpec(32, **IMAGENET), np.arange(40)
    drawn = Views(Plan(3, 5, mix, mix_probability=0.5), KEYS, DRAWS).draw(index, 2)
    plain = Views(Plan(3, 5), KEYS, DRAWS).draw(index, 2)
    assert np.array_equal(drawn.parameters[GROUP], plain.parameters[GROUP])
    unmixed = drawn.kept == 1
    assert 8 < unmixed.sum() < 32
    made = views.make(torch.cat([pictures, pictures[drawn.partners]]), drawn, spec)
    expected = views.make(pictures, plain, spec)
    assert torch.equal(made[unmixed], expected[unmixed])
    assert all(not torch.equal(made[i], expected[i]) for i in np.flatnonzero(~unmixed & (drawn.partners != index)))


def test_two_cameras_of_one_place_show_one_view_of_it(faces):
    """What is no colour is cropped, turned, mirrored and mixed like the colours, and its values stay as they are."""
    grey = (faces.float() @ torch.tensor([0.299, 0.587, 0.114])).round().to(torch.uint8)[..., None]
    three, one = InputSpec(32, **PLAIN), InputSpec(32, (0.0,), (1.0,))
    index = np.arange(3)
    for plan in (Plan(4, views=3), Plan(4, views=3, mix="cutmix"), Plan(4, views=3, mix="mixup")):
        drawn = Views(plan, keyed_random.keys("abc"), DRAWS).draw(index, 1)
        rows = torch.from_numpy(index if drawn.partners is None else np.concatenate([index, drawn.partners]))
        plain = drawn.parameters[GROUP].copy(), (drawn.partner_parameters or {}).get(GROUP)
        uncoloured = [None if of is None else of.copy() for of in plain]
        for of in uncoloured:
            if of is not None:
                of[:, 5:] = 1  # brightness, contrast and saturation as they are
        without = replace(drawn, parameters={GROUP: uncoloured[0]}, partner_parameters={GROUP: uncoloured[1]})
        grey_as_rgb = views.make(grey[rows].expand(-1, -1, -1, 3), without, three)
        infrared = views.make_uncoloured(grey[rows], drawn, one)
        assert infrared.shape == (3, 1, 32, 32)
        torch.testing.assert_close(infrared.expand(-1, 3, -1, -1), grey_as_rgb, atol=1e-5, rtol=0)
        assert not torch.allclose(infrared, views.normalise(grey, one))


def test_what_is_no_colour_is_standardised_by_its_own_mean_and_deviation(faces):
    grey, spec = faces[..., :1].contiguous(), InputSpec(64, (0.25,), (0.5,))
    made = views.make_uncoloured(grey, Drawn(), spec)
    torch.testing.assert_close(made, (grey.permute(0, 3, 1, 2) / 255 - 0.25) / 0.5)
    same = views.make_uncoloured(grey, Drawn({GROUP: parameters(3)}), spec)
    torch.testing.assert_close(same, made, atol=1e-5, rtol=0)
