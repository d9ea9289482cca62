"""The table of losses: what each takes from a network's outputs and a batch's targets, and their weighted sum."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pipeline.distillation.losses import features, logits, numbers, points, table
from pipeline.distillation.losses import table as losses
from pipeline.distillation.losses.features import (
    attention_loss,
    contrastive_loss,
    cosine_loss,
    features_loss,
    hint_loss,
    relation_loss,
    rkd_loss,
)
from pipeline.distillation.losses.labels import binary_hard_loss, binary_loss, binary_soft_loss
from pipeline.distillation.losses.logits import dist_loss, dkd_loss, label_loss, soft_loss
from pipeline.distillation.losses.numbers import ccc_loss, mse_loss, smooth_l1_loss
from pipeline.distillation.losses.points import CONSTANTS, assistive_loss, kd_loss, main_loss, wing_loss
from pipeline.distillation.losses.table import OF_FEATURES, TOGETHER, LossOptions, balanced_weights, total
from pipeline.models.heads import Outputs
from pipeline.tasks import objective
from pipeline.tasks.objective import ONE_TEACHER, Term

LOSSES = table.LOSSES["classify"]
OF_LOGITS = ("label", "hard", "soft", "dkd", "dist")
WEIGHTS = torch.tensor([0.2, 1.8])


@pytest.fixture
def batch():
    """Outputs of a network with two tokens, 9 faces, and all that targets can hold."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    with torch.random.fork_rng():
        torch.manual_seed(0)
        heads = {
            "cosine": nn.Linear(5, 7),
            "hint": nn.Conv2d(4, 6, 1),
            "features": nn.Linear(5, 7),
            "contrastive_student": nn.Linear(5, 8),
            "contrastive_teacher": nn.Linear(7, 8),
        }
    outputs = Outputs((draw(9, 2), draw(9, 2)), hidden=draw(9, 5), map=draw(9, 4, 3, 3), heads=heads)
    targets = {"label": torch.arange(9) % 2, "logits": draw(9, 2), "hidden": draw(9, 7), "map": draw(9, 6, 2, 2)}
    return outputs, targets | {"hard": targets["logits"].argmax(1)}


def value(name: str, outputs: Outputs, targets: dict, **options) -> torch.Tensor:
    return LOSSES[name](outputs, targets, LossOptions(**options))


def of_role(role: str, by_name: dict) -> dict:
    """Targets or heads of one teacher, as a network and a batch have them; the label is no teacher's."""
    return {name if name == "label" else f"{role}/{name}": values for name, values in by_name.items()}


def with_roles(outputs: Outputs, targets: dict, role: str = ONE_TEACHER) -> tuple[Outputs, dict]:
    return replace(outputs, heads=of_role(role, outputs.heads)), of_role(role, targets)


@pytest.fixture
def of_two(batch):
    """The same outputs, heads and targets of two teachers, and what each of them says alone."""
    outputs, resnet = batch
    swin = {name: t if name == "label" else t.flip(0) * (1 if name == "hard" else 1.5) for name, t in resnet.items()}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        others = {name: copy.deepcopy(head) for name, head in outputs.heads.items()}
        for head in others.values():
            head.reset_parameters()
    alone = {"resnet": (outputs, resnet), "swin": (replace(outputs, heads=others), swin)}
    heads = of_role("resnet", outputs.heads) | of_role("swin", others)
    return replace(outputs, heads=heads), of_role("resnet", resnet) | of_role("swin", swin), alone


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_label_and_hard_are_half_the_sum_of_both_tokens_cross_entropies(batch, weights):
    outputs, targets = batch
    (first, second), label = outputs.tokens, targets["label"]
    for name, by_teacher in (("label", label), ("hard", targets["hard"])):
        expected = (F.cross_entropy(first, label, weights) + F.cross_entropy(second, by_teacher, weights)) / 2
        assert torch.equal(value(name, outputs, targets, class_weights=weights), expected)
        one = replace(outputs, tokens=(first,))
        expected = (F.cross_entropy(first, label, weights) + F.cross_entropy(first, by_teacher, weights)) / 2
        assert torch.equal(value(name, one, targets, class_weights=weights), expected)


