"""Networks as they learn: the same network, whatever the loss; heads beside it; one loop for all losses."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import nn

from pipeline import models
from pipeline.compute import devices
from pipeline.distillation.losses import table
from pipeline.distillation.losses.table import LossOptions, total
from pipeline.errors import ConfigError
from pipeline.models.heads import EMBEDDING, NetworkWithHeads
from pipeline.tasks import objective
from pipeline.tasks.objective import ONE_TEACHER
from pipeline.training import loop
from pipeline.training.schedule import Schedule
from tests.helpers.presets import NETWORKS

CLASSES = ["no_pain", "pain"]
FAMILIES = NETWORKS
LOSSES = table.LOSSES["classify"]
ALL = "+".join(LOSSES)


def images(name: str, batch: int = 4) -> torch.Tensor:
    size = FAMILIES[name].image_size
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


def answers(name: str, batch: int = 4, role: str = ONE_TEACHER) -> dict[str, torch.Tensor]:
    teacher = models.build(FAMILIES[name], CLASSES, 7)
    outputs = models.outputs(teacher, images(name, batch), ("logits", "hidden", "map"))
    outputs["hard"] = outputs["logits"].argmax(1)
    return {"label": torch.arange(batch) % 2, **{f"{role}/{what}": tensor for what, tensor in outputs.items()}}


def shapes(targets: dict[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(t.shape[1:]) for name, t in targets.items() if name.endswith(("/hidden", "/map"))}


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
        ("cosine", {"teacher/cosine"}, True, False),
        ("features", {"teacher/features"}, True, False),
        ("relation", set(), True, False),
        ("hint", {"teacher/hint"}, False, True),
        ("contrastive", {"teacher/contrastive_student", "teacher/contrastive_teacher"}, True, False),
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
    assert found.heads["teacher/cosine"](outputs.hidden).shape == targets["teacher/hidden"].shape
    assert found.heads["teacher/features"](outputs.hidden).shape == targets["teacher/hidden"].shape
    assert found.heads["teacher/hint"](outputs.map).shape == (
        *(4, targets["teacher/map"].shape[1]),
        *outputs.map.shape[2:],
    )
    assert found.heads["teacher/contrastive_student"](outputs.hidden).shape == (4, EMBEDDING)
    assert found.heads["teacher/contrastive_teacher"](targets["teacher/hidden"]).shape == (4, EMBEDDING)


def of_two_teachers() -> dict[str, torch.Tensor]:
    return answers("resnet", role="resnet") | answers("swin", role="swin")


def test_each_of_two_teachers_has_heads_of_its_own():
    targets = of_two_teachers()
    found = network_with_heads("deit", "cosine+hint", targets)
    outputs = found(images("deit"))
    assert set(found.heads) == {"resnet/cosine", "resnet/hint", "swin/cosine", "swin/hint"}
    assert targets["resnet/hidden"].shape != targets["swin/hidden"].shape
    for role in ("resnet", "swin"):
        assert found.heads[f"{role}/cosine"](outputs.hidden).shape == targets[f"{role}/hidden"].shape
        assert found.heads[f"{role}/hint"](outputs.map).shape[1] == targets[f"{role}/map"].shape[1]


def test_a_loss_about_one_of_two_teachers_makes_heads_for_that_one():
    found = network_with_heads("deit", "cosine@swin+hint@resnet+rkd", of_two_teachers())
    assert set(found.heads) == {"swin/cosine", "resnet/hint"}
    value = total(objective.parse("cosine@swin+hint@resnet+rkd"), LossOptions(), ("resnet", "swin"))
    value(found(images("deit")), of_two_teachers()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in found.heads.parameters())


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
    first, same, other = (
        network_with_heads("deit", "hint", targets, seed).heads["teacher/hint"].weight for seed in (3, 3, 4)
    )
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


@pytest.mark.slow
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
    assert not torch.equal(first["heads.teacher/hint.weight"], untrained["heads.teacher/hint.weight"])


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
            NetworkWithHeads(Bare(5, 2), objective.parse(loss), {"teacher/hidden": (3,), "teacher/map": (3, 2, 2)})
