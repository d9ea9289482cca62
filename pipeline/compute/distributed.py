"""What differs when several processes do the work of one: who takes which rows, and how their results meet.

A stage asks for its ``team`` and uses it everywhere; one process alone is a team of one, in which nothing is changed or
sent. Of several, each runs its slice of every batch through the network. The loss is a function of the whole batch, so
the outputs of all meet before it, and DistributedDataParallel averages the gradients: the result is that of one process
up to rounding, for every loss.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.compute import devices
from pipeline.errors import ConfigError

log = logging.getLogger(__name__)

ROWS = "rows"  # among the targets of a team: the rows of the whole batch, int64, shape (), on the CPU


class Team:
    """One process alone."""

    chief = True  # who writes files

    def mine(self, rows: np.ndarray) -> np.ndarray:
        """This process's slice of a batch's rows, any shape (B, ...)."""
        return rows

    def mark(self, rows: int) -> dict[str, Tensor]:
        """What the targets of a slice say of the whole batch of so many rows."""
        return {}

    def rows(self, inputs: Tensor | Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> int:
        """The rows of the whole batch of which these are a slice: a tensor, or tensors by modality."""
        return len(inputs) if isinstance(inputs, Tensor) else len(next(iter(inputs.values())))

    def whole(self, values: Any, rows: int) -> Any:
        """The whole batch's values from the slices of all: tensors, or dataclasses, tuples and dicts of them."""
        return values

    def parallel(self, module: nn.Module) -> nn.Module:
        """A module whose backward pass averages the gradients of all processes."""
        return module

    def share(self, blocks: Sequence[Any]) -> Sequence[Any]:
        """This process's part of blocks that all of them see, once all have seen them."""
        return blocks

    def once(self, function: Callable[[], Any]) -> None:
        """The chief calls a function when all processes have come so far; nobody goes on before it is done."""
        function()

    def seed(self, seed: int, epoch: int, step: int) -> None:
        """Before a step: what is drawn in it, dropout for one, differs between processes and repeats itself."""


class Ranks(Team):
    """One of several processes that have joined torch's process group."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.chief = self.rank == 0

    def mine(self, rows: np.ndarray) -> np.ndarray:
        """As long for each process: the last rows are repeated where need be, and ``whole`` drops them."""
        share = -(-len(rows) // self.size)
        places = np.arange(self.rank * share, (self.rank + 1) * share)
        return rows[np.minimum(places, len(rows) - 1)]

    def mark(self, rows: int) -> dict[str, Tensor]:
        return {ROWS: torch.tensor(rows)}

    def rows(self, inputs: Tensor | Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> int:
        return int(targets[ROWS])

    def whole(self, values: Any, rows: int) -> Any:
        return _of_tensors(values, lambda tensor: _Gather.apply(tensor, self.rank, self.size)[:rows])

    def parallel(self, module: nn.Module) -> nn.Module:
        normalises = any(_normalises_over_batch(part) for part in module.modules())
        if normalises and self.chief:
            log.warning(
                "This network normalises over the batch: of %d processes, each over its slice of it. "
                "Its result is not that of NPROC=1.",
                self.size,
            )
        # The graph is static: of a network's parameters a loss may leave some out, always the same.
        return DistributedDataParallel(module, broadcast_buffers=normalises, static_graph=True)

    def share(self, blocks: Sequence[Any]) -> Sequence[Any]:
        dist.barrier()
        return blocks[self.rank :: self.size]

    def once(self, function: Callable[[], Any]) -> None:
        dist.barrier()
        if self.chief:
            function()
        dist.barrier()

    def seed(self, seed: int, epoch: int, step: int) -> None:
        drawn = np.random.SeedSequence((seed, epoch, step, self.rank)).generate_state(1, np.uint64)
        torch.manual_seed(int(drawn[0]))


ALONE = Team()


def team() -> Team:
    """The team that this process works in."""
    return Ranks() if dist.is_available() and dist.is_initialized() else ALONE


class _Gather(torch.autograd.Function):
    """Slices of all processes, joined along the rows.

    Each process computes the same loss L of the whole batch, but its graph ends at its own slice: there it has the part
    of dL/dweights that comes through this slice. The sum over the processes is wanted, their mean is what
    DistributedDataParallel takes: hence the factor. What comes after the gathering, such as a loss's trainable heads,
    has the whole gradient in each process, and its mean is right as it is.
    """

    @staticmethod
    def forward(ctx: Any, own: Tensor, rank: int, size: int) -> Tensor:
        ctx.place, ctx.size = slice(rank * len(own), (rank + 1) * len(own)), size
        own = own.contiguous()
        parts = [torch.empty_like(own) for _ in range(size)]
        dist.all_gather(parts, own)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient[ctx.place] * ctx.size, None, None


def _of_tensors(values: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same structure with every tensor changed; what else it holds stays."""
    if isinstance(values, Tensor):
        return change(values)
    if isinstance(values, tuple):
        return tuple(_of_tensors(value, change) for value in values)
    if isinstance(values, Mapping):
        return {name: _of_tensors(value, change) for name, value in values.items() if name != ROWS}
    if dataclasses.is_dataclass(values):
        fields = {field.name: getattr(values, field.name) for field in dataclasses.fields(values)}
        return dataclasses.replace(values, **{name: _of_tensors(value, change) for name, value in fields.items()})
    return values


def _normalises_over_batch(module: nn.Module) -> bool:
    trained = any(parameter.requires_grad for parameter in module.parameters(recurse=False))
    return trained and isinstance(module, nn.modules.batchnorm._BatchNorm)


def check(device: str, processes: int) -> None:
    """Whether so many processes can each have a device.

    Raises
    ------
    ConfigError : there are fewer CUDA devices, or one of them is named.
    """
    picked = torch.device(devices.pick(device))
    found = torch.cuda.device_count() if picked.type == "cuda" else processes
    if picked.index is not None or found < processes:
        raise ConfigError(
            f"NPROC={processes} takes a device for each process: DEVICE={device} names one, or {found} are visible. "
            "Use DEVICE=cuda and at most that many processes, or DEVICE=cpu."
        )


@contextmanager
def joined(device: str) -> Iterator[str]:
    """Join the process group of torchrun's environment, with a share of the cores, and yield this process's device."""
    rank, size = int(os.environ["LOCAL_RANK"]), int(os.environ["WORLD_SIZE"])
    if "OMP_NUM_THREADS" not in os.environ:  # said for each process, as torchrun has it
        torch.set_num_threads(max(1, torch.get_num_threads() // size))
    if torch.device(devices.pick(device)).type == "cuda":
        device = f"cuda:{rank}"
        torch.cuda.set_device(rank)
        dist.init_process_group("nccl", device_id=torch.device(device))
    else:
        device = "cpu"
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # the host's own name need not lead anywhere
        dist.init_process_group("gloo")
    yield device
    dist.destroy_process_group()  # not after an error: it would wait for processes that wait for this one
