"""What a truth.csv adds to a listing."""

from __future__ import annotations

import pytest

from pipeline.errors import DataError
from pipeline.inputs.datasets import truth
from pipeline.inputs.datasets.entries import Entry, Listing, Region
from tests.helpers import specials

LISTING = Listing([Entry("anger/a.jpg", "anger/a.jpg", {"full": Region({"expression": "anger"})})], [])


def join(tmp_path, text: str, listing: Listing = LISTING) -> Entry:
    (tmp_path / "truth.csv").write_text(text)
    (entry,) = truth.joined(listing, tmp_path, {"truth.csv": "", "anger/a.jpg": ""}).entries
    return entry


def test_targets_attributes_and_the_subject_join_by_file(tmp_path):
    entry = join(
        tmp_path,
        "file,region,subject_id,label,expression,gender,ethnicity,age,au04,l5_0_x,phenotype_age\n"
        "anger/a.jpg,full,p7,3,disgust,Man,South Asian,33,2.5,7,0.1\n"
        "anger/other.jpg,full,p8,3,disgust,Man,South Asian,33,2.5,7,0.1\n",
    )
    assert entry.subject_id == "p7"
    assert entry.regions["full"].targets == {"expression": "anger", "au04": "2.5"}
    assert entry.attributes == {"gender": "man", "ethnicity": "south_asian", "age": "33"}


def test_without_a_region_a_row_is_of_the_whole_picture(tmp_path):
    assert join(tmp_path, "file,pspi\nanger/a.jpg,4\n").regions["full"].targets["pspi"] == "4"


def test_a_picture_without_a_row_stays_as_it_is(tmp_path):
    assert join(tmp_path, "file,pspi\nanger/b.jpg,4\n") == LISTING.entries[0]


def test_no_truth_changes_nothing(tmp_path):
    assert truth.joined(LISTING, tmp_path, {"anger/a.jpg": ""}) is LISTING


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("picture,pspi\nanger/a.jpg,4\n", "has no column file"),
        ("file,pspi\nanger/a.jpg,4\nanger/a.jpg,5\n", "line 3: a second row for anger/a.jpg, region full"),
    ],
)
def test_a_truth_that_cannot_be_joined_is_an_error(tmp_path, text, reason):
    with pytest.raises(DataError, match=reason):
        join(tmp_path, text)


def test_a_line_break_in_a_cell_becomes_a_blank(tmp_path):
    entry = join(tmp_path, 'file,subject_id,valence\nanger/a.jpg,"p\n7",2\n')
    assert entry.subject_id == "p 7"


def test_a_measure_out_of_range_is_an_error_that_names_the_line(tmp_path):
    with pytest.raises(DataError, match=r"truth.csv, line 2: out of range: pspi 17, expected 0 to 16"):
        join(tmp_path, "file,pspi\nanger/a.jpg,17\n")


def points(*cells: object) -> str:
    """A truth with 68 points, of which the first coordinates are given."""
    values = [*cells, *range(len(cells), 136)]
    return f"file,{','.join(truth.POINTS)}\nanger/a.jpg,{','.join(map(str, values))}\n"


def test_68_points_join_as_points_and_change_nothing_else(tmp_path):
    before, after = LISTING.entries[0].regions["full"], join(tmp_path, points(-3.5)).regions["full"]
    assert after.points == (-3.5, *range(1, 136))
    assert (after.point_set, after.box, after.about_points) == ("points68", (), False)
    assert after.targets == before.targets


@pytest.mark.parametrize("cell", ["", "nan", "1e999", "left", "٣"])
def test_points_of_which_one_is_no_number_are_not_known(tmp_path, cell):
    assert join(tmp_path, points(1, cell)).regions["full"].points == ()


def test_points_of_the_reader_stay(tmp_path):
    face = Region({"expression": "anger"}, points=(1.0,) * 58)
    listing = Listing([Entry("anger/a.jpg", "a", {"full": face})], [])
    assert join(tmp_path, points(), listing).regions["full"] == face


@pytest.mark.parametrize("column", ["sequence", "video", "clip"])
def test_a_sequence_joins_and_is_neither_target_nor_subject(tmp_path, column):
    entry = join(tmp_path, f"file,{column}\nanger/a.jpg,s7\n")
    assert (entry.sequence, entry.subject_id) == ("s7", "anger/a.jpg")
    assert entry.regions == LISTING.entries[0].regions


def test_frames_that_are_grouped_by_their_clips_have_no_further_sequence(tmp_path):
    listing = Listing(LISTING.entries, [], grouping={"by": "clip"})
    assert join(tmp_path, "file,clip\nanger/a.jpg,s7\n", listing).sequence == ""


@pytest.mark.parametrize("cell", ["nan", "1e999", "inf", "٣", "high", "9" * 5000])
def test_a_measure_that_is_no_number_is_an_error_that_names_the_line(tmp_path, cell):
    with pytest.raises(DataError, match=r"truth.csv, line 2: unknown pspi: .*, expected a number"):
        join(tmp_path, f"file,pspi\nanger/a.jpg,{cell}\n")


def test_more_targets_than_join_are_an_error(tmp_path):
    names = [f"t{number}" for number in range(truth.MAX_TARGETS + 1)]
    with pytest.raises(
        DataError, match=r"has 129 columns of targets: t0, t1, t2, t3, t4 and 124 more\. At most 128 join"
    ):
        join(tmp_path, f"file,{','.join(names)}\n")


@pytest.mark.parametrize("kind", specials.KINDS)
def test_what_is_no_file_is_an_error(tmp_path, kind):
    specials.put(tmp_path / "truth.csv", kind)
    with specials.within(5), pytest.raises(DataError, match=f"truth.csv cannot be read .*{kind}"):
        truth.joined(LISTING, tmp_path, {"truth.csv": ""})
