"""Where tensors live, with which precision, and how a run is made repeatable."""

from __future__ import annotations

import ctypes
import os
import random
from contextlib import AbstractContextManager
from functools import lru_cache

import numpy as np
import torch

from pipeline.errors import ConfigError

# cuBLAS reads this when it starts; without it some products differ from run to run.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

# Of malloc.h. Blocks below the first come from memory that is kept until so much of it is free as the second says.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 2**30

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def pick(name: str) -> str:
    """The device that a name means: ``auto`` is CUDA where there is one, else the CPU.

    From then on the process keeps memory that it frees, if it is the CPU.

    Raises
    ------
    ConfigError : the device does not exist here.
    """
    if name == "auto" and torch.cuda.is_available():
        return "cuda"
    name = "cpu" if name == "auto" else name
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"DEVICE={name} is not a device. Choose auto, cpu, cuda or cuda:N.") from error
    if device.type == "cpu":
        _keep_freed_memory()
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= found:
        raise ConfigError(
            f"DEVICE={name} is not here: {found} CUDA devices are visible. Use DEVICE=auto or DEVICE=cpu."
        )
    return name


@lru_cache(maxsize=1)
def _keep_freed_memory() -> None:
    """Tell glibc to keep what is freed.

    It gives large blocks back to the kernel at once, and every step of a network would map its activations in anew,
    page by page. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def seed_everything(seed: int) -> None:
    """Seed the generators of Python, numpy and torch, and ask torch for deterministic algorithms.

    A few CUDA operations have none (the gradient of max pooling): torch warns of them and goes on.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - timm and torchvision draw from the global generator
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # we read no memory that was not written
    torch.backends.cudnn.benchmark = False


def generator_states() -> dict[str, torch.Tensor]:
    """The states of torch's generators, for a checkpoint."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def are_generator_states(states: object) -> bool:
    """Whether these are states that ``restore_generators`` can take."""
    if not (isinstance(states, dict) and "cpu" in states):
        return False
    try:
        for device, state in states.items():
            if device == "cpu" or torch.cuda.is_available():
                torch.Generator(device).set_state(state.cpu())
    except (RuntimeError, TypeError, AttributeError):
        return False
    return True


def restore_generators(states: dict[str, torch.Tensor]) -> None:
    """Continue torch's generators where a checkpoint left them."""
    torch.set_rng_state(states["cpu"].cpu())
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"].cpu())


def autocast(device: str, precision: str) -> AbstractContextManager:
    """The context in which forward passes run with a precision; float32 changes nothing.

    Raises
    ------
    ConfigError : the precision is unknown.
    """
    precision = arithmetic(device, precision)
    kind = torch.device(device).type
    return torch.autocast(kind, PRECISIONS[precision], enabled=precision != "float32")


def arithmetic(device: str, precision: str) -> str:
    """The precision that a name means on a device: ``auto`` is bfloat16 where the hardware has it, else float32.

    Emulated, bfloat16 is slower than float32: 1.4 times on a CPU with AVX-512 alone, 13 times on one with AVX2.

    Raises
    ------
    ConfigError : the precision is unknown.
    """
    if precision == "auto":
        return "bfloat16" if _has_bfloat16(torch.device(device)) else "float32"
    if precision not in PRECISIONS:
        raise ConfigError(f"PRECISION={precision} is unknown. Choose auto, {', '.join(PRECISIONS)}.")
    return precision


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    found = getattr(torch.cpu, "get_capabilities", dict)()  # older versions of torch do not tell
    return any(found.get(name) for name in ("avx512_bf16", "amx_bf16"))


def scaler(device: str, precision: str) -> torch.amp.GradScaler:
    """Keeps small gradients of float16 from vanishing; does nothing for other precisions."""
    return torch.amp.GradScaler(torch.device(device).type, enabled=precision == "float16")
