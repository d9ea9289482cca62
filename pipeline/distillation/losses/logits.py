"""Losses between a student's logits and its targets: pure functions, averaged over the batch.

They count in float32 at least, whatever arithmetic the network ran in.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

FLAT = 1e-3  # probabilities that vary less than this, as a vector's length, have no direction worth following


def label_loss(
    student_logits: Tensor,
    label: Tensor,
    class_weights: Tensor | None = None,
    smoothing: float = 0.0,
    partial: bool = False,
) -> Tensor:
    """Cross-entropy with labels. For two classes: the binary cross-entropy of the difference of the two logits.

    Parameters
    ----------
    student_logits : float, shape (B, C).
    label : int64, shape (B,), or float, shape (B, C), the classes' shares of each picture.
    class_weights : float, shape (C,), or None for equal weights. The weighted mean is divided by the weights of what
        is there, so that shares of 0 and 1 give the value of the labels that they say (torch divides by B instead).
    smoothing : share of each label that is spread over all classes (Szegedy et al. 2016, arXiv:1512.00567, section 7).
    partial : labels may be missing, below 0 or rows of NaN: the mean is over the others, 0 where there are none.
    """
    logits = wide(student_logits)
    if partial:
        return _partial_loss(logits, label, class_weights, smoothing)
    if smoothing:
        shares = label if label.is_floating_point() else F.one_hot(label, logits.shape[1]).to(logits.dtype)
        label = (1 - smoothing) * shares + smoothing / logits.shape[1]
    if label.is_floating_point() and class_weights is not None:
        return F.cross_entropy(logits, label, weight=class_weights, reduction="sum") / (label @ class_weights).sum()
    return F.cross_entropy(logits, label, weight=class_weights)


def soft_loss(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence of the softened student from the softened teacher, times temperature squared.

    Parameters
    ----------
    student_logits, teacher_logits : float, shape (B, C).
    temperature : > 0; its square keeps the gradients' size as it grows.

    Source: Hinton et al. 2015, arXiv:1503.02531, section 2.
    """
    student = F.log_softmax(wide(student_logits) / temperature, dim=1)
    teacher = F.log_softmax(wide(teacher_logits) / temperature, dim=1)
    return temperature**2 * F.kl_div(student, teacher, reduction="batchmean", log_target=True)


def dkd_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    label: Tensor,
    alpha: float = 1.0,
    beta: float = 8.0,
    temperature: float = 4.0,
) -> Tensor:
    """Decoupled distillation: ``soft_loss`` split into the true class against all others, and among the others.

    Parameters
    ----------
    student_logits, teacher_logits : float, shape (B, C).
    label : int64, shape (B,); of float shares, shape (B, C), the largest counts. Where it is missing, below 0 or NaN,
        the teacher's highest class stands for it.
    alpha, beta : weights of the true class's part and of the others' part.
    temperature : > 0, as in ``soft_loss``.

    With two classes there is one other class alone: its part is zero, and the loss is ``alpha`` times ``soft_loss``.

    Source: Zhao et al. 2022, arXiv:2203.08679, equation 7; alpha and beta as the authors' code has them by default.
    """
    label = filled(label, teacher_logits.argmax(1))
    if label.is_floating_point():
        label = label.argmax(1)
    student_target, student_others = _decoupled(wide(student_logits) / temperature, label)
    teacher_target, teacher_others = _decoupled(wide(teacher_logits) / temperature, label)
    target = F.kl_div(student_target, teacher_target, reduction="batchmean", log_target=True)
    others = F.kl_div(student_others, teacher_others, reduction="batchmean", log_target=True)
    return temperature**2 * (alpha * target + beta * others)


def dist_loss(
    student_logits: Tensor, teacher_logits: Tensor, beta: float = 1.0, gamma: float = 1.0, temperature: float = 4.0
) -> Tensor:
    """What the softened probabilities lack in correlation: over each sample's classes, and over each class's samples.

    Parameters
    ----------
    student_logits, teacher_logits : float, shape (B, C).
    beta, gamma : weights of the relation between classes (rows) and within classes (columns).
    temperature : > 0; the authors scale by its square.

    Two numbers always correlate by +1 or -1: with two classes the relation between classes only says whether student
    and teacher lean the same way, and gives next to no gradient. In a batch of one, nothing varies within a class: that
    part is 1. Departure: vectors shorter than ``FLAT`` count as if they had that length (the authors: 1e-8), which
    keeps the gradients of a student that has learned nothing yet at most 1/``FLAT``.

    Source: Huang et al. 2022, arXiv:2205.10536, the inter-class and the intra-class loss; both weights 1 by default.
    """
    student = F.softmax(wide(student_logits) / temperature, dim=1)
    teacher = F.softmax(wide(teacher_logits) / temperature, dim=1)
    between, within = _correlation(student, teacher), _correlation(student.T, teacher.T)
    return temperature**2 * (beta * (1 - between.mean()) + gamma * (1 - within.mean()))


def filled(label: Tensor, other: Tensor) -> Tensor:
    """Labels, those that are missing taken from elsewhere.

    Parameters
    ----------
    label : int64, shape (B,), below 0 where missing; or float, shape (B, C), rows of NaN where missing.
    other : int64, shape (B,), classes.
    """
    if label.is_floating_point():
        return torch.where(label.isnan(), F.one_hot(other, label.shape[1]).to(label.dtype), label)
    return torch.where(label < 0, other, label)


def wide(tensor: Tensor) -> Tensor:
    """The tensor in float32, or in float64 where it has that."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _partial_loss(logits: Tensor, label: Tensor, class_weights: Tensor | None, smoothing: float) -> Tensor:
    """The mean over the labels that are there, weighted as in ``label_loss``; no look at how many there are."""
    classes, floating = logits.shape[1], label.is_floating_point()
    missing = label.isnan().any(1, keepdim=True) if floating else (label < 0)[:, None]  # (B, 1)
    shares = label if floating else F.one_hot(label.clamp(min=0), classes).to(logits.dtype)
    shares = (1 - smoothing) * shares.masked_fill(missing, 0) + smoothing / classes  # NaN would reach the gradients
    weighted = (shares if class_weights is None else shares * class_weights).masked_fill(missing, 0)
    total = weighted.sum()
    return -(weighted * F.log_softmax(logits, dim=1)).sum() / total.masked_fill(total == 0, 1)


def _decoupled(logits: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities of (true class, any other), shape (B, 2), and of each other class among them, (B, C - 1)."""
    batch, classes = logits.shape
    is_target = F.one_hot(label, classes).bool()
    others = logits[~is_target].view(batch, classes - 1)
    binary = torch.stack([logits[is_target], others.logsumexp(1)], dim=1)
    return F.log_softmax(binary, dim=1), F.log_softmax(others, dim=1)


def _correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson's correlation of each pair of rows: shape (rows,)."""
    first, second = (t - t.mean(1, keepdim=True) for t in (first, second))
    return F.cosine_similarity(first, second, dim=1, eps=FLAT)