def test_in_hard_each_token_learns_its_own_target(batch):
    outputs, targets = batch
    tokens = tuple(token.requires_grad_() for token in outputs.tokens)
    by_teacher = torch.autograd.grad(value("hard", outputs, targets), tokens)
    by_other = torch.autograd.grad(value("hard", outputs, {**targets, "hard": 1 - targets["hard"]}), tokens)
    assert torch.equal(by_teacher[0], by_other[0])
    assert not torch.equal(by_teacher[1], by_other[1])


def test_a_teacher_that_is_always_right_equals_the_baseline(batch):
    outputs, targets = batch
    agreed = {**targets, "hard": targets["label"]}
    assert torch.equal(value("hard", outputs, agreed), value("label", outputs, agreed))


@pytest.mark.parametrize("name", ["soft", "dkd", "dist"])
def test_both_tokens_learn_the_teachers_logits(batch, name):
    outputs, targets = batch
    answer, label = targets["logits"], targets["label"]
    function = {
        "soft": lambda logits: soft_loss(logits, answer, 3.0),
        "dkd": lambda logits: dkd_loss(logits, answer, label, temperature=3.0),
        "dist": lambda logits: dist_loss(logits, answer, temperature=3.0),
    }[name]
    first, second = map(function, outputs.tokens)
    torch.testing.assert_close(value(name, outputs, targets, temperature=3.0), (first + second) / 2)
    one = replace(outputs, tokens=outputs.tokens[:1])
    torch.testing.assert_close(value(name, one, targets, temperature=3.0), first)


def test_features_are_compared_through_the_heads(batch):
    outputs, targets = batch
    heads, teacher_map = outputs.heads, targets["map"]
    expected = {
        "cosine": cosine_loss(heads["cosine"](outputs.hidden), targets["hidden"]),
        "hint": hint_loss(heads["hint"](outputs.map), teacher_map / teacher_map.square().mean().sqrt()),
        "attention": attention_loss(outputs.map, teacher_map),
        "rkd": rkd_loss(outputs.hidden, targets["hidden"]),
        "contrastive": contrastive_loss(
            heads["contrastive_student"](outputs.hidden), heads["contrastive_teacher"](targets["hidden"])
        ),
        "features": features_loss(
            heads["features"](outputs.hidden), targets["hidden"] / targets["hidden"].square().mean().sqrt()
        ),
        "relation": relation_loss(outputs.hidden, targets["hidden"]),
    }
    assert expected.keys() == LOSSES.keys() - set(OF_LOGITS)
    for name, tensor in expected.items():
        torch.testing.assert_close(value(name, outputs, targets), tensor)


def test_the_hint_knows_no_scale_of_the_teacher(batch):
    outputs, targets = batch
    louder = {**targets, "map": 50 * targets["map"]}
    torch.testing.assert_close(value("hint", outputs, louder), value("hint", outputs, targets))
    silent = {**targets, "map": 0 * targets["map"]}
    assert torch.isfinite(value("hint", outputs, silent))


def test_of_several_labels_each_token_learns_each_label(batch):
    outputs, targets = batch
    labels = {"label": (targets["logits"] > 0.5).float(), "hard": (targets["logits"] > 0).long()}
    options, tokens = LossOptions(temperature=3.0, class_weights=WEIGHTS), outputs.tokens
    expected = {
        "label": sum(binary_loss(token, labels["label"], WEIGHTS) for token in tokens) / 2,
        "hard": binary_hard_loss(*tokens, labels["label"], labels["hard"], WEIGHTS),
        "soft": sum(binary_soft_loss(token, targets["logits"], 3.0) for token in tokens) / 2,
    }
    own = table.LOSSES["multilabel"]
    assert own.keys() == expected.keys() | OF_FEATURES.keys()
    assert tuple(expected) == objective.OF_OUTPUTS["multilabel"]
    for name, loss in expected.items():
        torch.testing.assert_close(own[name](outputs, targets | labels, options), loss)
        found = total([Term(name)], options, kind="multilabel")(*with_roles(outputs, targets | labels))
        torch.testing.assert_close(found, loss)


