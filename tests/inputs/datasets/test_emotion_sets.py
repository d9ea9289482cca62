"""FER+, RAF-DB and AffectNet: their own lists, numbers and parts."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import DataError
from pipeline.inputs import datasets
from pipeline.inputs.datasets import affectnet, ferplus, rafdb
from tests.helpers import specials

GREY = np.arange(48 * 48, dtype=np.uint16).reshape(48, 48) % 251
VOTES = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"


def fer(folder, rows: list[tuple[str, str]], pixels: str = " ".join(map(str, GREY.ravel()))) -> dict[str, str]:
    """FER's two tables: usage and ten votes of each picture."""
    (folder / "fer2013.csv").write_text(
        "emotion,pixels,Usage\n" + "".join(f"0,{pixels},{usage}\n" for usage, _ in rows)
    )
    (folder / "fer2013new.csv").write_text(VOTES + "".join(f"{usage},x.png,{votes}\n" for usage, votes in rows))
    return {"fer2013.csv": "", "fer2013new.csv": ""}


def read_fer(folder, rows, **more):
    kept: dict[str, bytes] = {}
    files = fer(folder, rows, **more)
    assert datasets.recognise(folder, files) == "ferplus"
    listing = ferplus.read(folder, files, lambda file, content: kept.setdefault(file, content) and f"sha of {file}")
    return listing, kept


def test_fer_takes_the_class_of_most_votes_the_usage_and_the_very_pixels(tmp_path):
    rows = [
        ("Training", "1,6,3,0,0,0,0,0,0,0"),
        ("PublicTest", "4,0,0,0,0,0,6,0,0,0"),
        ("PrivateTest", "0,0,0,0,0,9,0,0,1,"),
    ]
    listing, kept = read_fer(tmp_path, rows)
    assert [(entry.file, entry.regions["full"].targets["expression"], entry.fold) for entry in listing.entries] == [
        ("fer0000000.png", "happiness", "train"),
        ("fer0000001.png", "fear", "val"),
        ("fer0000002.png", "disgust", "test"),
    ]
    assert listing.digests["fer0000001.png"] == "sha of fer0000001.png"
    assert (np.asarray(Image.open(io.BytesIO(kept["fer0000000.png"]))) == GREY).all()


@pytest.mark.parametrize(
    ("votes", "reason"),
    [
        ("5,5,0,0,0,0,0,0,0,0", "dropped: the votes tie between neutral and happiness"),
        ("0,0,0,0,0,0,0,9,1,0", "dropped: most votes are for contempt"),
        ("0,0,0,0,1,0,0,0,9,0", "dropped: most votes are for unknown"),
        ("0,0,0,0,0,0,0,0,0,10", "dropped: most votes are for NF"),
        ("0,0,0,0,0,0,0,0,0,0", "dropped: the votes tie between all"),
        ("a,0,0,0,0,0,0,0,0,0", "unreadable votes"),
    ],
)
def test_fer_without_a_class_is_skipped_with_the_reason(tmp_path, votes, reason):
    listing, kept = read_fer(tmp_path, [("Training", votes), ("Training", "9,0,0,0,0,0,0,0,0,0")])
    assert listing.skipped[0].reason.startswith(reason)
    assert list(kept) == ["fer0000001.png"]


def test_fer_with_other_pixels_is_skipped(tmp_path):
    listing, _ = read_fer(tmp_path, [("Training", "9,0,0,0,0,0,0,0,0,0")], pixels="1 2 3")
    assert listing.skipped[0].reason == "unreadable: 3 pixels, expected 48 x 48"


def test_fer_without_its_votes_or_with_fewer_is_an_error(tmp_path):
    fer(tmp_path, [("Training", "9,0,0,0,0,0,0,0,0,0")] * 2)
    with pytest.raises(DataError, match=r"has no fer2013new\.csv.*github\.com/microsoft/FERPlus"):
        ferplus.read(tmp_path, {"fer2013.csv": ""}, lambda *_: "")
    both = {"fer2013.csv": "", "fer2013new.csv": ""}
    (tmp_path / "fer2013new.csv").write_text(VOTES + "Training,x.png,9,0,0,0,0,0,0,0,0,0\n")
    with pytest.raises(DataError, match=r"fer2013\.csv has more rows .* ends at row 1"):
        ferplus.read(tmp_path, both, lambda *_: "")
    (tmp_path / "fer2013new.csv").write_text("Usage,neutral\n")
    with pytest.raises(DataError, match="lacks the columns happiness, surprise"):
        ferplus.read(tmp_path, both, lambda *_: "")


RAF = {"EmoLabel/list_patition_label.txt": "", "Image/aligned/train_00001_aligned.jpg": "", "test_0002.jpg": ""}


def read_raf(folder, text: str):
    (folder / "EmoLabel").mkdir(exist_ok=True)
    (folder / "EmoLabel" / "list_patition_label.txt").write_text(text)
    assert datasets.recognise(folder, RAF) == "rafdb"
    return rafdb.read(folder, RAF)


