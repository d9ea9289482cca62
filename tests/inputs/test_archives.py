"""Pictures that tables hold, unpacked into an archive and read from it as if it were a folder."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from pipeline.artifacts.raw_data import RawData
from pipeline.errors import DataError
from pipeline.inputs import archives
from pipeline.inputs.images import load

PICTURE = np.arange(30 * 40 * 3, dtype=np.uint8).reshape(30, 40, 3)


def encoded() -> bytes:
    content = io.BytesIO()
    Image.fromarray(PICTURE).save(content, "PNG")
    return content.getvalue()


def unpack(folder) -> str:
    with archives.Unpacker(folder) as unpacker:
        return unpacker.add("train/a.png", encoded())


def test_a_picture_is_decoded_from_the_archive(tmp_path):
    assert unpack(tmp_path) == hashlib.sha256(encoded()).hexdigest()
    assert (load(tmp_path / archives.NAME / "train" / "a.png") == PICTURE).all()
    with pytest.raises(DataError, match="missing"):
        load(tmp_path / archives.NAME / "train" / "b.png")
    with pytest.raises(DataError, match="missing"):
        load(tmp_path / "elsewhere" / archives.NAME / "a.png")


def test_twice_the_same_is_the_same_archive_and_nothing_is_none(tmp_path):
    unpack(tmp_path)
    first = (tmp_path / archives.NAME).read_bytes()
    unpack(tmp_path)
    assert (tmp_path / archives.NAME).read_bytes() == first
    with archives.Unpacker(tmp_path):
        pass
    assert not (tmp_path / archives.NAME).exists()


def test_a_file_is_where_it_lies_in_the_archive_or_among_the_raw_data(tmp_path):
    (tmp_path / "raw").mkdir()
    raw = RawData(tmp_path / "raw")
    assert archives.locate(["a.jpg"], raw, None) == [tmp_path / "raw" / "a.jpg"]
    unpack(tmp_path)
    assert archives.locate(["train/a.png", "a.jpg"], raw, tmp_path / archives.NAME) == [
        tmp_path / archives.NAME / "train" / "a.png",
        tmp_path / "raw" / "a.jpg",
    ]
