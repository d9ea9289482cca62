"""What students and teachers minimise: functions of a network's outputs and a batch's targets, chosen by name.

A network's output while training is one tensor of logits, or the pair (class token, distillation token) of a distilled
DeiT. A new loss is a new entry of ``LOSSES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Outputs = Tensor | tuple[Tensor, Tensor]
Targets = Mapping[str, Tensor]


def label_loss(outputs: Outputs, targets: Targets, class_weights: Tensor | None = None) -> Tensor:
    """Cross-entropy with the true labels; of two tokens, both learn them, with weight 1/2 each.

    For two classes it is the binary cross-entropy of the difference of the two logits.

    Parameters
    ----------
    outputs : float, shape (B, C), or two of them.
    targets : ``label`` int64, shape (B,).
    class_weights : float, shape (C,), or None for equal weights.
    """
    by_class, by_teacher = _tokens(outputs)
    label = targets["label"]
    return (_cross_entropy(by_class, label, class_weights) + _cross_entropy(by_teacher, label, class_weights)) / 2


def hard_loss(outputs: Outputs, targets: Targets, class_weights: Tensor | None = None) -> Tensor:
    """Hard-label distillation: the class token learns the true label, the distillation token the teacher's answer.

    Parameters
    ----------
    outputs : float, shape (B, C), or two of them; a network with one output learns both from it.
    targets : ``label`` and ``teacher`` (the teacher's argmax) int64, shape (B,).
    class_weights : float, shape (C,), or None for equal weights.

    Source: Touvron et al. 2021, arXiv:2012.12877, equation 3, with its weights of 1/2. El Morabit and Rivenq 2022 write
    the same as a sum of binary cross-entropies, twice this value.
    """
    by_class, by_teacher = _tokens(outputs)
    truth = _cross_entropy(by_class, targets["label"], class_weights)
    return (truth + _cross_entropy(by_teacher, targets["teacher"], class_weights)) / 2


@dataclass(frozen=True)
class Loss:
    """A loss and the targets it reads."""

    function: Callable[[Outputs, Targets, Tensor | None], Tensor]
    targets: tuple[str, ...]


LOSSES = {
    "label": Loss(label_loss, ("label",)),
    "hard": Loss(hard_loss, ("label", "teacher")),
}


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


def _tokens(outputs: Outputs) -> tuple[Tensor, Tensor]:
    return outputs if isinstance(outputs, tuple) else (outputs, outputs)


def _cross_entropy(logits: Tensor, target: Tensor, class_weights: Tensor | None) -> Tensor:
    return F.cross_entropy(logits.float(), target, weight=class_weights)
