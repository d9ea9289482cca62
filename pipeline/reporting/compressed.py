"""What the compressed forms of one student are worth, in a table and a figure; or why nobody measured it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from pipeline.artifacts.names import without_fold
from pipeline.evaluation.bootstrap import Estimate
from pipeline.evaluation.metrics.weighted import Metric
from pipeline.reporting.cells import Table, axis, bare, direction, factor, in_points, measured, points, short
from pipeline.reporting.drawing import MUTED, PALETTE, PAPER, STYLE, Picture, picture
from pipeline.reporting.material import Material, Section, section
from pipeline.reporting.runs import described

FILE = "benchmark.json"
# By format what it is called, its colour, and whether it is drawn filled.
FORMS = {
    "torch float32": ("torch, float32", 0, True),
    "float32": ("ONNX, float32", 0, False),
    "int8": ("ONNX, int8", 1, True),
    "pruned": ("ONNX, pruned", 2, False),
    "pruned-int8": ("ONNX, pruned, int8", 2, True),
}
DRAWN = "b1_t1"  # the latency of the figure


def compressed(material: Material) -> Section | None:
    """What one student lost and gained by int8 and pruning; None where that was not asked for."""
    if not material.benchmarks:
        lacking = material.config.lacking
        return section("Made smaller", "Compressed", lacking=lacking, slower=()) if lacking else None
    benchmark = material.benchmarks[0]
    told = json.loads(benchmark.file(FILE).read_text(encoding="utf-8"))
    metric = described(material.task)[told["headline"]]
    return section(
        "Made smaller: what int8 and pruning cost",
        "Compressed",
        tables=[_table(told, metric)],
        figures=[_figure(told, metric)],
        lacking="",
        slower=told["slower"],
        student=without_fold(told["model"]),
        processor=told["processor"],
        busy=told["busy"],
        pruned=_pruned(told),
        first_fold=material.folds > 1,
        **{name: told[name] for name in ("samples", "subjects")},
    )


def _table(told: Mapping[str, Any], metric: Metric) -> Table:
    shown, numbers = [], []
    for row in told["rows"]:
        latency, difference = row["latency_ms"], _estimate(row.get("difference"))
        shown.append(
            {
                "Form": FORMS[row["format"]][0],
                "Parameters, M": short(row["parameters"] / 1e6),
                "File, MB": short(row["megabytes"]),
                "GFLOPs": short(row["gflops"]),
                **{
                    f"ms, batch {count}": " / ".join(short(latency[f"b{count}_t{threads}"]) for threads in (1, 2))
                    for count in (1, 32)
                },
                metric.title: measured(metric, _estimate(row["metric"])),
                "Difference": points(difference, metric) if "difference" in row else "—",
                "Like the original": row["alike"] if "difference" in row else "—",
            }
        )
        numbers.append(_flat(row))
    caption = (
        f"Forms of one student. Milliseconds on one / two threads. Differences{in_points(metric)} are paired with "
    )
    caption += (
        "the network as it was trained, on the same resamples of subjects. Int8 does as many operations, on whole "
    )
    caption += "numbers."
    return Table("compressed", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the benchmark as numbers in columns."""
    nested = ("latency_ms", "metric", "difference")
    flat = {name: value for name, value in row.items() if name not in (*nested, "left_out", "alike")}
    flat["left_out"] = len(row["left_out"]) if "left_out" in row else None
    flat |= {f"ms_{name}": value for name, value in row["latency_ms"].items()}
    for name in ("metric", "difference"):
        flat |= {f"{name}_{key}": row.get(name, {}).get(key) for key in ("value", "low", "high")}
    return flat


@matplotlib.rc_context(STYLE)
def _figure(told: Mapping[str, Any], metric: Metric) -> Picture:
    """The headline metric of every form, with its interval, against its latency."""
    figure, times = Figure(figsize=(4.4, 2.9)), factor(metric)
    axes, spoken = figure.subplots(), []
    for row in told["rows"]:
        name, number, filled = FORMS[row["format"]]
        estimate, latency, color = _estimate(row["metric"]), row["latency_ms"][DRAWN], PALETTE[number]
        ends = [times * end for end in (estimate.low, estimate.high)]
        axes.plot([latency, latency], ends, color=color, lw=1.2)
        axes.plot(latency, times * estimate.value, "o", color=color, mfc=color if filled else PAPER, label=name)
        spoken.append(f"{name} {bare(metric, estimate.value)} at {short(latency)} ms")
    axes.set_xlim(left=0)
    axes.grid(axis="y", color=MUTED, alpha=0.3)
    axes.set(xlabel="Milliseconds, batch of 1, one thread", ylabel=f"{axis(metric)}{direction(metric)}")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return picture(figure, "compressed", f"{metric.title} and latency of every form: {'; '.join(spoken)}")


def _pruned(told: Mapping[str, Any]) -> dict[str, str]:
    """How much pruning took, in percent of channels and parameters; empty where nothing was pruned."""
    for row in told["rows"]:
        if "pruned_channels" in row:
            return {what: f"{100 * row[f'pruned_{what}']:.0f}%" for what in ("channels", "parameters")}
    return {}


def _estimate(values: Mapping[str, Any] | None) -> Estimate:
    """An estimate from JSON, which has no NaN."""
    if values is None:
        return Estimate(math.nan, math.nan, math.nan)
    return Estimate(**{name: math.nan if value is None else value for name, value in values.items()})
