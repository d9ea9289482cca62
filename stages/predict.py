"""Recognise what a task asks in pictures, in videos and of a camera, or in files of signals.

Writes ``predictions.csv``: a row per face, frame or window of a signal, with the class and its probability, each label,
the number in its own units, or where the points are in pixels of the picture. Beside it ``annotated/`` has the pictures
and videos with what was recognised, and ``points/`` the points of each face of a picture in a ``.pts`` file. What has
no face, or cannot be read, is a row with the reason. A row is on disk as soon as its picture, its frame, or all of its
subject, is done: whatever ends a run, what it has predicted is there, and ``RESUME`` goes on after it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.artifacts import results
from pipeline.artifacts.locks import PARTIAL
from pipeline.artifacts.store import RECORD, Artifact
from pipeline.config import NO_TEACHER
from pipeline.errors import ArtifactError, ConfigError
from pipeline.inputs import prepared
from pipeline.serving_config import PredictConfig

if TYPE_CHECKING:
    from pipeline.serving.network import Network
    from pipeline.serving.pictures import Found
    from pipeline.serving.resume import Place
    from pipeline.serving.viewers import Viewer
    from pipeline.tasks import Task

TABLE = "predictions"  # and its form

log = logging.getLogger(__name__)


class Begun(NamedTuple):
    """A network that is ready.

    Attributes
    ----------
    network : the network.
    columns : before and after what it answers.
    rows : as many at once as are done together.
    told : one line about the time that it took, in the end.
    """

    network: Network
    columns: tuple[tuple[str, ...], tuple[str, ...]]
    rows: Callable[[Place], Iterator[list[dict[str, Any]]]]
    told: Callable[[], str] = str


class Way(NamedTuple):
    """How files of a kind are predicted.

    Attributes
    ----------
    files : what they are called.
    find : of a source, and a folder that is left out: the files.
    begin : of a model's place, a device, the files and the options.
    resumes : whether a run goes on where another ended.
    """

    files: str
    find: Callable[[Path, Path], Found]
    begin: Callable[[Path, str, Found, PredictConfig], Begun]
    resumes: bool = True


DEFAULTS = PredictConfig()


def run(source: Path, model: Path, out: Path, device: str = "auto", config: PredictConfig = DEFAULTS) -> Path:
    """Predict every face of every picture, every frame, or every window of every signal: what the model was trained on.

    Parameters
    ----------
    source : what ``sources.find`` takes, a picture, video, folder, pattern, list or camera; or a file of signals, or a
        folder of such.
    model : folder of a teacher or a student, waited for while another process is making it, or an exported ONNX file.
    out : folder of the results; made when missing.
    device : cpu, cuda, cuda:N, or auto.
    config : the options.

    Returns
    -------
    The path of ``predictions.csv``, or of ``predictions.jsonl``.

    Raises
    ------
    DataError : the source is missing or holds nothing that the model reads, or is among the results.
    ArtifactError : ``model`` is not a trained model.
    ConfigError : ``resume`` of a run with other options, or of what cannot be resumed.
    MissingDependencyError : there is a video, or an exported model, and no package that reads it.
    """
    from tqdm import tqdm

    from pipeline.artifacts import uses
    from pipeline.compute import devices
    from pipeline.serving import engines, pictures, place, resume
    from pipeline.serving.picture_rows import COPIES, POINTS

    with uses.using(place.awaited(model, engines.EXPORTED)):
        card = engines.card_of(model)
        prepared.of_card(card, model)
        way = WAYS[card["prepare"]["kind"]]
        found = way.find(source, out)
        if config.resume and (not way.resumes or any(picture.camera for picture in found.pictures)):
            raise ConfigError(f"RESUME goes on with pictures and videos; {way.files} are begun anew: leave RESUME out")
        pictures.check_apart(source, found, out, (COPIES, POINTS))
        if found.others:
            log.info("%d files of %s are no %s by their names", found.others, source, way.files)
        network, (before, after), parts, told = way.begin(model, devices.pick(device), found, config)
        network.force = config.force
    log.info("predict: %s", model)
    answer = network.columns[-1]
    columns = [*before, *network.columns, *after, "reason"]
    path, settings = out / f"{TABLE}.{config.format}", resume.settings_of(model, card, found, config)
    predicted = without = strange = 0
    moving = any(picture.moves for picture in found.pictures)
    bar = tqdm(
        total=None if moving else len(found.pictures),
        desc="predict",
        unit="frame" if moving else "file",
        disable=None,
        leave=False,
    )
    placed = resume.placed(path, columns, settings, found, config)
    with results.filling(out), placed as (there, table), bar, closing(parts(there)) as every:
        for rows in every:
            for row in rows:
                table.add(row)
                predicted += answer in row
                without += answer not in row
                strange += row.get("in_domain") == 0
            bar.update(len({row["file"] for row in rows}))
    words, files, kind = network.task["samples"], len(found.pictures), "files" if moving else way.files
    log.info("%d %s in %d %s, %d without a prediction", predicted, words, files, kind, without)
    if strange:
        log.warning("%d of %d %s are not like the training %s: %s", strange, predicted, words, words, _said(network))
    if moving:
        log.info("%s", told())
    return path


def _said(network: Network) -> str:
    """What of an input that is unlike the training inputs is in the table."""
    if not network.decides:
        return "what is said of them is not to be relied on"
    what, they = ("class is", "it") if network.task["kind"] == "classify" else ("labels are", "them")
    return f"their {what} written all the same" if network.force else f"their {what} left out; FORCE=1 writes {they}"


def _find_pictures(source: Path, out: Path) -> Found:
    from pipeline.serving import sources, video

    found = sources.find(source, out)
    if any(picture.moves for picture in found.pictures):
        video.library()
    return found


def _find_signals(source: Path, out: Path) -> Found:
    from pipeline.artifacts.suffixes import SIGNALS
    from pipeline.serving import pictures

    return pictures.find(source, out, SIGNALS, "file of signals")


def _begin_faces(model: Path, device: str, found: Found, config: PredictConfig) -> Begun:
    """A row for each face, the annotated copies, and of pictures the points where it answers with such."""
    from pipeline.serving import picture_rows, viewers
    from pipeline.serving.predictor import WHERE, Predictor

    predictor = Predictor(model, device)
    moving = [picture.moves for picture in found.pictures]
    whose = ((viewers.FACE,) if any(moving) else ()) + (() if all(moving) else ("half", "face"))
    viewer = viewers.FaceViewer(predictor, config.detect_every)
    return _begun(viewer, (*whose, *WHERE), found, config, partial(picture_rows.of_faces, predictor))


def _begin_frames(model: Path, device: str, found: Found, config: PredictConfig) -> Begun:
    """A row for each frame, and the annotated copies."""
    from pipeline.serving import picture_rows
    from pipeline.serving.frames import FramePredictor
    from pipeline.serving.viewers import FrameViewer

    predictor = FramePredictor(model, device)
    return _begun(FrameViewer(predictor), (), found, config, partial(picture_rows.of_frame, predictor))


def _begun(viewer: Viewer, where: tuple[str, ...], found: Found, config: PredictConfig, of_picture: Callable) -> Begun:
    """Pictures and videos, one after the other.

    Parameters
    ----------
    viewer : looks at the frames of videos.
    where : the columns that say where in a picture an answer is from.
    of_picture : of a picture, the folder of results, the names of all files and whether it is drawn: its rows.
    """
    from pipeline.serving import video_rows
    from pipeline.serving.picture_rows import COPIES
    from pipeline.serving.pictures import video_name

    moving = any(picture.moves for picture in found.pictures)
    videos = video_rows.VideoRows(viewer, config)
    names = {picture.name for picture in found.pictures}

    def rows(place: Place) -> Iterator[list[dict[str, Any]]]:
        copies = place.out if config.annotate else None
        for number, picture in enumerate(found.pictures[place.begun :], place.begun):
            if not picture.moves:
                yield of_picture(picture, place.out, names, config.annotate)
                continue
            there = copies and copies / COPIES / video_name(picture.name, names)
            earlier = place.earlier if number == place.begun else ()
            yield from videos.rows(picture, copies and place.draft.segments(number), there, earlier)
            place.draft.finished(number + 1)

    before = ("file", *(video_rows.COLUMNS if moving else ()), *where)
    after = video_rows.smooth_columns(viewer.network, config) if moving else ()
    return Begun(viewer.network, (before, after), rows, videos.told)


def _begin_windows(model: Path, device: str, found: Found, config: PredictConfig) -> Begun:
    """A row for each window."""
    from pipeline.serving import windows
    from pipeline.serving.network import Network

    network = Network(model, device)
    return Begun(network, (windows.COLUMNS, ()), lambda place: windows.rows(network, found))


# By the stage that prepared what a model reads.
WAYS = {
    "align": Way("pictures", _find_pictures, _begin_faces),
    "resize": Way("pictures", _find_pictures, _begin_frames),
    "window": Way("files of signals", _find_signals, _begin_windows, resumes=False),
}


def newest_student(cache: Path, task: Task, version: int) -> Path | None:
    """The folder of the student that was made last, one with a teacher if there is; None when there is none.

    Parameters
    ----------
    cache : where to look: the cache of one dataset, or the folder of several.
    task : that it must have learned, with the same outputs within the same bounds.
    version : of the stage ``distill``; a student of another version is out of date.
    """
    from pipeline.artifacts import cards  # builds its schemas, which no other command needs

    students = []
    for record in [*cache.glob(f"*student-*/{RECORD}"), *cache.glob(f"*/*student-*/{RECORD}")]:
        if record.parent.name.endswith(PARTIAL):
            continue  # it is being finished at this moment, or whoever did was killed
        try:
            artifact = Artifact.load(record.parent)
            made_by, learned = (artifact.record["stage"], artifact.record["version"]), artifact.config["task"]
            question = (learned["name"], tuple(learned["outputs"]), tuple(learned.get("bounds", ())))
            same = question == (task.name, task.outputs, task.bounds)
            if made_by == ("distill", version) and same:
                prepared.of_card(cards.read(artifact), artifact.path)
                students.append(artifact)
        except ArtifactError:
            continue  # damaged, or prepared by another version: the commands that make it say so
    students.sort(key=lambda student: (student.config["teacher"] != NO_TEACHER, student.record["made"]))
    return students[-1].path if students else None
