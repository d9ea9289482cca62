from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from pipeline.models import cost


def test_arithmetic_by_hand():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.Flatten(), nn.Linear(4 * 8 * 8, 2)).eval()
    macs = 3 * 4 * 9 * 64 + 256 * 2
    found = cost.measure(model, torch.zeros(1, 3, 8, 8), budget_s=0.01)
    assert found["gmacs"] == pytest.approx(macs / 1e9, abs=1e-6)
    assert cost.count_flops(model, torch.zeros(1, 3, 8, 8)) == 2 * macs
    assert found["parameters"] == 3 * 4 * 9 + 256 * 2 + 2
    assert 0 < found["latency_ms"] <= found["latency_p90_ms"]


def test_attention_is_counted():
    """A block of dim D over T tokens: 12 D² per token in the linear maps, 2 T D per token in the attention."""
    model = timm.create_model(
        "deit_tiny_patch16_224", img_size=32, embed_dim=48, depth=1, num_heads=3, num_classes=2
    ).eval()
    tokens, dim = 5, 48
    linear = tokens * 12 * dim**2 + 4 * 3 * 256 * dim + dim * 2
    attention = tokens * 2 * tokens * dim
    assert cost.count_flops(model, torch.zeros(1, 3, 32, 32)) == 2 * (linear + attention)


def test_a_network_of_two_modalities_costs_what_its_branches_cost():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.rgb, self.ir = nn.Linear(12, 2), nn.Linear(4, 2)

        def forward(self, inputs):
            return self.rgb(inputs["rgb"]) + self.ir(inputs["ir"])

    sample = {"rgb": torch.zeros(1, 12), "ir": torch.zeros(1, 4)}
    assert cost.count_flops(Two(), sample) == 2 * (12 * 2 + 4 * 2)
    assert cost.measure(Two(), sample, budget_s=0.0)["latency_ms"] >= 0


def test_the_number_of_threads_is_given_back():
    before = torch.get_num_threads()
    cost.measure(nn.Conv2d(3, 1, 1), torch.zeros(1, 3, 4, 4), budget_s=0.0)
    assert torch.get_num_threads() == before
