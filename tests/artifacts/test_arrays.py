"""Arrays on disk: contiguous, resumable, the same bytes, and never read when they are not what they should be."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts import arrays
from pipeline.errors import ArtifactError

ROWS = 10


@pytest.fixture
def path(tmp_path):
    return tmp_path / "inputs.h5"


def create(path, fingerprint="f1"):
    columns = {
        "rgb": ((ROWS, 4, 4, 3), np.uint8),
        "sample_id": ((ROWS,), "S4"),
        "boxes": ((ROWS, 4), np.float32),
    }
    arrays.create(path, "inputs", fingerprint, columns, {"size": 4, "classes": ["no_pain", "pain"]})


def block(rows):
    numbers = np.arange(rows.start, rows.stop)
    images = np.broadcast_to(numbers[:, None, None, None], (len(numbers), 4, 4, 3))
    ids = arrays.sample_id_column([f"s{n}" for n in numbers])
    return {"rgb": images, "sample_id": ids, "boxes": np.ones((len(numbers), 4))}


def fill(path):
    writer = arrays.ColumnWriter(path, block=4)
    for rows in writer.pending():
        writer.write(rows, **block(rows))
    writer.finish()


def test_what_was_written_is_read_and_h5py_reads_the_same(path):
    create(path)
    fill(path)
    columns = arrays.Columns(path, "inputs", "f1")
    assert columns["rgb"][7].max() == 7
    assert columns.sample_ids == [f"s{n}" for n in range(ROWS)]
    assert columns.attrs["size"] == 4
    assert columns.json("classes") == ["no_pain", "pain"]
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["rgb"][:], columns["rgb"])
        assert file["rgb"].chunks is None


def test_readers_cannot_write(path):
    create(path)
    with pytest.raises(ValueError, match="read-only"):
        arrays.Columns(path, "inputs", "f1")["rgb"][0] = 1


def test_a_killed_writer_goes_on_where_it_was_and_ends_with_the_same_bytes(path, tmp_path):
    create(path)
    writer = arrays.ColumnWriter(path, block=4)
    assert writer.pending() == [slice(0, 4), slice(4, 8), slice(8, 10)]
    writer.write(slice(4, 8), **block(slice(4, 8)))
    del writer
    assert arrays.ColumnWriter(path, block=4).pending() == [slice(0, 4), slice(8, 10)]
    fill(path)
    undisturbed = tmp_path / "other.h5"
    create(undisturbed)
    fill(undisturbed)
    assert path.read_bytes() == undisturbed.read_bytes()
    assert not path.with_name("inputs.h5.done").exists()


def test_finishing_early_is_a_bug(path):
    create(path)
    with pytest.raises(RuntimeError, match="3 blocks are not written"):
        arrays.ColumnWriter(path, block=4).finish()


@pytest.mark.parametrize(
    ("kind", "fingerprint", "message"),
    [("labels", "f1", "expected 'labels'"), ("inputs", "f2", "does not belong here")],
)
def test_another_kind_or_artifact_is_refused(path, kind, fingerprint, message):
    create(path)
    with pytest.raises(ArtifactError, match=message):
        arrays.Columns(path, kind, fingerprint)


@pytest.mark.parametrize("keep", [0, 100, 2000])
def test_a_truncated_file_is_refused(path, keep):
    create(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ArtifactError, match="cannot be read as inputs"):
        arrays.Columns(path, "inputs", "f1")


def test_rows_join_by_sample_id(path):
    create(path)
    fill(path)
    columns = arrays.Columns(path, "inputs", "f1")
    np.testing.assert_array_equal(columns.rows(["s9", "s0", "s9"]), [9, 0, 9])
    with pytest.raises(ArtifactError, match="lacks 1 of 2 samples, the first is s10"):
        columns.rows(["s1", "s10"])


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
