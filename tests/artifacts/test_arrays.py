"""Arrays on disk: written block by block, resumed with what is whole, the same bytes in the end; and tables."""

from __future__ import annotations

import os
import random

import h5py
import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts import arrays
from pipeline.artifacts.hdf5 import Structure

ROWS, BLOCK, SIDE = 10, 4, 80
BLOCKS = [slice(0, 4), slice(4, 8), slice(8, 10)]
LAYOUT = {
    "rgb": ((ROWS, SIDE, SIDE, 3), np.uint8),
    "sample_id": ((ROWS,), "S4"),
    "boxes": ((ROWS, 4), np.float32),
}
ATTRS = {"size": SIDE, "classes": ["no_pain", "pain"]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "inputs.h5"


def writer_of(path, kind="inputs", fingerprint="f1", layout=LAYOUT, attrs=ATTRS, block=BLOCK):
    return arrays.open_writer(path, kind, fingerprint, layout, attrs, block)


def block(rows):
    numbers = np.arange(rows.start, rows.stop)
    images = np.broadcast_to(numbers[:, None, None, None], (len(numbers), SIDE, SIDE, 3))
    ids = arrays.sample_id_column([f"s{n}" for n in numbers])
    return {"rgb": images, "sample_id": ids, "boxes": np.ones((len(numbers), 4))}


def fill(path, **changes):
    """Write what is not written, and return its blocks."""
    writer = writer_of(path, **changes)
    pending = writer.pending()
    for rows in pending:
        writer.write(rows, **block(rows))
    writer.finish()
    return pending


@pytest.fixture
def undisturbed(tmp_path) -> bytes:
    """What a run makes that nobody disturbs."""
    fill(tmp_path / "undisturbed.h5")
    return (tmp_path / "undisturbed.h5").read_bytes()


def test_what_was_written_is_read_and_h5py_reads_the_same(path):
    fill(path)
    columns = arrays.Columns(path, "inputs", "f1")
    assert columns["rgb"][7].max() == 7
    assert columns.sample_ids == [f"s{n}" for n in range(ROWS)]
    assert columns.attrs["size"] == SIDE
    assert columns.json("classes") == ["no_pain", "pain"]
    with h5py.File(path) as file:
        for name in LAYOUT:
            np.testing.assert_array_equal(file[name][:], columns[name])
        assert file["sha256"]["rgb"][:].any(axis=1).all()


def test_a_killed_writer_goes_on_where_it_was_and_ends_with_the_same_bytes(path, undisturbed):
    writer = writer_of(path)
    assert writer.pending() == BLOCKS
    writer.write(BLOCKS[1], **block(BLOCKS[1]))
    del writer
    assert fill(path) == [BLOCKS[0], BLOCKS[2]]
    assert path.read_bytes() == undisturbed
    assert os.listdir(path.parent).count("inputs.h5") == len(os.listdir(path.parent)) - 1


def test_what_was_left_goes_on_with_its_own_blocks(path, undisturbed):
    writer_of(path).write(BLOCKS[0], **block(BLOCKS[0]))
    assert fill(path, block=5) == BLOCKS[1:]
    assert path.read_bytes() == undisturbed


def test_rows_that_are_written_and_not_marked_are_not_done(path):
    writer = writer_of(path)
    writer.fill(BLOCKS[0], **block(BLOCKS[0]))
    assert writer_of(path).pending() == BLOCKS
    writer.mark(BLOCKS[0])
    assert writer_of(path).pending() == BLOCKS[1:]


def test_several_fill_one_file(path, undisturbed):
    writers = [writer_of(path) for _ in range(2)]
    for number, rows in enumerate(BLOCKS):
        writers[number % 2].write(rows, **block(rows))
    writers[0].finish()
    assert path.read_bytes() == undisturbed


def test_finishing_early_is_a_bug(path):
    with pytest.raises(RuntimeError, match="3 blocks are not written"):
        writer_of(path).finish()


def flip(path, at) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 64
    path.write_bytes(content)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("digests", [False, True])
def test_a_damaged_block_of_a_partial_file_is_named_and_made_again(path, undisturbed, caplog, seed, digests):
    writer = writer_of(path)
    for rows in BLOCKS[:2]:
        writer.write(rows, **block(rows))
    rng = random.Random(seed)
    name = rng.choice(list(LAYOUT))
    place, number = Structure.read(path).columns[name], rng.randrange(2)
    unit = number if place.unit == BLOCK else number * BLOCK + rng.randrange(BLOCK)
    width = 32 if digests else place.nbytes // ROWS * place.unit
    flip(path, (place.digests if digests else place.offset) + unit * width + rng.randrange(width))
    assert fill(path) == [BLOCKS[number], BLOCKS[2]]
    assert f"block {number} is made again" in caplog.text
    assert f"of column {name} is not what was written" in caplog.text
    assert path.read_bytes() == undisturbed


LEFT = {
    "another kind": {"kind": "labels"},
    "another artifact's": {"fingerprint": "f2"},
    "other columns": {"layout": {name: LAYOUT[name] for name in ("rgb", "sample_id")}},
    "other rows": {"layout": {name: ((ROWS + 1, *shape[1:]), dtype) for name, (shape, dtype) in LAYOUT.items()}},
    "other attributes": {"attrs": ATTRS | {"size": 81}},
}


@pytest.mark.parametrize("left", LEFT)
def test_a_file_that_was_left_of_something_else_is_made_anew(path, undisturbed, caplog, left):
    writer_of(path, **LEFT[left])
    assert fill(path) == BLOCKS
    assert "it is made anew" in caplog.text
    assert path.read_bytes() == undisturbed


def test_a_file_that_is_no_file_or_cut_off_is_made_anew(path, undisturbed):
    for make in (path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to("nowhere"), path.touch):
        make()
        assert fill(path) == BLOCKS
        assert path.read_bytes() == undisturbed
        path.unlink()
    path.write_bytes(undisturbed[:-1])
    assert fill(path) == BLOCKS
    assert path.read_bytes() == undisturbed


def test_any_damage_of_the_structure_of_a_partial_file_is_mended(path, undisturbed):
    rng = random.Random(0)
    ranges = Structure.read(path.with_name("undisturbed.h5")).outside(digests=True)
    for start, stop in ranges:
        for at in (start, stop - 1, *(rng.randrange(start, stop) for _ in range(12))):
            path.write_bytes(undisturbed)
            flip(path, at)
            assert fill(path) == BLOCKS
            assert path.read_bytes() == undisturbed


def test_sample_ids_keep_every_character():
    ids = ["ü#left", "a" * 90]
    assert [value.decode() for value in arrays.sample_id_column(ids)] == ids


def test_tables_keep_ids_as_text_and_floats_exact_to_nine_digits(tmp_path):
    frame = pd.DataFrame({"sample_id": ["007", "1e5"], "x": [0.1234567891, 2.0], "n": [1, 2]})
    arrays.write_table(tmp_path / "t.csv", frame)
    read = arrays.read_table(tmp_path / "t.csv")
    assert read["sample_id"].tolist() == ["007", "1e5"]
    np.testing.assert_allclose(read["x"], frame["x"], rtol=1e-8)
    arrays.write_table(tmp_path / "again.csv", read)
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "t.csv").read_bytes()


def test_a_subject_may_be_called_none(tmp_path):
    arrays.write_table(tmp_path / "t.csv", pd.DataFrame({"subject_id": ["None", "NA", "nan"], "x": [1.0, None, 2.0]}))
    read = arrays.read_table(tmp_path / "t.csv")
    assert read["subject_id"].tolist() == ["None", "NA", "nan"]
    assert read["x"].isna().tolist() == [False, True, False]


def behind(*calls) -> None:
    with arrays.Behind() as run:
        for function, *arguments in calls:
            run(function, *arguments)


def fail() -> None:
    raise OSError("the disk is full")


def test_calls_behind_come_in_order_and_tell_of_failures():
    done = []
    behind(*[(done.append, number) for number in range(5)])
    assert done == list(range(5))
    for calls in ([(fail,), (done.append, 5)], [(fail,)]):
        with pytest.raises(OSError, match="full"):
            behind(*calls)
    assert done == list(range(5))
