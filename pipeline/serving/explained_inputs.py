"""What is explained: every face or frame of some pictures, or a sample of the cache that a model lies in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.errors import ConfigError, DataError
from pipeline.inputs import prepared
from pipeline.serving import engines, sources
from pipeline.serving.answers import Answer, none_of
from pipeline.serving.cached import Cached
from pipeline.serving.frames import FramePredictor
from pipeline.serving.heat_maps import modality_of
from pipeline.serving.network import Network
from pipeline.serving.pictures import Picture, check_apart
from pipeline.serving.predictor import WHERE, Predictor


class Input(NamedTuple):
    """What is explained.

    Attributes
    ----------
    name : of its picture, another for each but for its faces.
    cells : what the table says of where it is.
    image : uint8, shape (S, S, channels), as the network reads it; None where there is nothing to explain.
    answer : what the network says of it.
    face : its number where the picture has several.
    reason : why there is nothing to explain.
    measured : of heat maps, float, shape (N, S, S): by column what the table says of them, shape (N,).
    """

    name: str
    cells: dict[str, Any]
    image: np.ndarray | None = None
    answer: Answer | None = None
    face: int | None = None
    reason: str = ""
    measured: Callable[[np.ndarray], dict[str, np.ndarray]] = lambda maps: {}


class Source(NamedTuple):
    """Where inputs come from.

    Attributes
    ----------
    network : that is asked.
    columns : of ``Input.cells``.
    measures : columns of ``Input.measured``.
    inputs : all of them.
    count : how many pictures there are.
    """

    network: Network
    columns: Sequence[str]
    measures: Sequence[str]
    inputs: Iterator[Input]
    count: int


def of_pictures(source: Path, model: Path, out: Path, device: str, folders: Sequence[str]) -> Source:
    """Every face of some pictures, or every picture as a frame.

    Parameters
    ----------
    source : what ``sources.find`` takes.
    out : folder of the results, which is not looked through.
    folders : of those, where pictures go.

    Raises
    ------
    ConfigError : the model does not read pictures of one camera.
    DataError : there is no picture, or it lies among the results; or there are videos.
    """
    card = engines.card_of(model)
    prepared.of_card(card, model)
    if card["prepare"]["kind"] not in WAYS:
        reads = " and ".join(card["inputs"])
        raise ConfigError(f"{model} reads {reads}; explain explains pictures of one camera. Choose another: MODEL=")
    found = sources.find(source, out)
    if moving := [picture.shown for picture in found.pictures if picture.moves]:
        raise DataError(
            f"INPUT={source} holds videos or cameras, {moving[0]}; pictures are explained. Give frames of it as "
            "pictures: make explain INPUT=/path/to/frames"
        )
    check_apart(source, found, out, folders)
    network, columns, of_picture = WAYS[card["prepare"]["kind"]](model, device)

    def inputs() -> Iterator[Input]:
        for picture in found.pictures:
            if picture.reason:
                yield Input(picture.name, {"file": picture.shown}, reason=picture.reason)
                continue
            try:
                yield from of_picture(picture)
            except DataError as error:
                yield Input(picture.name, {"file": picture.shown}, reason=str(error))

    return Source(network, columns, (), inputs(), len(found.pictures))


OfPicture = Callable[[Picture], Iterator[Input]]


def _faces(model: Path, device: str) -> tuple[Network, Sequence[str], OfPicture]:
    predictor = Predictor(model, device)

    def of_picture(picture: Picture) -> Iterator[Input]:
        image, faces = predictor.aligner.faces(picture.path)
        file = {"file": picture.shown}
        if not faces:
            yield Input(picture.name, file, reason=none_of(predictor.network.task))
        for number, (face, told) in enumerate(zip(faces, predictor.answered(image, faces), strict=True), 1):
            cells = {**file, "half": told.half, "face": number, **told.where}
            yield Input(picture.name, cells, face.rgb, told.answer, number if len(faces) > 1 else None)

    return predictor.network, ("file", "half", "face", *WHERE), of_picture


def _frames(model: Path, device: str) -> tuple[Network, Sequence[str], OfPicture]:
    predictor = FramePredictor(model, device)

    def of_picture(picture: Picture) -> Iterator[Input]:
        _, made = predictor.prepared(picture.path)
        yield Input(picture.name, {"file": picture.shown}, made, predictor.answer(made))

    return predictor.network, ("file",), of_picture


WAYS = {"align": _faces, "resize": _frames}  # by the stage that prepared what a model reads


def of_sample(sample_id: str, model: Path, device: str) -> Source:
    """A sample of the cache that a model lies in.

    Raises
    ------
    ConfigError : the model lies in none, or does not read pictures of one camera.
    DataError : there is no such sample.
    """
    network = Network(model, device)
    modality = modality_of(network)
    cached = Cached.beside(model, network.card, modality)
    image, warp = cached.image(sample_id)
    logits, scores = network.read({modality: np.stack([image])})
    (answer,) = network.answers(logits, None if warp is None else warp[None], scores)
    one = Input(
        sample_id,
        {"sample_id": sample_id},
        image,
        answer,
        measured=lambda maps: cached.shares(maps, sample_id),
    )
    return Source(network, ("sample_id",), cached.measures, iter([one]), 1)
