"""The forecast of a sweep and its table of runs."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from pipeline.artifacts.store import ArtifactStore, Node
from stages import sweep
from tests.fakes.classify import Fakes
from tests.helpers.presets import NETWORKS, SMOKE


def run_node(seed: int, epochs: int = 2, loss: str = "hard") -> Node:
    config = replace(SMOKE.distill, architecture=NETWORKS["deit"], seed=seed, epochs=epochs, loss=loss)
    return Node("distill", f"student-{loss}-{epochs}-s{seed}", 1, config, {}, lambda config, work: {})


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store in which every artifact takes ten seconds for each epoch."""
    clock = iter(range(0, 10**6, 20))
    monkeypatch.setattr("pipeline.artifacts.store.time.monotonic", lambda: next(clock))
    return ArtifactStore(tmp_path)


def test_nothing_is_promised_before_anything_was_made(store):
    nodes = [run_node(seed) for seed in range(3)]
    said = sweep.announce(store, [[node] for node in nodes], nodes)
    assert said == "3 runs, 0 of them there, 3 to make; how long is known after the first run."


def test_the_forecast_is_what_like_runs_took(store):
    nodes = [run_node(seed) for seed in range(4)]
    store.build(nodes[0])
    assert (
        sweep.announce(store, [[node] for node in nodes], nodes)
        == "4 runs, 1 of them there, 3 to make; about 60 s left."
    )
    # Three times the epochs take three times as long, another loss about the same.
    assert sweep.left(store, [[run_node(9, epochs=6)]]) == "about 60 s left"
    assert sweep.left(store, [[run_node(9, loss="soft")]]) == "about 20 s left"
    store.build(*nodes)
    assert sweep.left(store, [[node] for node in nodes]) == "nothing is left to do"


def test_runs_of_the_same_loss_count_more_than_others(store, monkeypatch):
    store.build(run_node(0), run_node(1))
    clock = iter(range(0, 10**6, 200))
    monkeypatch.setattr("pipeline.artifacts.store.time.monotonic", lambda: next(clock))
    store.build(run_node(0, loss="rkd"))
    assert sweep.left(store, [[run_node(5, loss="rkd")]]) == "about 3 min left"
    assert sweep.left(store, [[run_node(5)]]) == "about 20 s left"


def test_before_any_student_was_trained_teachers_stand_in_for_it(store):
    config = replace(SMOKE.train_teacher, architecture=NETWORKS["swin"], epochs=4)
    store.build(Node("train_teacher", "teacher", 1, config, {}, lambda config, work: {}))
    assert sweep.left(store, [[run_node(0)]]) == "about 10 s left"


def test_what_is_made_first_is_named(store):
    faces = Node("align", "inputs", 1, SMOKE.align, {}, lambda config, work: {})
    student = replace(run_node(0), inputs={"faces": faces})
    store.build(run_node(7))
    assert sweep.announce(store, [[student]], [student]) == (
        "1 runs, 0 of them there, 1 to make; first inputs; about 20 s left and, not seen in this cache yet, align."
    )


def test_the_table_has_a_row_for_each_run_and_is_whole_after_each(tmp_path):
    fakes = Fakes(tmp_path, subjects=40, size=64)
    table = sweep.RunTable(tmp_path / "runs.csv")
    for count, seed in enumerate(range(3), 1):
        model = fakes.model("deit", "swin", seed, loss="soft", views=6)
        student, evaluation = fakes.store.build(model, fakes.evaluation(model))
        table.add([(student, evaluation)])
        written = pd.read_csv(table.path)
        assert len(written) == count
        assert written["fingerprint"].iloc[-1] == student.fingerprint
        assert written["seed"].tolist() == list(range(count))
    assert {"student", "teacher", "loss", "views", "folds", "balanced_accuracy", "seconds"} <= set(written)