def test_the_sum_is_weighted(batch):
    outputs, targets = batch
    options = LossOptions(temperature=2.0, class_weights=WEIGHTS)
    found = total(objective.parse("soft:0.7+hint:0.3"), options)(*with_roles(outputs, targets))
    parts = {name: LOSSES[name](outputs, targets, options) for name in ("soft", "hint")}
    torch.testing.assert_close(found, 0.7 * parts["soft"] + 0.3 * parts["hint"])


@pytest.mark.parametrize("name", LOSSES)
def test_a_sum_of_one_is_the_loss_bit_for_bit(batch, name):
    assert torch.equal(total([Term(name)], LossOptions())(*with_roles(*batch)), value(name, *batch))


@pytest.mark.parametrize("name", list(LOSSES)[1:])
def test_a_loss_about_all_teachers_is_the_mean_over_them(of_two, name):
    outputs, targets, alone = of_two
    parts = [value(name, *of_one) for of_one in alone.values()]
    assert not torch.equal(*parts)
    found = total([Term(name, 3.0)], LossOptions(), ("resnet", "swin"))(outputs, targets)
    torch.testing.assert_close(found, 3 * (parts[0] + parts[1]) / 2)


@pytest.mark.parametrize("name", list(LOSSES)[1:])
def test_a_loss_with_a_role_speaks_of_that_teacher_alone(of_two, name):
    outputs, targets, alone = of_two
    found = total([Term(name, 1.0, "swin")], LossOptions(), ("resnet", "swin"))
    expected = value(name, *alone["swin"])
    assert torch.equal(found(outputs, targets), expected)
    without = {key: tensor for key, tensor in targets.items() if not key.startswith("resnet/")}
    assert torch.equal(found(outputs, without), expected)


def test_soft_of_one_teacher_beside_hard_of_both(of_two):
    outputs, targets, alone = of_two
    found = total(objective.parse("hard:2,soft@swin:0.5"), LossOptions(), ("resnet", "swin"))(outputs, targets)
    hard = sum(value("hard", *of_one) for of_one in alone.values()) / 2
    torch.testing.assert_close(found, 2 * hard + 0.5 * value("soft", *alone["swin"]))


def test_the_true_label_counts_once_however_many_teachers_there_are(of_two):
    outputs, targets, alone = of_two
    found = total([Term("label", 2.0)], LossOptions(), ("resnet", "swin"))(outputs, targets)
    assert torch.equal(found, 2 * value("label", *alone["resnet"]))
    baseline = total([Term("label")], LossOptions())(outputs, {"label": targets["label"]})
    assert torch.equal(baseline, value("label", *alone["resnet"]))


@pytest.mark.parametrize("mixed", [False, True])
def test_label_smoothing_is_torchs(batch, mixed):
    outputs, targets = batch
    shares = 0.7 * F.one_hot(targets["label"], 2) + 0.3 * F.one_hot(targets["label"].flip(0), 2)
    label = shares if mixed else targets["label"]
    found = value("label", outputs, {"label": label}, label_smoothing=0.1)
    expected = sum(F.cross_entropy(token, label, label_smoothing=0.1) for token in outputs.tokens) / 2
    torch.testing.assert_close(found, expected)
    assert found != value("label", outputs, {"label": label})


def test_smoothed_labels_are_weighted_as_the_shares_that_they_are(batch):
    """Spread by hand: a smoothed label and the same shares given as such cost the same, with class weights too."""
    outputs, targets = batch
    shares = 0.9 * F.one_hot(targets["label"], 2) + 0.05
    options = {"class_weights": WEIGHTS}
    found = value("label", outputs, {"label": targets["label"]}, label_smoothing=0.1, **options)
    torch.testing.assert_close(found, value("label", outputs, {"label": shares}, **options))


