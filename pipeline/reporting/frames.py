"""Frames to look at, in every modality that some network reads, so that what one hides the other shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.artifacts import arrays
from pipeline.evaluation.embedding import NOTHING, label_sets
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.metrics.weighted import wholly_right
from pipeline.evaluation.question import Question
from pipeline.reporting.cells import joined, words
from pipeline.reporting.material import Material
from pipeline.reporting.methods import Method
from pipeline.reporting.pictures import URIS
from pipeline.reporting.units import MODALITIES
from pipeline.tasks import Task

Groups = list[tuple[str, pd.DataFrame]]  # heading and samples


@dataclass(frozen=True)
class Pair:
    """One frame: a picture by modality, its true labels, and what else is said of it, in lines."""

    uris: dict[str, str]
    truth: str
    lines: tuple[str, ...]


def modalities(names: Iterable[str]) -> str:
    """Modalities in a sentence: ``RGB and infrared``."""
    return joined([MODALITIES[name] for name in names])


def examples(material: Material) -> tuple[list[tuple[str, list[Pair]]], list[Pair]]:
    """Wrong frames in groups, and right ones, of the method that did best on validation."""
    method, config = material.favourite, material.config
    wrong = [(heading, _show(material, rows)) for heading, rows in wrong_frames(method, config.examples)]
    return wrong, _show(material, right_frames(method, config.examples, config.seed))


def wrong_frames(method: Method, count: int) -> Groups:
    """Test frames with a label missed, or called where it is not, label by label, the worst first.

    The worst is the one whose truth has the least probability. Labels come as they are told; a frame with several wrong
    labels is in several groups.
    """
    samples, task = method.samples, method.task
    groups: Groups = []
    for name in sorted(task.outputs, key=lambda name: name != task.outputs[task.positive_output]):
        label, called, probability = (samples[f"{column}_{name}"] for column in ("label", "predicted", "prob"))
        for there, verb in ((1, "missed"), (0, "called where there is none")):
            inside = (label == there) & (called != there)
            worst = samples[inside].assign(truth=np.where(there, probability, 1 - probability)[inside])
            heading = f"{words(name).capitalize()} {verb}: {int(inside.sum())} of {int((label == there).sum())}"
            groups.append((heading, worst.sort_values(["truth", "sample_id"])))
    groups = [(heading, rows) for heading, rows in groups if len(rows)] if count else []
    return [(heading, rows.head(max(1, count // len(groups)))) for heading, rows in groups]


def right_frames(method: Method, count: int, seed: int) -> pd.DataFrame:
    """A drawing of the test frames whose labels were all called as they are, if it can equally many of each set."""
    samples, question = method.samples.sort_values("sample_id"), Question.of(method.task)
    kind = METRICS[question.kind]
    sets = label_sets(kind.truths(samples, question))
    right = samples.assign(labels=sets)[wholly_right(kind.outcome(samples, question))]
    right = right.sample(frac=1, random_state=np.random.default_rng(seed))
    share = count // max(1, right["labels"].nunique())
    equal = right[right.groupby("labels").cumcount() < share].sort_values("labels", kind="stable")
    return pd.concat([equal, right.drop(equal.index)]).head(count)


def _show(material: Material, rows: pd.DataFrame) -> list[Pair]:
    """Frames with their words, in every modality that was prepared."""
    store, task = arrays.open_inputs(material.inputs), material.task
    places = store.rows(rows["sample_id"])
    uris = {MODALITIES[name]: URIS[name](store[name][places]) for name in task.teacher_inputs if name in store}
    return [
        Pair({name: every[place] for name, every in uris.items()}, _named(row, task, "label"), _lines(row, task))
        for place, (_, row) in enumerate(rows.iterrows())
    ]


def _lines(row: pd.Series, task: Task) -> tuple[str, ...]:
    """What was called, and how probable each label was."""
    probable = ", ".join(f"p({words(name)}) {row[f'prob_{name}']:.2f}" for name in task.outputs)
    return f"called {_named(row, task, 'predicted')}", probable


def _named(row: pd.Series, task: Task, column: str) -> str:
    """The labels that a column says, in words."""
    names = [words(name) for name in task.outputs if row[f"{column}_{name}"] == 1]
    return joined(names) if names else NOTHING[len(task.outputs) > 2]
