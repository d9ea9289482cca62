"""Regions are read, aligned and measured in the full picture's pixels."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from pipeline.config import AlignConfig, as_dict
from pipeline.errors import DataError
from pipeline.inputs.faces.aligner import SURE, FaceAligner, align_block, layout
from pipeline.inputs.faces.card import Preparation
from pipeline.inputs.faces.detector import Detector
from pipeline.inputs.faces.geometry import centre_square, sample, similarity, template, transform
from pipeline.inputs.images import halves, load

LEFT, RIGHT = (0, 0, 318, 360), (322, 0, 640, 360)


@pytest.fixture(scope="module")
def detector():
    return Detector("cpu", 0.3, 20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pair, portrait):
    folder = tmp_path_factory.mktemp("pictures")
    Image.fromarray(pair(0)[0]).save(folder / "pair.png")
    Image.fromarray(np.full((360, 640, 3), 90, np.uint8)).save(folder / "grey.png")
    Image.fromarray(portrait(2200, 2400)).save(folder / "large.jpg", quality=92)
    return folder


def prepared(size: int = 128, margin: float = 0.25, **options) -> Preparation:
    return Preparation.of(as_dict(AlignConfig(face_size=size, margin=margin, **options)))


@pytest.fixture(scope="module")
def aligner():
    return FaceAligner(prepared())


def test_landmarks_are_the_full_pictures_and_place_the_face(aligner, folder):
    columns = aligner.align([(folder / "pair.png", LEFT), (folder / "pair.png", RIGHT)])
    picture = np.asarray(Image.open(folder / "pair.png"))
    assert {name: column.shape for name, column in columns.items()} == {
        name: shape for name, (shape, _) in layout(2, 128).items()
    }
    assert columns["detected"].tolist() == columns["look"].tolist() == [1, 1]
    assert (columns["landmarks"][0, :, 0] < 318).all()
    assert (columns["landmarks"][1, :, 0] > 322).all()
    matrix = similarity(columns["landmarks"][1].astype(float) - (322, 0), template(128, 0.25))
    right = sample(picture[:, 322:], matrix, 128)
    assert np.abs(columns["rgb"][1].astype(int) - right).max() <= 1


def test_an_aligned_face_is_upright_in_the_middle_of_the_template(aligner, detector, folder):
    image = aligner.align([(folder / "pair.png", RIGHT)])["rgb"][0]
    again = detector.detect(image)[0].landmarks
    eyes = np.linalg.norm(template(128, 0.25)[1] - template(128, 0.25)[0])
    assert np.abs(again.mean(axis=0) - template(128, 0.25).mean(axis=0)).max() < 0.03 * eyes
    assert np.linalg.norm(again - template(128, 0.25), axis=1).max() < 0.2 * eyes  # a smile is no template
    assert abs(again[0, 1] - again[1, 1]) < 0.05 * eyes


def test_without_a_face_the_regions_centre_is_kept_and_marked(aligner, folder):
    columns = aligner.align([(folder / "grey.png", LEFT)])
    assert columns["detected"][0] == columns["look"][0] == columns["probability"][0] == 0
    assert np.isnan(columns["boxes"]).all()
    assert np.isnan(columns["landmarks"]).all()
    assert (columns["rgb"] == 90).all()


def test_nothing_crosses_the_divider(tmp_path, portrait):
    picture = np.zeros((360, 640, 3), np.uint8)
    picture[:, :320] = portrait(320, 360)
    picture[:, 320:] = (255, 0, 255)
    picture[:, 200:320] = portrait(320, 360)[:, 100:220]  # so near the edge that the crop reaches beyond it
    Image.fromarray(picture).save(tmp_path / "a.png")
    aligned = FaceAligner(prepared(128, 0.6)).align([(tmp_path / "a.png", (0, 0, 320, 360))])["rgb"][0].astype(int)
    magenta = (aligned[..., 0] > 200) & (aligned[..., 1] < 60) & (aligned[..., 2] > 200)
    assert not magenta.any()


def test_a_large_jpeg_is_decoded_smaller_with_the_same_result(aligner, detector, folder):
    box = (0, 0, 2200, 2400)
    reduced = aligner.align([(folder / "large.jpg", box)])
    assert aligner._region((folder / "large.jpg", box), aligner._reduction(box)).scale == 4
    whole = detector.detect(np.asarray(Image.open(folder / "large.jpg")))[0].landmarks
    eyes = np.linalg.norm(whole[1] - whole[0])
    assert np.linalg.norm(reduced["landmarks"][0] - whole, axis=1).max() < 0.01 * eyes
    sharp = sample(np.asarray(Image.open(folder / "large.jpg")), similarity(whole, template(128, 0.25)), 128)
    assert np.abs(reduced["rgb"][0].astype(int) - sharp).mean() < 3


def test_a_miss_on_a_reduced_picture_is_looked_for_at_full_size(tmp_path, photograph):
    picture = np.full((2000, 2000, 3), 128, np.uint8)
    picture[900:1412, 900:1412] = photograph
    Image.fromarray(picture).save(tmp_path / "a.jpg", quality=92)
    columns = FaceAligner(prepared(min_face=0.2)).align([(tmp_path / "a.jpg", (0, 0, 2000, 2000))])
    assert columns["look"][0] == 2
    assert np.abs(columns["landmarks"][0, 0] - (900 + 204, 900 + 101.3)).max() < 2


def test_batches_and_a_mapping_change_nothing_but_rounding(folder):
    from concurrent.futures import ThreadPoolExecutor

    rows = [(folder / "pair.png", LEFT), (folder / "pair.png", RIGHT), (folder / "grey.png", LEFT)]
    alone = FaceAligner(prepared(64)).align(rows)
    with ThreadPoolExecutor(2) as threads:
        together = FaceAligner(prepared(64), "cpu", threads.map).align(rows, batch=3)
    assert np.array_equal(alone["look"], together["look"])
    assert np.allclose(alone["landmarks"], together["landmarks"], atol=0.05, equal_nan=True)
    assert np.abs(alone["rgb"].astype(int) - together["rgb"]).mean() < 0.5


def test_a_block_is_the_same_in_any_process(folder):
    rows = [(folder / "pair.png", LEFT), (folder / "grey.png", LEFT)]
    block, columns = align_block(slice(3, 5), rows, prepared(64))
    again = FaceAligner(prepared(64)).align(rows)
    assert block == slice(3, 5)
    assert all(np.array_equal(columns[name], again[name], equal_nan=name != "rgb") for name in ("rgb", "landmarks"))


def test_a_picture_that_changed_since_it_was_indexed_is_named(aligner, tmp_path, portrait):
    (tmp_path / "a.jpg").write_bytes(b"gone bad")
    with pytest.raises(DataError, match=r"a\.jpg could be read when it was indexed and cannot now: unreadable"):
        aligner.align([(tmp_path / "a.jpg", (0, 0, 100, 100))])
    Image.fromarray(portrait(90, 90)).save(tmp_path / "b.png")
    with pytest.raises(DataError, match=r"b\.png has 90 x 90 pixels, its region reaches to 100 x 100"):
        aligner.align([(tmp_path / "b.png", (0, 0, 100, 100))])


def test_a_picture_that_did_not_change_is_none_that_did(tmp_path):
    Image.new("RGB", (642, 359), "grey").save(tmp_path / "odd.jpg")
    whole = Preparation("none", 32, 0.25, 0.3, 20, "mtcnn")
    assert FaceAligner(whole).align([(tmp_path / "odd.jpg", (0, 0, 642, 359))])["rgb"].shape == (1, 32, 32, 3)


def test_the_fallback_is_the_centre(aligner, folder):
    picture = np.asarray(Image.open(folder / "grey.png"))[:, 322:]
    assert np.array_equal(aligner.align([(folder / "grey.png", RIGHT)])["rgb"][0], centre_square(picture, 128)[0])


@pytest.fixture(params=["pair", "alone", "large"])
def drawn(request, pair, portrait):
    """Side by side, alone, and so large that it is decoded at a quarter."""
    return {"pair": pair(1)[0], "alone": portrait(320, 360), "large": portrait(2200, 2400)}[request.param]


def test_the_main_face_of_a_picture_is_bit_for_bit_the_one_that_align_takes(aligner, tmp_path, drawn):
    path = tmp_path / "a.jpg"
    Image.fromarray(drawn).save(path, quality=92)
    regions = halves(load(path))
    columns = aligner.align([(path, box) for _, box in regions])
    image, faces = aligner.faces(path)
    assert np.array_equal(image, load(path))
    assert [face.half for face in faces] == [half for half, _ in regions]
    assert np.array_equal(np.stack([face.rgb for face in faces]), columns["rgb"])
    for column, name in (("boxes", "box"), ("landmarks", "landmarks"), ("probability", "probability")):
        assert np.array_equal(np.array([getattr(face, name) for face in faces], np.float32), columns[column])


def test_every_face_is_found_once_and_the_smaller_ones_from_as_many_pixels_as_they_have(aligner, tmp_path, photograph):
    """One large face, and another at a seventh of its size in a corner of a picture of 1600 pixels."""
    face = Image.fromarray(photograph[:256, 96:352])
    canvas = Image.new("RGB", (2100, 1600), (90, 90, 90))
    canvas.paste(face.resize((1400, 1400), Image.Resampling.BICUBIC), (0, 100))
    canvas.paste(face.resize((200, 200), Image.Resampling.BICUBIC), (1850, 60))
    canvas.save(tmp_path / "two.jpg", quality=95)
    _, (main, other) = aligner.faces(tmp_path / "two.jpg")
    assert main.box[2] < 1400 < 1850 < other.box[0]
    assert np.array_equal(main.rgb, aligner.align([(tmp_path / "two.jpg", (0, 0, 2100, 1600))])["rgb"][0])
    assert np.abs(other.rgb.astype(int) - main.rgb).mean() < 12  # the same face, sharp though the picture was reduced
    assert np.abs((other.landmarks - (1850, 60)) / 200 - (main.landmarks - (0, 100)) / 1400).max() < 0.01


def test_a_texture_that_align_takes_for_want_of_a_face_does_not_hide_a_small_one(aligner, tmp_path, photograph):
    picture = np.full((2000, 2000, 3), 128, np.uint8)
    picture[900:1412, 900:1412] = photograph
    Image.fromarray(picture).save(tmp_path / "a.jpg", quality=92)
    assert aligner.align([(tmp_path / "a.jpg", (0, 0, 2000, 2000))])["probability"][0] < SURE
    _, (face,) = aligner.faces(tmp_path / "a.jpg")
    assert np.abs(face.landmarks[0] - (900 + 204, 900 + 101.3)).max() < 2


def test_without_a_divider_two_people_of_like_size_are_cut_as_the_index_cuts(aligner, tmp_path, portrait):
    picture = np.concatenate([portrait(320, 360), portrait(320, 360, 1)[:, ::-1]], axis=1)
    Image.fromarray(picture).save(tmp_path / "a.png")
    _, faces = aligner.faces(tmp_path / "a.png")
    assert [face.half for face in faces] == ["left", "right"]
    boxes = [box for _, box in halves(picture, always=True)]
    columns = aligner.align([(tmp_path / "a.png", box) for box in boxes])
    assert np.array_equal(np.stack([face.rgb for face in faces]), columns["rgb"])


def test_a_picture_without_a_face_has_none(aligner, folder):
    assert aligner.faces(folder / "grey.png")[1] == []


def test_a_picture_that_changed_is_read_anew(aligner, tmp_path, portrait):
    Image.new("RGB", (320, 360), "grey").save(tmp_path / "a.png")
    assert aligner.faces(tmp_path / "a.png")[1] == []
    Image.fromarray(portrait(320, 360)).save(tmp_path / "a.png")
    assert len(aligner.faces(tmp_path / "a.png")[1]) == 1


def test_what_is_aligned_already_is_resized_as_a_whole(tmp_path, portrait):
    picture = portrait(100, 140)
    Image.fromarray(picture).save(tmp_path / "a.png")
    aligner = FaceAligner(prepared(64, align="none"))
    columns = aligner.align([(tmp_path / "a.png", (0, 0, 100, 140))])
    expected = np.asarray(Image.fromarray(picture).resize((64, 64), Image.Resampling.BICUBIC))
    assert np.array_equal(columns["rgb"][0], expected)
    assert columns["detected"].tolist() == [1]
    assert columns["boxes"].tolist() == [[0, 0, 100, 140]]
    assert np.isnan(columns["landmarks"]).all()
    _, (face,) = aligner.faces(tmp_path / "a.png")
    assert np.array_equal(face.rgb, expected)
    assert (face.half, face.detected) == ("full", True)


def test_without_looking_no_detector_and_no_torch_is_loaded(tmp_path, portrait):
    Image.fromarray(portrait(100, 140)).save(tmp_path / "a.png")
    code = (
        "import sys; from pathlib import Path; from pipeline.inputs.faces.aligner import align_block; "
        "from pipeline.inputs.faces.card import Preparation; "
        "rows = [(Path(sys.argv[1]), (0, 0, 100, 140))]; "
        "align_block(slice(0, 1), rows, Preparation('none', 64, 0.25, 0.3, 20, 'mtcnn')); "
        "assert not {'torch', 'facenet_pytorch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.png")], check=True)


@pytest.fixture
def dotted(tmp_path, portrait):
    """A photograph of a face with three dots in it, and where they are."""
    image, places = portrait(2200, 2400).copy(), np.array([[900.0, 1000], [1300, 1100], [1100, 1500]])
    for x, y in places.astype(int):
        image[y - 24 : y + 24, x - 24 : x + 24] = (0, 255, 0)
    Image.fromarray(image).save(tmp_path / "dots.png")
    return tmp_path / "dots.png", places


def dots(face: np.ndarray) -> np.ndarray:
    """Where green dots are in a face, in shares of its side from its middle, from left to right."""
    from scipy import ndimage

    red, green, blue = face.astype(int).transpose(2, 0, 1)
    parts, count = ndimage.label(green - np.maximum(red, blue) > 100)
    y, x = np.array(ndimage.center_of_mass(parts > 0, parts, range(1, count + 1))).T
    return np.stack([(x + 0.5) / len(face) - 0.5, (y + 0.5) / len(face) - 0.5], axis=1)[np.argsort(x)]


BOX = np.array([[700.0, 700, 1500, 1700]])


@pytest.mark.parametrize(
    ("options", "boxes"),
    [({}, None), ({"align": "none"}, None), ({"box": "points"}, BOX)],
    ids=["landmarks", "whole", "box"],
)
@pytest.mark.slow
def test_the_warp_says_where_points_of_the_picture_are_in_the_face(dotted, options, boxes):
    path, places = dotted
    columns = FaceAligner(prepared(**options)).align([(path, (100, 100, 2200, 2400))], boxes=boxes)
    expected = transform(columns["warp"][0], places)
    shown = dots(columns["rgb"][0])
    assert columns["detected"].tolist() == [1]
    assert np.abs(shown - expected[np.argsort(expected[:, 0])]).max() < 1 / 128


@pytest.mark.slow
def test_a_box_that_is_given_is_squared_about_its_middle_with_the_margin(dotted):
    path, _ = dotted
    columns = FaceAligner(prepared(box="dataset")).align([(path, (0, 0, 2200, 2400))], boxes=BOX)
    side = 1000 * 1.5
    corners = np.array([[1100 - side / 2, 1200 - side / 2], [1100 + side / 2, 1200 + side / 2]])
    assert np.allclose(transform(columns["warp"][0], corners), [[-0.5, -0.5], [0.5, 0.5]])
    assert (columns["boxes"][0] == BOX[0]).all()
    assert columns["look"].tolist() == [0]


@pytest.mark.slow
def test_without_its_box_a_face_is_not_there(dotted):
    path, _ = dotted
    columns = FaceAligner(prepared(box="dataset")).align([(path, (0, 0, 2200, 2400))], boxes=np.full((1, 4), np.nan))
    assert columns["detected"].tolist() == [0]


@pytest.mark.slow
def test_a_network_of_boxes_gets_the_detectors_box_where_no_other_is_known(dotted):
    path, _ = dotted
    by_box = FaceAligner(prepared(box="points")).faces(path)[1][0]
    middle = (by_box.box[:2] + by_box.box[2:]) / 2
    assert np.allclose(transform(by_box.warp, middle[None]), 0, atol=1e-6)
    by_landmarks = FaceAligner(prepared()).faces(path)[1][0]
    assert np.allclose(by_landmarks.box, by_box.box)
    assert not np.allclose(by_landmarks.warp, by_box.warp)
