"""Regions are read, aligned and measured in the full picture's pixels."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import DataError
from pipeline.inputs.faces.aligner import Aligner, align_block, layout
from pipeline.inputs.faces.detector import Detector
from pipeline.inputs.faces.geometry import centre_crop, template, warp

LEFT, RIGHT = (0, 0, 318, 360), (322, 0, 640, 360)


@pytest.fixture(scope="module")
def detector():
    return Detector("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pair, portrait):
    folder = tmp_path_factory.mktemp("pictures")
    Image.fromarray(pair(0)[0]).save(folder / "pair.png")
    Image.fromarray(np.full((360, 640, 3), 90, np.uint8)).save(folder / "grey.png")
    Image.fromarray(portrait(2200, 2400)).save(folder / "large.jpg", quality=92)
    return folder


@pytest.fixture
def aligner(detector, folder):
    return Aligner(detector, folder, 128, 0.25)


def test_landmarks_are_the_full_pictures_and_place_the_face(aligner, folder):
    columns = aligner.align([("pair.png", LEFT), ("pair.png", RIGHT)])
    picture = np.asarray(Image.open(folder / "pair.png"))
    assert {name: column.shape for name, column in columns.items()} == {
        name: shape for name, (shape, _) in layout(2, 128).items()
    }
    assert columns["detected"].tolist() == columns["look"].tolist() == [1, 1]
    assert (columns["landmarks"][0, :, 0] < 318).all()
    assert (columns["landmarks"][1, :, 0] > 322).all()
    right = warp(picture[:, 322:], columns["landmarks"][1].astype(float) - (322, 0), 128, 0.25)
    assert np.abs(columns["rgb"][1].astype(int) - right).max() <= 1


def test_an_aligned_face_is_upright_in_the_middle_of_the_template(aligner, detector):
    image = aligner.align([("pair.png", RIGHT)])["rgb"][0]
    again = detector.detect(image)[0].landmarks
    eyes = np.linalg.norm(template(128, 0.25)[1] - template(128, 0.25)[0])
    assert np.abs(again.mean(axis=0) - template(128, 0.25).mean(axis=0)).max() < 0.03 * eyes
    assert np.linalg.norm(again - template(128, 0.25), axis=1).max() < 0.2 * eyes  # a smile is no template
    assert abs(again[0, 1] - again[1, 1]) < 0.05 * eyes


def test_without_a_face_the_regions_centre_is_kept_and_marked(aligner):
    columns = aligner.align([("grey.png", LEFT)])
    assert columns["detected"][0] == columns["look"][0] == columns["probability"][0] == 0
    assert np.isnan(columns["boxes"]).all()
    assert np.isnan(columns["landmarks"]).all()
    assert (columns["rgb"] == 90).all()


def test_nothing_crosses_the_divider(detector, tmp_path, portrait):
    picture = np.zeros((360, 640, 3), np.uint8)
    picture[:, :320] = portrait(320, 360)
    picture[:, 320:] = (255, 0, 255)
    picture[:, 200:320] = portrait(320, 360)[:, 100:220]  # so near the edge that the crop reaches beyond it
    Image.fromarray(picture).save(tmp_path / "a.png")
    aligned = Aligner(detector, tmp_path, 128, 0.6).align([("a.png", (0, 0, 320, 360))])["rgb"][0].astype(int)
    magenta = (aligned[..., 0] > 200) & (aligned[..., 1] < 60) & (aligned[..., 2] > 200)
    assert not magenta.any()


def test_a_large_jpeg_is_decoded_smaller_with_the_same_result(aligner, detector, folder):
    box = (0, 0, 2200, 2400)
    reduced = aligner.align([("large.jpg", box)])
    assert aligner._region(("large.jpg", box)).scale == 4
    whole = detector.detect(np.asarray(Image.open(folder / "large.jpg")))[0].landmarks
    eyes = np.linalg.norm(whole[1] - whole[0])
    assert np.linalg.norm(reduced["landmarks"][0] - whole, axis=1).max() < 0.01 * eyes
    sharp = warp(np.asarray(Image.open(folder / "large.jpg")), whole, 128, 0.25)
    assert np.abs(reduced["rgb"][0].astype(int) - sharp).mean() < 3


def test_a_miss_on_a_reduced_picture_is_looked_for_at_full_size(detector, tmp_path, photograph):
    picture = np.full((2000, 2000, 3), 128, np.uint8)
    picture[900:1412, 900:1412] = photograph
    Image.fromarray(picture).save(tmp_path / "a.jpg", quality=92)
    columns = Aligner(detector, tmp_path, 128, 0.25).align([("a.jpg", (0, 0, 2000, 2000))])
    assert columns["look"][0] == 2
    assert np.abs(columns["landmarks"][0, 0] - (900 + 204, 900 + 101.3)).max() < 2


def test_batches_and_a_mapping_change_nothing_but_rounding(detector, folder):
    from concurrent.futures import ThreadPoolExecutor

    rows = [("pair.png", LEFT), ("pair.png", RIGHT), ("grey.png", LEFT)]
    alone = Aligner(detector, folder, 64, 0.25).align(rows)
    with ThreadPoolExecutor(2) as threads:
        together = Aligner(detector, folder, 64, 0.25, threads.map).align(rows, batch=3)
    assert np.array_equal(alone["look"], together["look"])
    assert np.allclose(alone["landmarks"], together["landmarks"], atol=0.05, equal_nan=True)
    assert np.abs(alone["rgb"].astype(int) - together["rgb"]).mean() < 0.5


def test_a_block_is_the_same_in_any_process(folder, detector):
    block, columns = align_block(slice(3, 5), [("pair.png", LEFT), ("grey.png", LEFT)], folder, 64, 0.25, 0.2, 20)
    again = Aligner(detector, folder, 64, 0.25).align([("pair.png", LEFT), ("grey.png", LEFT)])
    assert block == slice(3, 5)
    assert all(np.array_equal(columns[name], again[name], equal_nan=name != "rgb") for name in ("rgb", "landmarks"))


def test_a_picture_that_changed_since_it_was_indexed_is_named(detector, tmp_path, portrait):
    aligner = Aligner(detector, tmp_path, 64, 0.25)
    (tmp_path / "a.jpg").write_bytes(b"gone bad")
    with pytest.raises(DataError, match=r"a\.jpg could be read when it was indexed and cannot now: unreadable"):
        aligner.align([("a.jpg", (0, 0, 100, 100))])
    Image.fromarray(portrait(90, 90)).save(tmp_path / "b.png")
    with pytest.raises(DataError, match=r"b\.png has 90 x 90 pixels, its region reaches to 100 x 100"):
        aligner.align([("b.png", (0, 0, 100, 100))])


def test_the_fallback_is_the_centre(aligner, folder):
    picture = np.asarray(Image.open(folder / "grey.png"))[:, 322:]
    assert np.array_equal(aligner.align([("grey.png", RIGHT)])["rgb"][0], centre_crop(picture, 128))
