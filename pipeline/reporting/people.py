"""The report's tables of faces and people: the split, their groups, and who fares worse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation import subgroups
from pipeline.evaluation.predictions import outcome
from pipeline.reporting.cells import Table, percent, points, words
from pipeline.reporting.methods import HEADLINE, Method, tested
from pipeline.reporting.tables import identity, numbers_of

PARTS = ("train", "val", "test")
Divided = dict[tuple[str, str], subgroups.Division]  # by title of the method and attribute


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
        for name in subgroups.groupings(faces)
        for group, inside in faces.groupby(name)
    ]
    if not rows:
        return None
    frame = pd.DataFrame(rows)
    shown = frame.assign(Attribute=frame["Attribute"].where(~frame["Attribute"].duplicated(), ""))
    return Table("people", "Subjects in each part by attribute.", shown, frame)


def detection(faces: pd.DataFrame, confidence: float) -> Table | None:
    """Faces that were not found, by group and over all parts; None when nothing is known of the people."""
    shown, numbers = [], []
    for name in subgroups.groupings(faces):
        known = faces[faces[name].notna()]
        for found in subgroups.failures(known[name].to_numpy(), known["detected"].to_numpy() == 1, confidence):
            line = {"Group": f"{words(name)}: {words(found.name)}", "Faces": str(found.faces)}
            shown.append(line | {"Not found": str(found.missed), "Share, %": percent(found.share)})
            known_as = {"attribute": name, "group": found.name, "faces": found.faces, "not_found": found.missed}
            numbers.append(known_as | numbers_of(found.share))
    caption = (
        f"Faces that were not found, all parts; exact {100 * confidence:g}% intervals, faces taken as independent."
    )
    return Table("detection", caption, pd.DataFrame(shown), pd.DataFrame(numbers)) if shown else None


def divide(methods: list[Method], weights: np.ndarray) -> Divided:
    """The headline metric of each method within the groups of each attribute, and the gaps between them.

    Parameters
    ----------
    weights : of the test faces, as `pipeline.reporting.methods.draws` gives them.
    """
    found: Divided = {}
    for method in methods:
        frames = [tested(run) for run in method.runs]
        outcomes, faces = [outcome(frame) for frame in frames], frames[0]
        for name in subgroups.groupings(faces):
            found[method.title, name] = subgroups.measure(
                outcomes, faces[name].to_numpy(), faces["subject_id"].to_numpy(), weights, HEADLINE, method.confidence
            )
    return found


def within(methods: list[Method], divided: Divided) -> Table | None:
    """The headline metric by group; None when nothing is known of the people."""
    lines: dict[tuple[str, Any], dict[str, Any]] = {}
    numbers = []
    for method in methods:
        for name, division in _of(method, divided):
            for group in division.groups:
                first = {"Group": f"{words(name)}: {words(group.name)}", "Subjects": str(group.subjects)}
                lines.setdefault((name, group.name), first)[method.title] = percent(group.estimate)
                rest = {f"{key}_against_rest": value for key, value in numbers_of(group.against_rest).items()}
                known = {"attribute": name, "group": group.name, "subjects": group.subjects, "faces": group.faces}
                numbers.append(
                    identity(method) | known | numbers_of(group.estimate) | rest | {"p_holm_against_rest": group.p}
                )
    if not lines:
        return None
    caption = (
        f"Balanced accuracy within groups of test subjects, percent with {_level(methods)} intervals over subjects."
    )
    return Table("groups", caption, pd.DataFrame(lines.values()).fillna("—"), pd.DataFrame(numbers))


def gaps(methods: list[Method], divided: Divided) -> Table | None:
    """The largest gap of every attribute; None when nothing is known of the people."""
    shown, numbers = [], []
    for name in dict.fromkeys(attribute for _, attribute in divided):
        line: dict[str, Any] = {"Attribute": words(name)}
        for method in methods:
            division = divided.get((method.title, name))
            if division is None:
                continue
            line[method.title] = points(division.gap) if division.gap.value == division.gap.value else "—"
            pair = {"attribute": name, "best": division.best, "worst": division.worst, "missing": division.missing}
            numbers.append(identity(method) | pair | numbers_of(division.gap))
        shown.append(line)
    if not shown:
        return None
    caption = (
        "Best minus worst group, percentage points of balanced accuracy. The two are the extremes on these faces: a "
        "gap is positive by choice and larger than among new subjects. The CSV files name them, and compare each group "
        "with all others."
    )
    return Table("gaps", caption, pd.DataFrame(shown).fillna("—"), pd.DataFrame(numbers))


def _of(method: Method, divided: Divided) -> list[tuple[str, subgroups.Division]]:
    return [(attribute, division) for (title, attribute), division in divided.items() if title == method.title]


def _level(methods: list[Method]) -> str:
    return f"{100 * methods[0].confidence:g}%"
