"""Low-rank adaptation: little is trained, and what is saved is the plain network."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import timm
import torch

from pipeline import models
from pipeline.config import Architecture
from pipeline.errors import ConfigError
from pipeline.models import lora
from tests.helpers.networks import FINGERPRINT

pytestmark = pytest.mark.skipif(not find_spec("peft"), reason="the extra lora brings peft")
CLASSES = ("anger", "disgust", "fear")
VIT = Architecture(
    "vit_tiny_patch16_224", (("depth", 2), ("embed_dim", 48), ("num_heads", 3)), 64, "random", trained="lora:4"
)


def stepped(model: torch.nn.Module) -> torch.nn.Module:
    """A few steps of training, so that the low-rank matrices are no longer zero."""
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.05)
    for _ in range(3):
        loss = model(PICTURES).square().mean() - model(PICTURES)[:, 0].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


PICTURES = torch.randn(5, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_matrices_of_the_rank_and_the_head_are_trained_and_nothing_else():
    model = models.build(VIT, CLASSES)
    card = models.describe(model, VIT, CLASSES)
    per_block = 4 * 48 + 3 * 48 * 4  # down to the rank, up to queries, keys and values
    assert card["trained_parameters"] == 2 * per_block + 48 * 3 + 3
    plain = timm.create_model(VIT.name, num_classes=3, img_size=64, **dict(VIT.options))
    assert card["parameters"] == sum(p.numel() for p in plain.parameters())


def test_training_changes_no_weight_of_the_backbone():
    model = models.build(VIT, CLASSES)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    after = stepped(model).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(lora.is_adapter(name) or name.startswith("head.") for name in changed)


def test_what_is_saved_is_the_plain_network_with_the_same_answers(tmp_path):
    model = stepped(models.build(VIT, CLASSES))
    with torch.no_grad():
        expected = model(PICTURES)
    models.save_model(tmp_path, model, models.describe(model, VIT, CLASSES), FINGERPRINT)
    loaded, _ = models.load_model(tmp_path)
    plain = timm.create_model(VIT.name, num_classes=3, img_size=64, **dict(VIT.options))
    assert loaded.state_dict().keys() == plain.state_dict().keys()
    assert (models.logits(loaded, PICTURES) - expected).abs().max() < 1e-5
    fresh = models.build(VIT, CLASSES)
    assert (models.logits(fresh, PICTURES) - expected).abs().max() > 1e-2


def test_the_same_seed_gives_the_same_matrices():
    first, second = (models.build(VIT, CLASSES, seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_network_without_attention_and_a_rank_that_is_none_are_named():
    with pytest.raises(ConfigError, match="has no attention"):
        models.build(Architecture("resnet10t", image_size=64, weights="random", trained="lora:4"), CLASSES)
    with pytest.raises(ConfigError, match="expected a rank, such as lora:8"):
        lora.rank_of("lora:0")


def test_a_plain_transformer_starts_from_a_distilled_ones_weights():
    shipped = Architecture("vit_tiny_patch16_224", (("depth", 6),), 112, "shipped", label="deit-tiny-6-distilled-112")
    model = models.build(shipped, CLASSES)
    distilled = models.build(
        Architecture("deit_tiny_distilled_patch16_224", (("depth", 6),), 112, "shipped", label=shipped.label), CLASSES
    )
    assert torch.equal(model.blocks[5].mlp.fc2.weight, distilled.blocks[5].mlp.fc2.weight)
    assert torch.equal(model.pos_embed[:, 0], distilled.pos_embed[:, 0])
    assert torch.equal(model.pos_embed[:, 1:], distilled.pos_embed[:, 2:])
    picture = torch.randn(2, 3, 112, 112, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        one, other = (m.eval().forward_features(picture)[:, -49:].flatten(1) for m in (model, distilled))
    assert torch.nn.functional.cosine_similarity(one, other).min() > 0.9  # one token less to look at
