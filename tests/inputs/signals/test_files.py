"""One recording of a file: its values, its rate, and what the rules say of gaps, clocks and channels."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.inputs.signals import clock, files, sheet
from tests.helpers import recordings
from tests.helpers.recordings import content, table


def test_values_and_rate_are_those_that_were_written(tmp_path):
    values = table(3)
    path = recordings.write(tmp_path / "a.csv", content(values))
    recording = files.read(path, files.FULL, ("ecg", "GSR"))
    assert recording.channels == ("ecg", "gsr")
    assert recording.rate_hz == 64
    assert recording.repairs == ()
    np.testing.assert_array_equal(recording.values, values[:, [2, 1]])


def test_a_window_of_biovid_is_of_512_hz(tmp_path):
    recording = files.read(recordings.write(tmp_path / "a.csv", content(table(0, 2816, 512))))
    assert (recording.rate_hz, recording.values.shape) == (512, (2816, 1))


def test_rows_that_are_missing_keep_their_place(tmp_path):
    values = table(0)
    kept = np.delete(values, np.arange(100, 110), axis=0)
    recording = files.read(recordings.write(tmp_path / "a.csv", content(kept)))
    assert np.isnan(recording.values[100:110]).all()
    np.testing.assert_array_equal(recording.values[110:, 0], values[110:, 1])
    assert recording.repairs == ("gaps: 10 of 352 steps are missing",)
    assert recording.missing == 10


def test_what_a_channel_does_not_say_is_not_asked_of_another(tmp_path):
    values = table(0)
    values[:, 1] = np.nan
    path = recordings.write(tmp_path / "a.csv", content(values))
    files.check(files.read(path, files.FULL, ("ecg",)))
    with pytest.raises(DataError, match="no value: nothing was measured of gsr"):
        files.check(files.read(path, files.FULL, ("ecg", "gsr")))


def test_a_channel_that_there_is_not_is_named_with_those_that_there_are(tmp_path):
    path = recordings.write(tmp_path / "a.csv", content(table(0)))
    with pytest.raises(DataError, match=r"^no channel: it has no eeg, it has gsr, ecg, emg_trapezius"):
        files.read(path, files.FULL, ("eeg", "gsr"))


@pytest.mark.parametrize(("empty", "usable"), [(70, True), (71, False)])
def test_a_fifth_may_be_missing(tmp_path, empty, usable):
    values = table(0)
    values[50 : 50 + empty, 1] = np.nan
    recording = files.read(recordings.write(tmp_path / "a.csv", content(values)))
    if usable:
        files.check(recording)
    else:
        with pytest.raises(DataError, match="gaps: 20% of gsr is missing, at most 20% is interpolated"):
            files.check(recording)


def test_what_no_instrument_shows_is_missing(tmp_path):
    values = table(0)
    values[[5, 6, 7], 1] = [1e9, 1.1e9, -1e300]
    recording = files.read(recordings.write(tmp_path / "a.csv", content(values)))
    assert np.isnan(recording.values[:, 0]).nonzero()[0].tolist() == [6, 7]


def test_a_table_without_times_is_biovids_if_it_is_as_long(tmp_path):
    rows = recordings.rows_of(table(0, 2816, 512)[:, 1:])
    path = recordings.write(tmp_path / "a.csv", recordings.text(rows, header=recordings.COLUMNS[1:]))
    recording = files.read(path)
    assert recording.rate_hz == 512
    assert recording.repairs == ("no time: 2,816 steps are BioVid's, of 512 Hz",)


def test_a_window_of_a_subjects_file(tmp_path):
    x = np.stack([table(n, 2816, 512)[:, 1] for n in range(3)])
    path = recordings.write(tmp_path / "a.npz", recordings.archive({"x": x, "y": np.arange(3)}))
    recording = files.read(path, "2")
    np.testing.assert_array_equal(recording.values[:, 0], x[2])
    assert recording.rate_hz == 512
    for region in ("3", "-1", "full", "", "\u0663", "9" * 5000):
        with pytest.raises(DataError, match="no window: it has 3, from 0 on"):
            files.read(path, region)


def test_a_file_that_was_changed_is_read_anew(tmp_path):
    for level in (1.0, 2.0):
        x = np.full((1, 2816), level) + np.arange(2816)
        path = recordings.write(tmp_path / "a.npz", recordings.archive({"x": x, "y": np.zeros(1)}))
        assert files.read(path, "0").values[0, 0] == level


def test_a_text_has_no_windows(tmp_path):
    with pytest.raises(DataError, match="no window: a text is one recording"):
        files.read(recordings.write(tmp_path / "a.csv", content(table(0))), "1")


def test_what_is_no_file_says_so(tmp_path):
    with pytest.raises(DataError, match="missing"):
        files.read(tmp_path / "a.csv")
    with pytest.raises(DataError, match="not a file"):
        files.read(tmp_path)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("gsr", "gsr"),
        (" GSR ", "gsr"),
        ("EDA [uS]", "gsr"),
        ("Skin Conductance (µS)", "gsr"),
        ("SCL", "gsr"),
        ("emg-trapezius", "emg_trapezius"),
        ("ECG/mV", "ecg"),
        ("Time (ms)", "time"),
        ("time_us", "time"),
        ("seconds", "time"),
        ("resp", "resp"),
        ("", ""),
    ],
)
def test_columns_are_known_by_what_they_mean(written, expected):
    assert sheet.channel_name(written) == expected


@pytest.mark.parametrize(
    ("header", "unit"),
    [("time", ""), ("time (ms)", "ms"), ("Time [µs]", "us"), ("time_s", "s"), ("seconds", "s"), ("t/ms", "ms")],
)
def test_the_unit_of_the_times_is_read_off_their_column(header, unit):
    assert sheet.parse(f"{header},gsr\n1,2\n".encode()).unit == unit


@pytest.mark.parametrize("rate_hz", [4, 8, 15.5, 32, 64, 250, 512, 1000, 2048, 3900])
@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_without_a_unit_the_rate_is_that_of_a_body(rate_hz, unit):
    times = 7 + np.arange(2000) / rate_hz * clock.UNITS[unit]
    assert clock.read(times).rate_hz == pytest.approx(rate_hz, rel=1e-9)
    assert clock.read(times, unit).rate_hz == pytest.approx(rate_hz, rel=1e-9)


def test_a_named_unit_is_believed():
    assert clock.read(np.arange(50.0), "s").rate_hz == 1
    assert clock.read(np.arange(50.0)).rate_hz == 1000
    with pytest.raises(DataError, match=r"rate: 0\.001 Hz if in s"):
        clock.read(np.arange(50.0) * 1000, "s")


@pytest.mark.parametrize("rate_hz", [64, 128, 256, 512])
def test_a_clock_that_is_rounded_to_milliseconds_still_says_the_rate(rate_hz):
    read = clock.read(np.round(1000 * np.arange(2816) / rate_hz))
    assert read.rate_hz == pytest.approx(rate_hz, rel=1e-3)
    assert read.places.tolist() == list(range(2816))


def test_a_gap_of_a_rounded_clock_has_the_right_length():
    times = np.delete(np.round(1000 * np.arange(2816) / 512), np.arange(500, 700))
    read = clock.read(times)
    assert (read.rate_hz, read.places[500], read.places[-1]) == (512, 700, 2815)


def test_a_clock_that_trembles_is_even():
    times = (np.arange(500) + np.random.default_rng(0).uniform(-0.2, 0.2, 500)) / 64
    read = clock.read(times)
    assert read.rate_hz == pytest.approx(64, rel=2e-3)
    assert read.places.tolist() == list(range(500))


def test_rows_of_one_moment_and_of_none_are_left_out_and_their_place_stays_free():
    times = np.arange(60.0) * 1000
    times[[10, 20, 30]] = [times[9], np.nan, 1e9]
    read = clock.read(times, "us")
    assert read.rows.tolist() == [n for n in range(60) if n not in (10, 20, 30)]
    assert read.places.tolist() == read.rows.tolist()
    assert read.repairs == (
        "time: 3 rows without a time of their own are left out",
        "gaps: 3 of 60 steps are missing",
    )
