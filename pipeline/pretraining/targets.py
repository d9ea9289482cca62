"""What is known of synthetic faces, as targets of a network: action units, phenotype and landmarks, and its scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.inputs.keyed_random import hashed, keys
from pipeline.tasks.schemes import POINTS_68

PHENOTYPE = ("age", "gender", "ethnicity")
MIRRORED_68 = np.array(POINTS_68.mirrored)  # where each of the landmarks is found in a mirrored face


@dataclass(frozen=True)
class FaceTargets:
    """What is known of N faces, ready to be learned.

    Attributes
    ----------
    names : of the columns of ``values``.
    values : float32, shape (N, D); action units and phenotype, each column with mean 0 and deviation 1.
    landmarks : float32, shape (N, 68, 2); -1 and 1 are the aligned face's edges.
    """

    names: tuple[str, ...]
    values: np.ndarray
    landmarks: np.ndarray

    @property
    def outputs(self) -> list[str]:
        """Names of a network's outputs: the values, then x and y of each landmark."""
        return [*self.names, *(f"landmark_{n}_{axis}" for n in range(68) for axis in "xy")]

    @property
    def units(self) -> list[int]:
        """Which columns are action units."""
        return [n for n, name in enumerate(self.names) if name.startswith("au")]

    def __getitem__(self, rows: np.ndarray) -> FaceTargets:
        """The truth of some faces."""
        return FaceTargets(self.names, self.values[rows], self.landmarks[rows])

    def targets(self, landmarks: np.ndarray | None = None) -> np.ndarray:
        """Values and landmarks side by side, float32, shape (N, D + 136); ``landmarks`` if they were moved."""
        points = self.landmarks if landmarks is None else landmarks
        return np.concatenate([self.values, points.reshape(len(points), -1)], axis=1)


def of_table(table: pd.DataFrame, matrices: np.ndarray, size: int) -> FaceTargets:
    """Targets from the rows of ``truth.csv``.

    Parameters
    ----------
    table : N rows of truth.csv.
    matrices : float, shape (N, 2, 3), from pixels of the picture to pixels of the aligned face.
    size : side of the aligned face in pixels.
    """
    units = table[[name for name in table if name.startswith("au") and name[2:].isdigit()]]
    person = pd.get_dummies(table[list(PHENOTYPE)].astype({"age": float}), dtype=float)
    columns = pd.concat([units, person], axis=1)
    deviation = columns.std().clip(lower=1e-3)
    points = table[[f"l68_{n}_{axis}" for n in range(68) for axis in "xy"]].to_numpy(float).reshape(-1, 68, 2)
    aligned = np.einsum("nij,npj->npi", matrices[:, :, :2], points) + matrices[:, None, :, 2]
    return FaceTargets(
        tuple(columns.columns),
        ((columns - columns.mean()) / deviation).to_numpy(np.float32),
        (2 * aligned / size - 1).astype(np.float32),
    )


def mirrored(landmarks: np.ndarray, flip: np.ndarray) -> np.ndarray:
    """Renumber the landmarks of mirrored views: the picture's left eye is the left eye again.

    Parameters
    ----------
    landmarks : float, shape (B, 68, 2), in the views' coordinates.
    flip : bool, shape (B,).
    """
    return np.where(flip[:, None, None], landmarks[:, MIRRORED_68], landmarks)


def scores(outputs: np.ndarray, known: FaceTargets) -> dict[str, float]:
    """How well held-out faces are read.

    Parameters
    ----------
    outputs : float, shape (N, D + 136), a network's outputs for N faces.
    known : the truth of the same faces.

    Returns
    -------
    Mean correlation over the action units, each action unit's, and the landmarks' mean distance as a share of the
    distance between the outer corners of the eyes (NME).
    """
    by_unit = {
        known.names[n]: float(np.corrcoef(outputs[:, n], known.values[:, n])[0, 1])
        for n in known.units
        if known.values[:, n].std() > 0
    }
    points = outputs[:, len(known.names) :].reshape(-1, 68, 2)
    ocular = np.linalg.norm(known.landmarks[:, 36] - known.landmarks[:, 45], axis=-1)
    distance = np.linalg.norm(points - known.landmarks, axis=-1).mean(axis=1)
    return {
        "mean_correlation": float(np.mean(list(by_unit.values()))),
        "nme": float((distance / ocular).mean()),
        **by_unit,
    }


def held_out(subjects: np.ndarray, share: float) -> np.ndarray:
    """Which faces to keep for the scores: those of a share of the subjects, at least two, chosen by their names alone.

    Parameters
    ----------
    subjects : str, shape (N,).

    Returns
    -------
    bool, shape (N,)
    """
    names = np.unique(subjects)
    chosen = names[np.argsort(hashed(1, keys(names)))[: max(2, round(share * len(names)))]]
    return np.isin(subjects, chosen)
