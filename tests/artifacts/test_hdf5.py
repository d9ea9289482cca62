"""Where everything lies in a file: what others read, and what is refused before anything is believed."""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.artifacts import hdf5
from pipeline.artifacts.hdf5 import Structure
from pipeline.errors import ArtifactError
from stages import surroundings

ROOT = Path(__file__).resolve().parents[2]
LAYOUT = {"rgb": ((10, 80, 80, 3), np.uint8), "sample_id": ((10,), "S4"), "hidden": ((10, 7), np.float16)}
ATTRS = {"kind": "inputs", "outputs": ["no_pain", "pain"], "share": 0.5}


@pytest.fixture
def path(tmp_path) -> Path:
    hdf5.lay_out(tmp_path / "inputs.h5", LAYOUT, ATTRS, 4)
    return tmp_path / "inputs.h5"


def refused(path: Path) -> str:
    """What a reader is told of a file."""
    with pytest.raises(ArtifactError) as caught:
        Structure.read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_others_find_the_same_where_the_first_line_says_it(path):
    structure, content = Structure.read(path), path.read_bytes()
    with h5py.File(path) as file:
        assert sorted(file) == ["hidden", "rgb", "sample_id", "sha256"]
        assert {**file.attrs} == structure.attrs == ATTRS | {"outputs": '["no_pain", "pain"]'}
        for name, (shape, dtype) in LAYOUT.items():
            place = structure.columns[name]
            assert (file[name].shape, file[name].dtype, file[name].chunks) == (shape, np.dtype(dtype), None)
            assert (file[name].id.get_offset(), place.dtype) == (place.offset, np.dtype(dtype).str)
            assert file["sha256"][name].id.get_offset() == place.digests
            assert file["sha256"][name].shape == (place.units, 32)
            assert content[place.digests :][: 32 * place.units] == bytes(32 * place.units)


def test_a_large_row_has_a_digest_of_its_own_small_ones_one_a_block(path):
    units = {name: (place.unit, place.units) for name, place in Structure.read(path).columns.items()}
    assert units == {"rgb": (1, 10), "sample_id": (4, 3), "hidden": (4, 3)}


def test_what_is_outside_the_columns_and_the_columns_are_the_whole_file(path):
    structure = Structure.read(path)
    data = [next(place.spans(digests=False)) for place in structure.columns.values()]
    ranges = sorted([*data, *structure.outside(digests=False)])
    assert ranges[0][0] == 0
    assert ranges[-1][1] == path.stat().st_size
    assert all(before[1] == after[0] for before, after in pairwise(ranges))
    without = sum(stop - start for start, stop in structure.outside(digests=True))
    assert without == sum(stop - start for start, stop in structure.outside(digests=False)) - 32 * (10 + 3 + 3)


def test_the_same_layout_gives_the_same_bytes(path, tmp_path):
    again = tmp_path / "again.h5"
    hdf5.lay_out(again, LAYOUT, ATTRS, 4)
    assert again.read_bytes() == path.read_bytes()


def test_many_outputs_have_room(tmp_path):
    outputs = [f"expression {number}" for number in range(1000)]
    hdf5.lay_out(tmp_path / "labels.h5", LAYOUT, {"outputs": outputs}, 4)
    assert json.loads(Structure.read(tmp_path / "labels.h5").attrs["outputs"]) == outputs
    with h5py.File(tmp_path / "labels.h5") as file:
        assert json.loads(file.attrs["outputs"]) == outputs


@pytest.mark.parametrize("keep", [0, 1, 100, 2000, -1])
def test_a_truncated_file_is_refused(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    assert "damaged or truncated" in refused(path)


HOSTILE = {
    "an offset behind the end": lambda said: said["columns"]["rgb"].update(offset=10**9),
    "an offset before the start": lambda said: said["columns"]["rgb"].update(offset=-1),
    "digests behind the end": lambda said: said["columns"]["rgb"].update(digests=said["size"] - 1),
    "digests for fewer rows than there are": lambda said: said["columns"]["hidden"].update(unit=0),
    "a shape that no memory holds": lambda said: said["columns"]["rgb"].update(shape=[10, 2**40, 2**40]),
    "a shape without rows": lambda said: said["columns"]["rgb"].update(shape=[]),
    "rows of nothing": lambda said: said["columns"]["rgb"].update(shape=[10, 0]),
    "other rows than the rest": lambda said: said["columns"]["rgb"].update(shape=[9, 80, 80, 3]),
    "Python objects": lambda said: said["columns"]["rgb"].update(dtype="|O"),
    "the other order of bytes": lambda said: said["columns"]["hidden"].update(dtype=">f2"),
    "a number that is text": lambda said: said["columns"]["rgb"].update(offset="8704"),
    "no digests": lambda said: said["columns"]["rgb"].pop("digests"),
    "columns in a list": lambda said: said.update(columns=[]),
    "an attribute that is a list": lambda said: said["attrs"].update(outputs=["pain"]),
    "blocks of nothing": lambda said: said.update(block=0),
    "another size": lambda said: said.update(size=said["size"] + 1),
    "no attributes": lambda said: said.pop("attrs"),
}


@pytest.mark.parametrize("damage", HOSTILE)
def test_a_first_line_that_cannot_be_true_is_refused(path, damage):
    content = path.read_bytes()
    said = json.loads(content.partition(b"\n")[0])
    HOSTILE[damage](said)
    line = json.dumps(said).encode() + b"\n"
    path.write_bytes(line + content[len(line) :])
    assert "rm -r" in refused(path)


@pytest.mark.parametrize("line", [b"", b"null\n", b"[" * 10**5, b"{" * 500 + b"\n", b"\xff\xfe\n", b"x" * 2**21])
def test_a_first_line_that_is_none_is_refused(path, line):
    path.write_bytes(line)
    refused(path)


def test_what_is_not_a_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "fifo.h5")
    (tmp_path / "folder.h5").mkdir()
    for name in ("fifo.h5", "folder.h5"):
        assert "is not a file" in refused(tmp_path / name)
    assert "No such file" in refused(tmp_path / "none.h5")


def test_any_damage_of_the_structure_is_read_or_refused(path):
    """HDF5's own library hangs or crashes over some of these."""
    content, rng = path.read_bytes(), random.Random(0)
    outside = [at for start, stop in Structure.read(path).outside(digests=True) for at in range(start, stop)]
    refusals = 0
    for _ in range(1000):
        damaged = bytearray(content)
        for at in rng.choices(outside, k=rng.choice([1, 8])):
            damaged[at] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            structure = Structure.read(path)
        except ArtifactError:
            refusals += 1
        else:
            assert all(stop <= len(content) for one in structure.columns.values() for _, stop in one.spans(True))
    assert 50 < refusals < 950


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT])
def test_no_room_is_one_line(path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(OSError, match=path.name) as raised:
        hdf5.reserve(path)
    assert surroundings.explain(raised.value).startswith(f"{os.strerror(number)}: {path}. ")


LIMITED = """
import resource, sys
from pathlib import Path
from pipeline.artifacts import arrays
from stages import surroundings
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
path = Path(sys.argv[1])
try:
    arrays.create(path, "inputs", "f", {"rgb": ((10, 80, 80, 3), "u1")}, {})
except Exception as error:
    print(surroundings.explain(error))
"""


def test_a_limit_of_the_size_of_files_is_one_line_and_leaves_nothing(tmp_path):
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "inputs.h5")]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stderr == ""
    assert "File too large" in told.stdout
    assert told.stdout.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
