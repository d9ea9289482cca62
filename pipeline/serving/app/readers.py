"""What is predicted for the server, by how a network's inputs are prepared: the very code of `make predict`."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, Self

import numpy as np
from PIL import Image

from pipeline.errors import ConfigError
from pipeline.inputs import images
from pipeline.serving import engines, heat_maps
from pipeline.serving.answers import Answer, none_of
from pipeline.serving.app import schemas
from pipeline.serving.app.schemas import AnswerOut, FrameOut
from pipeline.serving.frames import GIVEN, FramePredictor
from pipeline.serving.network import Network
from pipeline.serving.predictor import Predictor
from pipeline.serving.video import Video
from pipeline.serving.watching import Watcher
from pipeline.serving_config import PredictConfig

DETECT_EVERY = PredictConfig().detect_every
BLANK = np.zeros((96, 96, 3), np.uint8)


@dataclass(frozen=True)
class Seen:
    """What is said of a picture.

    Parameters
    ----------
    width, height : of the upright picture, pixels.
    answers : a face each, or one of the frame.
    reason : why there is none.
    """

    width: int
    height: int
    answers: list[AnswerOut]
    reason: str = ""


class Reader(Protocol):
    """A network with the preparation of its inputs, for one thread at a time.

    Attributes
    ----------
    reads : ``faces`` or ``frames``.
    network : the network, which all twins share.
    """

    reads: ClassVar[str]
    network: Network

    def twin(self) -> Self:
        """Another for another thread, with the same network."""

    def warm_up(self) -> None:
        """Load all that is loaded at the first picture."""

    def picture(self, path: Path, frame: bool, heat: bool) -> Seen:
        """What is said of a picture.

        Parameters
        ----------
        frame : whether it is a frame of a camera, which is not cut where two pictures stand side by side.
        heat : whether each answer has a heat map.

        Raises
        ------
        DataError : it cannot be read.
        """

    def frames(self, path: Path, stride: int) -> Generator[FrameOut, None, None]:
        """What is said of a video, of every so many frames one, by a twin of its own.

        Raises
        ------
        DataError : as ``Video``, where it is damaged from there on.
        """


class FaceReader:
    """Answers of the faces of pictures and videos."""

    reads = "faces"

    def __init__(self, predictor: Predictor):
        self._predictor, self.network = predictor, predictor.network

    def twin(self) -> FaceReader:
        """As of ``Reader``."""
        return FaceReader(self._predictor.twin())

    def warm_up(self) -> None:
        """As of ``Reader``."""
        self._predictor.look(BLANK)
        size = self.network.preparation.face_size
        self.network.read({"rgb": np.zeros((1, size, size, 3), np.uint8)})

    def picture(self, path: Path, frame: bool, heat: bool) -> Seen:
        """As of ``Reader``."""
        predictor = self._predictor
        if frame:
            image = images.load(path)
            aligned = predictor.aligner.frame(Image.fromarray(image))
        else:
            image, aligned = predictor.aligner.faces(path)
        faces = predictor.answered(image, aligned)
        answers = [schemas.of_face(face) for face in faces]
        if heat and faces:
            shown = np.stack([face.rgb for face in aligned])
            answers = _heated(self.network, answers, shown, [face.answer for face in faces])
        return Seen(image.shape[1], image.shape[0], answers, "" if answers else none_of(self.network.task))

    def frames(self, path: Path, stride: int) -> Generator[FrameOut, None, None]:
        """As of ``Reader``."""
        watcher = Watcher(self._predictor.twin(), DETECT_EVERY)

        def look(image: np.ndarray) -> list[AnswerOut]:
            return [schemas.of_face(face) for face in watcher.look(image)]

        yield from _watched(path, stride, look, none_of(self.network.task))


class FrameReader:
    """Answers of whole pictures, and of the frames of videos."""

    reads = "frames"

    def __init__(self, predictor: FramePredictor):
        self._predictor, self.network = predictor, predictor.network

    def twin(self) -> FrameReader:
        """As of ``Reader``: nothing in it belongs to one thread."""
        return self

    def warm_up(self) -> None:
        """As of ``Reader``."""
        size = self.network.preparation.frame_size
        self.network.read({"rgb": np.zeros((1, size, size, 3), np.uint8)})

    def picture(self, path: Path, frame: bool, heat: bool) -> Seen:
        """As of ``Reader``."""
        image, made = self._predictor.prepared(path)
        answer = self._predictor.answer(made)
        answers = [schemas.of_frame(answer)]
        if heat:
            answers = _heated(self.network, answers, made[None], [answer])
        return Seen(image.shape[1], image.shape[0], answers)

    def frames(self, path: Path, stride: int) -> Generator[FrameOut, None, None]:
        """As of ``Reader``."""
        yield from _watched(path, stride, lambda image: [schemas.of_frame(self._predictor.look(image))], "")


def _watched(
    path: Path, stride: int, look: Callable[[np.ndarray], list[AnswerOut]], nothing: str
) -> Generator[FrameOut, None, None]:
    """What is said of every so many frames of a video, and why of one there is nothing to say."""
    with Video(path) as video:
        for frame in video.frames():
            if frame.number % stride == 0:
                answers = look(frame.image)
                reason = "" if answers else nothing
                yield FrameOut(frame=frame.number, timestamp_s=frame.time_s, answers=answers, reason=reason)


def _heated(network: Network, outs: list[AnswerOut], shown: np.ndarray, answers: Sequence[Answer]) -> list[AnswerOut]:
    """The same answers, each with what it rests on: of classes and labels the most probable one, of points all.

    Parameters
    ----------
    shown : uint8, shape (N, S, S, 3), what the network read.
    """
    some = network.task["kind"] in heat_maps.SCORES
    outputs = [int(answer.values.argmax()) if some else heat_maps.ALL_POINTS for answer in answers]
    maps = heat_maps.heat_maps(network, {GIVEN: shown}, outputs, heat_maps.default_method(network))
    urls = [_url(heat_maps.overlay(face, one)) for face, one in zip(shown, maps, strict=True)]
    return [out.model_copy(update={"heat": url}) for out, url in zip(outs, urls, strict=True)]


def _url(image: np.ndarray) -> str:
    """A picture, uint8, shape (S, S, 3), as the text of a page can hold it."""
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=90)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"


# By the stage that prepared what a model reads.
READERS = {
    "align": lambda model, device: FaceReader(Predictor(model, device)),
    "resize": lambda model, device: FrameReader(FramePredictor(model, device)),
}


def load(model: Path, device: str) -> Reader:
    """What answers for a model.

    Parameters
    ----------
    model : folder of a teacher or a student, or an exported ONNX file.

    Raises
    ------
    ArtifactError : there is no whole model.
    ConfigError : it reads what no page can send.
    """
    card = engines.card_of(model)
    stage = card["prepare"]["kind"]
    if stage not in READERS:
        samples = card.get("task", {}).get("samples", "signals")
        raise ConfigError(
            f"MODEL={model} reads {samples}, which `make {stage}` prepares; the page takes pictures and videos. "
            "Predict from files, make predict INPUT=/path/to/them, or serve a student of another task: make serve TASK="
        )
    return READERS[stage](model, device)
