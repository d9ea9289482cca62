"""What can be asked of the server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

from fastapi import APIRouter, File, Query, Response, UploadFile
from fastapi import Path as InPath

from pipeline import __version__
from pipeline.artifacts import cards
from pipeline.errors import DataError
from pipeline.serving import colors, curve
from pipeline.serving.app import schemas, uploads
from pipeline.serving.app.jobs import MOST_RESULTS, Jobs
from pipeline.serving.app.metrics import CONTENT_TYPE, Metrics
from pipeline.serving.app.readers import Reader, Seen
from pipeline.serving.app.refusals import Refusal, answers
from pipeline.serving.app.schemas import HealthOut, JobOut, ModelOut, PictureOut, ResultOut
from pipeline.serving.app.uploads import MEGA, Held
from pipeline.serving.app.workers import ENDING, Workers
from pipeline.serving_config import ServeConfig

PICTURE, VIDEO = "/predict", "/predict/video"
AROUND = 64 * 1024  # bytes of a form beside its file
ONE_FILE = {"max_files": 1, "max_fields": 8, "max_part_size": AROUND}
Upload = Annotated[UploadFile, File(description="The file.")]
JobId = Annotated[str, InPath(min_length=1, max_length=64, description="As the job was answered with.")]


@dataclass(frozen=True)
class Served:
    """All that answers share.

    Parameters
    ----------
    reader : what predicts.
    workers, jobs, metrics : of this server.
    config : its limits.
    """

    reader: Reader
    workers: Workers
    jobs: Jobs
    metrics: Metrics
    config: ServeConfig


def most_bytes(config: ServeConfig) -> dict[str, int]:
    """How many bytes the body of an upload may have, by its path."""
    return {PICTURE: config.picture_mb * MEGA + AROUND, VIDEO: config.video_mb * MEGA + AROUND}


def router(served: Served) -> APIRouter:
    """Every route of the API."""
    routes = APIRouter()
    _add_pictures(routes, served)
    _add_videos(routes, served)
    _add_words(routes, served)
    return routes


def _add_pictures(routes: APIRouter, served: Served) -> None:
    config = served.config

    @routes.post(
        PICTURE,
        summary="What is said of a picture",
        responses=answers(400, 403, 408, 413, 415, 421, 422, 429, 503),
        max_body_size=most_bytes(config)[PICTURE],
        form_limits=ONE_FILE,
    )
    async def predict(
        file: Upload,
        frame: Annotated[
            bool, Query(description="It is a frame of a camera: not cut where two pictures stand side by side.")
        ] = False,
        heat: Annotated[bool, Query(description="Give a heat map of each answer, which takes longer.")] = False,
    ) -> PictureOut:
        """Find every face of a picture and answer of each; of a model of whole frames, answer of the picture."""
        _check_bytes(file, config.picture_mb)
        held = Held.of(file)

        def work(reader: Reader) -> tuple[Seen, float]:
            began = perf_counter()
            uploads.check_picture(held.path, config.megapixels)
            seen = _seen(reader, held.path, frame, heat)
            return seen, 1000 * (perf_counter() - began)

        seen, milliseconds = await served.workers.ask(work, held.close)
        served.metrics.count(seen.answers)
        return PictureOut(
            width=seen.width,
            height=seen.height,
            answers=seen.answers,
            reason=seen.reason,
            milliseconds=round(milliseconds, 1),
        )


def _add_videos(routes: APIRouter, served: Served) -> None:
    config = served.config

    @routes.post(
        VIDEO,
        status_code=202,
        summary="Begin with a video",
        responses=answers(400, 403, 408, 413, 415, 421, 422, 429, 503),
        max_body_size=most_bytes(config)[VIDEO],
        form_limits=ONE_FILE,
    )
    async def begin(file: Upload) -> JobOut:
        """Take a video; its frames are predicted between the pictures of others."""
        _check_bytes(file, config.video_mb)
        served.jobs.check_room()
        held = Held.of(file)

        looked_at = held.twin()

        def check(_: Reader) -> tuple[float, float]:
            return uploads.check_video(looked_at.path, config.megapixels, config.video_seconds)

        try:
            rate_hz, seconds = await served.workers.ask(check, looked_at.close)
        except BaseException:
            held.close()
            raise
        return served.jobs.begin(held, served.reader, rate_hz, seconds).out()

    @routes.get(f"{VIDEO}/{{id}}", summary="How far a video is", responses=answers(403, 404, 421, 422))
    async def progress(id: JobId) -> JobOut:
        """Its state, and how much of it was looked at."""
        return served.jobs.find(id).out()

    @routes.get(f"{VIDEO}/{{id}}/result", summary="What is said of a video", responses=answers(403, 404, 421, 422))
    async def result(
        id: JobId, after: Annotated[int, Query(ge=0, le=MOST_RESULTS, description="Frames that are left out.")] = 0
    ) -> ResultOut:
        """Frames as they come, some at once; `next` is the `after` of those to come."""
        return served.jobs.find(id).result(after)

    @routes.delete(f"{VIDEO}/{{id}}", status_code=204, summary="Cancel a video", responses=answers(403, 404, 421, 422))
    async def cancel(id: JobId) -> None:
        """End it, and forget its file and what was said of it."""
        served.jobs.remove(id)


def _add_words(routes: APIRouter, served: Served) -> None:
    @routes.get("/health", summary="Whether it answers", responses=answers(403, 421, 503))
    async def health() -> HealthOut:
        """Of whoever watches the server."""
        if served.workers.ending:
            raise Refusal(503, ENDING, retry_s=5)
        return HealthOut(status="ok", version=__version__, waiting=served.workers.asked, jobs=served.jobs.at_work)

    told = _told(served)

    @routes.get("/model", summary="What is served", responses=answers(403, 421))
    async def model() -> ModelOut:
        """The model card, and the limits of the server."""
        return told

    @routes.get(
        "/metrics",
        summary="Numbers for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **answers(403, 421)},
    )
    async def metrics() -> Response:
        """Requests, seconds, answers, memory."""
        return Response(served.metrics.text(), media_type=CONTENT_TYPE)


def _told(served: Served) -> ModelOut:
    """What never changes while the server runs."""
    network, config = served.reader.network, served.config
    drawn = curve.of_network(network)
    limits = ("picture_mb", "megapixels", "video_mb", "video_seconds", "video_rate", "video_jobs", "timeout")
    return ModelOut(
        card=cards.published(network.card),
        task=network.task["name"],
        subject=network.task["subject"],
        sample=network.task["sample"],
        reads=served.reader.reads,
        columns=list(network.columns),
        curve=drawn
        and schemas.CurveOut(
            columns=list(drawn.columns), names=list(drawn.names), colors=list(colors.PALETTE), bounds=drawn.bounds
        ),
        rendered=_learned(network.card),
        limits={name: getattr(config, name) for name in limits},
    )


def _learned(card: dict[str, Any]) -> bool | None:
    return card.get("learned_from", {}).get("rendered")


def _check_bytes(file: UploadFile, megabytes: int) -> None:
    if not file.size:
        raise Refusal(422, "The file is empty")
    if file.size > megabytes * MEGA:
        raise Refusal(413, f"The file has {file.size / MEGA:.1f} MB, at most {megabytes} MB are taken")


def _seen(reader: Reader, path: Path, frame: bool, heat: bool) -> Seen:
    """What is said of a picture.

    Raises
    ------
    Refusal : 413 or 422; the place where it lies is not told.
    """
    try:
        return reader.picture(path, frame, heat)
    except DataError as error:
        reason = str(error).replace(str(path), "it")
        raise Refusal(413 if reason.startswith("too large") else 422, f"The picture is {reason}") from error
