"""Aligned faces: once, in order, resumable, the same bytes whatever the processes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pipeline.artifacts import arrays
from pipeline.artifacts.hdf5 import Structure
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import ArtifactStore, Node, Work
from pipeline.config import AlignConfig, IndexConfig, as_dict
from pipeline.errors import DataError
from pipeline.inputs.faces.card import Preparation
from stages import align, index

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


@pytest.mark.slow
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
        align, "_blocks", lambda config, pending, rows: left.append(pending) or blocks(config, pending, rows)
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
