"""Videos in, a table and an annotated copy out; a run that was ended goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.artifacts import arrays
from pipeline.config import AlignConfig, ResizeConfig
from pipeline.errors import ConfigError, DataError
from pipeline.serving import predictor as predictors
from pipeline.serving import video_copy
from pipeline.serving.frames import FramePredictor
from pipeline.serving.video_rows import VideoRows
from pipeline.serving_config import PredictConfig
from pipeline.tasks import PAIN, TASKS
from stages import predict
from tests.fakes import videos
from tests.fakes.predictors import Squares, square
from tests.helpers.networks import saved, saved_of_frames

av = pytest.importorskip("av")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("model"), PAIN, AlignConfig(face_size=64))


@pytest.fixture
def squares(monkeypatch):
    """In place of the predictor, one that is quick and of which every look can be counted."""
    made = Squares()
    monkeypatch.setattr(predictors, "Predictor", lambda model, device: made)
    return made


@pytest.fixture(scope="module")
def crossing(tmp_path_factory):
    """Two faces of the demo set that cross, the second of which comes later."""
    one, other = videos.face(0, 110), videos.face(30, 110)
    paths = [
        (one, lambda i: None if i > 17 else (10 + 9 * i, 10)),
        (other, lambda i: None if i < 4 or i > 17 else (200 - 9 * i, 65)),
    ]
    return videos.write(tmp_path_factory.mktemp("video") / "two.mp4", videos.moving(20, paths))


def run(source, model, out, **options):
    return predict.run(source, model, out, "cpu", PredictConfig(**options))


def test_two_faces_that_cross_keep_their_numbers(model, crossing, tmp_path, caplog):
    caplog.set_level("INFO")
    table = arrays.read_table(run(crossing, model, tmp_path / "out"))
    assert sorted(set(table["frame"])) == list(range(20))
    by_frame = {frame: rows.set_index("face_id") for frame, rows in table[table["success"] == 1].groupby("frame")}
    assert all(list(by_frame[i].index) == [1] for i in range(4))
    assert all(set(by_frame[i].index) == {1, 2} for i in range(5, 18))
    first = [by_frame[i].loc[1, "x0"] for i in range(18)]
    second = [by_frame[i].loc[2, "x0"] for i in range(5, 18)]
    assert first == sorted(first)
    assert second == sorted(second, reverse=True)
    nobody = table[table["frame"] >= 18]
    assert nobody["reason"].tolist() == ["no face found"] * 2
    assert nobody["success"].tolist() == [0, 0]
    assert "a second; ms a frame: decode" in caplog.text
    assert [path.name for path in (tmp_path / "out" / "annotated").iterdir()] == ["two.mp4"]


def test_a_result_is_the_same_for_a_frame_as_for_a_picture(model, crossing, tmp_path):
    predictor = predictors.Predictor(model)
    results = list(predictor.stream(crossing, stride=10))
    assert [(result.frame, len(result.faces)) for result in results] == [(0, 1), (10, 2)]
    Image.fromarray(results[1].image).save(tmp_path / "a.png")
    whole = predictor(tmp_path / "a.png")
    for face, same in zip(whole.faces, predictor(results[1].image).faces, strict=True):
        assert face.box == same.box
        assert face.answer.cells == same.answer.cells
    [picture] = predictor.stream(tmp_path / "a.png")
    assert (picture.frame, len(picture.faces)) == (None, 2)


@pytest.fixture
def films(tmp_path):
    for name, count in (("a.mp4", 25), ("b.mp4", 40)):
        videos.write(tmp_path / "in" / name, [square(2 + i if i % 9 else None, 10) for i in range(count)])
    return tmp_path / "in"


@pytest.mark.slow
@pytest.mark.parametrize(("annotate", "killed"), [(True, True), (True, False), (False, False)])
@pytest.mark.parametrize(("looks", "form"), [(3, "csv"), (24, "jsonl"), (26, "csv"), (50, "jsonl")])
def test_a_run_that_was_ended_goes_on(squares, model, films, tmp_path, monkeypatch, annotate, form, looks, killed):
    """One that was killed has not finished the segment that it wrote, of 5 frames."""
    monkeypatch.setattr(video_copy, "SEGMENT_S", 0.5)
    options = {"annotate": annotate, "format": form, "smooth": 0.3, "detect_every": 4}
    whole = run(films, model, tmp_path / "whole", **options).read_text()
    look = squares.look

    def ending(image, near=None):
        if len(squares.looks) == looks:
            raise KeyboardInterrupt
        return look(image, near)

    squares.looks.clear()
    monkeypatch.setattr(squares, "look", ending)
    end = VideoRows._end
    if killed:
        monkeypatch.setattr(VideoRows, "_end", lambda rows, copy, place: place and end(rows, copy, place))
    with pytest.raises(KeyboardInterrupt):
        run(films, model, tmp_path / "out", **options)
    monkeypatch.setattr(VideoRows, "_end", end)
    monkeypatch.setattr(squares, "look", look)
    squares.looks.clear()
    assert run(films, model, tmp_path / "out", resume=True, **options).read_text() == whole
    assert len(squares.looks) <= 65 - looks + (6 if killed else 2)
    for name, count in (("a.mp4", 25), ("b.mp4", 40)) if annotate else ():
        with av.open(str(tmp_path / "out" / "annotated" / name)) as container:
            assert sum(1 for _ in container.decode(video=0)) == count
    assert {path.name for path in (tmp_path / "out").iterdir()} <= {f"predictions.{form}", "annotated"}


@pytest.mark.slow
def test_a_process_that_is_killed_is_gone_on_with(model, tmp_path):
    frames = videos.moving(60, [(videos.face(0, 110), lambda i: (10 + i, 10))])
    source = videos.write(tmp_path / "long.mp4", frames)
    command = [sys.executable, "-m", "stages", "--quiet", "predict", "--input", source, "--model", model]
    command += ["--out", tmp_path / "out", "--device", "cpu", "--annotate", "false"]
    table = tmp_path / "out" / "predictions.csv"
    with subprocess.Popen([*map(str, command)], cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}) as process:
        until = time.monotonic() + 40
        while time.monotonic() < until and not (table.exists() and table.read_bytes().count(b"\n") > 8):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    before = table.read_bytes()
    assert 8 < before.count(b"\n") < 60
    rows = arrays.read_table(run(source, model, tmp_path / "out", annotate=False, resume=True))
    assert rows["frame"].tolist() == list(range(60))
    assert rows["face_id"].tolist() == [1] * 60
    assert table.read_bytes().startswith(b"\n".join(before.split(b"\n")[:-2]))


def test_a_run_with_other_options_is_not_gone_on_with(squares, model, films, tmp_path, monkeypatch):
    def failing(image, near=None):
        raise RuntimeError("a bug")

    monkeypatch.setattr(squares, "look", failing)
    with pytest.raises(RuntimeError):
        run(films, model, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"other values of STRIDE \(1, now 2\)"):
        run(films, model, tmp_path / "out", stride=2, resume=True)


def test_json_lines_hold_what_the_table_holds(squares, model, films, tmp_path):
    lines = run(films, model, tmp_path / "out", format="jsonl", annotate=False).read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    table = arrays.read_table(run(films, model, tmp_path / "csv", annotate=False))
    assert len(rows) == len(table) == 65
    assert [row["prob_pain"] for row in rows if row["success"]] == table["prob_pain"].dropna().tolist()
    assert rows[0]["prob_pain"] is None


def test_damaged_videos_are_rows_and_leave_nothing(squares, model, films, tmp_path):
    (films / "empty.mp4").touch()
    (films / "text.avi").write_text("no video")
    (films / "cut.mp4").write_bytes((films / "a.mp4").read_bytes()[:900])
    table = arrays.read_table(run(films, model, tmp_path / "out"))
    reasons = table[table["frame"].isna()].set_index("file")["reason"]
    assert sorted(reasons.index) == ["cut.mp4", "empty.mp4", "text.avi"]
    assert reasons.str.startswith("unreadable: ").all()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"predictions.csv", "annotated"}
    assert {path.name for path in (tmp_path / "out" / "annotated").iterdir()} == {"a.mp4", "b.mp4"}


def test_pictures_beside_videos_are_rows_of_one_table(model, crossing, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "two.mp4").write_bytes(crossing.read_bytes())
    videos.face(0, 128).save(tmp_path / "in" / "a.png")
    table = arrays.read_table(run(tmp_path / "in", model, tmp_path / "out", stride=10, detect_every=1, annotate=False))
    assert table["file"].tolist() == ["a.png", "two.mp4", "two.mp4", "two.mp4"]
    assert table["half"].tolist()[0] == "full"
    assert table["frame"].isna().tolist() == [True, False, False, False]
    assert not (tmp_path / "out" / "annotated").exists()


def test_a_camera_that_is_not_there_is_one_line(model, tmp_path):
    with pytest.raises(DataError, match="There is no camera 987"):
        run(Path("987"), model, tmp_path / "out")


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """A model of whole frames."""
    return saved_of_frames(tmp_path_factory.mktemp("frames"), TASKS["fire-smoke"], ResizeConfig(frame_size=32))


@pytest.fixture(scope="module")
def smouldering(tmp_path_factory):
    """Frames of noise, each louder than the one before."""
    random = np.random.default_rng(0)
    frames = [np.clip(random.normal(110, 5 + 3 * i, (60, 97, 3)), 0, 255).astype(np.uint8) for i in range(23)]
    return videos.write(tmp_path_factory.mktemp("video") / "fire.mkv", [frame[:, :96] for frame in frames])


def test_each_frame_that_is_read_as_a_whole_is_a_row(frames, smouldering, tmp_path, caplog):
    caplog.set_level("INFO")
    options = {"stride": 2, "start": 0.4, "smooth": 0.5}
    table = arrays.read_table(run(smouldering, frames, tmp_path / "out", **options))
    assert list(table.columns) == [
        *("file", "frame", "timestamp_s", "success", "fire", "smoke", "prob_fire", "prob_smoke"),
        *("domain_score", "in_domain", "smooth_prob_fire", "smooth_prob_smoke", "reason"),
    ]
    assert table["frame"].tolist() == list(range(4, 23, 2))
    assert table["timestamp_s"].tolist() == pytest.approx([number / 10 for number in range(4, 23, 2)])
    assert set(table["success"]) == {1}
    assert table["smooth_prob_fire"][6] == pytest.approx(table["prob_fire"][4:7].mean())
    assert "10 frames in 1 files, 0 without a prediction" in caplog.text
    assert re.search(r"10 frames of videos .* decode [\d.]+, copy [\d.]+, resize [\d.]+, network [\d.]+", caplog.text)
    with av.open(str(tmp_path / "out" / "annotated" / "fire.mp4")) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(shown) == 10
    assert shown[0].shape[1] == 96
    assert shown[0].shape[0] > 60 + 48  # a strip above, a curve below


def test_of_a_frame_the_same_is_said_as_of_a_picture(frames, smouldering, tmp_path):
    predictor = FramePredictor(frames)
    first, last = predictor.stream(smouldering, stride=20)
    assert [(one.frame, one.timestamp_s, one.faces) for one in (first, last)] == [(0, 0.0, ()), (20, 2.0, ())]
    Image.fromarray(last.image).save(tmp_path / "a.png")
    [picture] = predictor.stream(tmp_path / "a.png")
    assert (picture.source, picture.frame) == ("a.png", None)
    for other in (picture, predictor(tmp_path / "a.png"), predictor(last.image)):
        assert other.answer.cells == last.answer.cells
    (tmp_path / "b.png").write_bytes(b"none")
    [broken] = predictor.stream(tmp_path / "b.png")
    assert broken.answer is None
    assert broken.reason.startswith("unreadable")


@pytest.mark.parametrize("looks", [3, 17, 30])
def test_a_run_over_whole_frames_that_was_ended_goes_on(frames, smouldering, tmp_path, monkeypatch, looks):
    monkeypatch.setattr(video_copy, "SEGMENT_S", 0.5)
    (tmp_path / "in").mkdir()
    for name in ("a.mkv", "b.mkv"):
        (tmp_path / "in" / name).symlink_to(smouldering)
    whole = run(tmp_path / "in", frames, tmp_path / "whole", smooth=0.3).read_text()
    look, seen = FramePredictor.look, []

    def ending(predictor, image):
        if len(seen) == looks:
            raise KeyboardInterrupt
        seen.append(image)
        return look(predictor, image)

    monkeypatch.setattr(FramePredictor, "look", ending)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "in", frames, tmp_path / "out", smooth=0.3)
    monkeypatch.setattr(FramePredictor, "look", look)
    assert run(tmp_path / "in", frames, tmp_path / "out", smooth=0.3, resume=True).read_text() == whole
    for name in ("a.mp4", "b.mp4"):
        with av.open(str(tmp_path / "out" / "annotated" / name)) as container:
            assert sum(1 for _ in container.decode(video=0)) == 23


def test_pictures_and_videos_of_whole_frames_share_a_table(frames, smouldering, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.mkv").symlink_to(smouldering)
    Image.new("RGB", (64, 48), "white").save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "c.mp4").write_bytes(b"no video")
    table = arrays.read_table(run(tmp_path / "in", frames, tmp_path / "out", stride=11, annotate=False))
    assert table["file"].tolist() == ["a.png", "b.mkv", "b.mkv", "b.mkv", "c.mp4"]
    assert table["success"].fillna(-1).tolist() == [-1, 1, 1, 1, 0]
    assert table["prob_fire"].isna().tolist() == [False, False, False, False, True]
    assert table["reason"].fillna("").str.startswith("unreadable").tolist() == [False] * 4 + [True]
