"""How long a network takes, by torch.utils.benchmark: batches of one and of many, on one thread and on two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.benchmark import Timer

from pipeline.inputs import batches

BATCHES, THREADS = (1, 32), (1, 2)
NOTICED = 1.05  # times slower, from which on it is said: two runs differ by less

Inputs = Tensor | Mapping[str, Tensor]
Ask = Callable[[Inputs], Any]


def latencies(engine: Callable[[int], Ask], specs: batches.Specs, least_s: float) -> dict[str, float]:
    """Milliseconds of one pass, the median of repeated ones, by ``b<samples>_t<threads>``.

    Parameters
    ----------
    engine : of a number of threads, what is asked.
    specs : what it reads.
    least_s : seconds of passes for each, at least.
    """
    found = {}
    for threads in THREADS:
        ask = engine(threads)
        for count in BATCHES:
            timer = Timer("ask(inputs)", globals={"ask": ask, "inputs": _blank(specs, count)}, num_threads=threads)
            times_ms = 1e3 * np.array(timer.blocked_autorange(min_run_time=least_s).times)
            found[f"b{count}_t{threads}"] = round(float(np.median(times_ms)), 3)
    return found


def _blank(specs: batches.Specs, count: int) -> Inputs:
    """A batch in which nothing is to be seen, as the network reads it."""
    one = batches.blank(specs, "cpu").make(specs)
    if torch.is_tensor(one):
        return one.repeat(count, *[1] * (one.ndim - 1))
    return {name: tensor.repeat(count, *[1] * (tensor.ndim - 1)) for name, tensor in one.items()}


def slower(rows: Mapping[str, Mapping[str, Any]], pairs: Mapping[str, str]) -> list[str]:
    """Sentences about the forms that are noticeably slower than what they were made of, and in which setting.

    Parameters
    ----------
    rows : of the table, by format.
    pairs : by format the one that it was made of.
    """
    sentences = []
    for name, of in pairs.items():
        if name in rows and of in rows:
            for setting, words in SETTINGS.items():
                times = rows[name]["latency_ms"][setting] / rows[of]["latency_ms"][setting]
                if times >= NOTICED:
                    sentences.append(f"{name} is {times:.2g} times slower here than {of} ({words}).")
    return sentences


SETTINGS = {
    f"b{count}_t{threads}": f"batch of {count}, {threads} thread{'s' * (threads > 1)}"
    for threads in THREADS
    for count in BATCHES
}
