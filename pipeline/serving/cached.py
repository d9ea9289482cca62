"""Samples of the cache that a model lies in: as networks read them, and what is true of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import arrays
from pipeline.artifacts.columns import Columns
from pipeline.artifacts.store import Artifact
from pipeline.errors import ConfigError, DataError
from pipeline.evaluation import muscles
from pipeline.inputs import sample_table
from pipeline.serving.place import beside


@dataclass(frozen=True)
class Cached:
    """The inputs that a model was trained on, and the samples that they are of.

    Parameters
    ----------
    modality : of the inputs that the model reads.
    """

    inputs: Artifact
    samples: Artifact
    modality: str

    @classmethod
    def beside(cls, model: Path, card: Mapping[str, Any], modality: str) -> Cached:
        """Those that lie in the same cache as a model.

        Parameters
        ----------
        card : the model's.
        modality : that it reads.

        Raises
        ------
        ConfigError : it lies in none, or the cache no longer has them.
        """
        inputs = beside(model, card.get("inputs_fingerprint", "")) if model.is_dir() else None
        samples = beside(model, inputs.record["inputs"]["samples"]) if inputs else None
        if samples is None:
            raise ConfigError(
                f"SAMPLE= names a sample of the cache that a model lies in, and MODEL={model} does not lie beside what "
                "it was trained on. Give a model of a cache, MODEL=cache/<dataset>/student-…, or pictures: INPUT="
            )
        return cls(inputs, samples, modality)

    @cached_property
    def _store(self) -> Columns:
        return arrays.open_inputs(self.inputs)

    def image(self, sample_id: str) -> tuple[np.ndarray, np.ndarray | None]:
        """A sample as networks read it, uint8, shape (S, S, channels), and, of a face, the way to it from its picture.

        Raises
        ------
        DataError : there is no such sample.
        """
        if sample_id not in self._store.sample_ids:
            near = difflib.get_close_matches(sample_id, self._store.sample_ids, n=3, cutoff=0.5)
            hint = (
                f"Did you mean {', '.join(near)}?"
                if near
                else "Column sample_id of samples.csv in its cache names them."
            )
            raise DataError(f"There is no sample SAMPLE={sample_id} in {self.inputs.path}. {hint}")
        row = self._store.rows([sample_id])
        warp = self._store["warp"][row][0] if "warp" in self._store else None
        return self._store[self.modality][row][0], warp

    @cached_property
    def measures(self) -> tuple[str, ...]:
        """The columns of ``shares``: none where the dataset does not know the points of its faces."""
        known = muscles.POINTS in self.samples.summary["targets"] and "warp" in self._store
        return muscles.COLUMNS if known else ()

    def shares(self, maps: np.ndarray, sample_id: str) -> dict[str, np.ndarray]:
        """How much of each heat map of a sample, float, shape (N, S, S), lies where, as of ``muscles.shares``."""
        if not self.measures:
            return {}
        points = sample_table.points_of_inputs(self.samples, self.inputs, muscles.POINTS, [sample_id])
        table = arrays.read_table(self.samples.file("samples.csv"))
        rows = table[table["sample_id"] == sample_id].iloc[[0] * len(maps)]
        shares = muscles.shares(maps, np.repeat(points, len(maps), axis=0), rows)
        return {name: shares[name].to_numpy() for name in self.measures}
