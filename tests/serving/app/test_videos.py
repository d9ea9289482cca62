"""POST /predict/video: a job with progress, a result and an end; bounded in number, length and time."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.config import ResizeConfig
from pipeline.errors import DataError
from pipeline.serving.app import jobs
from pipeline.serving.app.refusals import Refusal
from pipeline.serving.app.schemas import FrameOut
from pipeline.serving.app.uploads import Held, check_video
from pipeline.serving_config import ServeConfig
from pipeline.tasks import TASKS
from tests.fakes import videos
from tests.helpers import served
from tests.helpers.groups import wait_until
from tests.helpers.networks import saved_of_frames

FRAMES, RATE = 12, 10
CLOSED_S = 5
DEFAULTS = ServeConfig()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return served.network(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    pytest.importorskip("av")
    frames = [served.picture(number, 64, 48) for number in range(FRAMES)]
    return videos.write(tmp_path_factory.mktemp("videos") / "video.mp4", frames, RATE)


def open_files() -> int:
    """How many there are, none of them held by garbage of other tests alone."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def ended(client, job: str, after: int = 0) -> dict:
    """The result of a job, once it is over."""
    for _ in range(400):
        result = client.get(f"/predict/video/{job}/result", params={"after": after}).json()
        if result["state"] in jobs.OVER:
            return result
        time.sleep(0.02)
    raise AssertionError(result)


def test_a_video_is_answered_frame_by_frame(model, video):
    with served.asked(model) as client:
        before = open_files()
        begun = client.post("/predict/video", files=served.file_of(video.read_bytes()))
        job = begun.json()["id"]
        result = ended(client, job)
        later = ended(client, job, after=10)
        progress = client.get(f"/predict/video/{job}").json()
        wait_until(lambda: open_files() == before, CLOSED_S)  # whoever worked on it may still be closing it
        assert client.delete(f"/predict/video/{job}").status_code == 204
        assert client.get(f"/predict/video/{job}").status_code == 404
    assert begun.status_code == 202
    assert (result["state"], result["progress"], result["reason"]) == ("finished", 1, "")
    assert [one["timestamp_s"] for one in result["results"]] == pytest.approx([n / RATE for n in range(FRAMES)])
    assert [one["answers"][0]["face_id"] for one in result["results"]] == [1] * FRAMES
    assert all(0 <= one["answers"][0]["cells"]["prob_pain"] <= 1 for one in result["results"])
    assert ([one["frame"] for one in later["results"]], later["next"]) == ([10, 11], 12)
    assert (progress["frames"], progress["seconds"]) == (FRAMES, pytest.approx(1.1))


def test_of_a_video_each_whole_frame_is_answered(video, tmp_path):
    frames = saved_of_frames(tmp_path, TASKS["fire-smoke"], ResizeConfig(frame_size=32))
    with served.asked(frames) as client:
        told = client.get("/model").json()
        result = ended(client, client.post("/predict/video", files=served.file_of(video.read_bytes())).json()["id"])
    assert (result["state"], result["frames"]) == ("finished", FRAMES)
    assert (told["reads"], told["curve"]["columns"]) == ("frames", ["prob_fire", "prob_smoke"])
    for frame in result["results"]:
        (answer,) = frame["answers"]
        assert (answer["box"], answer["face_id"]) == (None, None)
        assert list(answer["cells"]) == told["columns"]


def test_of_a_second_no_more_frames_are_predicted_than_the_limit(model, video):
    with served.asked(model, video_rate=4) as client:
        result = ended(client, client.post("/predict/video", files=served.file_of(video.read_bytes())).json()["id"])
    assert [one["frame"] for one in result["results"]] == [0, 3, 6, 9]  # 10 a second, of which every third


def test_a_video_that_is_damaged_fails_after_what_can_be_read(model, video):
    whole = bytearray(video.read_bytes())
    place = whole.index(b"mdat")
    whole[place + 2000 : place + 6000] = bytes(4000)
    with served.asked(model) as client:
        job = client.post("/predict/video", files=served.file_of(bytes(whole))).json()["id"]
        result = ended(client, job)
    assert result["state"] == "failed"
    assert result["reason"].startswith("Damaged: ")
    assert 1 <= result["frames"] < FRAMES


