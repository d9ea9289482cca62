"""The shape model: what it learns of shapes, and what is left of a shape that it smooths."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from pipeline.errors import ArtifactError, ConfigError, DataError
from pipeline.inputs.faces.geometry import similarity, transform
from pipeline.inputs.shape_model import ShapeModel

POINTS, WAYS = 7, 3


def faces(count: int = 40, seed: int = 0, moved: bool = True, noise: float = 0.01) -> np.ndarray:
    """Shapes that differ in three ways, in a little noise and, moved, by similarities: (count, 7, 2)."""
    random = np.random.default_rng(seed)
    base = np.random.default_rng(7).normal(size=(POINTS, 2))
    ways = np.random.default_rng(8).normal(size=(WAYS, POINTS, 2)) * np.array([0.2, 0.1, 0.05])[:, None, None]
    shapes = base + np.tensordot(random.normal(size=(count, WAYS)), ways, 1)
    shapes += random.normal(scale=noise, size=shapes.shape)
    return np.array([transform(placed(random), shape) for shape in shapes]) if moved else shapes


def placed(random: np.random.Generator) -> np.ndarray:
    """A similarity: any rotation, scale and shift."""
    return place(random.uniform(-np.pi, np.pi), random.uniform(20, 90), *random.uniform(-50, 50, size=2))


def place(angle: float, scale: float, x: float, y: float) -> np.ndarray:
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, x], [sin, cos, y]])


EACH = pytest.mark.parametrize("aligned", [True, False], ids=["aligned", "raw"])


def test_a_raw_model_is_sklearns_components():
    shapes = faces(moved=False)
    model, fitted = ShapeModel.fit(shapes, 0.9, aligned=False), PCA(0.9, svd_solver="full").fit(shapes.reshape(40, -1))
    np.testing.assert_allclose(model.mean.ravel(), fitted.mean_)
    np.testing.assert_allclose(model.variances, fitted.explained_variance_)
    np.testing.assert_allclose(model.components, fitted.components_)
    assert len(model.variances) < WAYS + 1


@EACH
@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_no_more_components_are_kept_than_the_share_needs(aligned, share):
    shapes = faces(noise=0.1)
    model, whole = (ShapeModel.fit(shapes, wanted, aligned) for wanted in (share, 1.0))
    sums = np.cumsum(whole.variances) / whole.variances.sum()
    count = len(model.variances)
    assert sums[count - 1] >= share
    assert count == 1 or sums[count - 2] < share
    np.testing.assert_allclose(model.components, whole.components[:count])


def test_all_that_shapes_have_beyond_their_place_is_kept_where_that_is_asked():
    shapes = faces(noise=0.1)
    model = ShapeModel.fit(shapes, 1.0)
    assert model.components.shape == (2 * POINTS - 4, 2 * POINTS)  # but shift, rotation and scale
    assert ShapeModel.fit(shapes, 1.0, aligned=False).components.shape == (2 * POINTS, 2 * POINTS)


def test_alignment_finds_the_ways_in_which_shapes_differ():
    """Wherever faces are and however turned, their model is that of the same faces unmoved."""
    moved, unmoved = (ShapeModel.fit(faces(moved=one), 0.99) for one in (True, False))
    np.testing.assert_allclose(moved.variances, unmoved.variances, rtol=1e-6)
    onto = similarity(unmoved.mean, moved.mean)
    np.testing.assert_allclose(transform(onto, unmoved.mean), moved.mean, atol=1e-7)
    raw = ShapeModel.fit(faces(), 0.99, aligned=False)
    assert raw.variances.max() > 1e3 * unmoved.variances.max()


def test_the_mean_of_an_aligned_model_is_that_of_the_shapes_on_it():
    model = ShapeModel.fit(faces(), 0.9)
    np.testing.assert_allclose(model.mean.mean(axis=0), 0, atol=1e-12)
    assert np.linalg.norm(model.mean) == pytest.approx(1, abs=1e-8)
    np.testing.assert_allclose(model.components @ model.mean.ravel(), 0, atol=1e-7)  # at right angles: no scale
    np.testing.assert_allclose(model.components @ model.components.T, np.eye(len(model.variances)), atol=1e-12)


@EACH
def test_a_shape_of_the_models_own_span_stays(aligned):
    model = ShapeModel.fit(faces(), 0.99, aligned)
    weights = np.linspace(-2.9, 2.9, len(model.variances)) * np.sqrt(model.variances)
    shape = model.mean + (weights @ model.components).reshape(-1, 2)
    if aligned:
        shape = transform(place(0.7, 80.0, 30.0, -10.0), shape)
    np.testing.assert_allclose(model.smooth(shape[None])[0], shape, atol=1e-6 * np.abs(shape).max())


@EACH
def test_what_is_no_way_of_the_model_is_left_out(aligned):
    model = ShapeModel.fit(faces(moved=False), 0.9, aligned)
    random = np.random.default_rng(3)
    odd = random.normal(size=2 * POINTS)
    whole = np.vstack([model.components, *([_moves(model.mean)] if aligned else [])])
    odd -= np.linalg.lstsq(whole.T, odd, rcond=None)[0] @ whole  # at right angles to all that is kept
    shape = model.mean + 0.01 * odd.reshape(-1, 2)
    np.testing.assert_allclose(model.smooth(shape[None])[0], model.mean, atol=1e-7)


def _moves(mean: np.ndarray) -> np.ndarray:
    """The directions of a similarity: two shifts, scale and rotation, (4, 2 K)."""
    ones, zeros = np.ones(len(mean)), np.zeros(len(mean))
    turned = np.column_stack([-mean[:, 1], mean[:, 0]])
    shifts = (np.column_stack(pair) for pair in ((ones, zeros), (zeros, ones)))
    return np.array([one.ravel() for one in (*shifts, mean, turned)])


@EACH
@pytest.mark.parametrize("side", [-1, 1])
def test_a_coefficient_that_is_far_out_is_three_deviations(aligned, side):
    model = ShapeModel.fit(faces(), 0.9, aligned)
    far = side * 5 * np.sqrt(model.variances[0])
    shape = model.mean + (far * model.components[0]).reshape(-1, 2)
    smoothed = model.smooth(shape[None])[0]
    expected = np.zeros(len(model.variances))
    expected[0] = side * 3 * np.sqrt(model.variances[0])
    np.testing.assert_allclose(model.coefficients(smoothed), expected, atol=1e-8 * abs(far))


@EACH
def test_smoothing_twice_is_smoothing_once(aligned):
    model = ShapeModel.fit(faces(), 0.8, aligned)
    once = model.smooth(faces(10, seed=5, noise=0.3))
    np.testing.assert_allclose(model.smooth(once), once, atol=1e-6 * np.abs(once).max())


@given(st.floats(-3, 3), st.floats(0.01, 100), st.floats(-500, 500), st.floats(-500, 500))
def test_a_shape_that_is_moved_is_smoothed_to_the_same_moved(angle, scale, x, y):
    model, shapes, to = ShapeModel.fit(faces(12), 0.8), faces(3, seed=5, noise=0.1), place(angle, scale, x, y)
    moved = np.array([transform(to, shape) for shape in shapes])
    expected = np.array([transform(to, shape) for shape in model.smooth(shapes)])
    np.testing.assert_allclose(model.smooth(moved), expected, atol=1e-6 * np.abs(expected).max())


def test_no_face_is_mirrored_to_fit():
    model, shape = ShapeModel.fit(faces(), 0.9), faces(1, seed=5)
    mirrored = shape * [-1, 1]
    assert np.abs(model.smooth(mirrored) - model.smooth(shape) * [-1, 1]).max() > 0.1 * np.ptp(shape)


@EACH
def test_a_larger_share_leaves_less(aligned):
    shapes = faces(noise=0.1)
    models = [ShapeModel.fit(shapes, share, aligned) for share in (0.5, 0.8, 0.95, 1.0)]
    counts = [len(model.variances) for model in models]
    left = [np.square(model.smooth(shapes) - shapes).mean() for model in models]
    assert counts == sorted(counts)
    assert left == sorted(left, reverse=True)
    assert counts[0] < counts[-1]
    assert left[-1] < 0.01 * left[0]


def test_a_shape_with_a_missing_point_is_missing_and_others_are_not():
    model, shapes = ShapeModel.fit(faces(), 0.9), faces(3, seed=5)
    expected = model.smooth(shapes)
    shapes[1, 2, 0] = np.nan
    found = model.smooth(shapes)
    assert np.isnan(found[1]).all()
    np.testing.assert_array_equal(found[[0, 2]], expected[[0, 2]])
    assert model.smooth(shapes[:0]).shape == (0, POINTS, 2)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, 90, float("nan")])
def test_a_share_that_is_none_is_named(share):
    with pytest.raises(ConfigError, match=f"share of {share} of the variance"):
        ShapeModel.fit(faces(), share)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (faces(1), "got 1 shapes of which 1 are whole"),
        (np.where(np.arange(5)[:, None, None] == 2, np.nan, faces(5)), "got 5 shapes of which 4 are whole"),
        (np.repeat(faces(1), 3, axis=0), "3 shapes that are all the same"),
        (np.zeros((3, POINTS, 2)), "in one place"),
        (faces(3)[:, :, :1], r"expected.*|\(N, K, 2\), got an array of shape \(3, 7, 1\)"),
    ],
    ids=["one", "NaN", "the same", "nothing", "one axis"],
)
def test_shapes_that_make_no_model_are_named(shapes, message):
    with pytest.raises(DataError, match=message):
        ShapeModel.fit(shapes)


def test_other_shapes_than_the_models_are_named():
    model = ShapeModel.fit(faces())
    with pytest.raises(DataError, match=r"\(N, 7, 2\), got an array of shape \(2, 5, 2\)"):
        model.smooth(faces(2)[:, :5])
    with pytest.raises(DataError, match="in one place"):
        model.smooth(np.ones((1, POINTS, 2)))


@EACH
def test_saved_and_loaded_is_the_same(aligned, tmp_path):
    model, shapes = ShapeModel.fit(faces(), 0.9, aligned), faces(3, seed=5)
    model.save(tmp_path / "a.npz")
    loaded = ShapeModel.load(tmp_path / "a.npz")
    np.testing.assert_array_equal(loaded.smooth(shapes), model.smooth(shapes))
    assert (loaded.share, loaded.aligned) == (0.9, aligned)
    loaded.save(tmp_path / "b")  # whatever the file's name
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.npz", "b"]
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}  # no time of its making


def written(file: Path, **changes) -> Path:
    """A model's file with other arrays; None: without one."""
    model = ShapeModel.fit(faces(), 0.9)
    arrays = {name: getattr(model, name) for name in ("mean", "components", "variances", "share", "aligned")} | changes
    np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
    return file


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variances": None}, "it has no variances"),
        ({"mean": np.zeros((5, 2))}, r"components has the shape \(\d, 14\), expected \(\d, 10\)"),
        ({"mean": np.zeros(3)}, r"mean has the shape \(3,\), expected \(3, 2\)"),
        ({"mean": np.full((POINTS, 2), np.nan)}, "a number of it is none"),
        ({"mean": np.full((POINTS, 2), "a")}, "a number of it is none"),
        ({"variances": np.zeros(0), "components": np.zeros((0, 14))}, "its variances"),
        ({"share": 1.5}, "its share"),
        ({"aligned": 1.0}, "its share, its variances or what it says of alignment is none"),
        ({"mean": np.full((POINTS, 2), None)}, "pickled"),
    ],
)
def test_a_file_that_holds_no_model_is_named(changes, message, tmp_path):
    file = written(tmp_path / "m.npz", **changes)
    with pytest.raises(ArtifactError, match=rf"m\.npz is no whole shape model: .*{message}"):
        ShapeModel.load(file)


def test_a_damaged_or_missing_file_is_named(tmp_path):
    file = tmp_path / "m.npz"
    whole = written(file).read_bytes()
    for content in (b"", b"no archive", whole[:-30], whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]):
        file.write_bytes(content)
        with pytest.raises(ArtifactError, match=r"m\.npz is no whole shape model"):
            ShapeModel.load(file)
    with pytest.raises(ArtifactError, match=r"gone\.npz is no whole shape model"):
        ShapeModel.load(tmp_path / "gone.npz")


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    file = written(tmp_path / "m.npz")
    before = file.read_bytes()

    def fail(stream: io.BufferedWriter, **arrays) -> None:
        stream.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        ShapeModel.fit(faces()).save(file)
    assert file.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["m.npz"]
