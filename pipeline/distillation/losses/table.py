"""What students and teachers minimise: functions of a network's outputs and a batch's targets, chosen by name.

A new loss is a pure function, an entry here, among those of features or of the outputs of a kind, and one of
``objective.REQUIRED_TARGETS`` and, of outputs, of ``objective.OF_OUTPUTS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

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
from pipeline.distillation.losses.logits import dist_loss, dkd_loss, filled, label_loss, soft_loss, wide
from pipeline.distillation.losses.numbers import ccc_loss, mse_loss, smooth_l1_loss
from pipeline.distillation.losses.points import CONSTANTS, Zones, assistive_loss, kd_loss, main_loss, wing_loss
from pipeline.models.heads import Outputs
from pipeline.tasks.objective import ONE_TEACHER, REQUIRED_TARGETS, Term

Targets = Mapping[str, Tensor]


@dataclass(frozen=True)
class LossOptions:
    """What losses share.

    Parameters
    ----------
    temperature : of ``soft``, ``dkd`` and ``dist``.
    class_weights : float, shape (C,), of the cross-entropies ``label`` and ``hard``; of several labels how much each
        counts where it is there; None for equal weights.
    label_smoothing : share of the true label that ``label`` spreads over all classes.
    partial : whether some of the true labels are missing, so that ``label`` learns from the others alone.
    constants : of ``main``, ``assistive`` and ``kd``, by their name in ``points.CONSTANTS``.
    """

    temperature: float = 4.0
    class_weights: Tensor | None = None
    label_smoothing: float = 0.0
    partial: bool = False
    constants: str = "paper"


def hard_loss(
    by_class: Tensor, by_teacher: Tensor, label: Tensor, teacher: Tensor, class_weights: Tensor | None = None
) -> Tensor:
    """Hard-label distillation: the class token learns the label, the distillation token the teacher's answer.

    Parameters
    ----------
    by_class, by_teacher : float, shape (B, C), logits of the two tokens; the same twice for a network without tokens.
    label : int64, shape (B,), or float, shape (B, C), the classes' shares of each picture. Where it is missing, below 0
        or NaN, the teacher's answer stands for it.
    teacher : int64, shape (B,), the teacher's argmax.
    class_weights : float, shape (C,), or None for equal weights.

    Source: Touvron et al. 2021, arXiv:2012.12877, equation 3, with its weights of 1/2. El Morabit and Rivenq 2022 write
    the same as a sum of binary cross-entropies, twice this value.
    """
    label = filled(label, teacher)
    return (label_loss(by_class, label, class_weights) + label_loss(by_teacher, teacher, class_weights)) / 2


def total(
    terms: Iterable[Term], options: LossOptions, roles: Sequence[str] = (ONE_TEACHER,), kind: str = "classify"
) -> Callable[[Outputs, Targets], Tensor]:
    """The weighted sum of the terms' losses, as ``loop.fit`` wants it.

    The tokens of a network that has two learn ``label`` and ``hard`` as these say; any other loss of logits is the mean
    of both tokens' losses. A loss about all of several teachers is the mean over them, but for ``kd``, which is a sum
    over them of its own.

    Parameters
    ----------
    terms : of the objective.
    options : that the losses share.
    roles : of the teachers, of points from tough to tolerant; targets are keyed ``role/what``, heads ``role/name``.
    kind : of the task, which says what outputs and labels are.
    """
    parts = [part for term in terms for part in _parts(term, options, roles, kind)]

    def loss(outputs: Outputs, targets: Targets) -> Tensor:
        return sum(weight * function(outputs, targets) for weight, function in parts)

    return loss


def _parts(
    term: Term, options: LossOptions, roles: Sequence[str], kind: str
) -> Iterator[tuple[float, Callable[[Outputs, Targets], Tensor]]]:
    """The weighted losses that a term stands for: one a role, or one about all of its roles."""
    played = _roles(term, roles)
    if term.name in TOGETHER:
        zones = dict(zip(roles, CONSTANTS[options.constants].zones(len(roles)), strict=True))
        yield term.weight, partial(TOGETHER[term.name], options=options, zones={role: zones[role] for role in played})
        return
    for role in played:
        yield term.weight / len(played), partial(_of_one, LOSSES[kind][term.name], role, options)


def _of_one(function: Callable, role: str, options: LossOptions, outputs: Outputs, targets: Targets) -> Tensor:
    """A loss of what one role says."""
    return function(replace(outputs, heads=_of(role, outputs.heads)), _of(role, targets), options)


def _roles(term: Term, roles: Sequence[str]) -> Sequence[str]:
    """The roles that a term is counted for; the true label is no teacher's."""
    if term.role or not REQUIRED_TARGETS[term.name]:
        return (term.role,)
    return roles


def _of(role: str, by_role: Mapping) -> dict:
    """What is one role's, under its own name, and what is nobody's."""
    own = {name.removeprefix(f"{role}/"): value for name, value in by_role.items() if name.startswith(f"{role}/")}
    return {name: value for name, value in by_role.items() if "/" not in name} | own


def balanced_weights(labels: Tensor, classes: int) -> Tensor:
    """Class weights inversely proportional to the classes' counts; their mean over the samples is 1.

    Parameters
    ----------
    labels : int64, shape (N,), every class at least once.
    classes : number of classes C.

    Returns
    -------
    float32, shape (C,)
    """
    counts = torch.bincount(labels, minlength=classes)
    return len(labels) / (classes * counts.float())


