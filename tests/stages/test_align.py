"""Aligned faces: once, in order, resumable, the same bytes whatever the processes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.artifacts import arrays
from pipeline.artifacts.hdf5 import Structure
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import ArtifactStore, Node, Work
from pipeline.config import AlignConfig, IndexConfig, as_dict
from pipeline.errors import ConfigError, DataError
from pipeline.inputs import sample_table
from pipeline.inputs.datasets import pts
from pipeline.inputs.faces.card import Preparation
from pipeline.inputs.faces.geometry import transform
from pipeline.tasks import TASKS
from stages import align, index

pytestmark = pytest.mark.slow

COUNT = 36  # pairs: two blocks


@pytest.fixture(scope="module")
def data(tmp_path_factory, synpain):
    folder = synpain(tmp_path_factory.mktemp("raw"), COUNT)
    Image.fromarray(np.full((360, 640, 3), 90, np.uint8)).save(folder / "10000999_NoPain_Man_Young.jpg")
    return folder


def nodes(data, **options) -> Node:
    samples = Node("index", "samples", index.VERSION, IndexConfig(), {"raw": RawData(data)}, index.run)
    config = AlignConfig(data=str(data), device="cpu", face_size=64, **options)
    return Node("align", "faces", align.VERSION, config, {"samples": samples}, align.run)


@pytest.fixture(scope="module")
def faces(data, tmp_path_factory):
    return ArtifactStore(tmp_path_factory.mktemp("cache")).build(nodes(data, workers=2))[0]


def test_every_sample_has_a_face_in_the_same_order(faces, data):
    columns = arrays.open_inputs(faces)
    samples = ArtifactStore(faces.path.parent).find(nodes(data).inputs["samples"])
    table = arrays.read_table(samples.file("samples.csv"))
    assert columns.sample_ids == list(table["sample_id"])
    assert columns["rgb"].shape == (2 * COUNT + 2, 64, 64, 3)
    detected = columns["detected"][:] == 1
    inside = columns["landmarks"][detected]
    boxes = table.loc[detected, ["x0", "y0", "x1", "y1"]].to_numpy()
    assert (inside > boxes[:, None, :2]).all()
    assert (inside < boxes[:, None, 2:]).all()


def test_a_damaged_block_of_a_killed_run_is_made_again(faces, data, tmp_path, caplog):
    store, node = ArtifactStore(tmp_path), nodes(data, workers=1)
    (partial := store.partial(node)).mkdir(parents=True)
    path = partial / "inputs.h5"
    path.write_bytes(faces.file("inputs.h5").read_bytes())
    place = Structure.read(path).columns["landmarks"]
    with path.open("r+b") as file:
        file.seek(place.offset + place.nbytes - 1)
        file.write(b"\x40")
    (artifact,) = store.build(node)
    assert "inputs.h5: block 1 is made again, block 1 (rows 64 to 73) of column landmarks" in caplog.text
    assert artifact.file("inputs.h5").read_bytes() == faces.file("inputs.h5").read_bytes()


def test_faces_without_one_are_counted_and_named(faces):
    counts = faces.summary["counts"]
    assert counts == {
        "faces": 2 * COUNT + 2,
        "detected": 2 * COUNT,
        "second_look": counts["second_look"],
        "fallback": 2,
    }
    assert [entry["sample_id"].partition("#")[0] for entry in faces.summary["skipped"]] == [
        "10000999_NoPain_Man_Young.jpg"
    ] * 2
    assert all("no face found" in entry["reason"] for entry in faces.summary["skipped"])


def test_one_process_gives_the_same_bytes_as_two(faces, data, tmp_path):
    alone = ArtifactStore(tmp_path).build(nodes(data, workers=1))[0]
    assert alone.file("inputs.h5").read_bytes() == faces.file("inputs.h5").read_bytes()


@pytest.mark.parametrize(("backend", "package"), [("dask", "distributed"), ("ray", "ray")])
def test_a_cluster_gives_the_same_bytes(faces, data, tmp_path, backend, package):
    pytest.importorskip(package, reason="the extra cluster brings it")
    spread = ArtifactStore(tmp_path).build(nodes(data, workers=2, backend=backend))[0]
    assert spread.file("inputs.h5").read_bytes() == faces.file("inputs.h5").read_bytes()


def test_a_killed_run_is_resumed_without_doing_finished_blocks_again(faces, data, tmp_path, monkeypatch):
    store, node = ArtifactStore(tmp_path), nodes(data, workers=1)
    (samples,) = store.build(node.inputs["samples"])
    partial = store.partial(node)
    partial.mkdir()

    blocks = align._blocks
    monkeypatch.setattr(align, "_blocks", lambda *arguments: _first(blocks(*arguments)))
    with pytest.raises(KeyboardInterrupt):
        align.run(node.config, Work(partial, node), samples=samples)
    left = []
    monkeypatch.setattr(
        align, "_blocks", lambda config, pending, *others: left.append(pending) or blocks(config, pending, *others)
    )
    (artifact,) = store.build(node)
    assert [len(pending) for pending in left] == [1]
    assert artifact.file("inputs.h5").read_bytes() == faces.file("inputs.h5").read_bytes()
    assert artifact.summary == faces.summary


def _first(blocks):
    yield next(blocks)
    raise KeyboardInterrupt


def test_the_way_of_a_gpu_finds_the_same_faces(faces, data):
    config = nodes(data).config
    samples = ArtifactStore(faces.path.parent).find(nodes(data).inputs["samples"])
    rows = align._rows(config, samples, arrays.read_table(samples.file("samples.csv")))
    settings = Preparation.of(as_dict(config))
    columns = arrays.open_inputs(faces)
    for block, found in align._gpu_blocks(settings, "cpu", [slice(60, 74)], rows):
        assert np.array_equal(found["look"], columns["look"][block])
        assert np.allclose(found["landmarks"], columns["landmarks"][block], atol=0.05, equal_nan=True)


def test_margin_and_size_make_another_artifact_workers_do_not(data):
    assert nodes(data).fingerprint == nodes(data, workers=2).fingerprint
    assert nodes(data).fingerprint != nodes(data, margin=0.4).fingerprint


def test_without_alignment_every_region_is_resized_and_counts_as_a_face(data, tmp_path):
    node = nodes(data, workers=1, align="none")
    assert node.fingerprint != nodes(data).fingerprint
    samples, made = ArtifactStore(tmp_path).build(node.inputs["samples"], node)
    columns, table = arrays.open_inputs(made), arrays.read_table(samples.file("samples.csv"))
    assert made.summary == {
        "counts": {"faces": len(table), "detected": len(table), "second_look": 0, "fallback": 0},
        "skipped": [],
    }
    for number, row in table.head(6).iterrows():
        picture = Image.open(data / row["file"])
        region = picture.convert("RGB").crop(tuple(row[["x0", "y0", "x1", "y1"]]))
        off = np.abs(columns["rgb"][number].astype(int) - region.resize((64, 64), Image.Resampling.BICUBIC)).mean()
        assert off == 0 if picture.format == "PNG" else off < 5  # a JPEG is decoded at a reduced size
    assert np.array_equal(columns["boxes"], table[["x0", "y0", "x1", "y1"]].to_numpy())
    assert np.isnan(columns["landmarks"]).all()


def test_a_picture_that_went_bad_is_named(data, tmp_path, synpain):
    folder = synpain(tmp_path / "raw", 4)
    store = ArtifactStore(tmp_path / "cache")
    node = nodes(folder, workers=1)
    store.build(node.inputs["samples"])
    victim = sorted(folder.iterdir())[1]
    victim.write_bytes(b"gone bad")
    with pytest.raises(DataError, match=f"{victim.name} could be read when it was indexed and cannot now"):
        store.build(node)


SHAPE = np.random.default_rng(0).uniform((40, 60), (140, 150), (68, 2)).round(1)  # points of a face, in pixels
SHAPE[:2] = (40, 60), (140, 150)
MIDDLE, SIDE = np.array([90, 105]), 100 * 1.5  # of the square about them, with the margin on each side


def located(folder, rows: int, **columns):
    """A table of pictures, with further columns of one value or one for each row."""
    folder.mkdir()
    for number in range(rows):
        blocks = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(np.kron(blocks, np.ones((25, 25, 1), np.uint8))).save(folder / f"{number:03d}.png")
    files = [f"{number:03d}.png" for number in range(rows)]
    table = pd.DataFrame({"path": files, "label": ["pain", "no_pain"] * (rows // 2), **columns})
    table.to_csv(folder / "faces.csv", index=False)
    return folder / "faces.csv"


def pointed(rows: int, without: tuple[int, ...] = ()) -> dict[str, np.ndarray]:
    """Columns of 68 points for each row, every face a pixel further right; empty of the rows that are without."""
    points = SHAPE + np.arange(rows)[:, None, None] % 30 * (1, 0)
    points[list(without)] = np.nan
    return {f"p{i}_{axis}": points[:, i, a] for i in range(68) for a, axis in enumerate("xy")}


def build(data, cache, **options):
    """The index and the faces."""
    node = nodes(data, **options)
    return ArtifactStore(cache).build(node.inputs["samples"], node)


def test_a_square_about_the_points_of_a_table_is_the_face_and_nobody_looks(tmp_path):
    data = located(tmp_path / "raw", 70, **pointed(70, without=(3,)))
    samples, made = build(data, tmp_path / "cache", box="points", workers=1)
    columns = arrays.open_inputs(made)
    assert made.summary["counts"] == {"faces": 70, "detected": 69, "second_look": 0, "fallback": 1}
    assert made.summary["skipped"] == [
        {"sample_id": "003.png#full", "reason": "no face found: the centre of the region is used"}
    ]
    corners = np.array([MIDDLE - SIDE / 2, MIDDLE + SIDE / 2])
    for number in (0, 2, 69):
        across = (number % 30, 0)
        assert np.allclose(transform(columns["warp"][number], corners + across), [[-0.5, -0.5], [0.5, 0.5]])
        assert np.allclose(columns["boxes"][number].reshape(2, 2), SHAPE[:2] + across)
    assert not columns["look"][:].any()
    assert np.isnan(columns["landmarks"][:]).all()
    assert np.isnan(columns["boxes"][3]).all()
    table = sample_table.read(samples, TASKS["landmarks"], made)
    warp = table.loc[5, list(sample_table.WARP)].to_numpy(float).reshape(2, 3)
    shown = transform(warp, table.loc[5, ["points68_0_x", "points68_0_y"]].to_numpy(float)[None])
    assert np.allclose(shown, (SHAPE[0] - MIDDLE) / SIDE)
    spread = build(data, tmp_path / "spread", box="points", workers=2)[1]
    assert spread.file("inputs.h5").read_bytes() == made.file("inputs.h5").read_bytes()


def test_files_of_points_make_the_boxes_too(tmp_path):
    located(tmp_path / "raw", 4)
    (tmp_path / "raw" / "faces.csv").unlink()
    for path in (tmp_path / "raw").glob("*.png"):
        path.with_suffix(".pts").write_text(pts.text_of(SHAPE))
    made = build(tmp_path / "raw", tmp_path / "cache", box="points", workers=1)[1]
    assert np.allclose(arrays.open_inputs(made)["boxes"][:], SHAPE[:2].ravel())
    assert made.summary["counts"]["detected"] == 4


def test_the_datasets_own_boxes_are_the_faces_and_not_its_points(tmp_path):
    box = {"box_x0": 20.0, "box_y0": 30.0, "box_x1": 120.0, "box_y1": 170.0}
    data = located(tmp_path / "raw", 4, **pointed(4), **box)
    made = {of: build(data, tmp_path / "cache", box=of, workers=1)[1] for of in ("dataset", "points")}
    columns = arrays.open_inputs(made["dataset"])
    assert np.allclose(columns["boxes"][:], list(box.values()))
    corners = np.array([[70 - 105, 100 - 105], [70 + 105, 100 + 105]])  # the longer side, 140, and the margin
    assert np.allclose(transform(columns["warp"][1], corners), [[-0.5, -0.5], [0.5, 0.5]])
    assert made["dataset"].fingerprint != made["points"].fingerprint
    assert not np.array_equal(columns["rgb"][:], arrays.open_inputs(made["points"])["rgb"][:])


def test_a_face_is_cut_out_at_the_pixels_of_its_box(tmp_path):
    box = {"box_x0": 50.0, "box_y0": 50.0, "box_x1": 150.0, "box_y1": 150.0}
    data = located(tmp_path / "raw", 2, **box)
    made = build(data, tmp_path / "cache", box="dataset", margin=0.0, workers=1)[1]
    picture = Image.open(data.with_name("001.png")).convert("RGB").crop((50, 50, 150, 150))
    blocks = np.asarray(picture).reshape(4, 25, 4, 25, 3)[:, 12, :, 12]  # the middle of each block of colour
    face = arrays.open_inputs(made)["rgb"][1].reshape(4, 16, 4, 16, 3)[:, 7:9, :, 7:9]
    assert np.abs(face.astype(int) - blocks[:, None, :, None]).max() <= 2


@pytest.mark.parametrize(("box", "lacks"), [("points", "points"), ("dataset", "boxes of faces")])
def test_what_nobody_knows_no_face_can_be_cut_out_by(data, tmp_path, box, lacks):
    expected = f"BOX={box}: the dataset has no {lacks}; it knows pain. Leave BOX out"
    with pytest.raises(DataError, match=expected):
        build(data, tmp_path, box=box, workers=1)


def test_points_are_no_boxes_and_boxes_no_points(tmp_path):
    by_points = located(tmp_path / "points", 2, **pointed(2))
    with pytest.raises(DataError, match="BOX=dataset: the dataset has no boxes of faces; it knows pain, points68"):
        build(by_points, tmp_path / "cache", box="dataset", workers=1)
    by_box = located(tmp_path / "boxes", 2, box_x0=20, box_y0=30, box_x1=120, box_y1=170)
    with pytest.raises(DataError, match="BOX=points: the dataset has no points; it knows pain"):
        build(by_box, tmp_path / "cache", box="points", workers=1)


def test_whole_pictures_have_no_boxes(tmp_path):
    data = located(tmp_path / "raw", 2, **pointed(2))
    with pytest.raises(ConfigError, match="BOX=points cuts faces out, ALIGN=none resizes whole pictures"):
        build(data, tmp_path / "cache", box="points", align="none", workers=1)
