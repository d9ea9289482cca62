from __future__ import annotations

import pytest
import timm
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

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


def test_what_is_frozen_is_not_trainable_and_the_file_has_its_size(tmp_path):
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    model[0].requires_grad_(False)
    (tmp_path / "weights").write_bytes(bytes(250_000))
    found = cost.measure(model, torch.zeros(1, 4), budget_s=0.0, weights=tmp_path / "weights")
    assert (found["parameters"], found["trainable"], found["megabytes"]) == (30, 10, 0.25)
    assert "megabytes" not in cost.measure(model, torch.zeros(1, 4), budget_s=0.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["resnet10t", "swin_tiny_patch4_window7_224", "efficientnet_b0", "vit_tiny_patch16_224"]
)
def test_shapes_alone_count_as_much_as_numbers(name):
    model, sample = timm.create_model(name).eval(), torch.zeros(1, 3, 224, 224)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        model(sample)
    assert cost.count_flops(model, sample) == counter.get_total_flops()
    assert next(model.parameters()).device.type == "cpu"
