"""The networks of the paper preset, with random weights asked for: one step of each runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from pipeline import models
from pipeline.distillation.losses.table import hard_loss
from pipeline.inputs.views.image import normalise
from tests.helpers.presets import PAPER, networks

CLASSES = ["no_pain", "pain"]
FACES = torch.randint(0, 256, (2, 256, 256, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.slow
@pytest.mark.parametrize("teacher", ["resnet", "swin"])
def test_a_step_of_the_student_with_each_teacher(teacher):
    answering = replace(networks(PAPER)[teacher], weights="random")
    learning = replace(networks(PAPER)["deit"], weights="random")
    answers = models.logits(models.build(answering, CLASSES), normalise(FACES, models.input_spec(answering)))
    student = models.build(learning, CLASSES).train()
    assert student.patch_embed.grid_size == (16, 16)
    assert sum(p.numel() for p in student.parameters()) == pytest.approx(86e6, rel=0.01)
    optimizer = torch.optim.Adam(student.parameters(), lr=1e-5)
    before = student.head_dist.weight.detach().clone()
    outputs = student(normalise(FACES, models.input_spec(learning)))
    hard_loss(*outputs, torch.tensor([0, 1]), answers.argmax(1)).backward()
    optimizer.step()
    assert torch.isfinite(student.head_dist.weight).all()
    assert not torch.equal(student.head_dist.weight, before)
