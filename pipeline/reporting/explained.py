"""What a report says of heat maps: whether they lie on the muscles that moved, and whether networks' maps agree."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from pipeline.artifacts.arrays import read_table
from pipeline.artifacts.columns import Columns
from pipeline.artifacts.store import Artifact
from pipeline.evaluation import bootstrap, explanations, muscles
from pipeline.reporting import overlays
from pipeline.reporting.cells import Cell, Table, figure, percent, points, words
from pipeline.reporting.material import Material, Section, section
from pipeline.reporting.methods import Method, baseline, teacher_of
from pipeline.reporting.tables import identity, level, numbers_of
from pipeline.reporting.units import units


@dataclass(frozen=True)
class Maps:
    """The heat maps of a method.

    Parameters
    ----------
    method : whose.
    faces : a row for each explained sample, in an order that all methods share: ``sample_id``, ``subject_id``,
        ``output``, ``true``, ``fold``, and the means over seeds of ``empty`` and of what `muscles.shares` gives.
    maps : float32, shape (runs, N, side, side).
    explained_by : the method that made them.
    """

    method: Method
    faces: pd.DataFrame
    maps: np.ndarray
    explained_by: str

    @classmethod
    def load(cls, method: Method, by_model: Mapping[str, Artifact]) -> Maps:
        """Those of a method's networks, of outer folds one after another.

        Parameters
        ----------
        by_model : explanations by the fingerprint of their model.
        """
        runs, made, by = [], [], set()
        for run in method.runs:
            frames, maps = [], []
            for one in run.folds:
                explanation = by_model[one.model.fingerprint]
                rows = read_table(explanation.file(explanations.FACES)).assign(fold=one.fold)
                stored = Columns(explanation.file(explanations.MAPS), "maps", explanation.fingerprint)
                frames.append(rows)
                maps.append(stored["maps"][stored.rows(rows["sample_id"])].astype(np.float32))
                by.add(json.loads(explanation.file("explanation.json").read_text(encoding="utf-8"))["method"])
            runs.append(pd.concat(frames, ignore_index=True))
            made.append(np.concatenate(maps))
        measured = [name for name in ("empty", *muscles.COLUMNS) if name in runs[0]]
        means = np.mean([frame[measured].to_numpy(float) for frame in runs], axis=0)
        faces = runs[0].drop(columns=measured).join(pd.DataFrame(means, columns=measured))
        return cls(method, faces, np.stack(made), " and ".join(sorted(by)))

    @property
    def on_muscles(self) -> np.ndarray | None:
        """The share of each map on muscles that moved, of faces that show what is explained; NaN of others."""
        if "moved" not in self.faces or self.faces["moved"].isna().all():
            return None
        return self.faces["moved"].where(self.faces["true"].astype(bool)).to_numpy()

    @cached_property
    def area(self) -> np.ndarray:
        """The share of the face that those muscles cover, where ``on_muscles`` has a value."""
        return self.faces["area_moved"].where(np.isfinite(self.on_muscles)).to_numpy()


def heat_maps(material: Material) -> Section | None:
    """What answers rest on; None where nothing was explained."""
    by_model = {one.record["inputs"]["model"]: one for one in material.explanations}
    maps = [Maps.load(method, by_model) for method in material.shown if _is_explained(method, by_model)]
    if not maps or not len(maps[0].faces):
        return None
    every, task = _Every(material, maps), material.task
    wrong, right = overlays.examples(material, every.first)
    return section(
        "What answers rest on",
        "Explained",
        "explained",
        tables=[_on_muscles(every), _agreement(every)],
        samples=len(every.faces),
        asked=words(task.outputs[task.positive_output if len(task.outputs) == 2 else 0]),
        ways=sorted({one.explained_by for one in maps}),
        wrong=wrong,
        right=right,
    )


def _is_explained(method: Method, by_model: Mapping[str, Artifact]) -> bool:
    return all(one.model.fingerprint in by_model for run in method.runs for one in run.folds)


class _Every:
    """The maps of the methods, by recipe, and the draws that they share."""

    def __init__(self, material: Material, maps: Sequence[Maps]):
        config = material.config
        self.task, self.maps = material.task, {one.method.recipe: one for one in maps}
        self.methods, self.faces = [one.method for one in maps], maps[0].faces
        subjects = self.faces["subject_id"].astype(str).to_numpy()
        self.weights = bootstrap.resamples(subjects, config.replicates, config.seed)
        self.confidence = config.confidence

    @property
    def first(self) -> list[overlays.Mapped]:
        """What of each method is drawn: the maps of its first networks."""
        return [overlays.Mapped(one.method, one.faces, one.maps[0]) for one in self.maps.values()]

    def rows(self, values: np.ndarray) -> np.ndarray:
        """The mean of the samples' values on the samples themselves and on every resample."""
        return explanations.mean(values, self.weights)

    def estimate(self, rows: np.ndarray) -> bootstrap.Estimate:
        """The first of some rows with its interval."""
        return bootstrap.interval(rows, self.confidence, "no face has a value")

    def teacher(self, student: Method) -> Maps | None:
        """The maps of a student's teacher."""
        teacher = teacher_of(student, self.methods) if student.is_taught else None
        return self.maps[teacher.recipe] if teacher else None


