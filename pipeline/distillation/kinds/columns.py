"""Truth of labels, numbers and points alike: numbers side by side, float32 (M, C), NaN where they are not known."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pipeline.inputs.views.plan import Drawn
from pipeline.tasks import Task

UNKNOWN = np.float32(np.nan)


def hide(truth: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The truth where a bool array (M,) says so, NaN elsewhere, float32 (M, C)."""
    return np.where(kept[:, None], truth, UNKNOWN)


def known(truth: np.ndarray) -> np.ndarray:
    """Where all of a sample's truth is known, bool (M,)."""
    return ~np.isnan(truth).any(axis=1)


def mixed(truth: np.ndarray, index: np.ndarray, drawn: Drawn, task: Task) -> Tensor:
    """The truth of views, or, of mixed ones, its mean by share, float32 (B, C); NaN where one is not known."""
    own = torch.from_numpy(truth[index])
    if drawn.partners is None:
        return own
    share = torch.from_numpy(drawn.kept)[:, None]
    return share * own + (1 - share) * torch.from_numpy(truth[drawn.partners])
