"""What a paper on these models has to report, and what of it this report already says.

The numbers are those of the items of TRIPOD+AI (Collins et al. 2024, BMJ 385:e078378); topics and answers are in our
own words (``template/checklist.csv``), and the statement itself is what counts.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.reporting import signals
from pipeline.reporting.cells import Table, joined, lowered, words
from pipeline.reporting.material import Material
from pipeline.reporting.people import not_found
from pipeline.reporting.runs import described

ITEMS = Path(__file__).parent / "template" / "checklist.csv"
AUTHOR = "To be filled by the author"
PARTS = {"train": "training", "val": "validation"}


def table(facts: dict[str, Any], rendered: bool) -> Table:
    """The list with what this report says to each item.

    Parameters
    ----------
    facts : values of the fields in the items' answers.
    rendered : whether nobody real is in the pictures.
    """
    with ITEMS.open(encoding="utf-8", newline="") as file:
        items = list(csv.DictReader(file))
    rows = []
    for item in items:
        answer = item["rendered"] if rendered and item["rendered"] else item["reported"]
        reported = answer.format_map(facts) or AUTHOR
        section = item["section"].format_map(facts)
        rows.append({"Item": item["item"], "Topic": item["topic"], "Reported": reported, "Section": section})
    frame = pd.DataFrame(rows)
    open_items = int((frame["Reported"] == AUTHOR).sum())
    caption = (
        f"{len(frame)} items numbered as in TRIPOD+AI (Collins et al. 2024, BMJ 385:e078378), in our words; "
        f"{open_items} are left to the author."
    )
    return Table("tripod-ai", caption, frame.replace({"Section": {"": "—"}}), frame)


def facts(material: Material) -> dict[str, Any]:
    """The values that the items name."""
    task, everyone = material.task, material.everyone
    output = words(material.positive) if len(task.outputs) == 2 else "each class"
    classes = joined([words(name) for name in task.outputs])
    counts = everyone.groupby("part", sort=False)["subject_id"].agg(["nunique", "size"])
    parts = "; ".join(
        f"{PARTS.get(part, part)} {row['nunique']} subjects, {row['size']} {task.samples}"
        for part, row in counts.iterrows()
    )
    if material.folds > 1:
        parts = (
            f"{material.folds} outer folds: each is the test part once, the next one validates, the others are learned "
            f"from; {material.test['subjects']} subjects, {material.test['samples']} {task.samples} are tested"
        )
    weighting = {run.model.config["class_weights"] for run in material.runs}
    return {
        "subject": task.subject or task.name,
        "dataset": "the shipped demo set" if material.demo else material.dataset,
        "rendered": f"Not applicable: the {task.samples} are made by a program, nobody real is in them",
        "subjects": everyone["subject_id"].nunique(),
        "total": len(everyone),
        "sample": task.sample,
        "samples": task.samples,
        "samples_title": task.samples.capitalize(),
        "classes": classes,
        "output": f"Probability of {output}",
        "headline": lowered(described(task)[task.headline].title),
        "test_subjects": material.test["subjects"],
        "parts": parts,
        "divided": f"{parts}; {_divided(material)}",
        "networks": ", ".join(dict.fromkeys(method.architecture for method in material.methods)),
        "confidence": material.confidence,
        "replicates": f"{material.config.replicates:,}",
        "class_weights": " and ".join(sorted(weighting)),
    } | _places(material)


def _divided(material: Material) -> str:
    """Whether a subject can be in two parts."""
    if material.leaks:
        return f"by {material.task.sample}, so that the same people are in training and test: a leak, shown on purpose"
    return "by subject, nobody is in two parts"


def _faces(material: Material) -> dict[str, str]:
    """What the list says of faces."""
    missed = int(not_found(material.everyone).sum())
    return {
        "prepared": "Faces found, aligned on five landmarks and cropped, the same way for everybody; "
        f"{missed} of {len(material.everyone)} were not found and were cropped around the centre",
        "predictors": f"The pixels of the prepared {material.task.sample} and nothing else",
        "missing": f"{material.task.samples.capitalize()} not found stay in; pictures that cannot be read are listed "
        "with the reason",
        "views": "crop, flip, rotation, colour; then the network’s normalisation",
        "failures": ", gaps and detection failures",
        "preparation": "Detection",
        "lost": "A picture without a found face is marked and cropped at its centre",
    }


def _windows(material: Material) -> dict[str, str]:
    """What it says of windows of signals."""
    return {
        "prepared": signals.in_words(material.inputs),
        "predictors": f"The signal ({joined(material.inputs.summary['channels'])}) of the window and nothing else",
        "missing": "Gaps are interpolated and counted; windows that cannot be read are listed with the reason",
        "views": "shift and mild warp of time, amplitude, jitter, a masked stretch",
        "failures": " and gaps",
        "preparation": "Windows",
        "lost": "Gaps, outliers, and another rate or length are repaired by the rules of training",
    }


# By the stage that prepared the inputs, what the list says of them.
OF_PREPARATION = {"align": _faces, "window": _windows}


def _places(material: Material) -> dict[str, str]:
    """How inputs were prepared and where they came from."""
    task, several = material.task, material.sources
    return {
        **OF_PREPARATION[task.prepare](material),
        "source": f"Other subjects of the same sources ({', '.join(several)})"
        if several
        else "Same source, other subjects; no external data",
        "clusters": "Results by source of data" if several else "Not applicable: one source of data",
    }
