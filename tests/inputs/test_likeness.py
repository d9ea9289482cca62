"""Which pictures of two sources are the same."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from pipeline.inputs.likeness import likeness, same


def scene(number: int) -> Image.Image:
    noise = np.random.default_rng(number).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((96, 96), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1))


def compressed(image: Image.Image, quality: int) -> Image.Image:
    content = io.BytesIO()
    image.save(content, "JPEG", quality=quality)
    return Image.open(content)


def pairs(*pictures: tuple[str, Image.Image]) -> set[tuple[int, int]]:
    likenesses = [(source, likeness(np.asarray(image.convert("RGB")))) for source, image in pictures]
    return {tuple(sorted(pair)) for pair in same(likenesses)}


def test_equal_pixels_another_compression_and_another_size_are_the_same_picture():
    image = scene(1)
    copies = [image, compressed(image, 50), image.resize((64, 64), Image.Resampling.LANCZOS)]
    for copy in copies:
        assert pairs(("a", image), ("a", scene(2)), ("b", copy), ("b", scene(3))) == {(0, 2)}


def test_copies_within_one_source_are_its_own_affair():
    assert pairs(("a", scene(1)), ("a", scene(1)), ("b", scene(2))) == set()


def test_different_pictures_are_not_the_same():
    assert pairs(*(("ab"[number % 2], scene(number)) for number in range(300))) == set()


def test_flat_pictures_of_different_brightness_have_one_hash_but_are_not_the_same():
    dark, bright = (Image.new("RGB", (48, 48), (level,) * 3) for level in (40, 200))
    assert pairs(("a", dark), ("b", bright)) == set()
