"""The figures of a CUDA device, in one call: ``python -m tests.benchmarks.gpu``; without a device it says so.

Labels and distill at the paper preset's sizes beside the same work on tensors that never leave the device; the step in
other forms (float32, channels last, compiled) and as timm's training script writes it; the share of a step that waits
for data, the share of the device's measured matrix rate, and the peak memory.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import timm
import torch
from timm.optim import create_optimizer_v2
from timm.utils import NativeScaler
from torch.utils.flop_counter import FlopCounterMode

from pipeline.config import REPOSITORY
from pipeline.errors import MissingDependencyError
from pipeline.inputs.batches import Samples
from tests.benchmarks import align, loops, measure, pictures, table
from tests.benchmarks.measure import Figure, Way, alone, compare, figure, interleaved
from tests.helpers.presets import PAPER, networks

DEVICE, ROUNDS = "cuda", 5
FACES, LABEL_BATCH, BATCH = 4096, 256, 64
BARE, RESIDENT = "the bare teacher on random tensors", "the same step with its views on a tensor on the device"


def run() -> Iterator[Figure]:
    """All figures."""
    with loops.noise(FACES) as samples:
        yield from _labels(samples)
        yield from _distill(samples)
    yield from _align()


def _labels(samples: Samples) -> Iterator[Figure]:
    for name in PAPER.teachers:
        network = networks(PAPER)[name]
        asked = loops.Labelling(loops.ensemble(network, DEVICE, "bfloat16"), samples, LABEL_BATCH, views=2)
        what = f"{network.name} at {network.image_size} px, bfloat16, batch {LABEL_BATCH}"
        for way, shown in ((asked.samples, "the faces"), (asked.views, "drawn views")):
            yield compare("teacher-labels", f"{what}, {shown}", way, asked.bare, BARE, "images/s", ROUNDS, 0.95)


def _distill(samples: Samples) -> Iterator[Figure]:
    network = networks(PAPER)["deit"]
    torch.cuda.reset_peak_memory_stats()
    ours = loops.Training(network, samples, BATCH, DEVICE, "bfloat16")
    ours.ours()
    peak = torch.cuda.max_memory_allocated() / 1e6
    last, compiled = (loops.Training(network, samples, BATCH, DEVICE, "bfloat16") for _ in range(2))
    last.network_with_heads.to(memory_format=torch.channels_last)
    compiled.network_with_heads = torch.compile(compiled.network_with_heads)
    single = loops.Training(network, samples, BATCH, DEVICE, "float32")
    rates = interleaved(
        {
            "ours": ours.ours,
            RESIDENT: ours.resident(with_views=True),
            "the same step without views": ours.resident(with_views=False),
            "channels last, on the device": last.resident(with_views=True),
            "compiled, on the device": compiled.resident(with_views=True),
            "float32, on the device": single.resident(with_views=True),
            "timm's own loop, on the device": _as_timm(network, len(samples) // BATCH),
        },
        ROUNDS,
    )
    what = f"{network.name} at {network.image_size} px, bfloat16, batch {BATCH}"
    for other in list(rates)[1:]:
        two = {name: rates[name] for name in ("ours", other)}
        yield figure("distill", what, two, other, "images/s", 0.97 if other == RESIDENT else None)
    rate, resident = (sorted(rates[name])[ROUNDS // 2] for name in ("ours", RESIDENT))
    yield alone("distill", "share of a step that waits for data", 100 * max(0.0, 1 - rate / resident), "%", most=3)
    share = rate * _flops(ours) / _matrix_rate()
    yield alone("distill", "share of the device's measured bfloat16 matrix rate", 100 * share, "%")
    yield alone("distill", "peak memory of the device", peak, "MB")


def _as_timm(network, steps: int) -> Way:
    """The step as timm's training script writes it: autocast around network and loss, its scaler, its optimiser."""
    model = timm.create_model(network.name, num_classes=2, img_size=network.image_size).to(DEVICE).train()
    optimizer, scaler = create_optimizer_v2(model, opt="adam", lr=1e-5), NativeScaler()
    loss_function = torch.nn.CrossEntropyLoss().to(DEVICE)
    inputs = torch.randn(BATCH, 3, network.image_size, network.image_size, device=DEVICE)
    target = torch.arange(BATCH, device=DEVICE) % 2

    def way() -> int:
        for _ in range(steps):
            with torch.autocast(DEVICE, torch.bfloat16):
                loss = loss_function(model(inputs), target)
            optimizer.zero_grad()
            scaler(loss, optimizer, parameters=model.parameters())
        torch.cuda.synchronize()
        return steps * BATCH

    return way


def _flops(trained: loops.Training) -> float:
    """Floating-point operations of a training step for one face."""
    inputs, _ = next(iter(trained.batches()(0, 0)))
    with FlopCounterMode(display=False) as counter, torch.autocast(DEVICE, torch.bfloat16):
        outputs = trained.network_with_heads(inputs)
        sum(token.float().sum() for token in outputs.tokens).backward()
    return counter.get_total_flops() / len(inputs)


def _matrix_rate(side: int = 8192, times: int = 20) -> float:
    """Floating-point operations a second of a bfloat16 matrix product."""
    a, b = (torch.randn(side, side, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    for count in (3, times):  # the first few do not count
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(count):
            a @ b
        torch.cuda.synchronize()
    return 2 * side**3 * times / (time.perf_counter() - start)


def _align() -> Iterator[Figure]:
    try:
        raw = pictures.rendered(16)
    except MissingDependencyError as error:
        print(f"align is left out: {error}", file=sys.stderr)
        return
    with TemporaryDirectory(dir=pictures.scratch()) as scratch:
        many = pictures.multiplied(raw, Path(scratch) / "pictures", 256)
        gpu, cpu = (align.Stage(many, Path(scratch) / device, device) for device in (DEVICE, "cpu"))
        ways = [lambda stage=stage: len(stage()["look"]) for stage in (gpu, cpu)]
        yield compare("align", "halves of 656 x 736 px", *ways, "one process a core", "faces/s", 3)


def main() -> None:
    """Run, print the table, and write it to ``bench-gpu.json`` and ``bench-gpu.md``."""
    if not torch.cuda.is_available():
        print("bench-gpu: skipped, torch sees no CUDA device here")
        return
    figures, machine = list(run()), measure.machine()
    print(table.markdown(machine, figures), end="")
    table.write(REPOSITORY / "bench-gpu.json", machine, figures)


if __name__ == "__main__":
    main()