def _on_muscles(every: _Every) -> Table | None:
    """How much of the maps lies on muscles that moved, beside the share of the face that these cover."""
    shown, numbers, task = [], [], every.task
    for maps in every.maps.values():
        if maps.on_muscles is None:
            return None
        teacher = every.teacher(maps.method)
        share, area = every.rows(maps.on_muscles), every.rows(maps.area)
        rows = {"share": share, "area": area, "more": share - area}
        if teacher is not None:
            rows["than_teacher"] = share - every.rows(teacher.on_muscles)
        made = {name: every.estimate(values) for name, values in rows.items()}
        shown.append(
            {
                "Model": maps.method.title,
                "Map by": maps.explained_by,
                "On muscles that moved, %": percent(made["share"]),
                "Their share of the face, %": percent(made["area"]),
                "More than that, points": points(made["more"]),
                "More than its teacher’s map, points": points(made["than_teacher"]) if teacher else Cell("–"),
                "Empty maps": f"{maps.faces['empty'].sum():g} of {len(maps.faces)}",
            }
        )
        facts = identity(maps.method) | {"faces": int(np.isfinite(maps.on_muscles).sum()), "map_by": maps.explained_by}
        numbers += [facts | {"measure": name} | numbers_of(estimate) for name, estimate in made.items()]
    caption = (
        f"Share of the maps on the parts of the face whose muscles moved, on {numbers[0]['faces']} test {task.samples} "
        f"that show what is explained and in which some did, with {level(every.methods)} intervals over {units(task)}; "
        "students as means over seeds."
    )
    return Table("on-muscles", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _agreement(every: _Every) -> Table | None:
    """Whether students look where their teachers look, beside what agrees by itself."""
    shown, numbers, task = [], [], every.task
    for maps in every.maps.values():
        if (teacher := every.teacher(maps.method)) is None:
            continue
        alone = baseline(maps.method, every.methods)
        made = {n: every.estimate(v) for n, v in _correlations(every, maps, teacher, alone).items()}
        told = {name: figure(estimate) for name, estimate in made.items()}
        shown.append(
            {
                "Student": maps.method.title,
                "With its teacher’s map": told["same"],
                "With its map of another face": told["elsewhere"],
                "Without a teacher, with the same map": told.get("untaught", Cell("–")),
                "What the teacher adds": told.get("more_than_untaught", Cell("–")),
            }
        )
        facts = identity(maps.method) | {"faces": len(every.faces)}
        numbers += [facts | {"measure": name} | numbers_of(estimate) for name, estimate in made.items()]
    if not shown:
        return None
    cells = explanations.COMPARED
    caption = (
        f"Correlation of two networks’ maps of a {task.sample}, over {cells} × {cells} cells, the mean over "
        f"{len(every.faces)} test {task.samples} with {level(every.methods)} intervals over {units(task)}; students as "
        "means over seeds. Maps with nothing in them are left out."
    )
    return Table("map-agreement", caption, pd.DataFrame(shown), pd.DataFrame(numbers))


def _correlations(every: _Every, student: Maps, teacher: Maps, alone: Method | None) -> dict[str, np.ndarray]:
    """Mean correlations with the teacher's maps, on the samples and on every resample, each (1 + replicates,)."""
    (taught,) = teacher.maps
    same = _with(student, taught)
    values = {"same": same, "elsewhere": _with(student, taught[explanations.others(every.faces["fold"].to_numpy())])}
    if alone is not None:
        values["untaught"] = untaught = _with(every.maps[alone.recipe], taught)
        values["more_than_untaught"] = same - untaught
    return {name: every.rows(one) for name, one in values.items()}


def _with(student: Maps, taught: np.ndarray) -> np.ndarray:
    """Of each sample the correlation of a student's map with a teacher's, the mean over seeds."""
    return np.mean([explanations.agreement(own, taught) for own in student.maps], axis=0)