@pytest.mark.parametrize("name", LOSSES)
def test_smoothing_is_that_of_the_true_label_alone(batch, name):
    outputs, targets = batch
    changed = not torch.equal(value(name, outputs, targets), value(name, outputs, targets, label_smoothing=0.2))
    assert changed == (name == "label")


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_reads_the_label_and_what_the_text_says(batch, name):
    outputs, targets = batch
    needed = {"label", *objective.REQUIRED_TARGETS[name]}
    value(name, outputs, {kind: targets[kind] for kind in needed})
    for kind in objective.REQUIRED_TARGETS[name]:
        with pytest.raises(KeyError, match=kind):
            value(name, outputs, {other: targets[other] for other in needed - {kind}})


@pytest.mark.parametrize("name", OF_LOGITS)
def test_pictures_may_be_mixed(batch, name):
    outputs, targets = batch
    shares = 0.7 * F.one_hot(targets["label"], 2) + 0.3 * F.one_hot(targets["label"].flip(0), 2)
    found = value(name, outputs, {**targets, "label": shares}, class_weights=WEIGHTS)
    assert torch.isfinite(found)
    if name == "label":
        first, second = (label_loss(token, shares, WEIGHTS) for token in outputs.tokens)
        assert torch.equal(found, (first + second) / 2)


@pytest.mark.parametrize("name", LOSSES)
def test_class_weights_are_those_of_the_cross_entropies(batch, name):
    outputs, targets = batch
    changed = not torch.equal(value(name, outputs, targets), value(name, outputs, targets, class_weights=WEIGHTS))
    assert changed == (name in ("label", "hard"))


@pytest.mark.parametrize("name", LOSSES)
def test_temperature_is_that_of_the_softened_logits(batch, name):
    outputs, targets = batch
    changed = not torch.equal(value(name, outputs, targets), value(name, outputs, targets, temperature=2.0))
    assert changed == (name in ("soft", "dkd", "dist"))


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_float32_whatever_the_network_and_the_cache_give(batch, name):
    outputs, targets = batch
    narrow = replace(outputs, tokens=tuple(token.bfloat16() for token in outputs.tokens))
    halved = {kind: t.half() if t.is_floating_point() else t for kind, t in targets.items()}
    assert value(name, narrow, halved).dtype == torch.float32


def test_balanced_weights_make_classes_count_alike():
    labels = torch.tensor([0, 0, 0, 1])
    weights = balanced_weights(labels, 2)
    assert weights.tolist() == pytest.approx([4 / 6, 2])
    assert weights[labels].mean().item() == pytest.approx(1)


def test_every_loss_is_a_public_function():
    public = {name for module in (features, logits, losses, numbers, points) for name in vars(module)}
    assert all(f"{name}_loss" in public for name in objective.REQUIRED_TARGETS)


@pytest.mark.parametrize("mixed", [False, True])
def test_hard_takes_the_teachers_answer_where_there_is_no_label(batch, mixed):
    outputs, targets = batch
    known = torch.arange(9) % 3 > 0
    label = torch.where(known, targets["label"], targets["hard"])
    missing = torch.where(known, targets["label"], -1)
    if mixed:
        label, missing = (F.one_hot(one.clamp(min=0), 2).float() for one in (label, missing))
        missing[~known] = torch.nan
    found = value("hard", outputs, targets | {"label": missing}, partial=True)
    assert torch.equal(found, value("hard", outputs, targets | {"label": label}))


def test_label_learns_from_the_known_labels_alone(batch):
    outputs, targets = batch
    known = torch.arange(9) % 3 > 0
    found = value("label", outputs, targets | {"label": torch.where(known, targets["label"], -1)}, partial=True)
    fewer = replace(outputs, tokens=tuple(logits[known] for logits in outputs.tokens))
    torch.testing.assert_close(found, value("label", fewer, {"label": targets["label"][known]}))


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in ("label", "hard", "dkd")])
def test_the_other_losses_ask_for_no_label(batch, name):
    outputs, targets = batch
    missing = targets | {"label": torch.full((9,), -1)}
    assert torch.equal(value(name, outputs, missing, partial=True), value(name, outputs, targets))


