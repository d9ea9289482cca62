"""What a network costs: parameters, arithmetic and time for one face."""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def measure(model: nn.Module, image_size: int, budget_s: float = 0.5) -> dict[str, Any]:
    """Parameters, arithmetic and latency of one face through a model in evaluation mode on the CPU.

    Parameters
    ----------
    model : takes float32 images of shape (1, 3, image_size, image_size).
    budget_s : time for repeated forward passes, in seconds.

    Returns
    -------
    parameters : numbers in the network, buffers left out.
    gmacs : 10^9 multiply-accumulates of convolutions and matrix products; elementwise work is not counted.
    gflops : 10^9 floating-point operations, two per multiply-accumulate. (Many papers print gmacs as GFLOPs.)
    latency_ms, latency_p90_ms : median and 90th percentile of one forward pass on one thread.
    device, threads, processor : where the latency was measured.
    """
    model = model.to("cpu").eval()
    image = torch.zeros(1, 3, image_size, image_size)
    flops = count_flops(model, image)
    times_ms = sorted(_times_ms(model, image, budget_s))
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "gmacs": round(flops / 2e9, 6),
        "gflops": round(flops / 1e9, 6),
        "latency_ms": round(times_ms[len(times_ms) // 2], 3),
        "latency_p90_ms": round(times_ms[int(len(times_ms) * 0.9)], 3),
        "device": "cpu",
        "threads": 1,
        "processor": _processor(),
    }


def count_flops(model: nn.Module, image: torch.Tensor) -> int:
    """Floating-point operations of convolutions and matrix products in one forward pass.

    Attention is computed by its plain formula meanwhile: the counter does not know the CPU's fused kernel.
    """
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(False), torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        model(image)
    return counter.get_total_flops()


def _times_ms(model: nn.Module, image: torch.Tensor, budget_s: float) -> list[float]:
    """Milliseconds of repeated passes on one thread, five at least, after a few that warm up."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            for _ in range(3):
                model(image)
            times: list[float] = []
            end = time.perf_counter() + budget_s
            while time.perf_counter() < end or len(times) < 5:
                start = time.perf_counter()
                model(image)
                times.append((time.perf_counter() - start) * 1e3)
    finally:
        torch.set_num_threads(threads)
    return times


def _processor() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
