"""What veils the ground: plumes of smoke and of dust that drift with the wind, fog and low clouds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.synth.noise import fractal, looked_up, smooth_step

TILE = 256
SMOKES = {
    "grey": (0.68, 0.68, 0.69),
    "white": (0.88, 0.88, 0.88),
    "brown": (0.60, 0.51, 0.43),
    "dark": (0.3, 0.29, 0.28),
}
DUST = (0.76, 0.66, 0.51)
VEILS = {"fog": (0.84, 0.86, 0.89), "cloud": (0.93, 0.94, 0.95)}


@dataclass(frozen=True)
class Plume:
    """Smoke or dust from one source.

    Attributes
    ----------
    x, y : of the source, pixels of the map.
    wind : direction in radians; `speed_px` a frame.
    width_px, spread : half its width at the source, and what a pixel further along adds.
    length_px : over which it thins to a third.
    opacity : optical depth in its middle.
    colour : of a display, 0-1, in daylight of no tint.
    seed : of its turbulence.
    """

    x: float
    y: float
    wind: float
    speed_px: float
    width_px: float
    spread: float
    length_px: float
    opacity: float
    colour: tuple[float, float, float]
    seed: tuple[int, ...]


@dataclass(frozen=True)
class Veil:
    """Fog or a low cloud, wide, without a source: `cover` is about the share of the ground below it, `opacity` 0-1."""

    kind: str
    drift: tuple[float, float]
    scale: float
    cover: float
    opacity: float
    seed: tuple[int, ...]


@lru_cache(maxsize=8)
def turbulence(seed: tuple[int, ...], roughness: float) -> np.ndarray:
    """The tile of noise of a plume, a veil or a fire, float32 (TILE, TILE)."""
    return fractal(np.random.default_rng((*seed, 71)), TILE, roughness)


def plume_layer(plume: Plume, x: np.ndarray, y: np.ndarray, frame: float) -> tuple[np.ndarray, np.ndarray]:
    """How far a plume covers places of the map, and its colour there.

    Parameters
    ----------
    x, y : places, pixels of the map, float (rows, columns).
    frame : number of the frame, the plume's time.

    Returns
    -------
    alpha : 0-1, float (rows, columns).
    colour : float (rows, columns, 3).
    """
    tile = turbulence(plume.seed, 1.6)
    cos, sin = np.cos(plume.wind), np.sin(plume.wind)
    along, across = (x - plume.x) * cos + (y - plume.y) * sin, (y - plume.y) * cos - (x - plume.x) * sin
    carried = along - plume.speed_px * frame
    swing = looked_up(tile, carried * 0.35, across * 0.35 + 50, wrap=True)
    reach = np.clip(along, 0, None)
    across = across + swing * (0.12 * np.minimum(reach, 60) + 0.25 * plume.width_px)
    along = along + 0.3 * plume.width_px * swing
    width_px = plume.width_px + plume.spread * reach
    billow = looked_up(tile, carried, across, wrap=True)
    lit = looked_up(tile, carried + 3, across + 3, wrap=True)
    body = np.exp(-((across / width_px) ** 2)) * smooth_step(along, -plume.width_px, 0.4 * plume.width_px)
    thinning = np.exp(-reach / plume.length_px) * (1 + 0.3 * np.minimum(reach / plume.length_px, 1))
    depth = plume.opacity * body * thinning * np.clip(0.75 + 0.5 * billow, 0.05, None)
    relief = 1 + 0.26 * np.clip(billow - lit, -1.2, 1.2) + 0.05 * billow
    return 1 - np.exp(-depth), np.float32(plume.colour) * relief[..., None]


def veil_alpha(veil: Veil, x: np.ndarray, y: np.ndarray, frame: float) -> np.ndarray:
    """How far fog or a cloud covers places of the map, 0-1, float (rows, columns); for the arguments see the plume."""
    tile = turbulence(veil.seed, 1.9 if veil.kind == "fog" else 1.6)
    columns, rows = x - veil.drift[0] * frame, y - veil.drift[1] * frame
    shape = looked_up(tile, columns * veil.scale, rows * veil.scale, wrap=True)
    edge = 1.6 if veil.kind == "fog" else 0.8
    lumps = looked_up(tile, columns * 3 * veil.scale + 31, rows * 3 * veil.scale, wrap=True)
    solid = veil.opacity * np.clip(0.9 + 0.1 * lumps, 0.6, 1.0)
    return solid * smooth_step(shape, 1 - 2 * veil.cover, 1 - 2 * veil.cover + edge)


def sample_smoke(
    rng: np.random.Generator, x: float, y: float, dense: bool, middle: float, seed: tuple[int, ...]
) -> Plume:
    """Smoke that rises at a place and blows towards about the middle of the map; if dense, it hides what is there."""
    colour = SMOKES[str(rng.choice(list(SMOKES), p=(0.42, 0.34, 0.16, 0.08)))]
    return Plume(
        x=x,
        y=y,
        wind=float(np.arctan2(middle - y, middle - x) + rng.normal(0, 0.9)),
        speed_px=float(rng.uniform(2, 8)),
        width_px=float(rng.uniform(20, 32) if dense else rng.uniform(11, 18)),
        spread=float(rng.uniform(0.25, 0.5)),
        length_px=float(rng.uniform(100, 220)),
        opacity=float(rng.uniform(3.5, 5.5) if dense else rng.uniform(2.2, 4.2)),
        colour=colour,
        seed=(*seed, 1),
    )


def sample_drift(rng: np.random.Generator, middle: float, seed: tuple[int, ...]) -> Plume:
    """Smoke whose source lies beyond the picture and that drifts across the middle of the map."""
    upwind_px, wind = rng.uniform(150, 240), rng.uniform(0, 2 * np.pi)
    aside_px = rng.uniform(-50, 50)
    plume = sample_smoke(rng, 0.0, 0.0, False, middle, seed)
    return Plume(
        x=float(middle - upwind_px * np.cos(wind) - aside_px * np.sin(wind)),
        y=float(middle - upwind_px * np.sin(wind) + aside_px * np.cos(wind)),
        wind=float(wind),
        speed_px=plume.speed_px,
        width_px=float(rng.uniform(20, 45)),
        spread=float(rng.uniform(0.08, 0.2)),
        length_px=float(rng.uniform(250, 500)),
        opacity=float(rng.uniform(2.2, 4.0)),
        colour=plume.colour,
        seed=(*seed, 2),
    )


def sample_dust(rng: np.random.Generator, place: tuple[float, float, float], seed: tuple[int, ...]) -> Plume:
    """Dust behind a vehicle: short, thin, along the road; `place` is its column, row and direction."""
    x, y, direction = place
    return Plume(
        x=x,
        y=y,
        wind=float(direction + rng.choice((0, np.pi)) + rng.normal(0, 0.12)),
        speed_px=float(rng.uniform(1, 3)),
        width_px=float(rng.uniform(4, 7)),
        spread=float(rng.uniform(0.06, 0.14)),
        length_px=float(rng.uniform(30, 60)),
        opacity=float(rng.uniform(0.6, 1.3)),
        colour=DUST,
        seed=(*seed, 3),
    )


def sample_veil(rng: np.random.Generator, kind: str, seed: tuple[int, ...]) -> Veil:
    """A fog bank or a low cloud."""
    fog = kind == "fog"
    return Veil(
        kind=kind,
        drift=(float(rng.uniform(-3, 3)), float(rng.uniform(-3, 3))),
        scale=float(rng.uniform(0.22, 0.4) if fog else rng.uniform(0.4, 0.8)),
        cover=float(rng.uniform(0.4, 0.65) if fog else rng.uniform(0.15, 0.4)),
        opacity=float(rng.uniform(0.25, 0.5) if fog else rng.uniform(0.6, 0.9)),
        seed=(*seed, 4),
    )