def test_raf_has_its_own_numbers_aligned_pictures_and_parts(tmp_path):
    listing = read_raf(tmp_path, "train_00001.jpg 5\ntest_0002.jpg 1\n\ntest_0003.jpg 7\n")
    assert [(entry.file, entry.regions["full"].targets["expression"], entry.fold) for entry in listing.entries] == [
        ("Image/aligned/train_00001_aligned.jpg", "sadness", "train"),
        ("test_0002.jpg", "surprise", "test"),
    ]
    assert [(item.file, item.reason.split(":")[0]) for item in listing.skipped] == [("test_0003.jpg", "missing")]


@pytest.mark.parametrize("line", ["train_00001.jpg 8", "train_00001.jpg happy", "train_00001.jpg"])
def test_raf_with_an_unknown_emotion_is_an_error_that_names_the_line(tmp_path, line):
    with pytest.raises(DataError, match=rf"line 2: '{line}' is no picture with an emotion from 1 \(surprise\) to 7"):
        read_raf(tmp_path, f"test_0002.jpg 1\n{line}\n")


def read_affectnet(folder, **lists: str):
    files = {"Manually_Annotated_Images/1/a.jpg": "", "Manually_Annotated_Images/2/a.jpg": ""}
    for name, rows in lists.items():
        (folder / f"{name}.csv").write_text("subDirectory_filePath,face_x,expression,valence\n" + rows)
        files[f"{name}.csv"] = ""
    assert datasets.recognise(folder, files) == "affectnet"
    return affectnet.read(folder, files)


def test_affectnet_has_its_own_numbers_and_its_validation_list_is_the_test(tmp_path):
    listing = read_affectnet(tmp_path, training="1/a.jpg,0,6,0.1\n", validation="2/a.jpg,0,2,0.1\n")
    assert [(entry.file, entry.regions["full"].targets["expression"], entry.fold) for entry in listing.entries] == [
        ("Manually_Annotated_Images/1/a.jpg", "anger", "train"),
        ("Manually_Annotated_Images/2/a.jpg", "sadness", "test"),
    ]


def test_affectnet_alone_with_one_list_has_no_parts_and_drops_what_is_no_class(tmp_path):
    listing = read_affectnet(tmp_path, training="1/a.jpg,0,0,0\n2/a.jpg,0,7,0\n3/a.jpg,0,10,0\n4/a.jpg,0,1,0\n")
    assert [entry.fold for entry in listing.entries] == [""]
    assert [item.reason for item in listing.skipped] == [
        "dropped: contempt",
        "dropped: no face",
        "missing: there is no such picture",
    ]


@pytest.mark.parametrize("number", ["11", "-1", "", "happy"])
def test_affectnet_with_an_unknown_number_is_an_error(tmp_path, number):
    with pytest.raises(DataError, match=rf"training\.csv, line 2: expression '{number}', expected 0 \(neutral\) to 10"):
        read_affectnet(tmp_path, training=f"1/a.jpg,0,{number},0\n")


@pytest.mark.parametrize("votes", ["٣,0,0,0,0,0,0,0,0,0", "9" * 5000 + ",0,0,0,0,0,0,0,0,0", "-1,0,0,0,0,0,0,0,0,0"])
def test_fer_with_votes_that_are_no_numbers_is_skipped(tmp_path, votes):
    (item,) = read_fer(tmp_path, [("Training", votes)])[0].skipped
    assert item.reason.startswith("unreadable votes: ")
    assert len(item.reason) < 150


@pytest.mark.parametrize("pixels", ["٣ " * 48 * 48, "9" * 5000, "x", "256 " * 48 * 48])
def test_fer_with_pixels_that_are_no_numbers_is_skipped(tmp_path, pixels):
    (item,) = read_fer(tmp_path, [("Training", "9,0,0,0,0,0,0,0,0,0")], pixels=pixels)[0].skipped
    assert item.reason.startswith("unreadable: ")
    assert len(item.reason) < 150


@pytest.mark.parametrize("number", ["٣", "9" * 5000, "07", ""])
def test_affectnet_with_other_digits_is_an_error(tmp_path, number):
    with pytest.raises(DataError, match=r"line 2: expression '.{0,81}', expected 0 \(neutral\) to 10"):
        read_affectnet(tmp_path, training=f"1/a.jpg,0,{number},0\n")


def test_affectnet_with_a_row_that_is_too_short_is_an_error(tmp_path):
    with pytest.raises(DataError, match="line 2: expression ''"):
        read_affectnet(tmp_path, training="1/a.jpg\n")


@pytest.mark.parametrize("kind", specials.KINDS)
def test_lists_that_are_no_files_are_an_error(tmp_path, kind):
    for name in ("fer2013.csv", "list_patition_label.txt", "training.csv"):
        specials.put(tmp_path / name, kind)
    with specials.within(5):
        with pytest.raises(DataError, match=f"fer2013.csv cannot be read .*{kind}"):
            ferplus.read(tmp_path, {"fer2013.csv": ""}, lambda file, content: "")
        with pytest.raises(DataError, match=f"list_patition_label.txt cannot be read .*{kind}"):
            rafdb.read(tmp_path, {"list_patition_label.txt": ""})
        assert not affectnet.recognises(tmp_path, {"training.csv": ""})


def test_lists_in_another_encoding_are_an_error(tmp_path):
    (tmp_path / "list_patition_label.txt").write_text("ä.jpg 1\n", encoding="latin-1")
    with pytest.raises(DataError, match="not UTF-8 text"):
        rafdb.read(tmp_path, {"list_patition_label.txt": ""})
