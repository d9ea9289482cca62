"""Clean every recorded signal, bring all to one rate, length and scale, and keep them, once.

Writes ``inputs.h5``: a window for each row of ``samples.csv``, in the same order, and ``examples.csv``: what was
recorded of ten of them, for the report to show beside what was made of it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pipeline.config import WindowConfig, as_dict
from pipeline.errors import DataError
from pipeline.inputs.signals import card

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd

    from pipeline.artifacts.columns import Columns
    from pipeline.artifacts.store import Artifact, Work
    from pipeline.inputs.signals.windows import Row

VERSION = card.VERSION
CONFIG = WindowConfig
INPUTS = ("samples",)
OUTPUT = "inputs"

BLOCK = 64
EXAMPLES = 10
CLEANED = "cleaned.h5"  # before scaling; it goes when the windows are there

log = logging.getLogger(__name__)


def run(config: WindowConfig, work: Work, samples: Artifact) -> dict[str, Any]:
    """Prepare the signal of every sample.

    Raises
    ------
    DataError : the samples are no recordings, or a file cannot be read any more.
    ConfigError : the config names no channel, or asks for a filter that there is not.
    """
    from pipeline.artifacts import arrays
    from pipeline.inputs.signals import windows

    table = arrays.read_table(samples.file("samples.csv"))
    if "rate_hz" not in table:
        raise DataError(f"{config.data} holds no signals. Choose a task of pictures: TASK=, or another dataset: DATA=")
    rate_hz = windows.common_rate(table["rate_hz"].tolist(), config.rate_hz)
    steps = windows.common_steps(table["steps"].tolist(), table["rate_hz"].tolist(), rate_hz, config.seconds)
    preparation = card.Preparation.of(as_dict(config), rate_hz, steps)
    rows = _rows(config, table)
    ids = arrays.sample_id_column(list(table["sample_id"]))
    shape = len(rows), steps, len(preparation.channels)
    attrs = {"rate_hz": rate_hz, "channels": list(preparation.channels)}
    prepared, raw = work.path / "inputs.h5", work.path / CLEANED
    layout = {**windows.layout(*shape), "sample_id": (ids.shape, ids.dtype)}
    writer = arrays.open_writer(prepared, "inputs", work.fingerprint, layout, attrs, BLOCK)
    store = arrays.open_writer(raw, "cleaned", work.fingerprint, windows.raw_layout(*shape), attrs, BLOCK)
    for block, columns in _cleaned(store.pending(), rows, preparation, config.workers):
        store.write(block, **columns)
    store.finish()
    cleaned = arrays.Columns(raw, "cleaned", work.fingerprint)
    for block, columns in _scaled(writer.pending(), cleaned, preparation.scaling, table["subject_id"]):
        writer.write(block, **columns, sample_id=ids[block])
    writer.finish()
    arrays.write_table(work.path / "examples.csv", _examples(table, rows, preparation))
    summary = _summary(cleaned, preparation, table)
    raw.unlink()
    return summary


def _rows(config: WindowConfig, table: pd.DataFrame) -> list[Row]:
    """Files and regions from the sample table."""
    from pipeline.artifacts.raw_data import RawData
    from pipeline.inputs import archives

    return list(zip(archives.locate(table["file"], RawData.of(config.data), None), table["region"], strict=True))


def _cleaned(
    pending: list[slice], rows: list[Row], preparation: card.Preparation, workers: int
) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
    """The pending blocks as they are done, by processes of this machine."""
    from pipeline.compute import cluster
    from pipeline.inputs.signals import windows

    bar = {"title": "window", "unit": "window"}
    yield from cluster.blocks(
        windows.cleaned_block, pending, rows, preparation, workers=workers, few=windows.FEW, **bar
    )


def _scaled(
    pending: list[slice], cleaned: Columns, scaling: str, subjects: pd.Series
) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
    """The pending blocks of the windows as networks read them."""
    from pipeline.inputs.signals import clean

    if not pending:
        return
    centre, width = clean.limits(scaling, cleaned["signal"], list(subjects))
    for block in pending:
        lengths = cleaned["length"][block]
        signal = clean.scaled(cleaned["signal"][block], centre[block], width[block], lengths)
        yield block, {"signal": signal, "length": lengths, "repaired": cleaned["repaired"][block]}


def _examples(table: pd.DataFrame, rows: list[Row], preparation: card.Preparation) -> pd.DataFrame:
    """What was recorded of some windows: sample_id, time_s and a column for each channel."""
    import numpy as np
    import pandas as pd

    from pipeline.inputs.signals import files

    parts = []
    for row in _drawn(table):
        recording = files.read(*rows[row], preparation.channels)
        name, times = table["sample_id"].iloc[row], np.arange(len(recording.values)) / recording.rate_hz
        values = dict(zip(preparation.channels, recording.values.T, strict=True))
        parts.append(pd.DataFrame({"sample_id": name, "time_s": times, **values}))
    return pd.concat(parts, ignore_index=True)


def _drawn(table: pd.DataFrame) -> list[int]:
    """Row numbers of the examples, drawn by the samples' names: of each subject one before there are two of any."""
    from pipeline.inputs import keyed_random

    order = table.assign(key=keyed_random.keys(table["sample_id"]), row=range(len(table))).sort_values("key")
    turn = order.groupby("subject_id").cumcount()
    return sorted(order.assign(turn=turn).sort_values(["turn", "key"])["row"].head(EXAMPLES))


def _summary(cleaned: Columns, preparation: card.Preparation, table: pd.DataFrame) -> dict[str, Any]:
    """What was done to how many windows, and of which a channel says nothing."""
    import numpy as np

    from pipeline.inputs.signals import windows

    facts = windows.facts(cleaned, preparation, table["rate_hz"].to_numpy())
    empty = np.argwhere(facts.pop("empty")).tolist()
    names = table["sample_id"].tolist()
    return {
        "counts": {"windows": len(names), **{name: int(marked.sum()) for name, marked in facts.items()}},
        "rate_hz": preparation.rate_hz,
        "steps": preparation.steps,
        "channels": list(preparation.channels),
        "repaired": float(cleaned["repaired"][:].mean()),
        "skipped": [
            {
                "sample_id": names[row],
                "reason": f"no value: nothing was measured of {preparation.channels[channel]}, it is 0 throughout",
            }
            for row, channel in empty
        ],
    }
