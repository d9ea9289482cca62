"""Show which parts of a face or a frame an answer rests on.

Writes ``explain.csv``, a row for each face or frame and method, and ``overlays/``: a picture of each, the input as the
network reads it and, beside it, the heat maps over it. Of a sample of a cache whose 68 points are known the table also
says how much of a map lies on the parts of the face, and on those whose muscles moved.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.artifacts import results
from pipeline.errors import ConfigError, DataError
from pipeline.serving_config import ExplainConfig

if TYPE_CHECKING:
    import numpy as np

    from pipeline.serving.answers import Answer
    from pipeline.serving.explainer import Explainer
    from pipeline.serving.network import Network
    from pipeline.serving.pictures import Picture

TABLE = "explain.csv"
OVERLAYS = "overlays"
BOX = ("x0", "y0", "x1", "y1")
EXPLAINED = ("output", "value", "in_domain", "method")
AFTER = ("overlay", "reason")

log = logging.getLogger(__name__)


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


def run(
    source: Path | None,
    sample: str,
    model: Path,
    out: Path,
    device: str = "auto",
    config: ExplainConfig | None = None,
) -> Path:
    """Explain the answers to pictures, or to a sample of the cache that the model lies in.

    Parameters
    ----------
    source : what ``sources.find`` takes, without videos and cameras; None with a sample.
    sample : its sample_id; empty with a source.
    model : folder of a teacher or a student, or an exported ONNX file.
    out : folder of the results; made when missing.
    device : cpu, cuda, cuda:N, or auto.
    config : the options.

    Returns
    -------
    The path of ``explain.csv``.

    Raises
    ------
    ConfigError : not one of source and sample is given, or the model cannot be explained so.
    DataError : the source holds no picture, or there is no such sample.
    ArtifactError : ``model`` is not a trained model, or damaged.
    """
    from tqdm import tqdm

    from pipeline.artifacts import uses
    from pipeline.compute import devices
    from pipeline.serving import engines, place
    from pipeline.serving.explainer import Explainer

    check_asked(source, sample)
    config = config or ExplainConfig()
    with uses.using(place.awaited(model, engines.EXPORTED)):
        device = devices.pick(device)
        asked = _pictures(source, model, out, device) if source else _sample(sample, model, device)
        explainer = Explainer(asked.network, config.method, config.output)
        log.info("explain: %s by %s", model, ", ".join(explainer.methods))
        columns, explained = [*asked.columns, *EXPLAINED, *asked.measures, *AFTER], 0
        bar = tqdm(total=asked.count, desc="explain", unit="file", disable=None, leave=False)
        with results.filling(out), results.Table(out / TABLE, columns) as table, bar:
            last = None
            for one in asked.inputs:
                rows = list(_rows(one, explainer, out))
                for row in rows:
                    table.add(row)
                explained += one.image is not None
                bar.update(one.name != last)
                last = one.name
    words = asked.network.task["samples"]
    log.info("%d %s in %d pictures explained", explained, words, asked.count)
    return out / TABLE


def check_asked(source: Path | None, sample: str) -> None:
    """Raise ConfigError unless one of both is given."""
    if bool(source) == bool(sample):
        raise ConfigError(
            "explain takes pictures, or a sample of the cache: give either INPUT=/path/to/them or SAMPLE=<sample_id>"
        )


def _rows(one: Input, explainer: Explainer, out: Path) -> Iterator[dict[str, Any]]:
    """The rows of one input, one a method; its picture is written on the way."""
    import numpy as np

    from pipeline.artifacts.suffixes import escaped
    from pipeline.serving.pictures import face_name

    if one.image is None:
        yield one.cells | {"reason": one.reason}
        return
    made = explainer.explained(one.image, one.answer)
    content = io.BytesIO()
    made.picture(one.image).save(content, "PNG")
    name = face_name(one.name, ".png", one.face)
    fault = results.save(content.getvalue(), out / OVERLAYS / name, out / f"{OVERLAYS}.draft")
    after = {"reason": f"no overlay: {fault}"} if fault else {"overlay": f"{OVERLAYS}/{escaped(name)}"}
    stated = {"output": made.output, "value": made.value, "in_domain": one.answer.cells.get("in_domain")}
    measured = one.measured(np.stack(list(made.maps.values())))
    for number, method in enumerate(made.maps):
        shares = {name: float(values[number]) for name, values in measured.items()}
        yield one.cells | stated | {"method": method} | shares | after


def _pictures(source: Path, model: Path, out: Path, device: str) -> Source:
    """Every face of some pictures, or every picture as a frame."""
    from pipeline.inputs import prepared
    from pipeline.serving import engines, sources

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
    for path in [source] if os.path.lexists(source) else [picture.path for picture in found.pictures]:
        results.check_apart(path, out, (OVERLAYS,))
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


OfPicture = Callable[["Picture"], Iterator[Input]]


def _faces(model: Path, device: str) -> tuple[Network, Sequence[str], OfPicture]:
    from pipeline.serving.answers import none_of
    from pipeline.serving.predictor import Predictor

    predictor = Predictor(model, device)

    def of_picture(picture: Picture) -> Iterator[Input]:
        image, faces = predictor.aligner.faces(picture.path)
        file = {"file": picture.shown}
        if not faces:
            yield Input(picture.name, file, reason=none_of(predictor.network.task))
        for number, (face, told) in enumerate(zip(faces, predictor.answered(image, faces), strict=True), 1):
            cells = {"half": told.half, "face": number, **dict(zip(BOX, told.box, strict=True))}
            cells |= file | {"detection_probability": float(told.detection)}
            yield Input(picture.name, cells, face.rgb, told.answer, number if len(faces) > 1 else None)

    return predictor.network, ("file", "half", "face", *BOX, "detection_probability"), of_picture


def _frames(model: Path, device: str) -> tuple[Network, Sequence[str], OfPicture]:
    from pipeline.serving.frames import FramePredictor

    predictor = FramePredictor(model, device)

    def of_picture(picture: Picture) -> Iterator[Input]:
        _, made = predictor.prepared(picture.path)
        yield Input(picture.name, {"file": picture.shown}, made, predictor.answer(made))

    return predictor.network, ("file",), of_picture


WAYS = {"align": _faces, "resize": _frames}  # by the stage that prepared what a model reads


def _sample(sample_id: str, model: Path, device: str) -> Source:
    """A sample of the cache that a model lies in."""
    from pipeline.serving.cached import Cached
    from pipeline.serving.network import Network

    network = Network(model, device)
    cached = Cached.beside(model, network)
    image, warp = cached.image(sample_id)
    logits, scores = network.read({name: image[None] for name in network.reads})
    (answer,) = network.answers(logits, None if warp is None else warp[None], scores)
    one = Input(
        sample_id,
        {"sample_id": sample_id},
        image,
        answer,
        measured=lambda maps: cached.shares(maps, sample_id),
    )
    return Source(network, ("sample_id",), cached.measures, iter([one]), 1)
