"""Every metric of every method over its seeds, for whoever goes on with the numbers: ``aggregated.json``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.reporting.methods import Method, per_output, tested
from pipeline.reporting.tables import identity

FILE = "aggregated.json"


def write(methods: list[Method], folder: Path) -> None:
    """Write the file into a report's folder."""
    content = {"over": "seeds", "std": "population", "part": "test", "methods": [entry(m) for m in methods]}
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def entry(method: Method) -> dict[str, Any]:
    """What a method is, its seeds, and by metric mean, std (of the population), min, max and all values.

    A metric of one output bears its name, ``f1_smoke``. With outer folds a seed's value is that of all folds' answers
    together. None stands for what has no value, and for what is taken over such a value.
    """
    ones = np.ones((1, len(tested(method.runs[0]))))
    values = {name: rows[:, 0] for name, rows in method.values.items()}
    for name, columns in per_output(method, ones).items():
        values |= {f"{name}_{output}": columns[:, 0, c] for c, output in enumerate(method.task.outputs)}
    return identity(method) | {
        "seeds": list(method.seeds),
        "outer_folds": method.folds,
        "metrics": {name: _over_seeds(one) for name, one in values.items()},
    }


def _over_seeds(values: np.ndarray) -> dict[str, Any]:
    """A metric over seeds, as values that JSON can hold."""
    taken = {"mean": np.mean, "std": np.std, "min": np.min, "max": np.max}
    return {name: _plain(take(values)) for name, take in taken.items()} | {"values": [_plain(v) for v in values]}


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
