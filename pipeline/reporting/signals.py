"""Signals as they were recorded and as networks read them: figures, and what was done to how many windows."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.artifacts import arrays
from pipeline.artifacts.store import Artifact
from pipeline.reporting.cells import Table, words
from pipeline.reporting.drawing import MUTED, PALETTE, STYLE, Picture, picture, plain
from pipeline.reporting.material import Material, Section, section

EXAMPLES = "examples.csv"  # what was recorded, in the artifact of the stage that prepares windows
BINS = 160  # of a panel: of the steps in each, the lowest and the highest are drawn
PREPARED = PALETTE[2]
# What is subtracted and what it is divided by, in words.
SCALED = {
    "subject": "by the mean and standard deviation of all that was recorded of the subject, which needs no label and "
    "keeps levels and sizes of responses comparable within a person",
    "window": "from 0 to 1 each, which takes away the level and the size of responses",
    "none": "not scaled",
}


def windows(material: Material) -> Section | None:
    """What was recorded beside what was made of it; None where no signals were prepared."""
    inputs = material.inputs
    if EXAMPLES not in inputs.record["files"]:
        return None
    return section(
        "Windows: recorded and prepared",
        "Windows",
        tables=[preparation(inputs)],
        figures=list(panels(material)),
        channels=[(name, plain(f"windows-{name}-")) for name in inputs.summary["channels"]],
        scaled=SCALED[inputs.config["scaling"]],
        repaired=f"{100 * inputs.summary['repaired']:.2g}%",
        seconds=f"{inputs.summary['steps'] / inputs.summary['rate_hz']:.3g}",
        rate=f"{inputs.summary['rate_hz']:g}",
    )


def preparation(inputs: Artifact) -> Table:
    """What was done to how many windows, and by which rule."""
    config, counts, summary = inputs.config, inputs.summary["counts"], inputs.summary
    rate, every = f"{summary['rate_hz']:g} Hz", counts["windows"]
    rows = [
        ("Gaps interpolated", counts["interpolated"], "a straight line between the neighbours; held at the ends"),
        ("Smoothed", every * (config["smooth_window"] > 1), _smoothing(config)),
        ("Outliers clipped", counts["clipped"], _clipping(config)),
        ("Resampled", counts["resampled"], f"to {rate}, with a low-pass filter against aliasing"),
        ("Filled up at the end", counts["shorter"], f"to {summary['steps']} steps; networks see these as unknown"),
        ("Cut at the end", counts["cut"], f"after {summary['steps']} steps"),
        ("Without variation", counts["constant"], "0 throughout"),
        ("Of which nothing was measured", len(summary["skipped"]), "0 throughout; a channel of a window"),
    ]
    frame = pd.DataFrame(rows, columns=["Step", "Windows", "Rule"])
    numbers = frame.assign(Share=frame["Windows"] / max(1, every))
    shown = frame.assign(Windows=[f"{n:,}" for n in frame["Windows"]])
    return Table("windows", f"What was done to the {every:,} windows.", shown, numbers)


def _smoothing(config: dict) -> str:
    if config["smooth_window"] == 1:
        return "not at all"
    return f"Savitzky-Golay, {config['smooth_window']} steps, order {config['smooth_order']}"


def _clipping(config: dict) -> str:
    if not config["outliers"]:
        return "none is an outlier"
    return f"at {config['outliers']:g} standard deviations of the window, on both sides"


def panels(material: Material) -> Iterator[Picture]:
    """Each example of each channel."""
    inputs = material.inputs
    columns, recorded = arrays.open_inputs(inputs), arrays.read_table(inputs.file(EXAMPLES))
    titles = _titles(material)
    names = list(dict.fromkeys(recorded["sample_id"]))
    prepared = columns["signal"][columns.rows(names)].astype(np.float64)  # (10, T, C)
    repaired = columns["repaired"][columns.rows(names)]
    times = np.arange(prepared.shape[1]) / columns.attrs["rate_hz"]
    by_name = dict(tuple(recorded.groupby("sample_id", sort=False)))
    for place, channel in enumerate(columns.json("channels")):
        for number, name in enumerate(names):
            one = by_name[name]
            raw = one["time_s"].to_numpy(), one[channel].to_numpy(np.float64)
            yield panel(
                plain(f"windows-{channel}-{number + 1}"),
                titles.get(name, name.partition("#")[0].rpartition("/")[2]),
                channel,
                raw,
                (times, prepared[number, :, place]),
                float(repaired[number]),
            )


def _titles(material: Material) -> dict[str, str]:
    """By sample what it is and whose."""
    everyone, outputs = material.everyone, material.task.outputs
    return {
        name: f"{words(outputs[number])}, {subject}"
        for name, subject, number in zip(everyone["sample_id"], everyone["subject_id"], everyone["label"], strict=True)
    }


Line = tuple[np.ndarray, np.ndarray]  # seconds and values, NaN where there is none


@matplotlib.rc_context(STYLE)
def panel(name: str, title: str, channel: str, raw: Line, prepared: Line, repaired: float) -> Picture:
    """One channel of one window: as recorded (grey, scale at the left), as networks read it (blue, at the right)."""
    figure = Figure(figsize=(3.0, 1.9))
    left = figure.subplots()
    right = left.twinx()
    right.spines["right"].set_visible(True)
    for axes, (times, values), color, width in ((left, raw, MUTED, 2.2), (right, prepared, PREPARED, 1.0)):
        axes.plot(*thinned(times, values), color=color, lw=width, alpha=0.6 if color == MUTED else 1)
        axes.tick_params(axis="y", labelcolor=color)
        _frame(axes, values)
    left.set(title=title, xlabel="Seconds")
    if repaired:
        left.text(0.98, 0.94, f"{100 * repaired:.2g}% repaired", ha="right", va="top", size=8, transform=left.transAxes)
    return picture(figure, name, f"{channel} of {title}, as recorded and as prepared")


def _frame(axes: Axes, values: np.ndarray) -> None:
    """Room above for a word, and a frame for a line that is flat."""
    known = values[np.isfinite(values)]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    room = (high - low) or max(abs(high), 1.0)
    axes.set_ylim(low - 0.06 * room, high + 0.25 * room)


def thinned(times: np.ndarray, values: np.ndarray, bins: int = BINS) -> Line:
    """A line of at most twice as many points as bins that shows every peak: of each bin its lowest and highest value.

    A bin without a value breaks the line.
    """
    if len(values) <= 2 * bins:
        return times, values
    kept_times, kept_values = [], []
    for part in np.array_split(np.arange(len(values)), bins):
        known = part[np.isfinite(values[part])]
        ends = sorted({known[values[known].argmin()], known[values[known].argmax()]}) if len(known) else [part[0]]
        kept_times += times[ends].tolist()
        kept_values += values[ends].tolist()
    return np.array(kept_times), np.array(kept_values)


def in_words(inputs: Artifact) -> str:
    """How windows were prepared, for a checklist."""
    config = inputs.config
    parts = ["Gaps interpolated"]
    parts += ["smoothed"] * (config["smooth_window"] > 1) + ["outliers clipped"] * bool(config["outliers"])
    scaled = {"subject": "scaled by the subject’s own mean and deviation", "window": "scaled from 0 to 1 each"}
    return ", ".join([*parts, scaled.get(config["scaling"], "not scaled"), "the same way for everybody"])
