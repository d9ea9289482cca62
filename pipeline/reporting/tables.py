"""The report's tables: for the eye on the page and in LaTeX, with numbers of full precision in CSV."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline import metrics, statistics
from pipeline.artifacts import Artifact
from pipeline.predictions import attributes, outcome
from pipeline.reporting.cells import Table, percent, points, short, signed, words
from pipeline.reporting.methods import HEADLINE, Difference, Method, pretty
from pipeline.statistics import Estimate

PARTS = ("train", "val", "test")
FEW_VALUES = 8  # an attribute with more is a measurement, not a group
MOST_SKIPPED = 40  # rows on the page


def comparison(methods: list[Method]) -> Table:
    """Every metric of every method, in percent."""
    shown, numbers = [], []
    for method in methods:
        row: dict[str, Any] = {"Model": method.title}
        for name, metric in metrics.METRICS.items():
            estimate, spread = method.estimate(name), method.spread(name)
            row[metric.title] = percent(estimate, spread)
            numbers.append(_identity(method) | {"metric": name} | _numbers(estimate) | {"seed_sd": spread})
        shown.append(row)
    level = f"{100 * methods[0].confidence:g}%"
    caption = f"Test faces; percent with {level} intervals over subjects, students as means over seeds ± their SD."
    missing = {row["metric"] for row in numbers if np.isnan(row["value"])}
    reasons = "; ".join(f"{m.title} {m.undefined}" for name, m in metrics.METRICS.items() if name in missing)
    caption += f" A dash has no value: {reasons}." if reasons else ""
    if any(row["value"] == row["low"] == 1 for row in numbers):
        caption += (
            " An interval 100.0–100.0 says that no error was seen, not that none occurs: by the rule of three, error"
            " rates up to 3 in n subjects remain possible."
        )
    return Table("comparison", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def differences(found: list[Difference]) -> Table | None:
    """Paired differences of the headline metric, in percentage points; None when there is nothing to compare."""
    if not found:
        return None
    shown = [
        {
            "Comparison": f"{d.first.title} minus {d.second.title}",
            "Difference": points(d.estimate),
            "Seed by seed": ", ".join(signed(value) for value in d.per_seed) or "—",
            "Settled": "yes" if d.settled else "no",
        }
        for d in found
    ]
    numbers = [
        {"first": d.first.title, "second": d.second.title, "metric": HEADLINE, **_numbers(d.estimate)} for d in found
    ]
    caption = "Differences of balanced accuracy in percentage points, the same resampled subjects for both models."
    return Table("differences", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def networks(methods: list[Method]) -> Table:
    """Exact architectures, where their weights came from, and what they cost."""
    shown, numbers = [], []
    for method in methods:
        config, cost = method.runs[0].model.config, method.cost
        architecture = config["architecture"]
        trained = "head\u00a0only" if architecture["trained"] == "head" else "all\u00a0layers"
        seeds = [run.seed for run in method.runs]
        size = {name: cost[name] for name in ("parameters", "gmacs", "gflops", "latency_ms", "latency_p90_ms")}
        shown.append(
            {
                "Model": method.title,
                "Network": method.architecture,
                "Input, px": str(architecture["image_size"]),
                "Weights": method.weights,
                "Trained": trained,
                "Seeds": ",\u00a0".join(map(str, seeds)),
                "Parameters, M": short(cost["parameters"] / 1e6),
                "GFLOPs": short(cost["gflops"]),
                "Latency, ms": short(cost["latency_ms"]),
            }
        )
        numbers.append(
            _identity(method)
            | {"input_px": architecture["image_size"], "weights": method.weights, "trained": trained}
            | size
        )
    caption = "Networks as they were built. Two FLOPs per multiply-accumulate; latency of one face on one thread."
    return Table("networks", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def data(faces: pd.DataFrame, classes: list[str]) -> Table:
    """Subjects, faces, labels and, where the dataset tells them apart, expressions in each part of the split."""
    calm, other = faces["label"] == 0, faces["expressive"] == 1
    no_pain, pain = (name.replace("_", " ").capitalize() for name in classes)
    kinds = {pain: ~calm, f"{no_pain}, neutral": calm & ~other, f"{no_pain}, expressive": calm & other}
    if not (calm & other).any():
        kinds = {pain: ~calm, no_pain: calm}
    rows = []
    for part in (*PARTS, *sorted(set(faces["part"]) - set(PARTS))):
        inside = faces["part"] == part
        counts = {name: int((inside & kind).sum()) for name, kind in kinds.items()}
        subjects, lost = faces.loc[inside, "subject_id"].nunique(), int((faces.loc[inside, "detected"] == 0).sum())
        rows.append({"Part": part, "Subjects": subjects, "Faces": int(inside.sum()), **counts, "Face not found": lost})
    frame = pd.DataFrame(rows)
    return Table("data", "Subjects and faces in each part; no subject is in two parts.", frame, frame)


def people(faces: pd.DataFrame) -> Table | None:
    """Subjects of each part by attribute; None when the dataset says nothing of the people."""
    rows = [
        {"Attribute": words(name), "Group": words(group)}
        | {part: int(inside.loc[inside["part"] == part, "subject_id"].nunique()) for part in PARTS}
        for name in groupings(faces)
        for group, inside in faces.groupby(name)
    ]
    if not rows:
        return None
    frame = pd.DataFrame(rows)
    shown = frame.assign(Attribute=frame["Attribute"].where(~frame["Attribute"].duplicated(), ""))
    return Table("people", "Subjects in each part by attribute.", shown, frame)


def groups(methods: list[Method], replicates: int, seed: int) -> Table | None:
    """Headline metric of every method within groups of people; None when nothing is known of them."""
    faces = methods[0].faces
    shown, numbers = [], []
    for name in groupings(faces):
        for group in sorted(faces[name].dropna().unique()):
            row: dict[str, Any] = {"Group": f"{words(name)}: {words(group)}"}
            row["Subjects"] = str(faces.loc[faces[name] == group, "subject_id"].nunique())
            for method in methods:
                estimate = _within(method, name, group, replicates, seed)
                row[method.title] = percent(estimate)
                numbers.append(_identity(method) | {"attribute": name, "group": group} | _numbers(estimate))
            shown.append(row)
    level = f"{100 * methods[0].confidence:g}%"
    caption = f"Balanced accuracy within groups of test subjects, percent with {level} intervals over subjects."
    return Table("groups", caption, pd.DataFrame(shown), pd.DataFrame(numbers)) if shown else None


def skipped(artifacts: list[Artifact]) -> Table | None:
    """Every picture or face that a stage could not use as it is, with the reason; None when there is none."""
    rows = [
        {
            "Stage": artifact.record["stage"],
            "Picture or face": str(entry.get("sample_id") or entry.get("file", "")),
            "Reason": str(entry["reason"]),
        }
        for artifact in artifacts
        for entry in artifact.summary.get("skipped", [])
    ]
    frame = pd.DataFrame(rows)
    caption = "Pictures and faces that could not be used as they are."
    if len(rows) > MOST_SKIPPED:
        caption += f" The first {MOST_SKIPPED} of {len(rows)}; the CSV file has all."
    return Table("skipped", caption, frame.head(MOST_SKIPPED), frame) if rows else None


def provenance(artifacts: list[Artifact]) -> Table:
    """Stage, version and fingerprint of every artifact that went into the report."""
    frame = pd.DataFrame(
        [
            {
                "Artifact": artifact.slug,
                "Stage": artifact.record["stage"],
                "Version": artifact.record["version"],
                "Fingerprint": artifact.fingerprint,
            }
            for artifact in artifacts
        ]
    )
    return Table("artifacts", "Artifacts behind this report.", frame.assign(Fingerprint=_short(frame)), frame)


def groupings(faces: pd.DataFrame) -> list[str]:
    """The attributes that divide people into a few groups."""
    return [name for name in attributes(faces) if name != "prob" and 1 < faces[name].nunique() <= FEW_VALUES]


def _within(method: Method, attribute: str, group: Any, replicates: int, seed: int) -> Estimate:
    """The headline metric of a method among one group's test subjects."""
    rows = []
    for run in method.runs:
        frame = run.predictions
        frame = frame[(frame["part"] == "test") & (frame[attribute] == group)].sort_values("sample_id")
        weights = statistics.resamples(frame["subject_id"].to_numpy(), replicates, seed)
        rows.append(metrics.compute(outcome(frame), weights)[HEADLINE])
    reason = metrics.METRICS[HEADLINE].undefined
    return statistics.interval(statistics.over_seeds(np.stack(rows)), method.confidence, reason)


def _identity(method: Method) -> dict[str, Any]:
    return {
        "model": method.title,
        "network": method.architecture,
        "teacher": pretty(method.teacher),
        "seeds": len(method.runs),
    }


def _numbers(estimate: Estimate) -> dict[str, Any]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "undefined": estimate.undefined}


def _short(frame: pd.DataFrame) -> pd.Series:
    return frame["Fingerprint"].str[:12]
