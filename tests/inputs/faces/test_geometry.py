"""The template, the similarity and the warp."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from pipeline.inputs.faces.geometry import (
    FACE_WIDTH,
    centre_square,
    composed,
    invert,
    sample,
    similarity,
    template,
    transform,
)


def test_the_template_is_symmetric_level_and_scales_with_size_and_margin():
    points = template(256, 0.25)
    mirrored = (256 - points[[1, 0, 2, 4, 3], 0], points[[1, 0, 2, 4, 3], 1])
    assert np.allclose(points.T, mirrored)
    assert points[0, 1] == points[1, 1]
    assert np.allclose(template(128, 0.25), points / 2)
    face = FACE_WIDTH * (points[1, 0] - points[0, 0])
    assert face * (1 + 2 * 0.25) == pytest.approx(256)


def test_a_known_similarity_is_recovered_exactly():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(5, 2)) * 40
    turn, scale, shift = 0.6, 2.5, np.array([30.0, -7.0])
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    found = similarity(points, points @ linear.T + shift)
    assert np.allclose(found, np.column_stack([linear, shift]))
    assert np.allclose(transform(invert(found), transform(found, points)), points)


def test_it_agrees_with_scikit_image_on_noisy_points():
    from_estimate = pytest.importorskip("skimage.transform").SimilarityTransform.from_estimate
    rng = np.random.default_rng(1)
    source = rng.normal(size=(5, 2)) * 30
    target = source @ np.array([[0.3, -0.8], [0.8, 0.3]]).T + rng.normal(size=(5, 2)) * 3
    assert np.allclose(similarity(source, target), from_estimate(source, target).params[:2])


def test_it_never_mirrors():
    points = template(100, 0.2)
    assert np.linalg.det(similarity(points, points * (-1, 1))[:, :2]) > 0


def test_the_identity_keeps_every_pixel(portrait):
    image = portrait(64, 64)
    assert np.array_equal(sample(image, np.array([[1.0, 0, 0], [0, 1, 0]]), 64), image)


def test_shrinking_is_antialiased():
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255  # finer than what a quarter of the size can show: it must come out grey
    drawn = sample(stripes, np.array([[0.25, 0, 0], [0, 0.25, 0]]), 128)
    assert np.abs(drawn[8:-8, 8:-8].astype(int) - 127).max() <= 2


def test_a_turned_and_shrunk_photograph_equals_careful_supersampling(photograph):
    eyes = np.array([[199.0, 110], [241, 103], [221, 132], [204, 149], [243, 144]])
    drawn = sample(photograph, similarity(eyes, template(40, 0.25)), 40)
    fine = sample(photograph, similarity(eyes, template(400, 0.25)), 400)
    expected = np.asarray(Image.fromarray(fine).filter(ImageFilter.BoxBlur(4)).resize((40, 40), Image.Resampling.BOX))
    assert np.abs(drawn.astype(int) - expected).mean() < 4


def test_the_warp_brings_the_landmarks_to_the_template():
    rng = np.random.default_rng(2)
    linear = 0.8 * np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    landmarks = template(256, 0.25) @ linear.T + (60, 20)
    image = rng.integers(0, 60, (360, 360, 3), dtype=np.uint8)
    for x, y in landmarks:
        image[round(y - 2.5) : round(y + 2.5), round(x - 2.5) : round(x + 2.5)] = 255
    drawn = sample(image, similarity(landmarks, template(256, 0.25)), 256).astype(float).mean(axis=2)
    for x, y in template(256, 0.25):
        part = drawn[int(y) - 12 : int(y) + 12, int(x) - 12 : int(x) + 12] > 160
        rows, columns = np.nonzero(part)
        assert abs(rows.mean() + 0.5 + int(y) - 12 - y) < 1
        assert abs(columns.mean() + 0.5 + int(x) - 12 - x) < 1


def test_beyond_the_image_its_edge_is_repeated():
    image = np.zeros((50, 50, 3), np.uint8)
    image[:, :25], image[:, 25:] = (250, 0, 0), (0, 0, 250)
    drawn = sample(image, np.array([[1.0, 0, 25], [0, 1, 25]]), 100)
    assert (drawn[:, :48] == (250, 0, 0)).all()
    assert (drawn[:, 52:] == (0, 0, 250)).all()


def test_the_centre_crop_is_the_largest_middle_square():
    image = np.zeros((40, 100, 3), np.uint8)
    image[:, 30:70] = 200
    assert (centre_square(image, 20)[0] == 200).all()


def test_where_points_of_a_picture_are_in_its_centre_square():
    image = np.zeros((40, 100, 3), np.uint8)
    matrix = centre_square(image, 20)[1]
    places = np.array([[30.0, 0], [70, 40], [50, 20], [0, 10]])
    assert np.allclose(transform(matrix, places), [[-0.5, -0.5], [0.5, 0.5], [0, 0], [-1.25, -0.25]])


def test_one_map_after_another_moves_points_as_both_do():
    first, then = np.random.default_rng(0).normal(size=(2, 2, 3))
    points = np.random.default_rng(1).normal(size=(5, 2))
    assert np.allclose(transform(composed(then, first), points), transform(then, transform(first, points)))
