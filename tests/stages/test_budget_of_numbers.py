"""Numbers and points that are known of some training samples alone: by a budget of labels, or as the dataset has it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from pipeline import models, presets
from pipeline.artifacts import arrays
from pipeline.artifacts.store import Artifact, Node
from pipeline.config import EvaluateConfig
from pipeline.errors import DataError
from pipeline.inputs.shape_model import ShapeModel
from pipeline.training import loop
from stages import distill, evaluate, teacher_labels, train_teacher
from tests.fakes import regress
from tests.fakes.points import PointFakes
from tests.fakes.regress import NumberFakes

pytestmark = pytest.mark.slow

FAKES = {"intensity": NumberFakes, "landmarks": PointFakes}
ALL = pytest.mark.parametrize("name", FAKES)
KNOWN = 8  # subjects
BATCH = 16


@pytest.fixture(scope="module")
def fakes(tmp_path_factory):
    """By task a store with faces of its kind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regress, "OF_VIDEO", 3)  # frames
        yield {name: kind(tmp_path_factory.mktemp(name), 40, size=64) for name, kind in FAKES.items()}


def teacher(fakes, **changes) -> Node:
    """The first teacher of the smoke preset, trained for one epoch."""
    preset = presets.preset(fakes.task, "smoke")
    name = preset.teachers[0]
    config = replace(preset.train_teacher, teacher=name, architecture=preset.teacher(name), epochs=1, **changes)
    return Node("train_teacher", f"teacher-{config.learns}", 1, config, fakes.data, train_teacher.run)


def labels(fakes, of: Node) -> Node:
    """What a teacher says of every sample."""
    config = replace(presets.preset(fakes.task, "smoke").teacher_labels, teacher=of.config.teacher)
    return Node("teacher_labels", "labels", 1, config, {**fakes.data, "teacher": of}, teacher_labels.run)


def student(fakes, taught: bool, **changes) -> Node:
    """A student of that teacher, or of none, of two epochs."""
    preset, of = presets.preset(fakes.task, "smoke"), teacher(fakes)
    name = of.config.teacher if taught else "none"
    config = replace(preset.distill, teacher=name, architecture=preset.student("deit"), epochs=2, batch_size=BATCH)
    config = replace(config, **({} if taught else {"loss": "label"}) | changes)
    answers = {"labels_teacher": labels(fakes, of)} if taught else {}
    return Node("distill", f"student-{name}", 1, config, {**fakes.data, **answers}, distill.run)


def weights(artifact: Artifact) -> dict[str, torch.Tensor]:
    return load_file(artifact.file("weights.safetensors"))


@pytest.fixture
def seen(monkeypatch):
    """By a run's title, its batches' targets of both epochs."""
    seen, fit = {}, loop.fit

    def watched(model, batches, loss, *arguments, **options):
        seen[options["title"]] = [
            {name: t.clone() for name, t in targets.items()} for e in range(2) for _, targets in batches(e, 0)
        ]
        return fit(model, batches, loss, *arguments, **options)

    monkeypatch.setattr(loop, "fit", watched)
    return seen