def _over_tokens(loss: Callable[[Tensor], Tensor], outputs: Outputs) -> Tensor:
    return sum(loss(logits) for logits in outputs.tokens) / len(outputs.tokens)


def _label(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    return _over_tokens(
        lambda logits: label_loss(
            logits, targets["label"], options.class_weights, options.label_smoothing, options.partial
        ),
        outputs,
    )


def _hard(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    tokens = outputs.tokens
    return hard_loss(tokens[0], tokens[-1], targets["label"], targets["hard"], options.class_weights)


def _soft(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    return _over_tokens(lambda logits: soft_loss(logits, targets["logits"], options.temperature), outputs)


def _label_of_each(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    return _over_tokens(
        lambda logits: binary_loss(logits, targets["label"], options.class_weights, options.label_smoothing), outputs
    )


def _hard_of_each(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    tokens = outputs.tokens
    return binary_hard_loss(tokens[0], tokens[-1], targets["label"], targets["hard"], options.class_weights)


def _soft_of_each(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    return _over_tokens(lambda logits: binary_soft_loss(logits, targets["logits"], options.temperature), outputs)


def _of_numbers(loss: Callable[[Tensor, Tensor, Tensor | None], Tensor]) -> Callable:
    """A loss of numbers, weighted by their levels, over the tokens."""

    def weighted(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
        return _over_tokens(lambda numbers: loss(numbers, targets["label"], options.class_weights), outputs)

    return weighted


def _soft_numbers(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    """The mean squared difference to the teacher's numbers."""
    return _over_tokens(lambda numbers: mse_loss(numbers, targets["logits"]), outputs)


def _true_points(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    return _over_tokens(lambda points: mse_loss(points, targets["label"]), outputs)


def _wing(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    return _over_tokens(lambda points: wing_loss(points, targets["label"]), outputs)


def _main(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    g = CONSTANTS[options.constants].g
    return _over_tokens(lambda points: main_loss(points, targets["label"], targets["logits"], g), outputs)


def _assistive(outputs: Outputs, targets: Targets, options: LossOptions, zones: Mapping[str, Zones]) -> Tensor:
    """The mean over the roles, each with its own zones."""
    truth = targets["label"]

    def loss(points: Tensor) -> Tensor:
        each = (assistive_loss(points, truth, targets[f"{role}/logits"], own) for role, own in zones.items())
        return sum(each) / len(zones)

    return _over_tokens(loss, outputs)


def _kd(outputs: Outputs, targets: Targets, options: LossOptions, zones: Mapping[str, Zones]) -> Tensor:
    """Where the truth is not known, the toughest teacher's answer stands for it."""
    teachers, constants = [targets[f"{role}/logits"] for role in zones], CONSTANTS[options.constants]
    label = targets["label"]
    truth = torch.where(label.isnan(), teachers[0].to(label.dtype), label)
    return _over_tokens(lambda points: kd_loss(points, truth, teachers, constants, tuple(zones.values())), outputs)


def _dkd(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    return _over_tokens(
        lambda logits: dkd_loss(logits, targets["logits"], targets["label"], temperature=options.temperature), outputs
    )


def _dist(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    return _over_tokens(lambda logits: dist_loss(logits, targets["logits"], temperature=options.temperature), outputs)


def _cosine(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    return cosine_loss(outputs.heads["cosine"](outputs.hidden), targets["hidden"])


def _hint(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    """The teacher's map is divided by its root mean square over the batch."""
    return hint_loss(outputs.heads["hint"](outputs.map), _scaled(targets["map"]))


def _features(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    """The teacher's features are divided by their root mean square over the batch, as in ``_hint``."""
    return features_loss(outputs.heads["features"](outputs.hidden), _scaled(targets["hidden"]))


def _scaled(features: Tensor) -> Tensor:
    """A teacher's features over their root mean square: a weight means the same for any teacher."""
    features = wide(features)
    scale = features.square().mean().sqrt()
    return features / scale.masked_fill(scale == 0, 1)


def _attention(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    return attention_loss(outputs.map, targets["map"])


def _rkd(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    return rkd_loss(outputs.hidden, targets["hidden"])


def _contrastive(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    student = outputs.heads["contrastive_student"](outputs.hidden)
    return contrastive_loss(student, outputs.heads["contrastive_teacher"](wide(targets["hidden"])))


def _relation(outputs: Outputs, targets: Targets, options: LossOptions) -> Tensor:
    return relation_loss(outputs.hidden, targets["hidden"])


OF_FEATURES = {
    "cosine": _cosine,
    "hint": _hint,
    "attention": _attention,
    "rkd": _rkd,
    "contrastive": _contrastive,
    "features": _features,
    "relation": _relation,
}
# By kind of task: losses of its outputs, and those of features, which know no kind.
LOSSES = {
    "classify": {"label": _label, "hard": _hard, "soft": _soft, "dkd": _dkd, "dist": _dist} | OF_FEATURES,
    "multilabel": {"label": _label_of_each, "hard": _hard_of_each, "soft": _soft_of_each} | OF_FEATURES,
    "regress": {
        "label": _of_numbers(mse_loss),
        "smooth_l1": _of_numbers(smooth_l1_loss),
        "ccc": _of_numbers(ccc_loss),
        "soft": _soft_numbers,
    }
    | OF_FEATURES,
    "points": {"label": _true_points, "wing": _wing, "soft": _soft_numbers, "main": _main} | OF_FEATURES,
}
# Of points: losses that ask of each teacher which of all of them it is.
TOGETHER = {"assistive": _assistive, "kd": _kd}
