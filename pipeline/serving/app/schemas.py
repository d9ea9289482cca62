"""What the server answers, as it stands in its OpenAPI document."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, Field

from pipeline.serving.answers import STRANGENESS, Answer, Mark
from pipeline.serving.colors import letters
from pipeline.serving.predictor import FacePrediction

Cell = float | int | str | None
SCORE, FAMILIAR = STRANGENESS


class Problem(BaseModel):
    """Why a request was not answered."""

    detail: str = Field(description="One sentence.")


class MarkOut(BaseModel):
    """How an output is written into a picture."""

    text: str
    color: str = Field(description="Of the ground, #rrggbb.")
    letters: str = Field(description="Of the text on it, black or white.")
    called: bool = Field(description="Whether it is answered with it.")


class AnswerOut(BaseModel):
    """What is said of one face, or of a whole frame."""

    face_id: int | None = Field(description="Of a video, the number that a face keeps, from 1; else null.")
    half: str | None = Field(description="left or right of a side-by-side picture, else full; of a whole frame null.")
    box: tuple[int, int, int, int] | None = Field(description="x0, y0, x1, y1 in pixels; of a whole frame null.")
    detection_probability: float | None = Field(description="That it is a face; null where nobody looked.")
    cells: dict[str, Cell] = Field(description="The columns of `make predict`: class or labels, prob_…, value_….")
    points: list[tuple[float, float]] = Field(description="x and y in pixels, of a network of points.")
    title: MarkOut | None = Field(description="What is written at it; of points null.")
    marks: list[MarkOut] = Field(description="Every output; first, where it is strange, that it is.")
    in_domain: bool | None = Field(description="Whether it is like the training inputs; null where nobody knows.")
    domain_score: float | None = Field(description="1 at the threshold, larger for what is stranger.")
    heat: str | None = Field(
        None, description="On request: the face, and in colour what the answer rests on; a data: URL of a JPEG."
    )


class PictureOut(BaseModel):
    """What is said of a picture."""

    width: int
    height: int
    answers: list[AnswerOut] = Field(description="A face each, from left to right; or the frame's one.")
    reason: str = Field(description="Why there is none; else empty.")
    milliseconds: float = Field(description="That the prediction took, without waiting for a thread.")


class JobOut(BaseModel):
    """How far a video is."""

    id: str = Field(description="Only whoever has it can ask for the job.")
    state: Literal["waiting", "running", "finished", "failed", "cancelled"]
    progress: float = Field(description="0 to 1; of a video that does not tell its length, 0 until it is finished.")
    seconds: float = Field(description="Of the video that were looked at.")
    frames: int = Field(description="That were predicted.")
    reason: str = Field(description="Why it failed, or what is missing; else empty.")


class FrameOut(BaseModel):
    """What is said of one frame of a video."""

    frame: int = Field(description="Its number, from 0.")
    timestamp_s: float = Field(description="By the video's own time stamps.")
    answers: list[AnswerOut]
    reason: str = Field(description="Why there is none; else empty.")


class ResultOut(JobOut):
    """What is said of a video, frame by frame."""

    results: list[FrameOut] = Field(description="In order, from number `after` on.")
    next: int = Field(description="What to give as `after` for those to come.")


class HealthOut(BaseModel):
    """That the server answers."""

    status: Literal["ok"]
    version: str
    waiting: int = Field(description="Requests at work or waiting for a thread.")
    jobs: int = Field(description="Videos at work.")


class CurveOut(BaseModel):
    """What a running curve shows."""

    columns: list[str] = Field(description="Of `cells`; with several, those of the first face.")
    names: list[str]
    colors: list[str] = Field(description="Of the lines, in turn.")
    bounds: tuple[float, float]


class ModelOut(BaseModel):
    """What is served, and what may be asked of it."""

    card: dict[str, Any] = Field(description="The whole model card, model.json.")
    task: str
    subject: str = Field(description="What is recognised, in words.")
    sample: str = Field(description="What an answer is about: face, frame.")
    reads: Literal["faces", "frames"] = Field(description="Whether faces are looked for, or whole frames are read.")
    columns: list[str] = Field(description="Of `cells`.")
    curve: CurveOut | None
    rendered: bool | None = Field(description="Whether it learned from rendered pictures alone; null where unknown.")
    limits: dict[str, float]


def number(value: Any) -> Cell:
    """A cell as JSON can hold it: NaN and infinity are nothing."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def of_face(face: FacePrediction) -> AnswerOut:
    """What is said of a face."""
    return _out(face.answer, face_id=face.face_id, half=face.half, box=face.box, detection=face.detection)


def of_frame(answer: Answer) -> AnswerOut:
    """What is said of a whole frame."""
    return _out(answer, face_id=None, half=None, box=None, detection=math.nan)


def _out(answer: Answer, detection: float, **place: Any) -> AnswerOut:
    cells = {name: number(value) for name, value in answer.cells.items()}
    score, familiar = cells.get(SCORE), cells.get(FAMILIAR)
    return AnswerOut(
        **place,
        detection_probability=number(float(detection)),
        cells=cells,
        points=[(float(x), float(y)) for x, y in answer.points.round(2)],
        title=_mark(answer.title) if answer.title else None,
        marks=[_mark(one) for one in answer.marks],
        in_domain=None if familiar is None else bool(familiar),
        domain_score=score,
    )


def _mark(one: Mark) -> MarkOut:
    return MarkOut(text=one.text, color=one.color, letters=letters(one.color), called=one.called)
