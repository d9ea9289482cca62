"""The shape model: what shapes of points have in common, their mean and the ways in which they differ most.

An active shape model. Smoothed by it, a shape keeps what is usual and loses what is its own: easier points, which a
network of points can learn first. Source: Cootes et al. 1995, "Active Shape Models: Their Training and Application"; as
targets of a network Fard et al. 2021, "ASMNet", arXiv:2103.00119.

Shapes are first laid on their mean by a similarity (generalised Procrustes), so that the components are of form alone
and not of where a face is, how large, and how turned; ``aligned=False`` leaves that out, as ASMNet does. A shape on the
mean is scaled so that it differs from it at right angles (the tangent space, Cootes and Taylor 2004, "Statistical
Models of Appearance for Computer Vision"): a shape that the model makes stays as it is when it is smoothed again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.artifacts.atomic import replacing
from pipeline.artifacts.files import open_regular
from pipeline.errors import ArtifactError, ConfigError, DataError
from pipeline.inputs.faces.geometry import invert, similarity, transform
from pipeline.inputs.signals import packed

LEAST_SHAPES = 2
DEVIATIONS = 3  # of a component, which a smoothed shape has at most
TURNS, STILL = 100, 1e-9  # most rounds of alignment, and the mean's change, a share of its size, that ends them
ARRAYS = ("mean", "components", "variances", "share", "aligned")


@dataclass(frozen=True)
class ShapeModel:
    """The mean of shapes and the components in which they differ.

    Parameters
    ----------
    mean : float64, shape (K, 2), in units of its own where ``aligned``, else in those of the shapes.
    components : float64, shape (Q, 2 K), unit vectors of x, y, x, y …, that of the largest variance first.
    variances : float64, shape (Q,), of the components.
    share : of all variance that the components have together, at least.
    aligned : whether shapes are laid on the mean by a similarity first.
    """

    mean: np.ndarray
    components: np.ndarray
    variances: np.ndarray
    share: float
    aligned: bool

    @classmethod
    def fit(cls, shapes: np.ndarray, share: float = 0.90, aligned: bool = True) -> ShapeModel:
        """The model of some shapes.

        Parameters
        ----------
        shapes : float, shape (M, K, 2), M >= 2, in any one unit.
        share : of the variance that components are kept for, above 0 and at most 1.
        aligned : whether they are laid on their mean by a rotation, a uniform scale and a shift first.

        Raises
        ------
        ConfigError : there is no such share.
        DataError : there are too few shapes, a number is missing, or all shapes are one.
        """
        from sklearn.decomposition import PCA  # slow to import

        if not 0 < share <= 1:
            raise ConfigError(f"A shape model of a share of {share} of the variance: expected above 0 and at most 1")
        shapes = _checked(shapes)
        if len(shapes) < LEAST_SHAPES or not np.isfinite(shapes).all():
            whole = int(np.isfinite(shapes).all((1, 2)).sum())
            raise DataError(
                f"A shape model needs {LEAST_SHAPES} shapes or more and all their points, got {len(shapes)} shapes of "
                f"which {whole} are whole"
            )
        laid = _on_their_mean(shapes) if aligned else shapes
        mean = laid.mean(axis=0)
        if np.ptp(laid, axis=0).max() <= STILL * np.ptp(laid):
            raise DataError(f"A shape model of {len(shapes)} shapes that are all the same has no components")
        fitted = PCA(n_components=share if share < 1 else None, svd_solver="full").fit(laid.reshape(len(laid), -1))
        kept = fitted.explained_variance_ratio_ > STILL**2  # all but rounding, where the share is 1
        return cls(mean, fitted.components_[kept], fitted.explained_variance_[kept], float(share), bool(aligned))

    def smooth(self, shapes: np.ndarray) -> np.ndarray:
        """Shapes as the model knows them, each where it was: float64, shape (N, K, 2).

        Parameters
        ----------
        shapes : float, shape (N, K, 2), in any unit where the model is ``aligned``; one with NaN becomes NaN.

        Raises
        ------
        DataError : a shape has another number of points, or all of them in one place.
        """
        shapes = _checked(shapes, len(self.mean))
        smoothed = np.full(shapes.shape, np.nan)
        for row in np.flatnonzero(np.isfinite(shapes).all((1, 2))):
            smoothed[row] = self._smoothed(shapes[row])
        return smoothed

    def coefficients(self, shape: np.ndarray) -> np.ndarray:
        """How much a shape on the mean, (K, 2), has of each component, shape (Q,)."""
        return self.components @ (shape - self.mean).ravel()

    def save(self, path: Path) -> None:
        """Write the model as an ``.npz``, by one rename; the same model is the same bytes."""
        with replacing(path) as draft, draft.open("wb") as file:
            np.savez(file, **{name: np.asarray(getattr(self, name)) for name in ARRAYS})

    @classmethod
    def load(cls, path: Path) -> ShapeModel:
        """Read a model that was saved; nothing in it is run.

        Raises
        ------
        ArtifactError : there is none, or it is damaged.
        """
        try:
            file = open_regular(path)
            found = packed.arrays(file, os.fstat(file.fileno()).st_size, ARRAYS)
            _check(found)
        except (OSError, DataError, ValueError) as error:
            raise ArtifactError(f"{path} is no whole shape model: {error}. Train its teacher again") from error
        numbers = (found[name].astype(np.float64) for name in ARRAYS[:3])
        return cls(*numbers, float(found["share"]), bool(found["aligned"]))

    def _smoothed(self, shape: np.ndarray) -> np.ndarray:
        back = _to(self.mean, shape) if self.aligned else None
        laid = shape if back is None else transform(invert(back), shape)
        most = DEVIATIONS * np.sqrt(self.variances)
        usual = self.mean + (np.clip(self.coefficients(laid), -most, most) @ self.components).reshape(-1, 2)
        return usual if back is None else transform(back, usual)


def _checked(shapes: np.ndarray, points: int | None = None) -> np.ndarray:
    """Shapes as float64, if they are of form (N, K, 2)."""
    shapes = np.asarray(shapes, np.float64)
    if shapes.ndim != 3 or shapes.shape[2] != 2 or shapes.shape[1] != (points or shapes.shape[1]):
        expected = f"(N, {points or 'K'}, 2)"
        raise DataError(f"A shape model reads shapes of x and y, {expected}, got an array of shape {shapes.shape}")
    return shapes


def _on_their_mean(shapes: np.ndarray) -> np.ndarray:
    """Shapes laid on their mean, which has its middle at 0 and the size 1; turned like the first of them."""
    mean = _unit(shapes[0])
    for _ in range(TURNS):
        laid = np.array([transform(invert(_to(mean, shape)), shape) for shape in shapes])
        before, mean = mean, _unit(laid.mean(axis=0))
        if np.abs(mean - before).max() < STILL:
            return laid
    raise DataError(f"A shape model of {len(shapes)} shapes: after {TURNS} rounds they do not agree on a mean")


def _to(mean: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """The similarity that brings the mean nearest to a shape, (2, 3), if there is one that leads back."""
    matrix = similarity(mean, shape)
    if not np.linalg.det(matrix[:, :2]) > 0:
        raise DataError("A shape model cannot lay a shape on its mean: all its points are in one place")
    return matrix


def _unit(shape: np.ndarray) -> np.ndarray:
    centred = shape - shape.mean(axis=0)
    size = np.linalg.norm(centred)
    if not size > 0:
        raise DataError("A shape model cannot use a shape whose points are all in one place")
    return centred / size


def _check(found: dict[str, np.ndarray]) -> None:
    """Refuse arrays that are no model; the message is the reason alone."""
    if missing := [name for name in ARRAYS if name not in found]:
        raise ValueError(f"it has no {' and no '.join(missing)}")
    mean, components, variances, share, aligned = (found[name] for name in ARRAYS)
    points, count = mean.shape[0] if mean.ndim else 0, variances.shape[0] if variances.ndim else 0
    expected = {
        "mean": (points, 2),
        "components": (count, 2 * points),
        "variances": (count,),
        "share": (),
        "aligned": (),
    }
    for name, shape in expected.items():
        if found[name].shape != shape:
            raise ValueError(f"{name} has the shape {found[name].shape}, expected {shape}")
    if not all(array.dtype.kind == "f" and np.isfinite(array).all() for array in (mean, components, variances, share)):
        raise ValueError("a number of it is none")
    if aligned.dtype.kind != "b" or not 0 < share <= 1 or not count or variances.min() <= 0:
        raise ValueError("its share, its variances or what it says of alignment is none")
