from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.reporting import levels
from pipeline.reporting.runs import held_out


def test_the_mean_level_said_is_that_of_the_rows(leveled):
    section = levels.levels(leveled)
    table = section.tables["levels"].numbers
    for method in leveled.shown:
        frames = [held_out(run.predictions) for run in method.runs]
        means = np.mean([frame.groupby("label")["predicted"].mean() for frame in frames], axis=0)
        rows = table[table["model"] == method.title]
        assert rows["value"].tolist() == pytest.approx(means.tolist())
        assert rows["level"].tolist() == list(leveled.task.outputs)
        assert (rows["low"] <= rows["value"]).all()
        assert (rows["value"] <= rows["high"]).all()
    assert (table["low"] < table["high"]).any()
    assert all(f">{name}<" in section.figures["levels"].svg for name in leveled.task.outputs)


def test_guessing_reaches_what_it_must_on_equal_levels(leveled):
    table = levels.levels(leveled).tables["guesses"]
    counts = held_out(leveled.everyone)["label"].value_counts()
    value = table.numbers.set_index(["guess", "metric"])["value"]
    anything, always = "Any level, equally often", table.shown["Guess"][1]
    assert value[anything, "accuracy"] == value[anything, "balanced_accuracy"] == pytest.approx(1 / 5)
    assert value[anything, "quadratic_kappa"] == value[always, "quadratic_kappa"] == pytest.approx(0, abs=1e-12)
    distance = {c: sum(n * abs(c - other) for other, n in counts.items()) / counts.sum() for c in range(5)}
    best = min(distance, key=distance.get)
    assert always == f"Always {leveled.task.outputs[best]}"
    assert value[always, "mae"] == pytest.approx(distance[best])
    assert value[always, "accuracy"] == pytest.approx(counts[best] / counts.sum())
    square = sum(n * (c - other) ** 2 for c in range(5) for other, n in counts.items()) / 5 / counts.sum()
    assert value[anything, "rmse"] == pytest.approx(np.sqrt(square))
    assert value[leveled.favourite.title, "mae"] == leveled.favourite.estimate("mae").value


def test_only_more_than_two_levels_have_the_section(leveled, seven, material):
    assert levels.levels(seven) is None  # classes without an order
    assert levels.levels(material) is None
    runs = [replace(run) for run in leveled.runs]
    for run in runs:
        vars(run)["task"] = run.task.grouped("0,4")
    assert levels.levels(replace(leveled, runs=runs)) is None
