"""Networks as they learn: the same network, whatever the loss; heads beside it; one loop for all losses."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import nn

from pipeline import models
from pipeline.compute import devices
from pipeline.distillation.losses.table import LOSSES, LossOptions, total
from pipeline.errors import ConfigError
from pipeline.models.heads import EMBEDDING, NetworkWithHeads
from pipeline.tasks import objective
from pipeline.training import loop
from pipeline.training.loop import Schedule
from tests.helpers.presets import NETWORKS

CLASSES = ["no_pain", "pain"]
FAMILIES = NETWORKS
ALL = "+".join(LOSSES)


def images(name: str, batch: int = 4) -> torch.Tensor:
    size = FAMILIES[name].image_size
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


def answers(name: str, batch: int = 4) -> dict[str, torch.Tensor]:
    found = models.outputs(models.build(FAMILIES[name], CLASSES, 7), images(name, batch), ("logits", "hidden", "map"))
    return found | {"label": torch.arange(batch) % 2, "hard": found["logits"].argmax(1)}


def shapes(targets: dict[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {kind: tuple(targets[kind].shape[1:]) for kind in ("hidden", "map")}


def network_with_heads(student: str, loss: str, targets: dict[str, torch.Tensor], seed: int = 0) -> NetworkWithHeads:
    network = models.build(FAMILIES[student], CLASSES, 0)
    return NetworkWithHeads(network, objective.parse(loss), shapes(targets), seed).train()


@pytest.mark.parametrize("loss", ["label", "hard", "soft+dkd+dist"])
def test_without_features_any_module_is_run_as_it_is(loss):
    network = nn.Linear(5, 2)  # knows nothing of timm
    found = NetworkWithHeads(network, objective.parse(loss))
    assert [name for name, _ in found.named_parameters()] == ["network.weight", "network.bias"]
    outputs = found(torch.ones(3, 5))
    assert torch.equal(outputs.tokens[0], network(torch.ones(3, 5)))
    assert (len(outputs.tokens), outputs.hidden, outputs.map) == (1, None, None)


@pytest.mark.parametrize(
    ("loss", "heads", "hidden", "map_"),
    [
        ("attention", set(), False, True),
        ("rkd", set(), True, False),
        ("cosine", {"cosine"}, True, False),
        ("hint", {"hint"}, False, True),
        ("contrastive", {"contrastive_student", "contrastive_teacher"}, True, False),
    ],
)
def test_only_what_the_losses_need_is_made_and_gathered(loss, heads, hidden, map_):
    targets = answers("resnet")
    found = network_with_heads("deit", loss, targets)
    outputs = found(images("deit"))
    assert set(found.heads) == set(outputs.heads) == heads
    assert (outputs.hidden is not None, outputs.map is not None) == (hidden, map_)


def test_heads_lead_from_the_student_to_the_teacher():
    targets = answers("resnet")
    found = network_with_heads("deit", ALL, targets)
    outputs = found(images("deit"))
    assert found.heads["cosine"](outputs.hidden).shape == targets["hidden"].shape
    assert found.heads["hint"](outputs.map).shape == (4, targets["map"].shape[1], *outputs.map.shape[2:])
    assert found.heads["contrastive_student"](outputs.hidden).shape == (4, EMBEDDING)
    assert found.heads["contrastive_teacher"](targets["hidden"]).shape == (4, EMBEDDING)


def test_the_network_and_the_callers_generator_never_depend_on_the_loss():
    targets = answers("resnet")
    found = {}
    for loss in ("hard", "hint", ALL):
        torch.manual_seed(5)
        found[loss] = network_with_heads("deit", loss, targets), torch.rand(1)
    (plain, drawn), *others = found.values()
    for other, also_drawn in others:
        assert torch.equal(drawn, also_drawn)
        for name, weights in plain.network.state_dict().items():
            assert torch.equal(weights, other.network.state_dict()[name])


def test_heads_depend_on_their_seed_alone():
    targets = answers("resnet")
    first, same, other = (network_with_heads("deit", "hint", targets, seed).heads["hint"].weight for seed in (3, 3, 4))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("student", ["resnet", "swin", "deit"])
def test_tokens_are_the_networks_own_whatever_is_gathered_beside_them(student):
    targets = answers("resnet")
    found = {}
    for loss in ("hard", ALL):
        runner = network_with_heads(student, loss, targets)
        with torch.random.fork_rng():
            torch.manual_seed(2)  # of dropout
            found[loss] = runner(images(student)).tokens
    assert all(torch.equal(token, expected) for token, expected in zip(found[ALL], found["hard"], strict=True))


def fit(
    student: str, loss: str, targets: dict[str, torch.Tensor], folder: Path
) -> tuple[NetworkWithHeads, list[float]]:
    """Six epochs of one batch in the training loop; the network_with_heads and its losses."""
    found, improving = network_with_heads(student, loss, targets), iter(range(6, 0, -1))
    progress = loop.fit(
        found,
        lambda epoch, first_step: [(images(student), targets)],
        total(objective.parse(loss), LossOptions()),
        lambda model: {"val_loss": float(next(improving))},
        Schedule(epochs=6, learning_rate=1e-3, step_size=10, gamma=0.5),
        folder,
        fingerprint="",
        steps=1,
    )
    return found, [row["train_loss"] for row in progress.history]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("teacher", "student"), [("resnet", "deit"), ("swin", "resnet"), ("deit", "swin")])
def test_one_loop_lowers_every_loss(teacher, student, loss, tmp_path):
    found, course = fit(student, loss, answers(teacher), tmp_path)
    assert course[-1] < course[0]
    assert all(p.grad is not None for p in found.heads.parameters())


def test_the_same_run_gives_the_same_weights_heads_included(tmp_path):
    targets = answers("resnet")
    first, second = (fit("deit", ALL, targets, tmp_path)[0].state_dict() for _ in range(2))
    untrained = network_with_heads("deit", ALL, targets).state_dict()
    for name, weights in first.items():
        assert torch.equal(weights, second[name])
    assert not torch.equal(first["heads.hint.weight"], untrained["heads.hint.weight"])


@pytest.mark.parametrize("student", ["swin", "deit"])
def test_a_batch_of_one_and_half_precision_give_finite_losses(student):
    targets = answers("resnet", batch=1)
    found = network_with_heads(student, ALL, targets)
    with devices.autocast("cpu", "bfloat16"):
        outputs = found(images(student, batch=1))
    assert outputs.tokens[0].dtype == torch.bfloat16
    assert outputs.hidden.dtype == outputs.map.dtype == torch.float32
    value = total(objective.parse(ALL), LossOptions())(outputs, targets)
    value.backward()
    assert value.dtype == torch.float32
    assert all(torch.isfinite(p.grad).all() for p in found.parameters() if p.grad is not None)


def test_a_network_without_features_is_named():
    class Bare(nn.Linear):
        pretrained_cfg: ClassVar = {"architecture": "bare"}

    for loss, kind in (("hint", "map"), ("cosine", "hidden")):
        with pytest.raises(ConfigError, match=f"bare gives no .*{kind}.*LOSS=hard"):
            NetworkWithHeads(Bare(5, 2), objective.parse(loss), {"hidden": (3,), "map": (3, 2, 2)})
