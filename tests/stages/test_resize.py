"""From raw pairs to prepared frames: together, in order, resumable, the same bytes whatever the processes."""

from __future__ import annotations

import os
import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.artifacts import arrays
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import Artifact, ArtifactStore, Node, Work
from pipeline.config import IndexConfig, ResizeConfig, SplitConfig
from pipeline.errors import ConfigError, DataError
from pipeline.inputs import prepared
from pipeline.inputs.frames.card import Preparation
from stages import index, resize, split
from tests.helpers import frames, specials

COUNT, CLIPS = 80, 20  # two blocks of rows


def samples_of(data: Path, **options) -> Node:
    config = IndexConfig(data=str(data), **{"workers": 1} | options)
    return Node("index", "samples", index.VERSION, config, {"raw": RawData.of(str(data))}, index.run)


def node(data: Path, samples: Node | None = None, **options) -> Node:
    """The prepared frames of a dataset."""
    config = ResizeConfig(data=str(data), **{"workers": 1, "frame_size": 32} | options)
    inputs = {"samples": samples or samples_of(data)}
    return Node("resize", "inputs", resize.VERSION, config, inputs, resize.run)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return frames.dataset(tmp_path_factory.mktemp("raw"), COUNT, CLIPS)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return ArtifactStore(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def made(data, store) -> Artifact:
    return store.build(node(data))[0]


def test_the_index_says_what_it_lists(data, store):
    (artifact,) = store.build(samples_of(data))
    table = arrays.read_table(artifact.file("samples.csv"))
    assert list(table.columns[:8]) == ["sample_id", "file", "ir_file", "region", "x0", "y0", "x1", "y1"]
    assert (table["sample_id"] == table["file"] + "#full").all()
    assert (table["ir_file"] == table["file"].str.replace("rgb/", "ir/")).all()
    summary = artifact.summary
    assert summary["counts"] == {"pairs": COUNT, "samples": COUNT, "skipped": 0, "subjects": CLIPS}
    assert (summary["targets"], summary["attributes"]) == (["fire", "smoke"], [])
    assert (summary["dataset"], summary["grouping"]) == ("frames", {"by": "clip"})


def test_both_halves_of_every_sample_are_in_its_row(made, data, store):
    (samples,) = store.build(samples_of(data))
    table = arrays.read_table(samples.file("samples.csv"))
    columns = arrays.open_inputs(made)
    assert columns.sample_ids == list(table["sample_id"])
    assert columns["rgb"].shape == (COUNT, 32, 32, 3)
    assert columns["ir"].shape == (COUNT, 32, 32, 1)
    for row, file in enumerate(table["file"]):
        number = int(file.split()[1].removesuffix(".png"))
        assert frames.number_of(columns["rgb"][row]) == number
        assert frames.number_of(columns["ir"][row]) == number
        assert table["fire"][row] == number % 2


def test_scales_are_those_of_all_pixels_and_stand_in_the_card(made):
    columns = arrays.open_inputs(made)
    for modality, channels in (("rgb", 3), ("ir", 1)):
        pixels = columns[modality][:].reshape(-1, channels) / 255
        scale = made.summary["scales"][modality]
        np.testing.assert_allclose(scale["mean"], pixels.mean(0), rtol=1e-12)
        np.testing.assert_allclose(scale["std"], pixels.std(0), rtol=1e-10)
    preparation = Preparation.of_inputs(made)
    assert preparation == Preparation(32, (), dict(made.summary["scales"]))
    entry = prepared.entry(made)
    assert prepared.of_card({"prepare": entry}, made.path) == preparation
    assert type(entry["scales"]["rgb"]) is dict
    assert made.summary["counts"] == {"frames": COUNT}


def test_without_infrared_there_is_one_column(tmp_path, synpain):
    folder = synpain(tmp_path / "data", 4)
    made = ArtifactStore(tmp_path / "cache").build(node(folder))[0]
    columns = arrays.open_inputs(made)
    assert set(columns) == {"rgb", "sample_id"}
    assert len(columns["rgb"]) == 8  # the halves of each picture
    assert list(made.summary["scales"]) == ["rgb"]


def test_one_process_gives_the_same_bytes_as_two(made, data, tmp_path, monkeypatch):
    from pipeline.inputs.frames import resize as code

    monkeypatch.setattr(code, "FEW", 10)
    spread = ArtifactStore(tmp_path).build(node(data, workers=2))[0]
    assert spread.file("inputs.h5").read_bytes() == made.file("inputs.h5").read_bytes()
    assert spread.summary == made.summary


def test_a_killed_run_is_resumed_without_doing_finished_blocks_again(made, data, tmp_path, monkeypatch):
    store, wanted = ArtifactStore(tmp_path), node(data)
    (samples,) = store.build(wanted.inputs["samples"])
    partial = store.partial(wanted)
    partial.mkdir()
    original, left = resize._blocks, []

    def killed(pending, *rest):
        yield next(original(pending, *rest))
        raise KeyboardInterrupt

    def watched(pending, *rest):
        left.append(len(pending))
        yield from original(pending, *rest)

    monkeypatch.setattr(resize, "_blocks", killed)
    with pytest.raises(KeyboardInterrupt):
        resize.run(wanted.config, Work(partial, wanted), samples=samples)
    monkeypatch.setattr(resize, "_blocks", watched)
    (artifact,) = store.build(wanted)
    assert left == [1]
    assert artifact.file("inputs.h5").read_bytes() == made.file("inputs.h5").read_bytes()
    assert artifact.summary == made.summary


def test_filters_and_sizes_make_other_artifacts_and_workers_do_not(data):
    same = node(data).fingerprint
    assert node(data, workers=2).fingerprint == same
    changed = [node(data, frame_size=64).fingerprint, node(data, filters="stretch").fingerprint]
    assert len({same, *changed}) == 3


def test_what_is_no_filter_is_said_before_anything_is_read(data, tmp_path):
    with pytest.raises(ConfigError, match="is it median"):
        ArtifactStore(tmp_path).build(node(data, filters="medain"))


def test_signals_are_no_pictures(tmp_path):
    from tests.fakes import recordings

    folder = recordings.dataset(tmp_path / "raw", 2, 1)
    with pytest.raises(DataError, match="holds no pictures"):
        ArtifactStore(tmp_path / "cache").build(node(folder))


def test_columns_of_other_names_reach_the_index(tmp_path):
    rows = [
        {"image": row["rgb_frame"], "thermal": row["ir_frame"], "haze": n % 2, "flight": n}
        for n, row in written(tmp_path, 4)
    ]
    frames.table(tmp_path / "flights.csv", rows)
    options = {"columns": "rgb_frame=image,ir_frame=thermal,clip=flight,smoke=haze"}
    (artifact,) = ArtifactStore(tmp_path / "cache").build(samples_of(tmp_path / "flights.csv", **options))
    assert artifact.summary["targets"] == ["smoke"]
    assert arrays.read_table(artifact.file("samples.csv"))["subject_id"].tolist() == ["0", "1", "2", "3"]


def written(folder: Path, count: int):
    return [(number, frames.write(folder, number)) for number in range(count)]


def test_without_clips_a_split_keeps_blocks_whole_and_flags_in_every_part(tmp_path):
    count = 160
    rows = []
    for number in range(count):
        row = frames.write(tmp_path, number % 80)
        name = f"{number:03d}"
        for half, path in row.items():
            place = path.replace(f" {number % 80}.", f" {name}.")
            Image.open(tmp_path / path).point(lambda v, more=number // 80: v + more).save(tmp_path / place)
            row[half] = place
        rows.append(row | {"fire": int(number > 40), "smoke": number // 20 % 2})
    frames.table(tmp_path / "frames.csv", rows)
    samples = samples_of(tmp_path)
    parts = Node("split", "split", split.VERSION, SplitConfig(), {"samples": samples}, split.run)
    listed, divided = ArtifactStore(tmp_path / "cache").build(samples, parts)
    assert listed.summary["grouping"] == {"by": "blocks", "length": 8, "gap": 1}
    assert listed.summary["counts"] == {"pairs": count, "samples": count - 17, "skipped": 17, "subjects": 18}
    table = arrays.read_table(divided.file("split.csv"))
    assert (table.groupby("subject_id")["part"].nunique() == 1).all()
    for part, counts in divided.summary["counts"].items():
        assert {"fire: 0", "fire: 1", "smoke: 0", "smoke: 1"} <= set(counts), part
        assert min(counts["fire: 0"], counts["fire: 1"], counts["smoke: 0"], counts["smoke: 1"]) > 0, part


def test_pairs_that_are_the_same_twice_are_named(tmp_path):
    rows = [row | {"fire": 0, "clip": number} for number, row in written(tmp_path, 6)]
    for old, new in ((0, 4), (1, 5)):  # of the last only the RGB half: another pair
        (tmp_path / f"rgb/frame {new}.png").write_bytes((tmp_path / f"rgb/frame {old}.png").read_bytes())
    (tmp_path / "ir/frame 4.png").write_bytes((tmp_path / "ir/frame 0.png").read_bytes())
    frames.table(tmp_path / "frames.csv", rows)
    (artifact,) = ArtifactStore(tmp_path / "cache").build(samples_of(tmp_path, max_skipped=0.5))
    assert [(item["file"], item["reason"]) for item in artifact.summary["skipped"]] == [
        ("rgb/frame 4.png", "duplicate: of rgb/frame 0.png")
    ]
    rows[4]["fire"] = 1
    frames.table(tmp_path / "frames.csv", rows)
    (artifact,) = ArtifactStore(tmp_path / "cache").build(samples_of(tmp_path, max_skipped=0.5))
    assert [item["reason"] for item in artifact.summary["skipped"]] == [
        "contradiction: rgb/frame 4.png with another label is the same pair",
        "contradiction: rgb/frame 0.png with another label is the same pair",
    ]


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG whose header promises more pixels than anybody has memory for."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def remake(path: Path, size: tuple[int, int]) -> None:
    Image.effect_noise(size, 40).save(path)


def linked(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def swapped(path: Path, kind: str) -> None:
    path.unlink()
    specials.put(path, kind)


DAMAGE = {
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-400]), "unreadable"),
    "header alone": (lambda path: path.write_bytes(path.read_bytes()[:20]), "unreadable"),
    "empty": (lambda path: path.write_bytes(b""), "empty file"),
    "text": (lambda path: path.write_text("no picture"), "unreadable"),
    "zeros": (lambda path: path.write_bytes(bytes(3000)), "unreadable"),
    "noise": (lambda path: path.write_bytes(np.random.default_rng(0).bytes(3000)), "unreadable"),
    "bomb": (lambda path: path.write_bytes(bomb()), "too large"),
    "missing": (Path.unlink, "missing"),
    "other aspect": (lambda path: remake(path, (80, 40)), "other aspect"),
    "too small": (lambda path: remake(path, (20, 16)), "too small"),
    "link to nothing": (lambda path: linked(path, "nowhere.png"), "missing"),
    "folder": (lambda path: swapped(path, "a folder"), "missing"),
    "pipe": (lambda path: swapped(path, "a pipe"), "not a file"),
    "device": (lambda path: swapped(path, "a device"), "not a file"),
    "loop": (lambda path: swapped(path, specials.LOOP), "unreadable"),
}
WORDS = {"rgb": "RGB frame", "ir": "IR frame"}


def test_150_damaged_pairs_are_each_named_with_their_half_and_nothing_else_is_lost(tmp_path):
    rows, expected = [], {}
    for number in range(220):
        noise = Image.effect_noise(frames.SIZE, 60)
        paths = {half: f"{half}/{number:03d}.png" for half in WORDS}
        for half, path in paths.items():
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (noise.convert("RGB") if half == "rgb" else noise.rotate(180)).save(tmp_path / path)
        rows.append({"rgb_frame": paths["rgb"], "ir_frame": paths["ir"], "fire": number % 2, "clip": number // 10})
        if number < 150:
            damage, kind = list(DAMAGE.values())[number // 2 % len(DAMAGE)]
            half = ("rgb", "ir")[number % 2]
            damage(tmp_path / paths[half])
            expected[paths["rgb"]] = kind, WORDS[half]
    frames.table(tmp_path / "frames.csv", rows)
    with specials.within(120):
        (artifact,) = ArtifactStore(tmp_path / "cache").build(samples_of(tmp_path, max_skipped=0.9))
    table = arrays.read_table(artifact.file("samples.csv"))
    assert list(table["file"]) == [row["rgb_frame"] for row in rows[150:]]
    reasons = {item["file"]: item["reason"] for item in artifact.summary["skipped"]}
    assert reasons.keys() == expected.keys()
    for file, (kind, word) in expected.items():
        assert reasons[file].startswith(kind), (file, reasons[file])
        assert word in reasons[file], (file, reasons[file])
    assert Counter(reason.partition(":")[0] for reason in reasons.values()).total() == 150
    with pytest.raises(DataError, match="150 of 220 pairs cannot be used"):
        ArtifactStore(tmp_path / "cache").build(samples_of(tmp_path))


def test_two_datasets_of_pairs_are_one_and_say_how_each_was_grouped(tmp_path):
    first = frames.dataset(tmp_path / "a", 12)
    second = frames.dataset(tmp_path / "b", 40)
    text = (second / "frames.csv").read_text().replace(",clip", ",note")
    (second / "frames.csv").write_text(text)
    (artifact,) = ArtifactStore(tmp_path / "cache").build(samples_of_both(first, second))
    table = arrays.read_table(artifact.file("samples.csv"))
    assert table["ir_file"].str.startswith(("a/ir/", "b/ir/")).all()
    assert artifact.summary["grouping"] == {
        "by": "source",
        "sources": {"a": {"by": "clip"}, "b": {"by": "blocks", "length": 8, "gap": 1}},
    }


def samples_of_both(*folders: Path) -> Node:
    data = ",".join(map(os.fspath, folders))
    config = IndexConfig(data=data, workers=1, max_skipped=0.5)
    return Node("index", "samples", index.VERSION, config, {"raw": RawData.of(data)}, index.run)


def test_a_truth_beside_the_table_brings_what_the_table_does_not_know(tmp_path):
    folder = frames.dataset(tmp_path / "data", 12)
    rows = [{"file": f"rgb/frame {n}.png", "id": n, "clip": "x", "smoke": 1, "smoke_share": n / 20} for n in range(12)]
    frames.table(folder / "truth.csv", rows)
    (artifact,) = ArtifactStore(tmp_path / "cache").build(samples_of(folder))
    table = arrays.read_table(artifact.file("samples.csv")).set_index("file")
    assert artifact.summary["targets"] == ["fire", "smoke", "smoke_share"]
    assert table.loc["rgb/frame 1.png", ["smoke", "smoke_share", "subject_id"]].tolist() == [0, 0.05, "c0"]
