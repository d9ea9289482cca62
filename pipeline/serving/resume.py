"""Going on where a run of predictions was ended: what of its table and its copies stays, and what is done again."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artifacts import results
from pipeline.artifacts.results import Table
from pipeline.config import as_dict
from pipeline.serving.draft import Draft
from pipeline.serving.pictures import Found
from pipeline.serving.video_copy import VideoCopy
from pipeline.serving_config import PredictConfig

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where results go, and what of them an earlier run has left.

    Parameters
    ----------
    out : folder of the results.
    draft : what the next run would go on with.
    begun : number of the first file that is not done.
    earlier : its rows that stay.
    """

    out: Path
    draft: Draft
    begun: int = 0
    earlier: Iterable[Mapping[str, str]] = ()


def settings_of(model: Path, card: dict[str, Any], found: Found, config: PredictConfig) -> dict[str, Any]:
    """What a run must share with the one that it goes on with."""
    names = "\n".join(picture.shown for picture in found.pictures)
    asked = as_dict(config)
    del asked["resume"]
    return {
        "model": f"{model.absolute()} {card.get('sha256', '')}",
        "input": f"{len(found.pictures)} files, {hashlib.sha256(names.encode()).hexdigest()[:8]}",
        **asked,
    }


@contextmanager
def placed(
    path: Path, columns: list[str], settings: dict[str, Any], found: Found, config: PredictConfig
) -> Iterator[tuple[Place, Table]]:
    """The table, emptied or cut after what stays of an earlier run; afterwards no draft is left."""
    draft = Draft(path.parent, settings)
    resumed = config.resume and draft.resumed()
    number, first, kept = _stays(path, columns, found, config, draft) if resumed else (0, 0, 0)
    if resumed:
        log.info("going on with file %d of %d", number + 1, len(found.pictures))
    else:
        draft.remove()
    with results.Table(path, columns, config.format, kept) as table:
        if not resumed:
            draft.begin()
        rows = results.earlier_rows(path, columns, config.format)
        earlier = (row for start, end, row in rows if first <= start and end <= kept)
        yield Place(path.parent, draft, number, earlier), table
    draft.remove()


def _stays(path: Path, columns: list[str], found: Found, config: PredictConfig, draft: Draft) -> tuple[int, int, int]:
    """The number of the first file that is not done, and where its rows that stay begin and end in the table."""
    numbers = {picture.shown: number for number, picture in enumerate(found.pictures)}
    number, first, kept, frame, reached = -1, 0, 0, None, None
    for start, end, row in results.earlier_rows(path, columns, config.format):
        there = numbers.get(row["file"], -1)
        if there != number:
            number, first, frame = there, start, None
            moves = found.pictures[number].moves
            kept = start
            reached = VideoCopy(draft.segments(number), 1).reached if moves and config.annotate else None
        if number < draft.done:
            kept = end
        elif not found.pictures[number].moves or not row["frame"]:
            continue
        elif reached is None:  # the last frame may lack rows: it is predicted again
            kept = start if row["frame"] != frame else kept
            frame = row["frame"]
        elif int(row["frame"]) <= reached:
            kept = end
    if number < draft.done:
        return draft.done, kept, kept
    return max(number, 0), first, kept
