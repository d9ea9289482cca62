"""Text and tables of raw data: rows, or one line that names the fault."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.artifacts.tables import MAX_COLUMNS, listed, read_rows, read_text
from pipeline.errors import DataError
from tests.helpers import specials


@pytest.fixture
def rows(tmp_path):
    """Reads the bytes of a table to its end."""

    def rows(content: bytes | str) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
        path = tmp_path / "t.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        columns, lines = read_rows(path)
        return columns, list(lines)

    return rows


@pytest.mark.parametrize(
    "content", ["a,b\n1,2\n", "\ufeffa;b\r\n1;2\r\n", "a\tb\n\n1\t2", " a , b \r1,2\r", "\n\na,b\n1,2"]
)
def test_separators_line_ends_blank_lines_and_a_byte_order_mark(rows, content):
    columns, lines = rows(content)
    assert columns == ["a", "b"]
    assert [row for _, row in lines] == [{"a": "1", "b": "2"}]


def test_rows_that_are_too_short_or_too_long_and_columns_without_a_name(rows):
    assert rows("a,,b\n1,2\n1,2,3,4\n") == (["a", "b"], [(2, {"a": "1", "b": ""}), (3, {"a": "1", "b": "3"})])


def test_a_quoted_cell_keeps_every_line_end_and_lines_are_counted(rows):
    _, lines = rows('a,b\n"x\ry","1\r\n2"\nz,3\n')
    assert lines == [(4, {"a": "x\ry", "b": "1\r\n2"}), (5, {"a": "z", "b": "3"})]


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_a_table_without_a_line_has_no_columns(rows, content):
    assert rows(content) == ([], [])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a,b\nä,2".encode("latin-1"), r"is not UTF-8 text \(.* at byte 4\)"),
        ("a,b\n1,2".encode("utf-16"), r"is not UTF-8 text \(.* at byte 0: it is UTF-16\)"),
        (b"a,b\n1,\x00", "is no text: byte 6 is 0"),
        (
            "a,b\n" + "x" * 131_073 + ",2\n",
            r"line 2: field larger than field limit \(131072\) \(a cell has at most 131,0",
        ),
        ('a,b\n1,2\n3,"4\n5,6\n', r"line 4: unexpected end of data .*Close each quotation mark"),
        ('a,b\n"1"x,2\n', r"line 2: ',' expected after '\"'"),
        ("a,b,a\n1,2,3\n", "has two columns of the name a"),
        (",".join(map(str, range(100_000))), rf"has 100,000 columns, at most {MAX_COLUMNS:,} are read"),
        ('a,"b\nc"\n', r"column 2: 'b\\nc' is no name of a column"),
        ("x" * 201, "column 1: 'xxxx"),
    ],
)
def test_a_fault_is_one_line_that_names_the_place(rows, content, reason):
    with specials.within(10), pytest.raises(DataError, match=reason) as error:
        rows(content)
    assert "t.csv" in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize("kind", specials.KINDS)
def test_what_is_no_file_is_an_error(tmp_path, kind):
    specials.put(tmp_path / "t.csv", kind)
    with specials.within(5), pytest.raises(DataError, match=rf"t.csv cannot be read \(not a file: it is {kind}\)"):
        read_text(tmp_path / "t.csv")


def test_a_file_without_an_end_or_a_beginning_is_read_as_far_as_it_says(tmp_path):
    (tmp_path / "t.csv").symlink_to("/proc/kmsg")
    with specials.within(5):
        assert read_text(tmp_path / "t.csv") == ""
    with pytest.raises(DataError, match="missing"):
        read_text(tmp_path / "none.csv")
    (tmp_path / "large.csv").write_text("12345")
    with pytest.raises(DataError, match="too large: 5 bytes, at most 4"):
        read_text(tmp_path / "large.csv", most=4)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300) | st.text(alphabet='ab,;\t"\r\n\x00é', max_size=80))
def test_any_bytes_are_a_table_or_one_line(rows, content):
    message = ""
    try:
        columns, lines = rows(content)
        assert all(list(row) == columns for _, row in lines)
    except DataError as error:
        message = str(error)
    assert len(message.splitlines()) <= 1


CELLS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=5), st.sampled_from(",;\t"))
def test_what_a_csv_writer_wrote_is_read_back(rows, cells, separator):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL)
    text.write(separator.join("abc") + "\r\n")
    writer.writerows(cells)
    assert [list(row.values()) for _, row in rows(text.getvalue())[1]] == cells


def test_many_names_are_shown_by_the_first():
    assert listed(["a", "b\n"]) == "a, b\\x0a"
    assert listed([str(number) for number in range(1000)], 2) == "0, 1 and 998 more"