LEVEL_WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 3.0, 4.0])


@pytest.fixture
def tokens(batch):
    """Outputs of a network with two tokens, and what is true of 9 samples: shares of a range, the first two unknown."""
    outputs, _ = batch
    truth = torch.rand(9, 2, generator=torch.Generator().manual_seed(3))
    truth[:2] = torch.nan
    return outputs, truth


@pytest.mark.parametrize("weights", [None, LEVEL_WEIGHTS])
def test_each_token_learns_the_numbers(tokens, weights):
    outputs, truth = tokens
    answer, options = truth.flip(0).nan_to_num(), LossOptions(class_weights=weights, partial=True)
    expected = {
        "label": sum(mse_loss(token, truth, weights) for token in outputs.tokens) / 2,
        "smooth_l1": sum(smooth_l1_loss(token, truth, weights) for token in outputs.tokens) / 2,
        "ccc": sum(ccc_loss(token, truth, weights) for token in outputs.tokens) / 2,
        "soft": sum((token - answer).square().mean() for token in outputs.tokens) / 2,
    }
    assert table.LOSSES["regress"].keys() == expected.keys() | OF_FEATURES.keys()
    assert tuple(expected) == objective.OF_OUTPUTS["regress"]
    targets = {"label": truth, f"{ONE_TEACHER}/logits": answer}
    for name, loss in expected.items():
        torch.testing.assert_close(total([Term(name)], options, kind="regress")(outputs, targets), loss)
    both = total(objective.parse("label+ccc:0.5"), options, kind="regress")(outputs, {"label": truth})
    torch.testing.assert_close(both, expected["label"] + 0.5 * expected["ccc"])


OF_THREE = ("tough", "strict", "tolerant")


