"""Columns as they are read: nothing damaged is handed out, and nothing is hashed twice."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts import arrays, columns
from pipeline.artifacts.columns import Columns
from pipeline.artifacts.hdf5 import Structure
from pipeline.errors import ArtifactError

ROWS, BLOCK = 10, 4
SIDE = 80  # a face is large enough for a digest of its own


@pytest.fixture
def path(tmp_path) -> Path:
    return written(tmp_path / "inputs.h5")


def written(path: Path) -> Path:
    layout = {"rgb": ((ROWS, SIDE, SIDE, 3), np.uint8), "sample_id": ((ROWS,), "S4"), "x": ((ROWS, 3), np.float32)}
    writer = arrays.open_writer(path, "inputs", "f1", layout, {"outputs": ["a", "b"], "text": "["}, BLOCK)
    rng = np.random.default_rng(0)
    for rows in writer.pending():
        count = rows.stop - rows.start
        ids = arrays.sample_id_column([f"s{number}" for number in range(rows.start, rows.stop)])
        faces = rng.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)
        writer.write(rows, rgb=faces, sample_id=ids, x=rng.normal(size=(count, 3)))
    writer.finish()
    return path


def flip(path: Path, at: int) -> None:
    """Flip a bit of the byte at an offset."""
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 16]))


def place(path: Path, name: str, row: int) -> int:
    """The offset of a row."""
    found = Structure.read(path).columns[name]
    return found.offset + row * found.nbytes // found.shape[0]


def opened(path: Path) -> Columns:
    return Columns(path, "inputs", "f1")


def outside(path: Path) -> str:
    """The checksum that an artifact's record has of a file."""
    content, ranges = path.read_bytes(), arrays.outside_columns(path)
    return hashlib.sha256(b"".join(content[start:stop] for start, stop in ranges)).hexdigest()


def test_every_flipped_byte_is_noticed_by_the_records_checksum_or_by_the_digests(path):
    content, checksum, ranges = path.read_bytes(), outside(path), arrays.outside_columns(path)
    rng = random.Random(0)
    inside = [rng.randrange(start, stop) for start, stop in ranges for _ in range(20)]
    for at in [*inside, *(rng.randrange(len(content)) for _ in range(300)), 0, len(content) - 1]:
        flip(path, at)
        if any(start <= at < stop for start, stop in ranges):
            damaged = path.read_bytes()
            parts = b"".join(damaged[start:stop] for start, stop in ranges)
            assert hashlib.sha256(parts).hexdigest() != checksum
        else:
            with pytest.raises(ArtifactError, match=r"(row \d+|block \d+ \(rows \d+ to \d+\)) of column \w+ is not"):
                arrays.verify_columns(path)
        path.write_bytes(content)
    arrays.verify_columns(path)


@pytest.mark.parametrize(
    ("name", "row", "words"),
    [("rgb", 7, "row 7 of column rgb"), ("x", 9, r"block 2 \(rows 8 to 9\) of column x"), ("sample_id", 0, "block 0")],
)
def test_damage_is_named_with_its_block_and_its_remedy(path, name, row, words):
    flip(path, place(path, name, row))
    with pytest.raises(ArtifactError, match=rf"inputs.h5 is damaged: {words}.* rm -r {path.parent}$"):
        np.asarray(opened(path)[name])


TOUCHING = {
    "a row": lambda column: column[7],
    "a row from the end": lambda column: column[-3],
    "a slice": lambda column: column[6:9],
    "a slice backwards": lambda column: column[::-1],
    "rows": lambda column: column[np.array([1, 7])],
    "rows from the end": lambda column: column[[-3]],
    "a mask": lambda column: column[np.arange(ROWS) == 7],
    "a part of rows": lambda column: column[[7], 0],
    "all of them": lambda column: column[...],
    "an array": np.asarray,
    "a copy": np.array,
    "taken": lambda column: np.take(column, np.array([7]), axis=0),
    "taken into a buffer": lambda column: np.take(
        column, [7], 0, np.empty((1, *column.shape[1:]), column.dtype), "clip"
    ),
}
PASSING = {
    "a row": lambda column: column[0],
    "a slice": lambda column: column[:4],
    "no rows": lambda column: column[np.empty(0, int)],
    "rows": lambda column: column[np.array([3, 1])],
    "a mask": lambda column: column[np.arange(ROWS) < 4],
    "taken": lambda column: np.take(column, np.array([0, 3]), axis=0),
}


