"""What a network costs: parameters, arithmetic and time for one sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.benchmark import Timer
from torch.utils.flop_counter import FlopCounterMode

from pipeline.compute import processor


def measure(
    model: nn.Module, sample: Tensor | dict[str, Tensor], budget_s: float = 0.5, weights: Path | None = None
) -> dict[str, Any]:
    """Parameters, arithmetic and latency of one sample through a model in evaluation mode on the CPU.

    Parameters
    ----------
    sample : a batch of one, as the model reads it; several modalities by their names.
    budget_s : time for repeated forward passes, in seconds.
    weights : the file that the network was read from.

    Returns
    -------
    parameters : numbers in the network, buffers left out.
    trainable : those of them that training changes.
    gmacs : 10^9 multiply-accumulates of convolutions and matrix products; elementwise work is not counted.
    gflops : 10^9 floating-point operations, two per multiply-accumulate. (Many papers print gmacs as GFLOPs.)
    latency_ms, latency_p90_ms : median and 90th percentile of one forward pass on one thread.
    device, threads, processor : where the latency was measured.
    megabytes : 10^6 bytes of the file, where there is one.
    """
    model = model.to("cpu").eval()
    flops = count_flops(model, sample)
    with torch.inference_mode():
        timer = Timer("model(sample)", globals={"model": model, "sample": sample}, num_threads=1)
        times_ms = 1e3 * np.array(timer.blocked_autorange(min_run_time=budget_s).times)
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "trainable": sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        "gmacs": round(flops / 2e9, 6),
        "gflops": round(flops / 1e9, 6),
        "latency_ms": round(float(np.median(times_ms)), 3),
        "latency_p90_ms": round(float(np.quantile(times_ms, 0.9)), 3),
        "device": "cpu",
        "threads": 1,
        "processor": processor.name(),
        **({"megabytes": round(weights.stat().st_size / 1e6, 3)} if weights else {}),
    }


def count_flops(model: nn.Module, sample: Tensor | dict[str, Tensor]) -> int:
    """Floating-point operations of convolutions and matrix products in one forward pass.

    Nothing is computed: shapes alone go through, on the device ``meta``. Attention takes its plain formula meanwhile:
    the counter does not know the fused kernels.
    """
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    shapes = {name: tensor.detach().to("meta") for name, tensor in tensors.items()}
    meta = {name: part.to("meta") for name, part in sample.items()} if isinstance(sample, dict) else sample.to("meta")
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(False), torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        functional_call(model, shapes, (meta,))
    return counter.get_total_flops()
