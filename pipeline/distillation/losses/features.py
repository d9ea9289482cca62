"""Losses between a student's features and a teacher's: pure functions, averaged over the batch.

They count in float32 at least, whatever arithmetic the network ran in or the features were kept in.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.distillation.losses.logits import wide


def cosine_loss(student_hidden: Tensor, teacher_hidden: Tensor) -> Tensor:
    """One minus the cosine between the student's and the teacher's pooled features.

    Parameters
    ----------
    student_hidden, teacher_hidden : float, shape (B, D); the student's after its regressor.

    Source: Sanh et al. 2019, arXiv:1910.01108, who align hidden states by torch's ``CosineEmbeddingLoss``.
    """
    return (1 - F.cosine_similarity(wide(student_hidden), wide(teacher_hidden), dim=1)).mean()


def hint_loss(student_map: Tensor, teacher_map: Tensor) -> Tensor:
    """Mean squared difference of feature maps.

    Parameters
    ----------
    student_map : float, shape (B, D, h, w) or, of signals, (B, D, t), after its regressor.
    teacher_map : float, shape (B, D, h', w') or (B, D, t'); where the grids differ, the finer is averaged to the
        coarser.

    Source: Romero et al. 2015, arXiv:1412.6550, equation 3. Departure: the mean over all numbers, not half their sum,
    so that a weight means the same for maps of any size.
    """
    return F.mse_loss(*_on_one_grid(wide(student_map), wide(teacher_map)))


def attention_loss(student_map: Tensor, teacher_map: Tensor) -> Tensor:
    """Distance between where student and teacher are active.

    Parameters
    ----------
    student_map, teacher_map : float, shapes (B, C, h, w) and (B, C', h', w'), or (B, C, t) and (B, C', t'), of any two
        networks that both read pictures or both signals.

    A map's attention is the sum of squares over its channels, averaged to the coarser of the two grids and divided by
    its Euclidean length.

    Source: Zagoruyko and Komodakis 2017, arXiv:1612.03928, equation 2 with p = 2, without its factor 1/2. The authors'
    code squares the distance and averages it over the grid, which shrinks it as the grid grows; this does not.
    """
    student, teacher = (wide(t).square().sum(1, keepdim=True) for t in (student_map, teacher_map))
    student, teacher = (F.normalize(t.flatten(1)) for t in _on_one_grid(student, teacher))
    return torch.linalg.vector_norm(student - teacher, dim=1).mean()


def rkd_loss(student_hidden: Tensor, teacher_hidden: Tensor) -> Tensor:
    """How differently student and teacher place the faces of a batch: distances of pairs, and angles of triples.

    Parameters
    ----------
    student_hidden, teacher_hidden : float, shapes (B, D) and (B, D'), of any two networks. Memory grows with B^3 and
        B^2 D.

    Distances are divided by their mean; equal features are left out of it and have no direction. A batch of one has
    neither pairs nor triples: zero.

    Source: Park et al. 2019, arXiv:1904.05068, sections 3.2.1 and 3.2.2, weighted 1 and 2 as in section 4.1; means over
    all pairs and triples, a face with itself among them, as in the authors' code.
    """
    student_distances, student_angles = _relations(wide(student_hidden))
    teacher_distances, teacher_angles = _relations(wide(teacher_hidden))
    distance = F.smooth_l1_loss(student_distances, teacher_distances)
    return distance + 2 * F.smooth_l1_loss(student_angles, teacher_angles)


def features_loss(student_hidden: Tensor, teacher_hidden: Tensor) -> Tensor:
    """Mean squared difference of pooled features.

    Parameters
    ----------
    student_hidden, teacher_hidden : float, shape (B, D); the student's after its projection.

    Source: the hint of Romero et al. 2015, arXiv:1412.6550, equation 3, of pooled features; the mean over all numbers.
    """
    return F.mse_loss(wide(student_hidden), wide(teacher_hidden))


def relation_loss(student_hidden: Tensor, teacher_hidden: Tensor) -> Tensor:
    """How differently student and teacher place the samples of a batch: squared distances of features of length 1.

    Parameters
    ----------
    student_hidden, teacher_hidden : float, shapes (B, D) and (B, D'), of any two networks.

    Returns
    -------
    The mean squared difference of both (B, B) matrices. A batch of one has no distances: zero.

    A distance of 0 to 4 means the same for features of any size; ``rkd_loss`` compares distances themselves, over their
    mean, and angles besides.
    """
    student, teacher = (F.normalize(wide(features)) for features in (student_hidden, teacher_hidden))
    return F.mse_loss(2 - 2 * student @ student.T, 2 - 2 * teacher @ teacher.T)


def contrastive_loss(student: Tensor, teacher: Tensor, temperature: float = 0.1) -> Tensor:
    """Find a face's features of the teacher among those of the batch, and of the student likewise.

    Parameters
    ----------
    student, teacher : float, shape (B, D): embeddings, compared by their cosines.
    temperature : > 0; divides the cosines.

    A batch of one has nothing to tell apart: zero.

    Source: InfoNCE (van den Oord et al. 2018, arXiv:1807.03748, equation 4) between student and teacher, as Tian et al.
    2020, arXiv:1910.10699, distil by contrast. Departure: negatives come from the batch, not from a memory of the
    training set; both directions count alike.
    """
    cosines = F.normalize(wide(student)) @ F.normalize(wide(teacher)).T / temperature  # (B, B)
    itself = torch.arange(len(cosines), device=cosines.device)
    return (F.cross_entropy(cosines, itself) + F.cross_entropy(cosines.T, itself)) / 2


def _on_one_grid(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Both maps, averaged along each axis to the smaller size of the two."""
    grid = tuple(min(sizes) for sizes in zip(first.shape[2:], second.shape[2:], strict=True))
    first, second = (t if t.shape[2:] == grid else _averaged(t, grid) for t in (first, second))
    return first, second


def _averaged(maps: Tensor, grid: tuple[int, ...]) -> Tensor:
    """Adaptive average pooling as two products: CUDA's own has no gradient that is the same in every run."""
    cells = (torch.eye(size, dtype=maps.dtype, device=maps.device) for size in maps.shape[2:])
    *rows, columns = (F.adaptive_avg_pool1d(cell, size) for cell, size in zip(cells, grid, strict=True))
    for weights in rows:  # none of signals
        maps = weights.T @ maps
    return maps @ columns  # (B, C, *grid)


def _relations(features: Tensor) -> tuple[Tensor, Tensor]:
    """Distances over their mean, shape (B, B), and cosines of the angle at j between i and k, shape (B, B, B)."""
    differences = features[None] - features[:, None]  # (j, i, D)
    distances = torch.linalg.vector_norm(differences, dim=2)
    mean = distances.sum() / (distances > 0).sum().clamp(min=1)
    directions = differences / distances.masked_fill(distances == 0, torch.inf)[..., None]
    return distances / mean.masked_fill(mean == 0, 1), directions @ directions.mT
