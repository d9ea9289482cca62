"""Files of points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.errors import DataError
from pipeline.inputs.datasets import pts

TEXT = "version: 1\nn_points:  3\n{\n1.000 1.000\n30.5 40.25\n-2 1e1\n}\n"


def test_the_first_pixel_is_1_in_the_file_and_its_centre_half_a_pixel_here():
    assert pts.read(TEXT).tolist() == [[0.5, 0.5], [30.0, 39.75], [-2.5, 9.5]]


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("version: 1\n", ""),
        TEXT.rstrip(),
        "version:1 n_points:3 { 1 1 30.5 40.25 -2 10 }",
    ],
)
def test_other_blanks_mean_the_same(text):
    assert (pts.read(text) == pts.read(TEXT)).all()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "unreadable: no list of points"),
        (TEXT[:-3], "unreadable: no list of points"),
        (TEXT.replace("{", ""), "unreadable: no list of points"),
        (TEXT.replace("n_points:  3", "n_points: three"), "unreadable: no list of points"),
        (TEXT.replace("3\n", "4\n"), "unreadable: 6 coordinates, expected two for each of 4 points"),
        (TEXT.replace("-2 1e1", "-2"), "unreadable: 5 coordinates, expected two for each of 3 points"),
        (TEXT.replace("-2", "nan"), "unreadable: 'nan' is no coordinate"),
        (TEXT.replace("-2", "1e999"), "unreadable: '1e999' is no coordinate"),
        (TEXT.replace("-2", "left"), "unreadable: 'left' is no coordinate"),
        (TEXT.replace("-2", "٣"), "unreadable: '٣' is no coordinate"),
        (TEXT + TEXT, "unreadable: no list of points"),
    ],
)
def test_a_damaged_file_has_a_reason(text, reason):
    with pytest.raises(DataError, match=f"^{reason}"):
        pts.read(text)


@given(arrays(np.float64, st.tuples(st.integers(0, 20), st.just(2)), elements=st.floats(-1e4, 1e4)))
def test_what_is_written_is_read_again(points):
    again = pts.read(pts.text_of(points))
    assert again.shape == points.shape
    assert np.abs(again - points).max(initial=0) <= 0.0005 + 1e-9


def test_a_written_file_is_what_other_programs_read():
    assert pts.text_of(np.array([[0.5, 0.5], [30.0, 39.75]])) == (
        "version: 1\nn_points: 2\n{\n1.000 1.000\n30.500 40.250\n}\n"
    )


@given(st.text(st.sampled_from("version: 1n_points{}\n -.e3x"), max_size=80))
def test_any_text_is_points_or_a_reason(text):
    shape, message = (), ""
    try:
        shape = pts.read(text).shape
    except DataError as error:
        message = str(error)
    assert message.startswith("unreadable: ") or shape[1:] == (2,)
