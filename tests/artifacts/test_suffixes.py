"""Names of data files."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.artifacts.suffixes import escaped, fault_of, one_line, printable, quoted, suffix_of

NAMES = st.binary(min_size=1, max_size=40).map(os.fsdecode)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.JPG", ".jpg"), ("...jpg", ".jpg"), ("..dots.jpg", ".jpg"), (".jpg", ".jpg"), ("jpg", ""), ("a.jpg/b", "")],
)
def test_a_name_that_begins_with_dots_has_a_suffix_too(name, suffix):
    assert suffix_of(name) == suffix


@pytest.mark.parametrize(
    "name", ["a b.jpg", "ä/ö.jpg", "q'\"#,;.jpg", " .jpg", "\u202fam.jpg", "\N{GRINNING FACE}.jpg"]
)
def test_odd_names_that_are_one_line_of_text_can_be_used(name):
    assert fault_of(name) is None
    assert printable(name) == name


@pytest.mark.parametrize(
    ("name", "fault", "shown"),
    [
        (b"a\xff.jpg", "is not UTF-8 text", "a\\xff.jpg"),
        (b"a\r.jpg", "holds a control character", "a\\x0d.jpg"),
        (b"a\n/b.jpg", "holds a control character", "a\\x0a/b.jpg"),
        (b"\x1b[2J.jpg", "holds a control character", "\\x1b[2J.jpg"),
        ("a\u2028.jpg".encode(), "holds a control character", "a\\u2028.jpg"),
        (b"a\\xff.jpg", None, "a\\\\xff.jpg"),
    ],
)
def test_other_names_cannot_and_are_shown_with_escapes(name, fault, shown):
    reason = fault_of(os.fsdecode(name))
    assert (reason is None and fault is None) or fault in reason
    assert escaped(os.fsdecode(name)) == shown


@given(NAMES, NAMES)
def test_different_names_are_shown_differently_in_one_line(first, second):
    assert (escaped(first) == escaped(second)) == (first == second)
    for text in (escaped(first), one_line(first), quoted(first)):
        assert len(text.splitlines()) == 1
        assert text.encode().decode() == text


def test_a_long_text_is_shown_by_its_beginning():
    assert quoted("x" * 10**6) == "'" + "x" * 80 + "…'"
