"""What a report says of heat maps: whether they lie on the muscles that moved, and whether networks' maps agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from pipeline.artifacts.arrays import read_table
from pipeline.artifacts.columns import Columns
from pipeline.artifacts.store import Artifact
from pipeline.evaluation import bootstrap, explanations
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
        ``output``, ``true``, ``fold``, and the mean over seeds of ``empty``.
    maps : float32, shape (runs, N, side, side).
    moved : uint8, shape (N, side, side), 1 where muscles moved.
    explained_by : the method that made them.
    """

    method: Method
    faces: pd.DataFrame
    maps: np.ndarray
    moved: np.ndarray
    explained_by: str

    @classmethod
    def load(cls, method: Method, by_model: Mapping[str, Artifact]) -> Maps:
        """Those of a method's networks, of outer folds one after another.

        Parameters
        ----------
        by_model : explanations by the fingerprint of their model.
        """
        runs = [[_read(by_model[one.model.fingerprint], one.fold) for one in run.folds] for run in method.runs]
        faces = pd.concat([faces for faces, *_ in runs[0]], ignore_index=True)
        empty = np.mean([np.concatenate([faces["empty"] for faces, *_ in run]) for run in runs], axis=0)
        maps = np.stack([np.concatenate([maps for _, maps, _, _ in run]) for run in runs])
        ways = sorted({way for run in runs for *_, way in run})
        moved = np.concatenate([moved for _, _, moved, _ in runs[0]])
        return cls(method, faces.assign(empty=empty), maps, moved, " and ".join(ways))

    @cached_property
    def others(self) -> np.ndarray:
        """For each sample the place of another one like it."""
        return explanations.others(self.faces["fold"].to_numpy(), self.faces["true"].to_numpy())

    def on_muscles(self, places: np.ndarray | None = None) -> np.ndarray:
        """The share of maps on muscles that moved, of samples that show what is explained; NaN of others.

        Parameters
        ----------
        places : whose maps are laid on the samples; by default their own.
        """
        maps = self.maps if places is None else self.maps[:, places]
        shares = np.mean([explanations.on_parts(one, self.moved) for one in maps], axis=0)
        return np.where(self.faces["true"].to_numpy(bool), shares, np.nan)

    @property
    def area(self) -> np.ndarray:
        """The share of the picture that those muscles cover, where ``on_muscles`` has a value."""
        return np.where(np.isfinite(self.on_muscles()), self.moved.mean(axis=(1, 2)), np.nan)


def _read(explanation: Artifact, fold: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, str]:
    """What one network's explanation holds: faces, maps, where muscles moved, and the method."""
    faces = read_table(explanation.file(explanations.FACES)).assign(fold=fold)
    stored = Columns(explanation.file(explanations.MAPS), "maps", explanation.fingerprint)
    rows = stored.rows(faces["sample_id"])
    return faces, stored["maps"][rows].astype(np.float32), stored["moved"][rows], explanation.summary["method"]


def heat_maps(material: Material) -> Section | None:
    """What answers rest on; None where nothing was explained."""
    by_model = {one.record["inputs"]["model"]: one for one in material.explanations}
    maps = [Maps.load(method, by_model) for method in material.shown if _is_explained(method, by_model)]
    if not maps or not len(maps[0].faces):
        return None
    every, task = _Every(material, maps), material.task
    wrong, right = overlays.examples(material, every.first)
    on_muscles, agreement = _on_muscles(every), _agreement(every)
    return section(
        "What answers rest on",
        "Explained",
        "explained",
        tables=[on_muscles, agreement],
        samples=len(every.faces),
        looking=_above_zero(on_muscles, "more"),
        alike=_above_zero(agreement, "more_than_untaught"),
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
    """How much of the maps lies on muscles that moved, beside what would without looking at the face."""
    shown, numbers, task = [], [], every.task
    for maps in every.maps.values():
        own, teacher = maps.on_muscles(), every.teacher(maps.method)
        if np.isnan(own).all():
            return None
        share, elsewhere = every.rows(own), every.rows(maps.on_muscles(maps.others))
        rows = {"share": share, "area": every.rows(maps.area), "elsewhere": elsewhere, "more": share - elsewhere}
        if teacher is not None:
            rows["than_teacher"] = share - every.rows(teacher.on_muscles())
        made = {name: every.estimate(values) for name, values in rows.items()}
        shown.append(
            {
                "Model": maps.method.title,
                "Map by": maps.explained_by,
                "On muscles that moved, %": percent(made["share"]),
                "Their share of the picture, %": percent(made["area"]),
                "Of its map of another face, %": percent(made["elsewhere"]),
                "More than that, points": points(made["more"]),
                "More than its teacher’s map, points": points(made["than_teacher"]) if teacher else Cell("–"),
                "Empty maps": f"{maps.faces['empty'].sum():g} of {len(maps.faces)}",
            }
        )
        facts = identity(maps.method) | {"faces": int(np.isfinite(own).sum()), "map_by": maps.explained_by}
        numbers += [facts | {"measure": name} | numbers_of(estimate) for name, estimate in made.items()]
    caption = (
        f"Share of the maps on the parts of the face whose muscles moved, on {numbers[0]['faces']} test {task.samples} "
        f"that show what is explained and in which some did, with {level(every.methods)} intervals over {units(task)}; "
        "students as means over seeds. A map of another such face, laid on this one, says how much would lie there if "
        "the network always looked at the same place."
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


def _above_zero(table: Table | None, measure: str) -> tuple[int, int]:
    """Of how many models the interval of a measure lies above zero, and of how many there is one."""
    if table is None:
        return 0, 0
    low = table.numbers.loc[table.numbers["measure"] == measure, "low"].dropna()
    return int((low > 0).sum()), len(low)


def _correlations(every: _Every, student: Maps, teacher: Maps, alone: Method | None) -> dict[str, np.ndarray]:
    """Mean correlations with the teacher's maps, on the samples and on every resample, each (1 + replicates,)."""
    (taught,) = teacher.maps
    same = _with(student, taught)
    values = {"same": same, "elsewhere": _with(student, taught[student.others])}
    if alone is not None:
        values["untaught"] = untaught = _with(every.maps[alone.recipe], taught)
        values["more_than_untaught"] = same - untaught
    return {name: every.rows(one) for name, one in values.items()}


def _with(student: Maps, taught: np.ndarray) -> np.ndarray:
    """Of each sample the correlation of a student's map with a teacher's, the mean over seeds."""
    return np.mean([explanations.agreement(own, taught) for own in student.maps], axis=0)
