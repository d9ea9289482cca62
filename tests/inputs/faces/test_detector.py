"""MTCNN finds the faces of photographs, at any size, turned, dark and small, with steady landmarks."""

from __future__ import annotations

import numpy as np
import pytest
from facenet_pytorch import MTCNN
from PIL import Image, ImageEnhance

from pipeline.config import AlignConfig
from pipeline.inputs.faces.aligner import OTHERS_MIN_FACE
from pipeline.inputs.faces.detector import Detector

EYES = np.array([[204.0, 101.3], [246.5, 103.4]])  # the pupils in the photograph, read off an enlargement


@pytest.fixture(scope="module")
def detector():
    return Detector("cpu", 0.2, 20)


@pytest.fixture(scope="module")
def reference(detector, photograph):
    return detector.detect(photograph[:360, 80:400])[0].landmarks + (80, 0)


def error(landmarks: np.ndarray, expected: np.ndarray) -> float:
    """Mean distance, in distances between the eyes."""
    eyes = np.linalg.norm(expected[1] - expected[0])
    return float(np.linalg.norm(landmarks - expected, axis=1).mean() / eyes)


def test_one_face_its_box_and_its_eyes(detector, photograph):
    (face,) = detector.detect(photograph)
    x0, y0, x1, y1 = face.box
    assert face.probability > 0.99
    assert 70 < x1 - x0 < 130
    assert (face.landmarks > (x0, y0)).all()
    assert (face.landmarks < (x1, y1)).all()
    assert np.abs(face.landmarks[:2] - EYES).max() < 1.5
    assert face.landmarks.dtype == face.box.dtype == np.float64


@pytest.mark.parametrize("size", [160, 256, 736, 1000])
def test_landmarks_do_not_depend_on_the_size(detector, photograph, reference, size):
    half = Image.fromarray(photograph[:360, 80:400])
    scaled = np.asarray(half.resize((size, round(size * 360 / 320)), Image.Resampling.LANCZOS))
    found = detector.detect(scaled)[0].landmarks * (320 / size) + (80, 0)
    assert error(found, reference) < 0.01


def test_a_search_for_small_faces_gives_the_same_landmarks(photograph, reference):
    fine = Detector("cpu", 20 / 320, 20)
    assert error(fine.detect(photograph[:360, 80:400])[0].landmarks + (80, 0), reference) < 0.01


@pytest.mark.parametrize("degrees", [-35, -20, 20, 35])
def test_a_turned_face_has_turned_landmarks(detector, photograph, reference, degrees):
    centre = np.array([220.0, 120.0])
    turned = Image.fromarray(photograph).rotate(degrees, Image.Resampling.BICUBIC, center=tuple(centre))
    angle = -np.deg2rad(degrees)
    linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    expected = (reference - centre) @ linear.T + centre
    assert error(detector.detect(np.asarray(turned))[0].landmarks, expected) < 0.03


def test_mirroring_mirrors_the_landmarks(detector, photograph, reference):
    found = detector.detect(np.ascontiguousarray(photograph[:360, 80:400][:, ::-1]))[0].landmarks
    back = np.column_stack([400 - found[:, 0], found[:, 1]])[[1, 0, 2, 4, 3]]
    assert error(back, reference) < 0.01


def test_a_dark_face_is_found(detector, photograph):
    dark = np.asarray(ImageEnhance.Brightness(Image.fromarray(photograph)).enhance(0.15))
    assert np.abs(detector.detect(dark)[0].landmarks[:2] - EYES).max() < 4


def test_a_small_face_is_found_by_a_finer_look(detector, photograph):
    wide = np.full((800, 800, 3), 128, np.uint8)
    wide[500:628, 300:428] = np.asarray(Image.fromarray(photograph).resize((128, 128), Image.Resampling.LANCZOS))
    ((faces, look),) = detector.detect_batch([wide])
    assert look > 1
    assert np.abs(faces[0].landmarks[:2] - (EYES / 4 + (300, 500))).max() < 2
    assert detector.detect_batch([wide], looks=1) == [([], 0)]


def test_several_faces_come_in_order_of_their_probability(detector, photograph):
    two = np.concatenate([photograph[:300, 100:350], photograph[:300, 100:350][:, ::-1]], axis=1)
    faces = detector.detect(two)
    assert len(faces) == 2
    assert faces[0].probability >= faces[1].probability
    assert sorted(face.box[0] > 250 for face in faces) == [False, True]


def scene(photograph, sizes: tuple[int, ...], degrees: float = 0, light: float = 1) -> np.ndarray:
    """A picture of 640 x 480 pixels with the portrait's head and shoulders at some sizes, turned and darkened."""
    picture = Image.new("RGB", (640, 480), (90, 110, 100))
    portrait = Image.fromarray(photograph[:250, 95:345]).rotate(degrees, Image.Resampling.BICUBIC, center=(125, 120))
    for number, size in enumerate(sizes):
        small = portrait.resize((size, size), Image.Resampling.LANCZOS)
        picture.paste(small, (20 + 620 // len(sizes) * number, (37 * number + 40) % (480 - size)))
    return np.asarray(ImageEnhance.Brightness(picture).enhance(light))


SCENES = {
    "one as large as the picture": ((440,),),
    "one of 50 px": ((70,),),
    "one of 25 px": ((50,),),
    "two": ((250, 250),),
    "three small": ((120, 100, 110),),
    "small and tilted": ((90,), 25),
    "small and dark": ((100,), 0, 0.2),
    "two, tilted and dark": ((200, 180), -20, 0.3),
}


@pytest.mark.parametrize("wanted", SCENES.values(), ids=SCENES)
def test_nothing_is_missed_that_a_search_from_20_px_finds(photograph, wanted):
    picture = scene(photograph, *wanted)
    _, probabilities, landmarks = MTCNN(min_face_size=20, select_largest=False).detect(picture, landmarks=True)
    theirs = [points for points, p in zip(np.asarray(landmarks, float), probabilities, strict=True) if p > 0.95]
    assert len(theirs) == len(wanted[0])
    one = Detector("cpu", AlignConfig().min_face, 20).detect(picture)[0]  # what the align stage takes: one of a region
    assert min(error(one.landmarks, points) for points in theirs) < 0.1
    found = Detector("cpu", OTHERS_MIN_FACE, 20).detect(picture)  # what predict takes: all faces
    assert max(min(error(face.landmarks, points) for face in found) for points in theirs) < 0.1


@pytest.mark.parametrize("shape", [(64, 64), (11, 200), (400, 30)])
def test_without_a_face_there_is_none(detector, shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for image in (np.full((*shape, 3), 128, np.uint8), noise):
        assert detector.detect_batch([image]) == [([], 0)]


def test_a_batch_of_any_sizes_finds_what_each_image_alone_does(detector, photograph):
    images = [photograph[:360, 80:400], np.zeros((100, 90, 3), np.uint8), photograph, photograph[:360, 81:401]]
    together = detector.detect_batch(images)
    assert [len(faces) for faces, _ in together] == [1, 0, 1, 1]
    for image, (faces, look) in zip(images, together, strict=True):
        ((alone, alone_look),) = detector.detect_batch([image])
        assert look == alone_look
        assert all(error(a.landmarks, b.landmarks) < 1e-3 for a, b in zip(faces, alone, strict=True))
