"""Trees seen from above: where they stand, and the crowns that cover the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from pipeline.synth.daylight import SHADOW, Daylight
from pipeline.synth.noise import blended, fractal, smooth_step

SPACING_PX = 8.5  # between crowns of a closed wood
CONIFER, BROADLEAF = (0.15, 0.24, 0.14), (0.27, 0.37, 0.15)
AUTUMN = ((0.68, 0.40, 0.15), (0.66, 0.54, 0.20), (0.55, 0.27, 0.15))
HEIGHT_PX = 9.0


@dataclass(frozen=True)
class Woods:
    """Crowns and what they cover.

    Attributes
    ----------
    cover : 0-1, float32 (side, side): how far crowns hide the ground.
    colour : of the crowns, float32 (side, side, 3).
    """

    cover: np.ndarray
    colour: np.ndarray


def plant(rng: np.random.Generator, density: np.ndarray, autumn: float, daylight: Daylight) -> Woods:
    """Trees where they may grow.

    Parameters
    ----------
    density : 0-1, float (side, side): the chance that a tree stands there.
    autumn : share of broadleaved trees whose leaves have turned.
    """
    side = len(density)
    steps = np.arange(-1, side / SPACING_PX + 1) * SPACING_PX
    places = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2) + rng.uniform(-3.6, 3.6, (len(steps) ** 2, 2))
    columns, rows = np.clip(places.astype(int), 0, side - 1).T
    places = places[rng.random(len(places)) < density[rows, columns]]
    if not len(places):
        return Woods(np.zeros((side, side), np.float32), np.zeros((side, side, 3), np.float32))
    radius_px = rng.uniform(5.2, 7.8, len(places))
    return _crowns(rng, side, places, radius_px, _leaves(rng, places, side, autumn), daylight)


def _leaves(rng: np.random.Generator, places: np.ndarray, side: int, autumn: float) -> np.ndarray:
    """A colour for each tree, float (trees, 3); conifers stand together."""
    mixture = fractal(rng, 64, 1.4) + rng.normal(0, 0.8)
    columns, rows = (np.clip(places / side, 0, 0.999) * 64).astype(int).T
    conifer = mixture[rows, columns] + rng.normal(0, 0.4, len(places)) > 0
    leaves = np.where(conifer[:, None], CONIFER, BROADLEAF)
    turned = ~conifer & (rng.random(len(places)) < autumn)
    leaves[turned] = np.array(AUTUMN)[rng.integers(len(AUTUMN), size=int(turned.sum()))]
    return leaves * rng.uniform(0.78, 1.2, (len(places), 1)) + rng.normal(0, 0.012, leaves.shape)


def _crowns(
    rng: np.random.Generator,
    side: int,
    places: np.ndarray,
    radius_px: np.ndarray,
    leaves: np.ndarray,
    daylight: Daylight,
) -> Woods:
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    ragged = fractal(rng, side, 0.5)
    points = np.stack([columns + 1.1 * ragged, rows + 1.1 * np.roll(ragged, 97, 0)], -1).reshape(-1, 2)
    _, nearest = cKDTree(places).query(points)
    offset = (points - places[nearest]) / radius_px[nearest][:, None]
    distance = np.hypot(*offset.T).reshape(side, side)
    towards_sun = (offset @ np.array(daylight.sun)).reshape(side, side)
    light = 1.06 - 0.4 * smooth_step(distance, 0.25, 1.05) + 0.13 * ragged
    if daylight.sunny:
        light += (1 - SHADOW) * 0.7 * np.clip(towards_sun, -1, 1)
    colour = leaves[nearest].reshape(side, side, 3) * np.clip(light, 0.3, 1.7)[..., None]
    return Woods(smooth_step(1.12 - distance, 0.0, 0.22).astype(np.float32), colour.astype(np.float32))


def shaded(ground: np.ndarray, tops: np.ndarray, height_px: float, daylight: Daylight) -> np.ndarray:
    """The ground, float (side, side, 3), with the shadows of what stands on `tops`, 0-1 (side, side)."""
    if not daylight.sunny:
        return ground
    across, down = daylight.shadow_px(height_px)
    shadow = np.zeros_like(tops)
    for share in (0.33, 0.66, 1.0):
        shift = (round(float(np.clip(down, -26, 26)) * share), round(float(np.clip(across, -26, 26)) * share))
        shadow = np.maximum(shadow, np.roll(tops, shift, (0, 1)))
    return blended(ground, ground * np.float32([0.46, 0.5, 0.58]), shadow * (1 - tops))
