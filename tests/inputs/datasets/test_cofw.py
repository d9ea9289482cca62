"""COFW: pictures and points in MATLAB files of version 7.3, as MATLAB lays them out."""

from __future__ import annotations

import io

import h5py
import numpy as np
import pytest
from PIL import Image

from pipeline.errors import DataError
from pipeline.inputs import datasets
from pipeline.inputs.datasets import cofw
from pipeline.inputs.datasets.entries import Listing
from tests.helpers import specials
from tests.helpers.matlab import save

GREY = np.arange(40 * 60, dtype=np.uint16).reshape(40, 60).astype(np.uint8)  # (H, W)
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=2)  # (H, W, 3)
X, Y = np.linspace(5, 50, 29), np.linspace(8, 36, 29)


def phi(hidden: int = 0) -> np.ndarray:
    """A face of which so many points are hidden, shape (87,)."""
    return np.concatenate([X, Y, np.arange(29) < hidden])


def read(folder) -> tuple[Listing, dict[str, bytes]]:
    kept: dict[str, bytes] = {}
    files = {path.name: "" for path in sorted(folder.iterdir())}
    assert datasets.recognise(folder, files) == "cofw"
    listing = datasets.read("cofw", folder, files, lambda file, content: kept.setdefault(file, content) and file[:4])
    return listing, kept


def test_both_parts_are_read_with_pictures_points_hidden_ones_and_boxes(tmp_path):
    save(tmp_path / "COFW_train_color.mat", "Tr", [COLOUR, GREY], [phi(9), phi(8)])
    save(tmp_path / "COFW_test_color.mat", "T", [COLOUR[::-1]], [phi()])
    listing, kept = read(tmp_path)
    assert [(entry.file, entry.fold) for entry in listing.entries] == [
        ("COFW_test_color/0000000.png", "test"),
        ("COFW_train_color/0000000.png", "train"),
        ("COFW_train_color/0000001.png", "train"),
    ]
    region = listing.entries[1].regions["full"]
    assert np.reshape(region.points, (29, 2)) == pytest.approx(np.stack([X, Y], axis=1) - 0.5)
    assert region.hidden == (1,) * 9 + (0,) * 20
    assert region.box == (3.5, 4.5, 33.5, 24.5)
    assert [entry.regions["full"].attributes["occluded"] for entry in listing.entries] == ["0", "1", "0"]
    assert listing.digests["COFW_train_color/0000000.png"] == "COFW"
    assert (np.asarray(Image.open(io.BytesIO(kept["COFW_train_color/0000000.png"]))) == COLOUR).all()
    assert (np.asarray(Image.open(io.BytesIO(kept["COFW_train_color/0000001.png"]))) == GREY).all()


def test_one_file_alone_has_no_parts(tmp_path):
    save(tmp_path / "COFW_test.mat", "T", [GREY], [phi()])
    assert [entry.fold for entry in read(tmp_path)[0].entries] == [""]


def test_a_face_that_cannot_be_used_is_skipped_with_the_reason(tmp_path):
    lost = phi()
    lost[3] = np.nan
    pictures = [GREY, GREY, GREY.astype(float), GREY[0], np.zeros((40, 60, 4), np.uint8), GREY]
    save(tmp_path / "COFW_train.mat", "Tr", pictures, [phi(), lost, *[phi()] * 4])
    with h5py.File(tmp_path / "COFW_train.mat", "r+") as file:
        file["IsTr"][0, 5] = h5py.Reference()
    listing, kept = read(tmp_path)
    assert [entry.file for entry in listing.entries] == list(kept) == ["COFW_train/0000000.png"]
    reasons = {item.file[-5:]: item.reason for item in listing.skipped}
    assert list(reasons) == ["1.png", "2.png", "3.png", "4.png", "5.png"]
    assert all(reason.startswith("unreadable: ") for reason in reasons.values())
    assert reasons["1.png"] == "unreadable: a coordinate is no finite number"
    assert (
        reasons["2.png"] == "unreadable: float64 of shape (60, 40), expected 8 bits of width x height, or 3 times that"
    )


