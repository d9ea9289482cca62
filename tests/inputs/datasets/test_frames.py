"""Tables of pairs of frames: labels, clips or blocks, names of columns, and what is wrong with a row."""

from __future__ import annotations

import pytest

from pipeline.errors import ConfigError, DataError
from pipeline.inputs import datasets
from pipeline.inputs.datasets import blocks, frames
from pipeline.inputs.datasets.columns import columns_of
from tests.helpers.frames import table

HALVES = {"rgb_frame": "rgb/0.jpg", "ir_frame": "ir/0.jpg"}


def files_of(count: int) -> dict[str, str]:
    return dict.fromkeys([f"{half}/{n}.jpg" for n in range(count) for half in ("rgb", "ir")], "")


def rows_of(count: int, **cells) -> list[dict]:
    return [{"rgb_frame": f"rgb/{n}.jpg", "ir_frame": f"ir/{n}.jpg", **cells} for n in range(count)]


def listing_of(tmp_path, rows, files=None, names=None):
    path = table(tmp_path / "pairs.csv", rows)
    files = files_of(len(rows)) if files is None else files
    assert frames.recognises(path, files, names or {})
    assert datasets.recognise(path, files, names) == "frames"
    return datasets.read("frames", path, files, unpack=None, names=names)


@pytest.mark.parametrize(
    ("cell", "flag"),
    [("0", "0"), ("1", "1"), ("true", "1"), ("False", "0"), ("YES", "1"), ("no", "0"), (" 1 ", "1"), ("1.0", "1")],
)
def test_flags_are_written_as_0_and_1(tmp_path, cell, flag):
    (entry,) = listing_of(tmp_path, rows_of(1, smoke=cell, clip="a")).entries
    assert entry.regions["full"].targets == {"smoke": flag}
    assert (entry.file, entry.companions, entry.subject_id) == ("rgb/0.jpg", {"ir": "ir/0.jpg"}, "a")


def test_every_column_of_flags_is_a_label_and_others_are_attributes(tmp_path):
    rows = rows_of(2, id="7", fire="1", smoke="", crowd="no", burn="day", altitude="12", fold="test", video="v1")
    rows[1] |= {"fire": "0", "smoke": "0", "burn": "2"}
    listing = listing_of(tmp_path, rows)
    first, second = listing.entries
    assert first.regions["full"].targets == {"fire": "1", "crowd": "0"}
    assert second.regions["full"].targets == {"fire": "0", "smoke": "0", "crowd": "0"}
    assert first.attributes == {"burn": "day", "altitude": "12"}
    assert (first.fold, first.subject_id, dict(listing.grouping)) == ("test", "v1", {"by": "clip"})


def test_a_label_that_a_task_asks_for_is_one_whatever_stands_in_a_cell(tmp_path):
    rows = rows_of(3, fire="1", clip="a")
    rows[1]["fire"], rows[2]["fire"] = "perhaps", ""
    listing = listing_of(tmp_path, rows)
    assert [entry.file for entry in listing.entries] == ["rgb/0.jpg"]
    assert [item.reason for item in listing.skipped] == [
        "unknown fire: 'perhaps', expected 0 or 1, true or false, yes or no",
        "no target: every label's cell is empty",
    ]


def test_columns_of_other_names_are_named(tmp_path):
    rows = [{"image": "rgb/0.jpg", "thermal": "ir/0.jpg", "flight": "f", "flame": "yes", "haze": "0"}]
    names = columns_of("rgb_frame=image, ir_frame=thermal,clip=flight,fire=flame")
    (entry,) = listing_of(tmp_path, rows, names=names).entries
    assert entry.regions["full"].targets == {"fire": "1", "haze": "0"}
    assert (entry.file, entry.companions["ir"], entry.subject_id) == ("rgb/0.jpg", "ir/0.jpg", "f")


def test_columns_of_an_ordinary_table_are_named_alike(tmp_path):
    path = table(tmp_path / "faces.csv", [{"photo": "a.jpg", "state": "pain", "who": "p1"}])
    names = columns_of("path=photo,label=state,subject=who")
    assert datasets.recognise(path, {"a.jpg": ""}, names) == "csv"
    (entry,) = datasets.read("csv", path, {"a.jpg": ""}, unpack=None, names=names).entries
    assert (entry.file, entry.subject_id, entry.regions["full"].targets) == ("a.jpg", "p1", {"pain": "pain"})


@pytest.mark.parametrize("text", ["rgb_frame", "rgb_frame=", "=image", "a=b=c", "a=x,a=y", "a=x,b=x"])
def test_what_is_no_list_of_columns_is_refused(text):
    with pytest.raises(ConfigError, match=r"COLUMNS=.*(no pair|stands twice).*COLUMNS=rgb_frame=image,clip=flight"):
        columns_of(text)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"fire": "flames"}, "'flames' is the fire: .*has the columns rgb_frame, ir_frame, flame.*Is it flame?"),
        ({"rgb_frame": "flame"}, "'flame' is the rgb_frame: .* has a column rgb_frame besides"),
    ],
)
def test_a_column_that_is_not_there_is_named_with_the_nearest(tmp_path, names, message):
    path = table(tmp_path / "pairs.csv", rows_of(1, flame="1"))
    with pytest.raises(DataError, match=message):
        datasets.recognise(path, {}, names)