def taught(truth: torch.Tensor, roles: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """What is true, and what each teacher says of it: the farther off, the later it is named."""
    noise = torch.randn(9, 2, generator=torch.Generator().manual_seed(4))
    teachers = {f"{role}/logits": truth.nan_to_num() + (1 + n) * noise / 3 for n, role in enumerate(roles)}
    return {"label": truth} | teachers


def summed(loss: str, roles: tuple[str, ...], constants: str = "paper"):
    return total(objective.parse(loss), LossOptions(constants=constants), roles, "points")


def filled(truth: torch.Tensor, answer: torch.Tensor) -> torch.Tensor:
    """What `kd` learns as the truth: a teacher's answer where it is not known."""
    return torch.where(truth.isnan(), answer, truth)


def test_each_token_learns_the_points(tokens):
    outputs, truth = tokens
    targets = taught(truth, (ONE_TEACHER,))
    answer = targets[f"{ONE_TEACHER}/logits"]
    expected = {
        "label": sum(mse_loss(token, truth) for token in outputs.tokens) / 2,
        "wing": sum(wing_loss(token, truth) for token in outputs.tokens) / 2,
        "soft": sum((token - answer).square().mean() for token in outputs.tokens) / 2,
        "main": sum(main_loss(token, truth, answer, 3.0) for token in outputs.tokens) / 2,
        "assistive": sum(assistive_loss(token, truth, answer, *CONSTANTS["code"].zones(1)) for token in outputs.tokens)
        / 2,
        "kd": sum(kd_loss(token, filled(truth, answer), [answer], CONSTANTS["code"]) for token in outputs.tokens) / 2,
    }
    assert table.LOSSES["points"].keys() | TOGETHER.keys() == expected.keys() | OF_FEATURES.keys()
    assert tuple(expected) == objective.OF_OUTPUTS["points"]
    for name, loss in expected.items():
        torch.testing.assert_close(summed(name, (ONE_TEACHER,), "code")(outputs, targets), loss)


@pytest.mark.parametrize("constants", CONSTANTS)
@pytest.mark.parametrize("roles", [(ONE_TEACHER,), ("tough", "tolerant"), OF_THREE])
def test_kd_is_one_main_part_and_the_assistive_part_of_every_role(tokens, roles, constants):
    """The order is that of the roles, whatever order the targets come in."""
    outputs, truth = tokens
    outputs = replace(outputs, tokens=outputs.tokens[:1])
    targets, own = taught(truth, roles), CONSTANTS[constants]
    answers = [targets[f"{role}/logits"] for role in roles]
    told = filled(truth, answers[0])
    farthest = told + torch.stack([(answer - told).abs() for answer in answers]).amax(dim=0)
    expected = len(roles) * own.main * main_loss(outputs.tokens[0], told, farthest, own.g)
    for answer, zones in zip(answers, own.zones(len(roles)), strict=True):
        expected = expected + assistive_loss(outputs.tokens[0], told, answer, zones)
    backwards = dict(reversed(targets.items()))
    torch.testing.assert_close(summed("kd", roles, constants)(outputs, backwards), expected)
    torch.testing.assert_close(summed("kd:0.3", roles, constants)(outputs, targets), 0.3 * expected)


def test_kd_is_what_its_parts_sum_to(tokens):
    """For two teachers of which the tolerant one is farther off: twice the weight of main about that one, and twice the
    mean of both assistive parts.
    """
    outputs, truth = tokens
    roles, targets = ("tough", "tolerant"), taught(truth, ("tough", "tolerant"))
    truth = filled(truth, torch.zeros_like(truth))
    tolerant = truth + 2 * (targets["tough/logits"] - truth)
    targets |= {"label": truth, "tolerant/logits": tolerant}
    for constants, parts in (("paper", "main@tolerant:2.5+assistive:2"), ("code", "main@tolerant:2+assistive:2")):
        whole, sum_of_parts = (summed(loss, roles, constants)(outputs, targets) for loss in ("kd", parts))
        torch.testing.assert_close(whole, sum_of_parts)
    apart = summed("main@tolerant:2+assistive@tough+assistive@tolerant", roles, "code")(outputs, targets)
    torch.testing.assert_close(apart, summed("kd", roles, "code")(outputs, targets))


def test_the_constants_of_a_role_are_those_of_its_place_among_all(tokens):
    outputs, truth = tokens
    targets, tough, tolerant = taught(truth, OF_THREE), *CONSTANTS["code"].zones(2)
    for role, zones in {"tough": tough, "strict": tough, "tolerant": tolerant}.items():
        answer = targets[f"{role}/logits"]
        expected = sum(assistive_loss(token, truth, answer, zones) for token in outputs.tokens) / 2
        alone = {name: values for name, values in targets.items() if name in ("label", f"{role}/logits")}
        torch.testing.assert_close(summed(f"assistive@{role}", OF_THREE, "code")(outputs, alone), expected)
        told = filled(truth, answer)
        expected = sum(kd_loss(t, told, [answer], CONSTANTS["code"], [zones]) for t in outputs.tokens) / 2
        torch.testing.assert_close(summed(f"kd@{role}", OF_THREE, "code")(outputs, alone), expected)


def test_main_without_a_role_is_the_mean_over_the_teachers(tokens):
    outputs, truth = tokens
    targets = taught(truth, OF_THREE)
    each = [summed(f"main@{role}", OF_THREE)(outputs, targets) for role in OF_THREE]
    torch.testing.assert_close(summed("main", OF_THREE)(outputs, targets), sum(each) / 3)


def test_kd_beside_features_of_every_teacher(of_two):
    outputs, targets, alone = of_two
    targets = {**targets, "label": torch.zeros(9, 2)}
    roles, options = ("resnet", "swin"), LossOptions()
    found = total(objective.parse("kd:1+features:0.1"), options, roles, "points")(outputs, targets)
    own = [value("features", *of_one) for of_one in alone.values()]
    torch.testing.assert_close(found, summed("kd", roles)(outputs, targets) + 0.1 * sum(own) / 2)