@pytest.mark.parametrize("box", [(4, 5, 0, 9), (4, 5, 9, -1), (4, 5, np.inf, 9)])
def test_a_box_that_is_none_is_the_reason(tmp_path, box):
    save(tmp_path / "COFW_train.mat", "Tr", [GREY], [phi()], box)
    assert read(tmp_path)[0].skipped[0].reason.startswith(("unknown box", "unreadable: a coordinate"))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (lambda file: file.pop("phisTr"), "has no array phisTr"),
        (lambda file: file.pop("IsTr"), "has no array IsTr"),
        (lambda file: file.pop("phisTr") and file.create_dataset("phisTr", data=np.ones((86, 2))), r"\(86, 2\)"),
        (lambda file: file.pop("phisTr") and file.create_dataset("phisTr", data=np.ones((87, 3))), r"\(87, 3\)"),
        (lambda file: file.pop("phisTr") and file.create_dataset("phisTr", data=3.0), r"shapes \(1, 2\), \(\)"),
        (lambda file: file.pop("phisTr") and file.create_group("phisTr"), "None"),
        (lambda file: file.pop("IsTr") and file.create_dataset("IsTr", data=np.ones((1, 2))), "expected cells"),
        (
            lambda file: file.pop("phisTr") and file.create_dataset("phisTr", data=np.full((87, 2), b"x")),
            "expected cells",
        ),
    ],
)
def test_other_arrays_are_an_error_that_names_the_file(tmp_path, changed, reason):
    path = tmp_path / "COFW_train.mat"
    save(path, "Tr", [GREY] * 2, [phi()] * 2)
    with h5py.File(path, "r+") as file:
        changed(file)
    with pytest.raises(DataError, match=rf"COFW_train\.mat .*{reason}.* Fetch it again"):
        read(tmp_path)


def damage(content: bytes, number: int) -> bytes:
    """A file cut at some place, or with some bytes of its beginning turned."""
    rng = np.random.default_rng(number)
    if number % 2:
        return content[: int(rng.integers(len(content)))]
    turned = bytearray(content)
    for place in rng.integers(512, 4096, 4):
        turned[place] ^= int(rng.integers(1, 256))
    return bytes(turned)


@pytest.mark.parametrize("number", range(40))
def test_a_damaged_file_is_an_error_or_its_faces_are_skipped(tmp_path, number):
    path = tmp_path / "COFW_train.mat"
    save(path, "Tr", [GREY] * 3, [phi()] * 3)
    path.write_bytes(damage(path.read_bytes(), number))
    count, message = 0, ""
    try:
        listing, _ = read(tmp_path)
        count = len(listing.entries) + len(listing.skipped)
    except DataError as error:
        message = str(error)
    assert count == 3 or ("COFW_train.mat" in message and len(message.splitlines()) == 1)


def test_two_files_of_one_part_and_none_are_errors(tmp_path):
    for name in ("COFW_train.mat", "COFW_train_color.mat"):
        save(tmp_path / name, "Tr", [GREY], [phi()])
    with pytest.raises(DataError, match=r"COFW_train\.mat and COFW_train_color\.mat are the same part\. Keep one"):
        read(tmp_path)
    with pytest.raises(DataError, match=r"has no COFW_train\.mat"):
        cofw.read(tmp_path, {"a.mat": ""}, lambda *_: "")


@pytest.mark.parametrize("kind", specials.KINDS)
def test_what_is_no_file_is_an_error(tmp_path, kind):
    specials.put(tmp_path / "COFW_train.mat", kind)
    with specials.within(5), pytest.raises(DataError, match=f"no readable MATLAB file .*{kind}"):
        cofw.read(tmp_path, {"COFW_train.mat": ""}, lambda *_: "")
