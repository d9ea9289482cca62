"""FLAME 2 by the names of its folders: its published ranges, both spellings, and pairs that are none."""

from __future__ import annotations

from collections import Counter

import pytest

from pipeline.errors import DataError
from pipeline.inputs import datasets
from pipeline.inputs.datasets import flame2

FRAMES = 53_451


def names(number: int, kind: str = "Thermal") -> list[str]:
    return [f"254p {word} Images/254p {word} Frame ({number}).jpg" for word in ("RGB", kind)]


def files_of(numbers, kind: str = "Thermal") -> dict[str, str]:
    return dict.fromkeys([name for number in numbers for name in names(number, kind)], "")


def test_the_published_ranges_label_every_frame():
    segments = flame2.segments_of(range(1, FRAMES + 1), flame2.RANGES)
    flags = Counter(flame2.RANGES[segment - 1][2] for segment in segments.tolist())
    assert segments.min() == 1
    assert flags == {"NN": 13_700, "YY": 25_435, "YN": 14_316}
    assert flame2.targets_of(flame2.RANGES[segments[41_642 - 1] - 1]) == {"fire": "1", "smoke": "1"}


@pytest.mark.slow
def test_all_of_it_becomes_blocks_that_span_no_border(tmp_path):
    listing = datasets.read("flame2", tmp_path, files_of(range(1, FRAMES + 1)), unpack=None)
    assert dict(listing.grouping) == {"by": "blocks", "length": 100, "gap": 10}
    assert len(listing.entries) + len(listing.skipped) == FRAMES
    assert {item.reason.partition(":")[0] for item in listing.skipped} == {"dropped"}
    segments = {}
    for entry in listing.entries:
        segments.setdefault(entry.subject_id, set()).add(entry.attributes["segment"])
    assert all(len(of_block) == 1 for of_block in segments.values())
    assert set().union(*segments.values()) == {str(n) for n in range(1, 20)}
    assert max(Counter(entry.subject_id for entry in listing.entries).values()) == 100


@pytest.mark.parametrize("kind", ["Thermal", "IR"])
@pytest.mark.parametrize("below", ["", "FLAME 2/"])
def test_both_spellings(tmp_path, kind, below):
    files = {below + name: "" for name in files_of([1, 13_701, 14_700, 60_000], kind)}
    assert datasets.recognise(tmp_path, files) == "flame2"
    listing = datasets.read("flame2", tmp_path, files, unpack=None)
    (entry,) = listing.entries  # the first frame of each further range is the gap at its border
    assert (entry.file, entry.companions["ir"]) == tuple(below + name for name in names(1, kind))
    assert entry.regions["full"].targets == {"fire": "0", "smoke": "0"}
    assert entry.attributes == {"segment": "1"}
    assert [item.reason.partition(":")[0] for item in listing.skipped] == ["no label", "dropped", "dropped"]


def test_a_file_of_labels_counts_and_a_note_does_not(tmp_path):
    (tmp_path / "labels.txt").write_text("first\tlast\tflags\n1\t4\tYN\n4\t9\tYY\n")
    (tmp_path / "readme.txt").write_text("254p frames of a fire\n")
    files = files_of(range(1, 10)) | {"labels.txt": "", "readme.txt": ""}
    listing = datasets.read("flame2", tmp_path, files, unpack=None)
    by_number = {int(entry.file.split("(")[1].split(")")[0]): entry for entry in listing.entries}
    assert sorted(by_number) == [1, 2, 3, 5, 6, 7, 8, 9]  # 4 begins the second range, whose gap it is
    assert by_number[3].regions["full"].targets == {"fire": "1", "smoke": "0"}
    assert by_number[5].regions["full"].targets == {"fire": "1", "smoke": "1"}


@pytest.mark.parametrize("line", ["7\t3\tYY", "1\t9\tYYY", "1\t9"])
def test_a_line_that_is_no_range_is_named(tmp_path, line):
    (tmp_path / "labels.txt").write_text(f"1\t4\tYN\n{line}\n")
    with pytest.raises(DataError, match=r"labels.txt, line 2: .* is no range"):
        datasets.read("flame2", tmp_path, files_of([1]) | {"labels.txt": ""}, unpack=None)


def test_two_files_of_labels_are_one_too_many(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("1\t4\tYN\n")
    with pytest.raises(DataError, match=r"two files of labels: a.txt, b.txt"):
        datasets.read("flame2", tmp_path, files_of([1]) | {"a.txt": "", "b.txt": ""}, unpack=None)


def test_frames_without_their_half_or_name_are_named(tmp_path):
    files = files_of([1, 2]) | dict.fromkeys(
        [
            names(3)[0],
            names(4)[1],
            "254p RGB Images/cover.jpg",
            "254p RGB Images/254p IR Frame (5).jpg",
            "254p IR Images/254p Thermal Frame (1).jpg",
            "figure.png",
        ],
        "",
    )
    listing = datasets.read("flame2", tmp_path, files, unpack=None)
    assert len(listing.entries) == 2
    assert {item.file: item.reason.partition(",")[0] for item in listing.skipped} == {
        names(3)[0]: "missing: IR frame",
        names(4)[1]: "missing: RGB frame",
        "254p RGB Images/cover.jpg": "name: not 254p RGB Frame (7).jpg",
        "254p RGB Images/254p IR Frame (5).jpg": "contradiction: the folder says RGB frame",
        "254p IR Images/254p Thermal Frame (1).jpg": "listed twice: IR frame 1 is 254p Thermal Images/254p Thermal "
        "Frame (1).jpg",
        "figure.png": "dropped: it lies in no folder of frames",
    }
