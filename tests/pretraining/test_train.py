"""Pretraining: what is asked of a backbone, and that asking is right."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline import models
from pipeline.config import Architecture
from pipeline.pretraining import network as pretrained_network
from pipeline.pretraining import targets as face_targets
from pipeline.pretraining.network import FaceLoss, PretrainedNetwork
from pipeline.pretraining.targets import FaceTargets
from tests.helpers.presets import NETWORKS

SMOKE = NETWORKS


def table(rows=6, seed=0):
    rng = np.random.default_rng(seed)
    points = {f"l68_{n}_{axis}": rng.uniform(50, 150, rows) for n in range(68) for axis in "xy"}
    person = {"age": rng.uniform(20, 80, rows), "gender": ["Man", "Woman"] * (rows // 2), "ethnicity": ["Asian"] * rows}
    return pd.DataFrame({"au04": rng.uniform(0, 5, rows), "au43": rng.integers(0, 2, rows), **person, **points})


def shift(rows, x, y, scale=1.0):
    return np.tile(np.array([[scale, 0, x], [0, scale, y]], float), (rows, 1, 1))


def test_truth_is_standardised_and_lies_in_the_aligned_face():
    frame = table()
    known = face_targets.of_table(frame, shift(6, 10, -20), size=256)
    assert known.names[:3] == ("au04", "au43", "age")
    np.testing.assert_allclose(known.values[:, 0].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(known.values[:, 0].std(ddof=1), 1, rtol=1e-6)
    pixel = frame["l68_3_x"].iloc[2] + 10
    np.testing.assert_allclose(known.landmarks[2, 3, 0], 2 * pixel / 256 - 1, rtol=1e-5)
    assert len(known.outputs) == len(known.names) + 136


def test_a_column_without_variation_stays_finite():
    known = face_targets.of_table(table(), shift(6, 0, 0), size=256)
    assert np.isfinite(known.values).all()


def test_mirroring_is_its_own_inverse_and_keeps_the_midline():
    landmarks = np.random.default_rng(1).normal(size=(4, 68, 2))
    flip = np.array([True, False, True, False])
    once = face_targets.mirrored(landmarks, flip)
    np.testing.assert_array_equal(face_targets.mirrored(once, flip), landmarks)
    np.testing.assert_array_equal(once[1], landmarks[1])
    for middle in (8, 27, 30, 33, 51, 57, 62, 66):
        assert face_targets.MIRRORED_68[middle] == middle
    for left, right in (
        (0, 16),
        (17, 26),
        (36, 45),
        (39, 42),
        (37, 44),
        (41, 46),
        (48, 54),
        (60, 64),
        (31, 35),
        (55, 59),
    ):
        assert face_targets.MIRRORED_68[left] == right
    assert sorted(face_targets.MIRRORED_68) == list(range(68))


def test_the_loss_is_zero_at_the_truth_and_counts_its_parts():
    loss = FaceLoss(units=1, values=2, guide_weight=2.0)
    wanted = torch.zeros(3, 2 + 136)
    assert loss(((wanted,), []), {"truth": wanted, "maps": []}) == 0
    off = wanted.clone()
    off[:, 0] = 3.0  # smooth L1 beyond 1: |x| - 1/2
    assert loss(((off,), []), {"truth": wanted, "maps": []}).item() == pytest.approx(2.5)
    assert loss(((off, wanted), []), {"truth": wanted, "maps": []}).item() == pytest.approx(1.25)
    maps = [torch.zeros(3, 4, 7, 7)]
    led = loss(((wanted,), maps), {"truth": wanted, "maps": [torch.full((3, 4, 7, 7), 2.0)]})
    assert led.item() == pytest.approx(2.0 * 1.5)


@pytest.mark.parametrize("family", ["resnet", "swin", "deit"])
def test_a_pupil_answers_and_follows_the_guide_and_both_are_learned(family):
    architecture = SMOKE[family]
    guide = models.build(SMOKE["resnet"], ["a"]).requires_grad_(False)
    model = models.build(
        Architecture(architecture.name, architecture.options, architecture.image_size, "random"), ["x"] * 138
    )
    images = torch.randn(2, 3, architecture.image_size, architecture.image_size)
    wanted = pretrained_network.guide_targets(guide, images)
    network = PretrainedNetwork(model, tuple(m.shape[1] for m in wanted), architecture.image_size).train()
    outputs, maps = network(images)
    assert len(outputs) == (2 if family == "deit" else 1)
    assert all(output.shape == (2, 138) for output in outputs)
    assert [m.shape[1] for m in maps] == [m.shape[1] for m in wanted]
    FaceLoss(1, 2, 2.0)((outputs, maps), {"truth": torch.randn(2, 138), "maps": wanted}).backward()
    assert all(p.grad is not None for p in network.parameters() if p.requires_grad)


def test_the_guides_maps_are_standardised():
    for maps in pretrained_network.guide_targets(models.build(SMOKE["resnet"], ["a"]), torch.randn(8, 3, 64, 64)):
        np.testing.assert_allclose(maps.mean(dim=(0, 2, 3)).numpy(), 0, atol=1e-4)


def test_scores_of_the_truth_are_perfect_and_an_error_is_measured_by_the_eyes():
    rng = np.random.default_rng(2)
    landmarks = rng.normal(size=(5, 68, 2)).astype(np.float32)
    landmarks[:, 36], landmarks[:, 45] = (-0.5, 0), (0.5, 0)
    known = FaceTargets(("au04", "age"), rng.normal(size=(5, 2)).astype(np.float32), landmarks)
    perfect = np.concatenate([known.values, landmarks.reshape(5, -1)], axis=1)
    found = face_targets.scores(perfect, known)
    assert found["mean_correlation"] == pytest.approx(1.0)
    assert found["nme"] == 0
    perfect[:, 2:] += np.tile([0.03, 0.04], 68)
    assert face_targets.scores(perfect, known)["nme"] == pytest.approx(0.05, rel=1e-4)


def test_held_out_faces_are_whole_subjects_and_do_not_depend_on_the_order():
    subjects = np.array([f"s{n}" for n in range(50) for _ in range(2)])
    kept = face_targets.held_out(subjects, 0.1)
    assert kept.sum() == 10
    assert not set(subjects[kept]) & set(subjects[~kept])
    order = np.random.default_rng(0).permutation(100)
    np.testing.assert_array_equal(face_targets.held_out(subjects[order], 0.1), kept[order])
    assert face_targets.held_out(subjects[:6], 0.01).sum() == 4
