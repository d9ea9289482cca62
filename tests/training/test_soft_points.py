"""Points that a shape model has smoothed, as a teacher learns them and as its artifact keeps them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.inputs.batches import Samples
from pipeline.inputs.shape_model import ShapeModel
from pipeline.tasks import TASKS
from pipeline.training.soft_points import MODEL, POINTS, SHOWN, SoftPoints

TASK = TASKS["landmarks"]


def samples(count: int, seed: int = 0) -> Samples:
    """Faces that differ in two ways, each point moved a little besides; shares of the side."""
    rng = np.random.default_rng(seed)
    mean, ways = np.random.default_rng(9).uniform(-0.3, 0.3, 136), np.random.default_rng(8).normal(0, 0.02, (2, 136))
    truth = mean + rng.normal(size=(count, 2)) @ ways + rng.normal(0, 0.004, (count, 136))
    return Samples({}, np.arange(count), [f"{n}.jpg#full" for n in range(count)], truth.astype(np.float32))


def test_a_teacher_of_soft_points_learns_what_the_shape_model_of_the_training_samples_says(tmp_path):
    train, val = samples(40), samples(6, seed=1)
    soft = SoftPoints.fit(TASK, train, 0.9, aligned=True)
    learned = soft.of(val)
    assert learned.truth.shape == (6, 136)
    assert learned.truth.dtype == np.float32
    smoothed = ShapeModel.fit(train.truth.reshape(-1, 68, 2).astype(float), 0.9, True).smooth(
        val.truth.reshape(-1, 68, 2).astype(float)
    )
    assert np.allclose(learned.truth, smoothed.reshape(6, -1), atol=1e-6)
    assert 1e-4 < np.abs(learned.truth - val.truth).mean() < 0.02
    assert val.truth is not learned.truth


def test_the_artifact_says_how_far_points_were_moved(tmp_path):
    train = samples(40)
    soft = SoftPoints.fit(TASK, train, 0.9, aligned=False)
    soft.save(tmp_path)
    facts = soft.facts()
    before, after = (one.reshape(-1, 68, 2).astype(float) for one in (train.truth, soft.of(train).truth))
    eyes = np.linalg.norm(before[:, 36] - before[:, 45], axis=1)
    moved = np.linalg.norm(before - after, axis=2).mean(axis=1)
    assert facts == {
        "components": len(ShapeModel.load(tmp_path / MODEL).variances),
        "share": 0.9,
        "aligned": False,
        "residual_nme": np.mean(moved / eyes),
    }
    written = pd.read_csv(tmp_path / POINTS)
    assert len(written) == SHOWN
    assert np.allclose(written[[f"label_{name}" for name in TASK.numbers]], train.truth[:SHOWN], atol=1e-6)
    assert np.allclose(written[[f"soft_{name}" for name in TASK.numbers]], soft.of(train).truth[:SHOWN], atol=1e-6)


def test_with_all_components_points_stay(tmp_path):
    train = samples(40)
    assert SoftPoints.fit(TASK, train, 1.0, aligned=True).facts()["residual_nme"] < 1e-4