@ALL
def test_a_taught_student_sees_all_and_knows_some_and_an_untaught_one_has_those_alone(name, fakes, seen):
    one = fakes[name]
    some = {"labelled": float(KNOWN), "seed": 6}
    taught, untaught = one.store.build(student(one, True, loss="label,soft", **some), student(one, False, **some))
    of_teacher, of_none = (seen[f"student-{role}"] for role in (taught.config["teacher"], "none"))
    counts = taught.summary["counts"]
    assert len(of_teacher) == len(of_none) == 2 * -(-counts["train"] // BATCH)
    missing = torch.cat([targets["label"].isnan().any(dim=1) for targets in of_teacher])
    assert torch.equal(missing, torch.cat([targets["label"].isnan().all(dim=1) for targets in of_teacher]))
    assert len(missing) == 2 * counts["train"]
    assert int((~missing).sum()) == 2 * counts["labelled_samples"] < len(missing)
    assert not any(targets["teacher/logits"].isnan().any() for targets in of_teacher)
    assert not any(targets["label"].isnan().any() for targets in of_none)
    assert untaught.summary["counts"]["train"] == counts["labelled_samples"]
    for artifact in (taught, untaught):
        card = models.load_model(artifact)[1]
        assert (card["labelled"], card["labelled_subjects"]) == (KNOWN, KNOWN)
        text = artifact.file("MODEL_CARD.md").read_text()
        assert f"those of {KNOWN} training subjects ({counts['labelled_samples']} faces)" in text
        assert all(torch.isfinite(value).all() for value in weights(artifact).values())


@ALL
def test_the_teachers_answers_are_learned_whatever_labels_are_known(name, fakes):
    one = fakes[name]
    budgets = [student(one, True, loss="soft", labelled=labelled, seed=3) for labelled in (0.0, 2.0, float(KNOWN))]
    first, *others = map(weights, one.store.build(*budgets))
    assert all(torch.equal(first[part], other[part]) for other in others for part in first)


@ALL
def test_the_true_answers_are_learned_where_they_are_known(name, fakes):
    one = fakes[name]
    budgets = [student(one, True, loss="label,soft", labelled=labelled, seed=3) for labelled in (0.0, 2.0, KNOWN)]
    some = [weights(artifact) for artifact in one.store.build(*budgets)]
    alone = weights(one.store.build(student(one, True, loss="soft", seed=3))[0])
    parts = [torch.cat([weight.flatten() for weight in found.values()]) for found in (*some, alone)]
    assert len({part.numpy().tobytes() for part in parts}) == len(parts)


@pytest.mark.parametrize("loss", ["kd", "label,assistive", "main", "wing,soft"])
def test_every_loss_of_points_can_do_without_some(loss, fakes):
    one = fakes["landmarks"]
    some, everything = one.store.build(
        *(student(one, True, loss=loss, labelled=labelled, seed=4) for labelled in (float(KNOWN), 0.0))
    )
    first, second = weights(some), weights(everything)
    assert all(torch.isfinite(value).all() for value in first.values())
    assert not all(torch.equal(first[part], second[part]) for part in first)
    assert np.isfinite(pd.read_csv(some.file("history.csv"))).all(axis=None)


def test_a_budget_of_numbers_that_are_all_the_same_is_refused(tmp_path):
    one = NumberFakes(tmp_path, 40, size=64)
    one.table["pspi"] = 3.0
    one.table.loc[one.table["subject_id"] == "000", "pspi"] = 3.5  # of one person, in the same level
    with pytest.raises(DataError, match=r"training faces with a known number, of \d+ have the same value.*LABELLED="):
        one.store.build(student(one, False, labelled=1.0))


def test_one_persons_points_are_enough(fakes):
    made = fakes["landmarks"].store.build(student(fakes["landmarks"], False, labelled=1.0))[0]
    assert (made.summary["counts"]["labelled_subjects"], made.summary["counts"]["train"]) == (1, 2)


@pytest.fixture(scope="module")
def partly(tmp_path_factory):
    """Faces of which every third subject's points are not known."""
    one = PointFakes(tmp_path_factory.mktemp("partly"), 40, size=64)
    columns = one.table.filter(regex=f"^{one.task.target}").columns
    one.table.loc[one.table["subject_id"].astype(int) % 3 == 0, columns] = np.nan
    return one


def known(fakes) -> pd.DataFrame:
    """The table's rows with points, with their parts and places."""
    (split,) = fakes.store.build(fakes.split)
    table = fakes.table.assign(part=arrays.read_table(split.file("split.csv"))["part"], place=range(len(fakes.table)))
    return table[table[fakes.task.target].notna()]


def test_a_shape_model_is_of_the_training_samples_that_have_points(partly):
    made = partly.store.build(teacher(partly, learns="soft", procrustes=False))[0]
    table = known(partly)
    train = table[table["part"] == "train"]
    assert 0 < len(table) < len(partly.table)
    assert made.summary["counts"]["train"] == len(train)
    model = ShapeModel.load(made.file("shape_model.npz"))
    assert np.allclose(model.mean, partly.shares[train["place"]].mean(axis=0), atol=1e-5)
    written = pd.read_csv(made.file("soft_points.csv"))
    assert written.notna().all(axis=None)
    assert set(written["sample_id"]) <= set(train["sample_id"])
    assert 0 < made.summary["shape_model"]["residual_nme"] < 0.1
    assert all(torch.isfinite(value).all() for value in weights(made).values())


def test_a_cross_fitted_teachers_shape_model_has_not_seen_its_fold(partly):
    made = partly.store.build(
        *(teacher(partly, learns="soft", procrustes=False, folds=2, fold=fold) for fold in (0, 1))
    )
    table = known(partly)
    counts = [one.summary["counts"]["train"] for one in made]
    assert sum(counts) == (table["part"] == "train").sum()
    means = [ShapeModel.load(one.file("shape_model.npz")).mean for one in made]
    whole = partly.shares[table.loc[table["part"] == "train", "place"]].mean(axis=0)
    together = sum(count * mean for count, mean in zip(counts, means, strict=True)) / sum(counts)
    assert np.allclose(together, whole, atol=1e-5)
    assert np.abs(means[0] - means[1]).max() > 1e-4


def test_samples_without_points_are_neither_learned_nor_measured(partly):
    one = student(partly, True, loss="kd")
    evaluation = Node(
        "evaluate",
        "evaluation",
        1,
        EvaluateConfig(task=partly.task, replicates=20, device="cpu"),
        {**partly.data, "model": one, "labels_teacher": one.inputs["labels_teacher"]},
        evaluate.run,
    )
    made, measured = partly.store.build(one, evaluation)
    table = known(partly)
    assert made.summary["counts"]["train"] == (table["part"] == "train").sum()
    frame = arrays.read_table(measured.file("predictions.csv"))
    assert frame["sample_id"].tolist() == table["sample_id"].tolist()
    assert frame.filter(regex="^(label|value|teacher_value)_p").notna().all(axis=None)
