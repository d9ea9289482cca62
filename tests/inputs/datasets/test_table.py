"""A CSV file with a row per picture."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.inputs.datasets import table
from pipeline.inputs.datasets.entries import Region
from pipeline.inputs.images import load
from tests.helpers import specials

FILES = {"a.jpg": "", "sub/b.jpg": "", "c.jpg": "", "t.csv": ""}


def read(tmp_path: Path, text: str):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    return table.read(path, FILES)


def test_paths_labels_subjects_and_attributes(tmp_path):
    listing = read(tmp_path, "path,label,subject,age,site\na.jpg,pain,p1,70,x\nsub/b.jpg,no_pain,p1,70,\n")
    first, second = listing.entries
    assert (first.file, first.subject_id, first.attributes) == ("a.jpg", "p1", {"age": "70", "site": "x"})
    assert first.regions == {"full": Region({"pain": "pain"})}
    assert (second.regions["full"].targets, second.attributes["site"]) == ({"pain": "no_pain"}, "")


def test_a_table_may_say_where_a_picture_is_from(tmp_path):
    listing = read(tmp_path, "path,label,source\na.jpg,happy,RAF-DB\nsub/b.jpg,sad,FER+\n")
    assert [entry.source for entry in listing.entries] == ["RAF-DB", "FER+"]
    assert listing.entries[0].attributes == {}


def test_semicolons_a_byte_order_mark_other_names_and_numbers(tmp_path):
    listing = read(tmp_path, "\ufeffFile;Class;Expressive;Split\r\n./a.jpg;0;1;test\r\nsub\\b.jpg;1;;3\r\n")
    assert [(e.file, e.fold) for e in listing.entries] == [("a.jpg", "test"), ("sub/b.jpg", "3")]
    assert listing.entries[0].regions["full"] == Region({"pain": "no_pain"}, expressive=1)
    assert listing.entries[0].subject_id == "a.jpg"
    assert listing.entries[0].attributes == {}


def test_labels_of_expressions_are_told_by_their_words(tmp_path):
    listing = read(tmp_path, "path,label\na.jpg,Happy\nsub/b.jpg,neutral\nc.jpg,bored\n")
    assert [entry.regions["full"].targets for entry in listing.entries] == [
        {"expression": "happiness"},
        {"expression": "neutral"},
    ]
    assert listing.skipped[0].reason.startswith("unknown label: 'bored', expected anger or angry; ")


def test_columns_named_after_targets_hold_what_is_known_of_each(tmp_path):
    listing = read(tmp_path, "path,pain,expression,pspi,age\na.jpg,1,smile,2.5,70\nsub/b.jpg,,yawn,,8\nc.jpg,,,,9\n")
    assert [entry.regions["full"].targets for entry in listing.entries] == [
        {"pain": "pain", "expression": "happiness", "pspi": "2.5"},
        {"expression": "yawn"},
    ]
    assert listing.entries[0].attributes == {"age": "70"}
    assert listing.skipped[0].reason.startswith("no target")


def test_absolute_paths_below_the_table_are_understood(tmp_path):
    assert read(tmp_path, f"path,label\n{tmp_path.resolve() / 'c.jpg'},pain\n").entries[0].file == "c.jpg"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("gone.jpg,pain,,", "missing"),
        ("../a.jpg,pain,,", "missing"),
        (",pain,,", "no path"),
        ("a.jpg,7,,", "unknown label: '7'"),
        ("a.jpg,,,", "unknown label: ''"),
        ("a.jpg,pain,maybe,", "unknown expressive: 'maybe'"),
        ("a.jpg,pain,,last", "unknown fold: 'last'"),
    ],
)
def test_an_unusable_row_is_skipped_with_the_reason(tmp_path, row, reason):
    listing = read(tmp_path, f"path,label,expressive,fold\n{row}\nc.jpg,pain,,\n")
    assert [item.reason.startswith(reason) for item in listing.skipped] == [True]
    assert [entry.file for entry in listing.entries] == ["c.jpg"]


def test_a_picture_listed_twice_counts_once(tmp_path):
    listing = read(tmp_path, "path,label\na.jpg,pain\n./a.jpg,no_pain\n")
    assert len(listing.entries) == 1
    assert listing.skipped[0].reason == "listed twice: first on line 2"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "columns \\(none\\); it needs path and label"),
        ("path,age\na.jpg,3\n", "it needs label.*more than 10 different values"),
        ("path,label\na.jpg,tall\nc.jpg,small\n", "no label is a class of a task: tall, small. Expected of expression"),
        ("path,file,label\n", "two columns for the path: path, file"),
        ("path,label,region\n", "region must be renamed"),
    ],
)
def test_a_table_without_what_it_needs_is_an_error(tmp_path, text, reason):
    with pytest.raises(DataError, match=reason):
        read(tmp_path, text)


def test_another_encoding_is_an_error(tmp_path):
    (tmp_path / "t.csv").write_bytes("path,label\nä.jpg,pain\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        table.read(tmp_path / "t.csv", FILES)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.jpg,pain,1,٣", "unknown fold: '٣', expected train, val, test or a number of at most nine digits"),
        ("a.jpg,pain,1," + "9" * 5000, "unknown fold: '9{80}…', expected"),
        ("a.jpg,pain,nan,1", "unknown pspi: 'nan', expected a number up to 1e\\+09, or an empty cell"),
        ("a.jpg,pain,1e999,1", "unknown pspi: '1e999'"),
        ("a.jpg,pain,inf,1", "unknown pspi"),
        ("a.jpg,pain,٣,1", "unknown pspi: '٣'"),
        ("a.jpg,pain,1_0,1", "unknown pspi"),
        ("a.jpg,pain,17.0,1", "out of range: pspi 17, expected 0 to 16"),
        ("a.jpg,pain,-1e-3,1", "out of range: pspi -0.001, expected 0 to 16"),
        ('"a\r.jpg",pain,1,1', "name: it holds a control character"),
        ("../a.jpg,pain,1,1", "missing"),
        ("/a.jpg,pain,1,1", "missing"),
        (("n" * 5000) + ".jpg,pain,1,1", "missing"),
    ],
)
def test_a_cell_that_is_no_number_or_name_is_the_reason(tmp_path, row, reason):
    (item,) = read(tmp_path, f"path,label,pspi,fold\n{row}\nc.jpg,pain,1.5e-2,2\n").skipped
    assert re.match(reason, item.reason)
    assert len(f"{item.file}{item.reason}".splitlines()) == 1


def test_a_table_may_name_itself_and_is_no_picture(tmp_path):
    (entry,) = read(tmp_path, "path,label\nt.csv,pain\n").entries
    with pytest.raises(DataError, match=r"cannot identify image file 't\.csv'"):
        load(tmp_path / entry.file)


def test_a_line_break_in_a_cell_becomes_a_blank(tmp_path):
    (entry,) = read(tmp_path, 'path,label,subject,site\na.jpg,pain,"p\n1","x\r\ny"\n').entries
    assert (entry.subject_id, entry.attributes) == ("p 1", {"site": "x  y"})


def test_more_attributes_than_a_split_can_balance_are_an_error_with_a_remedy(tmp_path):
    names = [f"a{number}" for number in range(table.MAX_ATTRIBUTES + 1)]
    cells = ",".join("1" * len(names))
    assert len(read(tmp_path, f"path,label,{','.join(names[1:])}\na.jpg,pain,{cells[2:]}\n").entries) == 1
    with pytest.raises(
        DataError, match=r"33 columns of attributes.*a0, a1, a2, a3, a4 and 28 more\. At most 32 can be"
    ):
        read(tmp_path, f"path,label,{','.join(names)}\na.jpg,pain,{cells}\n")


@pytest.mark.parametrize("kind", ["a pipe", "a folder"])
def test_what_is_no_table_is_an_error(tmp_path, kind):
    specials.put(tmp_path / "t.csv", kind)
    with specials.within(5), pytest.raises(DataError, match=f"not a file: it is {kind}"):
        table.read(tmp_path / "t.csv", FILES)


CELLS = st.sampled_from(
    ["a.jpg", "c.jpg", "", "pain", "no_pain", "1", "nan", "٣", "\r\n", '"', "é", "train"]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
HEADERS = st.sampled_from(
    ["path", "label", "subject", "pspi", "pain", "fold", "expressive", "source", "site", "", "clip", "p0_x", "p0_y"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(HEADERS, max_size=6), st.lists(st.lists(CELLS, max_size=7), max_size=4), st.booleans())
def test_any_table_is_a_listing_or_one_line(tmp_path, header, rows, quoted):
    text = io.StringIO(newline="")
    if quoted:
        csv.writer(text).writerows([header, *rows])
    else:
        text.write("\n".join(",".join(cells) for cells in [header, *rows]))
    message = ""
    try:
        listing = read(tmp_path, text.getvalue())
        lines = [entry.subject_id for entry in listing.entries] + [item.reason for item in listing.skipped]
        assert all(len(line.splitlines()) == 1 for line in lines)
    except DataError as error:
        message = str(error)
    assert len(message.splitlines()) <= 1


def test_frames_of_one_sequence_belong_together(tmp_path):
    listing = read(tmp_path, "path,label,video\na.jpg,pain,v1\nsub/b.jpg,no_pain,v1\nc.jpg,pain,\n")
    assert [(entry.sequence, entry.subject_id) for entry in listing.entries] == [
        ("v1", "v1"),
        ("v1", "v1"),
        ("", "c.jpg"),
    ]
    assert listing.entries[0].attributes == {}
    (entry,) = read(tmp_path, "path,label,clip,subject\na.jpg,pain,v1,p1\n").entries
    assert (entry.sequence, entry.subject_id) == ("v1", "p1")


COUNTS = [68, 98, 29]
FORMS = ["p{0}_{1}", "{1}_{0}"]


def points_table(form: str, count: int, rows: list[tuple[str, list[object]]], more: str = "") -> str:
    """A table of points; each row has its first cells as text and its coordinates."""
    names = [form.format(point, axis) for point in range(count) for axis in "xy"]
    lines = [",".join([first, *map(str, values)]) for first, values in rows]
    return "\n".join([",".join(["path", *more.split(), *names]), *lines, ""])


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("form", [*FORMS, "l{count}_{0}_{1}"])
def test_columns_of_points_answer(tmp_path, form, count):
    values = [number / 4 for number in range(2 * count)]
    text = points_table(form.replace("{count}", str(count)), count, [("a.jpg", values), ("c.jpg", [""] * 2 * count)])
    listing = read(tmp_path, text)
    (entry,) = listing.entries
    region = entry.regions["full"]
    assert (region.points, region.point_set, region.about_points) == (tuple(values), f"points{count}", True)
    assert (region.targets, entry.attributes) == ({}, {})
    assert [item.reason for item in listing.skipped] == ["no target: every target's cell is empty"]


def test_a_box_says_where_the_face_is_and_points_stand_beside_other_answers(tmp_path):
    more = "pain box_x0 box_y0 box_x1 box_y1"
    rows = [("a.jpg,1,1,2,30,40.5", range(58)), ("sub/b.jpg,0,,,,", range(58)), ("c.jpg,1,1,2,30,40", [""] * 58)]
    regions = [entry.regions["full"] for entry in read(tmp_path, points_table(FORMS[0], 29, rows, more)).entries]
    assert [region.box for region in regions] == [(1, 2, 30, 40.5), (), (1, 2, 30, 40)]
    assert [region.about_points for region in regions] == [True, True, False]
    assert [region.targets["pain"] for region in regions] == ["pain", "no_pain", "pain"]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["nan", *range(57)], "unknown p0_x: 'nan', expected a number, or all 58 cells empty"),
        (["", *range(57)], "unknown p0_x: ''"),
        ([*range(57), "left"], "unknown p28_y: 'left'"),
        ([*range(57), "1e999"], "unknown p28_y: '1e999'"),
        ([*range(57), "٣"], "unknown p28_y"),
        (range(56), "unknown p28_x: ''"),
    ],
)
def test_points_that_are_no_numbers_are_the_reason(tmp_path, cells, reason):
    listing = read(tmp_path, points_table(FORMS[0], 29, [("a.jpg", cells), ("c.jpg", range(58))]))
    assert [entry.file for entry in listing.entries] == ["c.jpg"]
    assert listing.skipped[0].reason.startswith(reason)


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ("1,2,1,4", "unknown box: 1, 2, 1, 4, expected x0 below x1"),
        ("1,2,3,", "unknown box_y1: ''"),
        ("1,x,3,4", "unknown"),
    ],
)
def test_a_box_that_is_none_is_the_reason(tmp_path, box, reason):
    text = f"path,pain,box_x0,box_y0,box_x1,box_y1\na.jpg,1,{box}\n"
    assert read(tmp_path, text).skipped[0].reason.startswith(reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            points_table(FORMS[0], 51, []),
            r"columns of 51 points in a row, p0_x to p50_y; expected those of 68, 98 or 29",
        ),
        (points_table(FORMS[0], 99, []), "columns of 99 points in a row"),
        (points_table(FORMS[0], 68, []).replace("p30_y", "other"), "columns of 30 points in a row, p0_x to p29_y"),
        (points_table(FORMS[0], 29, []).rstrip() + ",x_0,y_0\n", "two sets of points: p0_x and x_0 begin them"),
        ("path,pain,box_x0,box_y1\n", r"has the columns box_x0, box_y1 of a box, which needs box_x0, box_y0"),
    ],
)
def test_columns_of_half_a_set_are_an_error(tmp_path, text, reason):
    with pytest.raises(DataError, match=reason):
        read(tmp_path, text)


def numbered(tmp_path, column: str, values: list[object], more: str = "", cell: str = ""):
    """The listing of a table with one picture for each value."""
    files = {f"{number}.jpg": "" for number in range(len(values))}
    lines = [f"{number}.jpg,{value}{cell}" for number, value in enumerate(values)]
    (tmp_path / "t.csv").write_text("\n".join([f"path,{column}{more}", *lines, ""]))
    return table.read(tmp_path / "t.csv", files)


def test_a_column_of_many_numbers_is_a_target_and_answers_alone(tmp_path):
    listing = numbered(tmp_path, "phq_score", [*range(10), "1.05e1", ""])
    assert [entry.regions["full"].targets for entry in listing.entries[-2:]] == [
        {"phq_score": "9"},
        {"phq_score": "1.05e1"},
    ]
    assert listing.entries[0].attributes == {}
    assert [item.reason for item in listing.skipped] == ["no target: every target's cell is empty"]


def test_beside_a_label_a_column_of_many_numbers_is_a_target_behind_it(tmp_path):
    listing = numbered(tmp_path, "phq_score", range(11), ",label,site", ",pain,x")
    assert list(listing.entries[3].regions["full"].targets.items()) == [("pain", "pain"), ("phq_score", "3")]
    assert listing.entries[3].attributes == {"site": "x"}


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("phq_score", [*range(10), "1.0", "2e0"]),  # ten different ones
        ("phq_score", [*range(11), "many"]),
        ("phq_score", [*range(11), "nan"]),
        ("age", list(range(20, 40))),
    ],
)
def test_other_columns_stay_attributes(tmp_path, column, values):
    listing = numbered(tmp_path, column, values, ",label", ",pain")
    assert listing.entries[2].attributes == {column: str(values[2])}
    assert listing.entries[2].regions["full"].targets == {"pain": "pain"}
    with pytest.raises(DataError, match="it needs label"):
        numbered(tmp_path, column, values)