@pytest.mark.parametrize("name", ["rgb", "x"])
@pytest.mark.parametrize("way", TOUCHING)
def test_no_way_of_reading_hands_out_what_is_damaged(path, way, name):
    whole = np.array(opened(path)[name])
    np.testing.assert_array_equal(TOUCHING[way](opened(path)[name]), TOUCHING[way](whole))
    flip(path, place(path, name, 7))
    with pytest.raises(ArtifactError, match=f"of column {name}"):
        TOUCHING[way](opened(path)[name])


@pytest.mark.parametrize("name", ["rgb", "x"])
@pytest.mark.parametrize("way", PASSING)
def test_only_what_is_touched_is_verified(path, way, name):
    whole = np.array(opened(path)[name])
    flip(path, place(path, name, 7))
    np.testing.assert_array_equal(PASSING[way](opened(path)[name]), PASSING[way](whole))


def hashed_bytes(monkeypatch) -> list[int]:
    """How many bytes each call hashes from now on."""
    sha256, sizes = hashlib.sha256, []
    monkeypatch.setattr(columns.hashlib, "sha256", lambda data: sizes.append(len(data)) or sha256(data))
    return sizes


def test_a_large_row_is_read_alone_and_nothing_is_hashed_twice(path, monkeypatch):
    found, sizes = opened(path), hashed_bytes(monkeypatch)
    found["rgb"][[5, 2]]
    assert sizes == [SIDE * SIDE * 3] * 2
    found["rgb"][2:6]
    assert len(sizes) == 4
    np.asarray(found["rgb"])
    assert len(sizes) == ROWS
    found["x"][5]
    assert sizes[ROWS:] == [BLOCK * 3 * 4]
    for way in TOUCHING.values():
        way(found["rgb"])
    assert len(sizes) == ROWS + 1


def test_verifying_a_file_reads_all_of_it_once(path, monkeypatch):
    monkeypatch.setattr(arrays, "UNMAPPED_AFTER", 3 * SIDE * SIDE * 3)
    sizes = hashed_bytes(monkeypatch)
    arrays.verify_columns(path)
    assert sum(sizes) == sum(place.nbytes for place in Structure.read(path).columns.values())


def test_a_row_that_is_not_there_is_numpys_error(path):
    for row in (ROWS, [ROWS], [-ROWS - 1]):
        with pytest.raises(IndexError):
            opened(path)["rgb"][row]


def test_readers_cannot_write(path):
    with pytest.raises(ValueError, match="read-only"):
        opened(path)["rgb"][0][:] = 1
    with pytest.raises(TypeError, match="item assignment"):
        opened(path)["rgb"][0] = 1


def test_a_column_is_not_compared_as_if_it_were_an_array(path):
    with pytest.raises(TypeError):
        opened(path)["x"] == 1  # noqa: B015


def test_what_a_file_lacks_is_named(path):
    found = opened(path)
    assert [name in found for name in ("rgb", "ir")] == [True, False]
    with pytest.raises(ArtifactError, match="has no column ir; it has rgb, sample_id, x"):
        found["ir"]
    with pytest.raises(ArtifactError, match="does not say its teachers"):
        found.attrs["teachers"]
    with pytest.raises(ArtifactError, match="does not say its teachers"):
        found.json("teachers")
    with pytest.raises(ArtifactError, match="text is no JSON"):
        found.json("text")


@pytest.mark.parametrize(
    ("kind", "fingerprint", "message"),
    [("labels", "f1", "expected 'labels'"), ("inputs", "f2", "does not belong here")],
)
def test_another_kind_or_artifact_is_refused(path, kind, fingerprint, message):
    with pytest.raises(ArtifactError, match=message):
        Columns(path, kind, fingerprint)


def test_rows_join_by_sample_id(path):
    found = opened(path)
    np.testing.assert_array_equal(found.rows(["s9", "s0", "s9"]), [9, 0, 9])
    with pytest.raises(ArtifactError, match="lacks 1 of 2 samples, the first is s10"):
        found.rows(["s1", "s10"])
