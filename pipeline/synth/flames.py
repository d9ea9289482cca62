"""Fires as a camera and a thermal camera see them, and the glare of the sun, which only the camera takes for one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipeline.synth.noise import looked_up, smooth_step
from pipeline.synth.plumes import TILE, turbulence

FLAME_C = 700.0  # of a full fire above the ground
BURNING = 0.3  # heat from which a pixel burns
SCREENED = 0.4  # of a fire's heat, by a closed canopy
# The thermal camera's grey levels, 0-1, over degrees above the air: half for landscapes, the rest for what is hot.
SCALE_C, SCALE_LEVELS = (-14.0, 0.0, 18.0, 85.0, 230.0), (0.06, 0.2, 0.48, 0.68, 1.0)
BLOOM_PX, BLOOM_C = 3.0, 90.0  # of the picture at the form's own height
GLOW_PX, GLOW_SRGB = 7.0, (0.42, 0.17, 0.03)  # of the light that flames throw on what is about them, on the map
# Colour of a flame by heat.
RAMP_HEAT = (0.0, 0.35, 0.65, 0.9, 1.0)
RAMP_SRGB = ((0.75, 0.18, 0.02), (1.0, 0.38, 0.03), (1.0, 0.62, 0.08), (1.0, 0.85, 0.34), (1.0, 0.95, 0.68))


@dataclass(frozen=True)
class Fire:
    """Burning spots: column, row and radius of each, pixels of the map."""

    spots: tuple[tuple[float, float, float], ...]
    seed: tuple[int, ...]


@dataclass(frozen=True)
class Glare:
    """The sun in mirrors: column, row and radius of each, pixels of the map; `gold` 0-1 is how yellow it is."""

    spots: tuple[tuple[float, float, float], ...]
    gold: float
    seed: tuple[int, ...]


def heat(fire: Fire, x: np.ndarray, y: np.ndarray, frame: int) -> np.ndarray:
    """How hot a fire is at places of the map, 0-1, float (rows, columns); it flickers from frame to frame."""
    rng = np.random.default_rng((*fire.seed, 72, frame))
    tile = turbulence(fire.seed, 1.2)
    licks = looked_up(tile, x * 2.0 + rng.uniform(0, TILE), y * 2.0 + rng.uniform(0, TILE), wrap=True)
    total = np.zeros_like(x)
    for column, row, radius_px in fire.spots:
        squared_px = (radius_px * np.exp(rng.normal(0, 0.13))) ** 2
        total += np.exp(-((x - column) ** 2 + (y - row) ** 2) / squared_px)
    return np.clip(1.15 * smooth_step(total * (1 + 0.22 * licks), 0.22, 0.95) * (1 + 0.12 * licks), 0, 1)


def flame_colour(heat: np.ndarray) -> np.ndarray:
    """Red at the rim, yellow at the core, float (rows, columns, 3)."""
    channels = zip(*RAMP_SRGB, strict=True)
    return np.stack([np.interp(heat, RAMP_HEAT, channel) for channel in channels], -1).astype(np.float32)


def glare_layer(glare: Glare, x: np.ndarray, y: np.ndarray, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """How far glare covers places of the map, 0-1, and its colour; it sparkles from frame to frame."""
    rng = np.random.default_rng((*glare.seed, 73, frame))
    tile = turbulence(glare.seed, 0.45)
    sparkle = looked_up(tile, x * 1.5 + rng.uniform(0, TILE), y * 1.5 + rng.uniform(0, TILE), wrap=True)
    total = np.zeros_like(x)
    for column, row, radius_px in glare.spots:
        squared_px = (radius_px * np.exp(rng.normal(0, 0.3))) ** 2
        total += np.exp(-((x - column) ** 2 + (y - row) ** 2) / squared_px)
    level = np.clip(smooth_step(total * (1 + 0.8 * sparkle), 0.35, 1.1), 0, 1)
    rim, core = np.float32((1.0, 0.93 - 0.35 * glare.gold, 0.82 - 0.62 * glare.gold)), np.float32((1.0, 0.98, 0.9))
    return level, rim + (core - rim) * np.float32(level**3)[..., None]


def thermal(above_air_c: np.ndarray, heat: np.ndarray, canopy: np.ndarray, bloom_px: float) -> np.ndarray:
    """The thermal camera's picture, 0-1, float (rows, columns).

    Parameters
    ----------
    above_air_c : how much warmer than the air the ground and what stands on it are, in degrees.
    heat, canopy : of fires and how far crowns are above them, 0-1; smoke does not matter to it.
    bloom_px : deviation of the halo about what is hot.
    """
    let_through = heat * (1 - SCREENED * canopy)
    halo = ndimage.gaussian_filter(let_through, bloom_px)
    return np.interp(above_air_c + FLAME_C * let_through + BLOOM_C * halo, SCALE_C, SCALE_LEVELS)


def sample_fire(rng: np.random.Generator, x: float, y: float, size: float, seed: tuple[int, ...]) -> Fire:
    """Two to six spots along a front at a place; `size` is the radius of the largest."""
    angle, count = rng.uniform(0, 2 * np.pi), int(rng.integers(2, 7))
    along = np.cumsum(np.append(0.0, rng.uniform(0.8, 2.2, count - 1))) * size
    along -= along.mean()
    across = rng.normal(0, 0.5 * size, count)
    radius_px = size * np.append(1.0, rng.uniform(0.5, 0.95, count - 1))
    columns = x + along * np.cos(angle) - across * np.sin(angle)
    rows = y + along * np.sin(angle) + across * np.cos(angle)
    return Fire(tuple(zip(columns.tolist(), rows.tolist(), radius_px.tolist(), strict=True)), (*seed, 5))


def sample_glare(rng: np.random.Generator, mirrors: tuple[tuple[float, float], ...], seed: tuple[int, ...]) -> Glare:
    """The sun in some of the mirrors of a landscape."""
    spots = []
    for x, y in mirrors:
        for _ in range(int(rng.integers(1, 5))):
            column, row = rng.normal((x, y), 7)
            spots.append((float(column), float(row), float(rng.uniform(2.5, 7.0))))
    return Glare(tuple(spots), float(rng.uniform(0, 1)), (*seed, 6))
