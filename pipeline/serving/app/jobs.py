"""Videos that are worked on: a bounded number, each frame a step between the pictures of others, each for so long."""

from __future__ import annotations

import logging
import math
import secrets
from contextlib import suppress
from time import monotonic

from pipeline.errors import PainDistillError
from pipeline.serving.app.readers import Reader
from pipeline.serving.app.refusals import Refusal, sentence_of
from pipeline.serving.app.schemas import FrameOut, JobOut, ResultOut
from pipeline.serving.app.uploads import Held
from pipeline.serving.app.workers import Workers
from pipeline.serving_config import ServeConfig

KEPT_S = 600.0  # that a result waits to be asked for
MOST_KEPT = 16  # results that wait
MOST_RESULTS = 20_000  # frames and faces of a video that are kept until they are asked for
PAGE = 200  # frames in one answer
OVER = ("finished", "failed", "cancelled")

log = logging.getLogger(__name__)


class Job:
    """One video.

    Parameters
    ----------
    held : its file.
    reader : what predicts it.
    stride : every how many frames one is predicted.
    seconds : that it says to last; 0 where it does not.
    config : how long it may last, and may be worked on.
    """

    def __init__(self, held: Held, reader: Reader, stride: int, seconds: float, config: ServeConfig):
        self.id = secrets.token_urlsafe(16)
        self.state, self.reason, self.ended = "waiting", "", math.inf
        self.results: list[FrameOut] = []
        self._held, self._lasts_s, self._config = held, seconds, config
        self._time_s, self._count, self._began = 0.0, 0, monotonic()
        self._frames, self._cancelled = reader.frames(held.path, stride), False

    def step(self) -> bool:
        """Predict the next frame. Returns whether there may be another."""
        self.state = "running"
        try:
            if self._cancelled:
                self._end("cancelled", "")
            else:
                self._take(next(self._frames, None))
        except PainDistillError as error:
            self._end("failed", str(error))
        except MemoryError:
            self._end("failed", "The server has no memory left for it")
        except Exception:
            log.exception("a video could not be predicted")
            self._end("failed", "The server made a mistake; its log has more of it")
        return self.state not in OVER

    def cancel(self) -> None:
        """End it before its next frame."""
        self._cancelled = True

    def _take(self, result: FrameOut | None) -> None:
        if result is None:
            self._end("finished", "")
            return
        self.results.append(result)
        self._time_s, self._count = result.timestamp_s, self._count + 1 + len(result.answers)
        config = self._config
        if self._time_s > config.video_seconds:
            self._end("failed", f"It lasts longer than it says; at most {config.video_seconds:g} s are taken")
        elif monotonic() - self._began > config.video_timeout:
            self._end("failed", f"It took longer than {config.video_timeout:g} s; what was done is there")
        elif self._count > MOST_RESULTS:
            self._end("failed", f"It shows more than {MOST_RESULTS:,} faces and frames; what was done is there")

    def _end(self, state: str, reason: str) -> None:
        self._frames.close()
        self._held.close()
        self.reason, self.ended = sentence_of(reason) if reason else "", monotonic()
        self.state = state  # last: whoever reads it then finds the rest

    def out(self) -> JobOut:
        """How far it is."""
        share = min(1.0, self._time_s / self._lasts_s) if self._lasts_s else 0.0
        return JobOut(
            id=self.id,
            state=self.state,
            progress=1.0 if self.state == "finished" else share,
            seconds=self._time_s,
            frames=len(self.results),
            reason=self.reason,
        )

    def result(self, after: int) -> ResultOut:
        """What is said of its frames from a number on, as many as one answer holds."""
        out, results = self.out(), self.results[after : after + PAGE]
        return ResultOut(**out.model_dump(), results=results, next=after + len(results))


class Jobs:
    """The videos that are worked on, and the results that wait to be asked for.

    Parameters
    ----------
    workers : whose threads do the steps.
    config : how many at once, and what each may take.
    """

    def __init__(self, workers: Workers, config: ServeConfig):
        self._workers, self._config = workers, config
        self._jobs: dict[str, Job] = {}

    def check_room(self) -> None:
        """Refuse another video where there are enough.

        Raises
        ------
        Refusal : 429.
        """
        if self.at_work >= self._config.video_jobs:
            raise Refusal(429, f"{self.at_work} videos are being worked on already; try again later", retry_s=10)

    def begin(self, held: Held, reader: Reader, rate_hz: float, seconds: float) -> Job:
        """Begin with a video, which is closed when it has ended.

        Raises
        ------
        Refusal : 429 or 503.
        """
        try:
            self.check_room()
            stride = max(1, math.ceil(rate_hz / self._config.video_rate - 1e-6))
            job = Job(held, reader, stride, seconds, self._config)
            self._go_on(job, may_refuse=True)
        except BaseException:
            held.close()
            raise
        self._jobs[job.id] = job
        self._forget()
        return job

    def find(self, id: str) -> Job:
        """A video by its id.

        Raises
        ------
        Refusal : 404.
        """
        self._forget()
        if id not in self._jobs:
            raise Refusal(404, "There is no such job; results wait ten minutes")
        return self._jobs[id]

    def remove(self, id: str) -> None:
        """End a video and forget its result.

        Raises
        ------
        Refusal : 404.
        """
        self.find(id).cancel()
        del self._jobs[id]

    def stop(self) -> None:
        """End all."""
        for job in self._jobs.values():
            job.cancel()

    @property
    def at_work(self) -> int:
        """How many are being worked on."""
        return sum(job.state not in OVER for job in self._jobs.values())

    def _go_on(self, job: Job, may_refuse: bool = False) -> None:
        def step() -> None:
            if job.step():
                self._go_on(job)

        with suppress(*() if may_refuse else (Refusal,)):  # the server is ending, and with it the job
            self._workers.go_on(step)

    def _forget(self) -> None:
        """Let old results go."""
        over = sorted((job for job in self._jobs.values() if job.state in OVER), key=lambda job: job.ended)
        old = [job for job in over if monotonic() - job.ended > KEPT_S]
        for job in old or over[: max(0, len(over) - MOST_KEPT)]:
            del self._jobs[job.id]
