"""How the numbers of options are read: finite ones of ASCII digits, and no other texts."""

from __future__ import annotations

import pytest

from pipeline.fields import read_number, read_whole


@pytest.mark.parametrize(("text", "number"), [("0", 0), (" 7 ", 7), ("-3", -3), ("+12", 12), ("9" * 18, 10**18 - 1)])
def test_a_whole_number_is_read(text, number):
    assert read_whole(text) == number


@pytest.mark.parametrize("text", ["", "1.0", "1_0", "0x10", "٣", "1e3", "nan", "9" * 19, "1\n", "- 1"])
def test_other_texts_are_no_whole_numbers(text):
    assert read_whole(text) is None


@pytest.mark.parametrize(
    ("text", "number"), [("0.5", 0.5), (".5", 0.5), ("5.", 5.0), ("1e-4", 1e-4), ("-2E+3", -2000.0)]
)
def test_a_number_is_read(text, number):
    assert read_number(text) == number


@pytest.mark.parametrize("text", ["", ".", "nan", "inf", "-inf", "1e999", "1_0.5", "٣.٥", "0x1p3", "1,5", "1\n"])
def test_other_texts_are_no_numbers(text):
    assert read_number(text) is None