def test_columns_are_for_tables(tmp_path):
    with pytest.raises(ConfigError, match=r"is read as folders\. Leave COLUMNS out"):
        datasets.read("folders", tmp_path, {"pain/a.jpg": ""}, unpack=None, names={"path": "photo"})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"image": "a"}, "it needs rgb_frame and ir_frame. Say which they are: COLUMNS=rgb_frame=<column>,ir_frame="),
        (HALVES, "none of which is a label"),
        (HALVES | {"site": "north"}, "none of which is a label"),
        (HALVES | {"fire": "1", "clip": "a", "video": "b"}, "two columns for the clip: clip, video"),
        (HALVES | {"fire": "1", "RGB_Frame": "b"}, "two columns for rgb_frame"),
        (HALVES | {"fire": "1", "ir_file": "b"}, "ir_file must be renamed"),
        (HALVES | {"fire": "1"} | {f"a{n}": "x" for n in range(33)}, "has 33 columns of attributes"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_error(tmp_path, columns, message):
    path = table(tmp_path / "frames.csv", [columns])
    with pytest.raises(DataError, match=message):
        datasets.read("frames", path, files_of(1), unpack=None)


def test_a_folder_is_read_by_its_table_and_absolute_paths_are_below_it(tmp_path):
    rows = [{name: (tmp_path / file).as_posix() for name, file in HALVES.items()} | {"fire": "1", "clip": "a"}]
    table(tmp_path / "frames.csv", rows)
    files = files_of(1) | {"frames.csv": ""}
    assert datasets.recognise(tmp_path, files) == "frames"
    (entry,) = datasets.read("frames", tmp_path, files, unpack=None).entries
    assert (entry.file, dict(entry.companions)) == ("rgb/0.jpg", {"ir": "ir/0.jpg"})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rgb_frame": ""}, "no path: RGB frame, the cell is empty"),
        ({"ir_frame": ""}, "no path: IR frame, the cell is empty"),
        (
            {"rgb_frame": "rgb/9.jpg"},
            "missing: RGB frame, there is no such file below the table's folder ('rgb/9.jpg')",
        ),
        ({"ir_frame": "ir/9.jpg"}, "missing: IR frame, there is no such file below the table's folder ('ir/9.jpg')"),
        ({"ir_frame": "../0.jpg"}, "missing: IR frame, there is no such file below the table's folder ('../0.jpg')"),
        ({"ir_frame": "rgb/1.jpg"}, "contradiction: RGB frame and IR frame are one file"),
        ({"rgb_frame": "rgb/0.jpg"}, "listed twice: first on line 2"),
        ({"clip": ""}, "no clip: the cell is empty, so that its neighbours are not known"),
        ({"fold": "holdout"}, "unknown fold: 'holdout', expected train, val, test or a number of at most nine digits"),
    ],
)
def test_what_is_wrong_with_a_row_is_said(tmp_path, change, reason):
    rows = rows_of(3, fire="1", clip="a", fold="1")
    rows[1] |= change
    listing = listing_of(tmp_path, rows)
    assert [entry.file for entry in listing.entries] == ["rgb/0.jpg", "rgb/2.jpg"]
    assert [item.reason for item in listing.skipped] == [reason]


def test_a_row_without_a_file_is_called_by_its_line_and_id(tmp_path):
    listing = listing_of(tmp_path, [{"id": "f7", **HALVES, "rgb_frame": "", "fire": "1", "clip": "a"}], files_of(1))
    assert listing.skipped[0].file == "pairs.csv, line 2 (id f7)"


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, (8, 1)), (100, (8, 1)), (2400, (20, 2)), (12_000, (100, 10)), (53_451, (100, 10))]
)
def test_blocks_are_as_long_as_the_number_of_frames_says(count, sizes):
    assert blocks.sizes(count) == sizes


def test_names_are_sorted_as_people_do():
    names = ["b 1", "a10", "a9", "A2", "a09"]
    assert sorted(names, key=blocks.natural) == ["A2", "a09", "a9", "a10", "b 1"]


def test_without_a_clip_neighbours_are_one_block_and_a_gap_lies_between_two(tmp_path):
    rows = rows_of(30, fire="1")
    del rows[3]["fire"]  # its place stays taken
    listing = listing_of(tmp_path, rows[::-1])
    block = {entry.file: entry.subject_id for entry in listing.entries}
    names = ["" if n % 9 == 8 else f"block-{n // 9 + 1:04d}" for n in range(30)]
    names[3] = ""
    assert [block.get(f"rgb/{n}.jpg", "") for n in range(30)] == names
    between = {item.file for item in listing.skipped if item.reason == blocks.REASON}
    assert between == {f"rgb/{n}.jpg" for n in (8, 17, 26)}
    assert dict(listing.grouping) == {"by": "blocks", "length": 8, "gap": 1}


def test_no_two_blocks_are_nearer_than_a_gap():
    dealt = list(blocks.dealt([1000, 57, 3, 400], 10, 4))
    assert len(dealt) == 1460
    last = {}
    for place, block in enumerate(dealt):
        if block and block not in last and last:
            assert place - max(last.values()) > 4
        if block:
            last[block] = place
    borders = [1000, 1057, 1060]
    assert all(dealt[border - 1] != dealt[border] or not dealt[border] for border in borders)
