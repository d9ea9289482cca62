"""The rows of a video and its annotated copy, by a predictor that finds squares."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.serving.pictures import Picture
from pipeline.serving.video_copy import VideoCopy
from pipeline.serving.video_rows import VideoRows
from pipeline.serving.viewers import FaceViewer
from pipeline.serving_config import PredictConfig
from tests.fakes import videos
from tests.fakes.predictors import Squares, square

av = pytest.importorskip("av")


def moved(count=30, away=range(10, 14)):
    """A square that goes to the right and grows brighter, and is not there for a while."""
    return [square(None if i in away else 2 + 2 * i, 10, 150 + 3 * i) for i in range(count)]


@pytest.fixture
def video(tmp_path):
    return Picture(videos.write(tmp_path / "in" / "a.mp4", moved()), "a.mp4")


def rows_of(video, squares=None, segments=None, place=None, earlier=(), **options):
    config = PredictConfig(**options)
    viewer = FaceViewer(squares or Squares(), config.detect_every)
    parts = VideoRows(viewer, config).rows(video, segments, place, earlier)
    return [row for rows in parts for row in rows]


def test_every_frame_is_a_row_also_without_a_face(video):
    rows = rows_of(video)
    assert [row["frame"] for row in rows] == list(range(30))
    assert [row["timestamp_s"] for row in rows] == pytest.approx([i / 10 for i in range(30)])
    assert [row["success"] for row in rows] == [0 if i in range(10, 14) else 1 for i in range(30)]
    assert {row.get("reason") for row in rows if not row["success"]} == {"no face found"}
    assert {row["face_id"] for row in rows if row["success"]} == {1}


def test_stride_start_and_end(video):
    whole = {row["frame"]: row for row in rows_of(video)}
    assert [row["frame"] for row in rows_of(video, stride=7)] == [0, 7, 14, 21, 28]
    part = rows_of(video, start=1.5, end=2.5, stride=3)
    assert [row["frame"] for row in part] == [15, 18, 21, 24]
    assert [row["timestamp_s"] for row in part] == [whole[row["frame"]]["timestamp_s"] for row in part]
    assert [row["prob_pain"] for row in part] == [whole[row["frame"]]["prob_pain"] for row in part]


def test_between_looks_over_the_whole_frame_only_faces_that_are_followed_are_looked_for(video):
    squares = Squares()
    rows_of(video, squares, detect_every=4)
    assert squares.looks[:10] == [i % 4 == 0 for i in range(10)]
    nobody = Squares()
    empty = videos.write(video.path.with_name("b.mp4"), [square(None, 0)] * 6)
    rows_of(Picture(empty, "b.mp4"), nobody, detect_every=4)
    assert nobody.looks == [True] * 6


def test_smoothing_has_its_own_columns_and_leaves_the_raw_ones(video):
    raw, smooth = rows_of(video), rows_of(video, smooth=0.25)
    assert [row["prob_pain"] for row in raw if row["success"]] == [row["prob_pain"] for row in smooth if row["success"]]
    raw_of = [row["prob_pain"] for row in raw[:10]]
    assert smooth[5]["smooth_prob_pain"] == pytest.approx(np.mean(raw_of[3:6]))
    assert not any(name.startswith("smooth") for row in raw for name in row)


def shown(path):
    """Times and size of the frames of a video."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [round(float(frame.time), 3) for frame in frames], (frames[0].width, frames[0].height)


def test_the_copy_has_every_frame_at_its_time_and_a_panel_below(video, tmp_path):
    rows_of(video, segments=tmp_path / "draft", place=tmp_path / "copies" / "a.mp4")
    times, size = shown(tmp_path / "copies" / "a.mp4")
    assert times == pytest.approx([i / 10 for i in range(30)])
    assert size == (96, 48 + 48)
    assert not (tmp_path / "draft").exists()
    assert [path.name for path in (tmp_path / "copies").iterdir()] == ["a.mp4"]


def test_segments_are_joined_without_a_frame_lost_or_twice(tmp_path):
    copy = VideoCopy(tmp_path / "draft", 10, segment_s=0.7)
    for i, frame in enumerate(moved()):
        copy.write(frame[:47, :95], i, i / 10)  # odd sides
    copy.close()
    assert len(list((tmp_path / "draft").iterdir())) == 5
    assert VideoCopy(tmp_path / "draft", 10).reached == 29
    assert VideoCopy(tmp_path / "draft", 10).join(tmp_path / "a.mp4")
    times, size = shown(tmp_path / "a.mp4")
    assert times == pytest.approx([i / 10 for i in range(30)])
    assert size == (96, 48)


@pytest.mark.parametrize("stop", [1, 9, 12, 13, 29])
def test_what_comes_after_earlier_rows_is_what_would_have_come(video, stop):
    options = {"smooth": 0.5, "detect_every": 3}
    whole = rows_of(video, **options)
    earlier = [{name: str(row.get(name, "")) for name in [*whole[0], "face_id"]} for row in whole[:stop]]
    assert rows_of(video, earlier=earlier, **options) == whole[stop:]


def test_a_damaged_video_is_a_row(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"nothing")
    [row] = rows_of(Picture(tmp_path / "a.mp4", "a.mp4"), segments=tmp_path / "draft", place=tmp_path / "b.mp4")
    assert (row["file"], row["success"]) == ("a.mp4", 0)
    assert row["reason"].startswith("unreadable: ")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


MEMORY = """
import sys, os
from pathlib import Path
from pipeline.artifacts.results import Table
from pipeline.serving_config import PredictConfig
from pipeline.serving.pictures import Picture
from pipeline.serving.video_rows import VideoRows
from pipeline.serving.viewers import FaceViewer
from tests.fakes.predictors import Squares
path = Path(sys.argv[1])
resident = lambda: int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
parts = VideoRows(FaceViewer(Squares(), 5), PredictConfig(smooth=1)).rows(Picture(path, path.name))
with Table(path.with_suffix(".csv"), ["file", "frame", "prob_pain"]) as table:
    for number, rows in enumerate(parts):
        for row in rows:
            table.add(row)
        if number == 300:
            before = resident()
print(number + 1, resident() - before)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(tmp_path):
    frames = (square(i % 40, 10, size=(64, 64)) for i in range(1500))
    path = videos.write(tmp_path / "long.mp4", frames, rate=25)
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", MEMORY, path]
    shown = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=60).stdout
    count, grown = map(int, shown.split())
    assert count == 1500
    assert grown < 6 * 2**20  # the frames that were read in between have 14 MB
