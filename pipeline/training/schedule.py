"""How long and how fast a network is trained: the optimiser and the course of its learning rate, by torch's classes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import lr_scheduler

WARMUP_START = 1e-3  # of the learning rate
ADAM_STATE = ("step", "exp_avg", "exp_avg_sq")
# Class, options, and what it keeps of each parameter.
OPTIMIZERS = {
    "adam": (torch.optim.Adam, {"fused": True, "weight_decay": 0.0}, ADAM_STATE),
    "adamw": (torch.optim.AdamW, {"fused": True, "weight_decay": 0.0}, ADAM_STATE),
    "sgd": (torch.optim.SGD, {"momentum": 0.9}, ("momentum_buffer",)),
}


@dataclass(frozen=True)
class Schedule:
    """How long, how fast, and in which arithmetic.

    Parameters
    ----------
    epochs : at most.
    learning_rate : the highest.
    optimizer : ``adam``, ``adamw`` or ``sgd`` (momentum 0.9).
    weight_decay : of the optimiser; decoupled for ``adamw``.
    schedule : ``step`` (times ``gamma`` every ``step_size`` epochs), ``cosine`` (to ``min_learning_rate``),
        ``constant``, ``plateau`` (times ``gamma`` after ``step_size`` epochs without a better ``stop_on``), or
        ``inverse`` (over 1 + ``gamma`` x steps, as Keras' ``decay``).
    warmup_epochs : over which the rate rises, step by step, from a thousandth.
    clip_norm : largest norm of the gradient; 0: any.
    ema : decay of an average of the weights, which is then what is validated and kept; 0: none.
    patience : epochs without a better ``stop_on`` after which training ends; 0: it does not.
    stop_on : column of the history by which epochs are compared: a loss by its fall, anything else by its rise.
    seed, precision, device : of the run.
    checkpoint_s : seconds between checkpoints; a run that is younger costs less to repeat than to save.
    """

    epochs: int
    learning_rate: float
    step_size: int = 10
    gamma: float = 0.5
    optimizer: str = "adam"
    weight_decay: float = 0.0
    schedule: str = "step"
    min_learning_rate: float = 0.0
    warmup_epochs: int = 0
    clip_norm: float = 0.0
    ema: float = 0.0
    patience: int = 0
    stop_on: str = "val_loss"
    seed: int = 0
    precision: str = "float32"
    device: str = "cpu"
    checkpoint_s: float = 30.0

    def make_optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser of the parameters that are trained; biases and norms are not decayed."""
        make, options, _ = OPTIMIZERS[self.optimizer]
        if not self.weight_decay:
            return make(parameters, lr=self.learning_rate, **options)
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return make([group for group in groups if group["params"]], lr=self.learning_rate, **options)

    def make_scheduler(self, optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
        """The learning rate's course, moved after every one of so many steps an epoch; of ``plateau`` its warm-up."""
        warmup = self.warmup_epochs * steps
        if self.schedule == "step":
            course = lr_scheduler.StepLR(optimizer, self.step_size * steps, self.gamma)
        elif self.schedule == "cosine":
            left = max(self.epochs * steps - warmup, 1)
            course = lr_scheduler.CosineAnnealingLR(optimizer, left, self.min_learning_rate)
        elif self.schedule == "inverse":
            course = lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + self.gamma * step))
        else:
            course = lr_scheduler.ConstantLR(optimizer, factor=1.0)
        if not warmup:
            return course
        rise = lr_scheduler.LinearLR(optimizer, WARMUP_START, total_iters=warmup)
        return lr_scheduler.SequentialLR(optimizer, [rise, course], milestones=[warmup])

    def make_plateau(self, optimizer: torch.optim.Optimizer) -> lr_scheduler.ReduceLROnPlateau | None:
        """What lowers the learning rate when what is lower in a better epoch no longer falls; None unless asked for."""
        if self.schedule != "plateau":
            return None
        # torch counts an epoch more than it is told: with a patience of 0 the first without a better one reduces.
        return lr_scheduler.ReduceLROnPlateau(optimizer, factor=self.gamma, patience=self.step_size - 1, threshold=0)
