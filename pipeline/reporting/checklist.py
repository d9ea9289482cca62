"""What a paper on these models has to report, and what of it this report already says.

The numbers are those of the items of TRIPOD+AI (Collins et al. 2024, BMJ 385:e078378); topics and answers are in our
own words (``template/checklist.csv``), and the statement itself is what counts.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.evaluation.question import Question
from pipeline.reporting import power, signals
from pipeline.reporting.cells import Table, joined, lowered, words
from pipeline.reporting.frames import modalities
from pipeline.reporting.material import Material
from pipeline.reporting.numeric import asked
from pipeline.reporting.people import not_found
from pipeline.reporting.runs import described
from pipeline.reporting.units import SUBJECT, unit, who

ITEMS = Path(__file__).parent / "template" / "checklist.csv"
AUTHOR = "To be filled by the author"
CLINICAL = {
    "not_for": "for no clinical use",
    "next_steps": "Photographs of patients, external data, clinical validation",
}
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
    outputs = joined([words(name) for name in task.outputs])
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
        "headline": lowered(described(task)[task.headline].title),
        "test_subjects": material.test["subjects"],
        "parts": parts,
        "divided": f"{parts}; {_divided(material)}",
        "networks": ", ".join(dict.fromkeys(method.architecture for method in material.methods)),
        "confidence": material.confidence,
        "replicates": f"{material.config.replicates:,}",
        "class_weights": " and ".join(sorted(weighting)),
        "wanted": power.wanted(described(task)[task.headline]),
        "answers": "logits and probabilities",
        **OF_KIND[task.kind](outputs, material),
    } | _places(material)


def _classes(outputs: str, material: Material) -> dict[str, str]:
    """What the list says of one class of several."""
    of = words(material.positive) if Question.of(material.task).binary else "each class"
    return {
        "outcome": f"Classes {outputs}",
        "called": f"Probability of {of}; the most probable class, no threshold",
        "called_in": "Confusion",
        "measures": "Discrimination, calibration, agreement",
        "updating": "A temperature fitted on validation subjects",
        "updated": "Before and after the temperature",
        "updated_in": "Calibration",
        "characteristics": "Classes and attributes by part",
    }


def _labels(outputs: str, material: Material) -> dict[str, str]:
    """What it says of several labels."""
    return {
        "outcome": f"Labels {outputs}",
        "called": "Probability of each label; called above one half, and above thresholds fitted on validation",
        "called_in": "Thresholds",
        "measures": "Discrimination, label by label and together; agreement",
        "updating": "Thresholds fitted on validation subjects",
        "updated": "Above one half and above fitted thresholds",
        "updated_in": "Thresholds",
        "characteristics": "Labels and attributes by part",
    }


def _numbers(outputs: str, material: Material) -> dict[str, str]:
    """What it says of numbers."""
    low, high = material.task.bounds
    cuts = joined([f"{cut:g}" for cut in material.task.cuts])
    return {
        "outcome": f"{joined([asked(name) for name in material.task.outputs])}, a number from {low:g} to {high:g}",
        "called": f"The number itself, within its bounds; as a threshold it is looked at from {cuts} on"
        if cuts
        else "The number itself, within its bounds",
        "called_in": "Thresholds" if cuts else "Results",
        "measures": "Concordance, correlation, distance from the truth",
        "updating": "None: no number was changed after training",
        "updated": "Not applicable: no number was changed after training",
        "updated_in": "",
        "characteristics": "Distribution of the number and attributes by part",
        "answers": "the number",
    }


def _points(outputs: str, material: Material) -> dict[str, str]:
    """What it says of points."""
    task = material.task
    return {
        "outcome": f"{len(task.outputs)} points of a {task.sample}",
        "called": "The points themselves, in pixels of the picture",
        "called_in": "Results",
        "measures": "Distance from the true points, failures, area under the cumulative curve of errors",
        "updating": "None: no point was moved after training",
        "updated": "Not applicable: no point was moved after training",
        "updated_in": "",
        "characteristics": "Attributes by part",
        "answers": "the points, in pixels",
    }


OF_KIND = {"classify": _classes, "multilabel": _labels, "regress": _numbers, "points": _points}


def _divided(material: Material) -> str:
    """Whether a subject can be in two parts."""
    if material.leaks:
        same = f"the same {who(material.task)}"
        return f"by {material.task.sample}, so that {same} are in training and test: a leak, shown on purpose"
    none = "nobody" if unit(material.task) == SUBJECT else "none"
    return f"by subject, {none} is in two parts"


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
        **CLINICAL,
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
        **CLINICAL,
    }


def _frames(material: Material) -> dict[str, str]:
    """What it says of frames."""
    task = material.task
    return {
        "prepared": "Frames resized as a whole, both halves of a pair alike",
        "predictors": f"The pixels of the prepared {task.sample}: {modalities(task.teacher_inputs)} for teachers, "
        f"{modalities(task.student_inputs)} for students",
        "missing": "Pairs of which a half cannot be read are listed with the reason",
        "views": "crop, flip, rotation for both halves alike, colour for RGB alone; then the network’s normalisation",
        "failures": "",
        "preparation": "Data",
        "lost": f"A student needs {modalities(task.student_inputs)} alone; what cannot be read is named",
        "not_for": "for no alarm to rely on",
        "next_steps": "Other places, seasons, heights and cameras; external data; a test where it would be used",
    }


# By the stage that prepared the inputs, what the list says of them.
OF_PREPARATION = {"align": _faces, "resize": _frames, "window": _windows}


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