def test_a_video_that_is_too_long_or_too_large_is_refused_before_it_is_decoded(model, video):
    with served.asked(model, video_seconds=1) as client:
        refused = client.post("/predict/video", files=served.file_of(video.read_bytes()))
    assert (refused.status_code, refused.json()["detail"]) == (413, "The video lasts 1 s, at most 1 s are taken.")
    with pytest.raises(Refusal, match="64 x 48 pixels, at most 0 megapixels"):
        check_video(video, 0, 100)
    with pytest.raises(Refusal, match="That is no video"):
        check_video(Path(__file__), 1, 100)
    assert check_video(video, 1, 100) == (RATE, pytest.approx(1.2))


def test_no_such_job(model):
    with served.asked(model) as client:
        for path in (
            "/predict/video/x",
            "/predict/video/x/result",
            "/predict/video/..%2f..%2fetc",
            f"/predict/video/{'a' * 65}",
        ):
            assert client.get(path).status_code in (404, 422)
        assert client.delete("/predict/video/x").status_code == 404


def made(frames, config: ServeConfig = DEFAULTS, seconds: float = 0.0) -> tuple[jobs.Job, Held]:
    """A job over frames that need no video, and its file."""
    held = Held(os.memfd_create("video"))
    return jobs.Job(held, SimpleNamespace(frames=lambda path, stride: frames), 1, seconds, config), held


def frame(time_s: float) -> FrameOut:
    return FrameOut(frame=0, timestamp_s=time_s, answers=[], reason="no face found")


def test_a_video_that_lasts_longer_than_it_says_fails(monkeypatch):
    job, held = made((frame(float(n)) for n in range(100)), ServeConfig(video_seconds=5), seconds=2)
    while job.step():
        assert job.out().progress <= 1
    assert (job.state, len(job.results)) == ("failed", 7)
    assert job.reason == "It lasts longer than it says; at most 5 s are taken."
    assert not held.path.exists()


def test_a_video_is_worked_on_no_longer_than_the_limit(monkeypatch):
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr(jobs, "monotonic", lambda: next(clock))
    job, _ = made((frame(0.1 * n) for n in range(100)), ServeConfig(video_timeout=10))
    while job.step():
        pass
    assert (job.state, len(job.results)) == ("failed", 4)


def test_more_results_than_fit_end_a_job(monkeypatch):
    monkeypatch.setattr(jobs, "MOST_RESULTS", 3)
    job, _ = made(frame(0.0) for _ in range(100))
    while job.step():
        pass
    assert (job.state, len(job.results)) == ("failed", 4)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DataError("damaged: it ends"), "Damaged: it ends."),
        (MemoryError(), "memory"),
        (RuntimeError("a bug"), "made a mistake"),
    ],
)
def test_what_goes_wrong_ends_a_job_and_closes_its_file(error, reason):
    def frames():
        yield frame(0.0)
        raise error

    job, held = made(frames())
    assert (job.step(), job.step(), job.state) == (True, False, "failed")
    assert reason in job.reason
    assert not held.path.exists()


def test_a_cancelled_job_does_not_go_on():
    job, held = made(frame(float(n)) for n in range(100))
    job.step()
    job.cancel()
    assert (job.step(), job.state, len(job.results)) == (False, "cancelled", 1)
    assert not held.path.exists()


@pytest.fixture
def waiting():
    """Jobs whose steps are done by hand, one job at once; and what waits to be done."""
    steps = []
    return jobs.Jobs(SimpleNamespace(go_on=steps.append), ServeConfig(video_jobs=1)), steps


def begin(kept: jobs.Jobs) -> jobs.Job:
    reader = SimpleNamespace(frames=lambda path, stride: (one for one in [frame(0.0)]))
    return kept.begin(Held(os.memfd_create("video")), reader, 25.0, 1.0)


def test_more_videos_than_the_limit_are_refused_until_one_has_ended(waiting):
    kept, steps = waiting
    job = begin(kept)
    with pytest.raises(Refusal) as refused:
        begin(kept)
    assert (refused.value.status_code, refused.value.headers) == (429, {"Retry-After": "10"})
    while steps:
        steps.pop()()
    assert (job.state, kept.at_work) == ("finished", 0)
    assert begin(kept).state == "waiting"


def test_old_results_are_forgotten(waiting, monkeypatch):
    kept, steps = waiting
    some = []
    for _ in range(jobs.MOST_KEPT + 2):
        some.append(begin(kept))
        while steps:
            steps.pop()()
    with pytest.raises(Refusal, match="no such job"):
        kept.find(some[0].id)
    assert kept.find(some[-1].id) is some[-1]
    later = jobs.monotonic() + jobs.KEPT_S + 1
    monkeypatch.setattr(jobs, "monotonic", lambda: later)
    with pytest.raises(Refusal, match="no such job"):
        kept.find(some[-1].id)
