"""Losses between a student's logits and several yes-or-no labels: pure functions, averaged over batch and labels.

They count in float32 at least, whatever arithmetic the network ran in.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.distillation.losses.logits import wide


def binary_loss(
    student_logits: Tensor, label: Tensor, positive_weights: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """Binary cross-entropy of every label; the mean is over the labels that are known, 0 where none is.

    Parameters
    ----------
    student_logits : float, shape (B, L).
    label : shape (B, L), 0 or 1, shares between them where views are mixed, NaN where not known.
    positive_weights : float, shape (L,), how much a label counts where it is there; None for 1.
    smoothing : share of each label that is moved to one half.
    """
    logits, label = wide(student_logits), label.to(wide(student_logits).dtype)
    known = ~label.isnan()
    target = (1 - smoothing) * torch.where(known, label, 0) + smoothing / 2  # NaN would reach the gradients
    each = F.binary_cross_entropy_with_logits(logits, target, pos_weight=positive_weights, reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


def binary_soft_loss(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence of each softened label of the student from the teacher's, times temperature squared.

    Parameters
    ----------
    student_logits, teacher_logits : float, shape (B, L).
    temperature : > 0; its square keeps the gradients' size as it grows.

    With q and p the teacher's and the student's sigmoid of logit / temperature: the mean over batch and labels of
    q log(q / p) + (1 - q) log((1 - q) / (1 - p)). It is the loss of Hinton et al. 2015, arXiv:1503.02531, section 2,
    of a softmax over (logit, 0).
    """
    student, teacher = wide(student_logits) / temperature, wide(teacher_logits) / temperature
    share = teacher.sigmoid()
    divergence = share * (F.logsigmoid(teacher) - F.logsigmoid(student))
    divergence = divergence + (1 - share) * (F.logsigmoid(-teacher) - F.logsigmoid(-student))
    return temperature**2 * divergence.mean()


def binary_hard_loss(
    by_class: Tensor, by_teacher: Tensor, label: Tensor, teacher: Tensor, positive_weights: Tensor | None = None
) -> Tensor:
    """Hard-label distillation of several labels: half the true labels, half what the teacher calls.

    Parameters
    ----------
    by_class, by_teacher : float, shape (B, L), logits of the two tokens; the same twice for a network without tokens.
    label : as of ``binary_loss``; where it is not known, the teacher's stands for it.
    teacher : shape (B, L), 1 where the teacher calls the label.
    positive_weights : as of ``binary_loss``.

    Source: as ``hard_loss`` of classes (Touvron et al. 2021, arXiv:2012.12877, equation 3), label by label.
    """
    teacher = teacher.to(wide(by_class).dtype)
    label = torch.where(label.isnan(), teacher, label) if label.is_floating_point() else label
    own = binary_loss(by_class, label, positive_weights)
    return (own + binary_loss(by_teacher, teacher, positive_weights)) / 2
