"""What happens in a clip of a drone: which fires and smoke, what looks like them, and how the drone flies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import ndimage

from pipeline.synth.flames import Fire, Glare, sample_fire, sample_glare
from pipeline.synth.landscape import SIDE, Landscape, paint_landscape
from pipeline.synth.plumes import Plume, Veil, sample_drift, sample_dust, sample_smoke, sample_veil

FRAMES = 8  # of a clip
VIEW = 224  # pixels of the map that a picture spans at zoom 1
PAIRS = ((0, 0), (1, 0), (1, 1), (0, 1))  # fire, smoke
PER_PAIR = 5  # clips of each pair in a block
BLOCK = PER_PAIR * len(PAIRS)
HIDDEN = (1.0, 0.25, 0.0, 0.0, 0.0)  # by a fire clip's place in its pair: the chance that nothing of it is to be seen
MARGIN_PX = 150  # between a fire and the map's edge: it stays in the picture
MARGIN = slice(MARGIN_PX, SIDE - MARGIN_PX)


@dataclass(frozen=True)
class Flight:
    """The drone over the map: place, turn and zoom when the clip begins, and what a frame adds."""

    start: tuple[float, float, float, float]
    step: tuple[float, float, float, float]

    def grid(self, frame: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        """Places of the map, columns and rows, that the pixels of a square picture show, float (height, height)."""
        x, y, angle, zoom = np.add(self.start, np.multiply(self.step, frame - (FRAMES - 1) / 2))
        spots = (np.arange(height) + 0.5) / height - 0.5
        right, down = np.meshgrid(spots * VIEW / zoom, spots * VIEW / zoom)
        return x + right * np.cos(angle) - down * np.sin(angle), y + right * np.sin(angle) + down * np.cos(angle)


@dataclass(frozen=True)
class Clip:
    """One clip; it depends on nothing but (seed, number).

    Attributes
    ----------
    fire, smoke : None where there is none in any frame.
    fire_from, smoke_from : the frames in which they begin.
    dust, veil, glare : what may be taken for smoke or fire.
    gain, offset : of the thermal camera.
    """

    seed: int
    number: int
    landscape: Landscape
    flight: Flight
    fire: Fire | None
    smoke: Plume | None
    fire_from: int
    smoke_from: int
    dust: Plume | None
    veil: Veil | None
    glare: Glare | None
    gain: float
    offset: float

    @property
    def decoys(self) -> tuple[str, ...]:
        seen = {"glare": self.glare, "dust": self.dust, self.veil.kind if self.veil else "": self.veil}
        return (*self.landscape.decoys, *(name for name, present in seen.items() if present))


def lot(seed: int, number: int) -> tuple[tuple[int, int], int]:
    """The pair (fire, smoke) of a clip, and its place among those of the pair in its block of 20."""
    block, place = divmod(number, BLOCK)
    drawn = int(np.random.default_rng((seed, block, 74)).permutation(BLOCK)[place])
    return PAIRS[drawn % len(PAIRS)], drawn // len(PAIRS)


@lru_cache(maxsize=2)
def clip(seed: int, number: int) -> Clip:
    """Clip `number` of the set `seed`.

    Of the five clips with fire and smoke in a block, the smoke begins late in one and the fire in another.
    """
    own = (seed, number)
    (burns, smokes), place = lot(seed, number)
    landscape = paint_landscape(own)
    rng = np.random.default_rng((*own, 75))
    hidden = bool(burns and rng.random() < HIDDEN[place])
    by_smoke = hidden and bool(smokes) and bool(rng.random() < 0.6)
    x, y = _place(rng, landscape, wooded=hidden and not by_smoke)
    size = np.exp(rng.uniform(np.log(5.0), np.log(8.0 if hidden else 15.0)))
    fire = sample_fire(rng, x, y, float(size), own)
    smoke = _smoke(np.random.default_rng((*own, 76)), x, y, bool(burns), hidden, by_smoke, own)
    dust, veil, glare = _decoys(np.random.default_rng((*own, 77)), landscape, own)
    camera = np.random.default_rng((*own, 78))
    return Clip(
        seed=seed,
        number=number,
        landscape=landscape,
        flight=_flight(camera),
        fire=fire if burns else None,
        smoke=smoke if smokes else None,
        fire_from=int(camera.integers(2, 6)) if smokes and place == 4 else 0,
        smoke_from=int(camera.integers(2, 6)) if burns and place == 3 else 0,
        dust=dust,
        veil=veil,
        glare=glare,
        gain=float(camera.uniform(0.93, 1.0)),
        offset=float(camera.uniform(-0.03, 0.03)),
    )


def _place(rng: np.random.Generator, landscape: Landscape, wooded: bool) -> tuple[float, float]:
    """Where something may burn: under the closest crowns there are, or in the open; never on what is built."""
    crowns = ndimage.uniform_filter(landscape.canopy, 25)[MARGIN, MARGIN]
    built = ndimage.maximum_filter(landscape.built, 25)[MARGIN, MARGIN]
    rank = (crowns if wooded else -0.6 * crowns) - 2 * built + 0.1 * rng.random(crowns.shape)
    best = np.argpartition(rank.ravel(), -400)[-400:]
    row, column = np.unravel_index(int(rng.choice(best)), rank.shape)
    return float(column + MARGIN_PX), float(row + MARGIN_PX)


def _smoke(
    rng: np.random.Generator, x: float, y: float, burns: bool, hidden: bool, dense: bool, own: tuple[int, int]
) -> Plume:
    """Smoke over a fire, of something that smoulders, or from beyond the picture; of a fire in sight it drifts away."""
    if not dense and rng.random() < (0.15 if burns else 0.3):
        return sample_drift(rng, SIDE / 2, own)
    plume = sample_smoke(rng, x, y, dense or (not burns and bool(rng.random() < 0.4)), SIDE / 2, own)
    if burns and not hidden:
        away_px = plume.width_px + rng.uniform(2, 8)
        away = away_px * np.cos(plume.wind), away_px * np.sin(plume.wind)
        return replace(plume, x=float(x + away[0]), y=float(y + away[1]))
    return plume


def _decoys(
    rng: np.random.Generator, landscape: Landscape, own: tuple[int, int]
) -> tuple[Plume | None, Veil | None, Glare | None]:
    dusty = landscape.road and not landscape.road.paved and rng.random() < 0.4
    place = landscape.road.place(rng.uniform(-70, 70), 0.0, SIDE) if dusty else None
    dust = sample_dust(rng, place, own) if place else None
    veiled = rng.random()
    kind = "fog" if veiled < 0.12 else "cloud" if veiled < 0.18 else ""
    veil = sample_veil(rng, kind, own) if kind else None
    mirrors = landscape.mirrors if landscape.daylight.sunny and rng.random() < 0.6 else ()
    return dust, veil, sample_glare(rng, mirrors, own) if mirrors else None


def _flight(rng: np.random.Generator) -> Flight:
    heading, speed_px = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 4.5)
    start = (*rng.normal(SIDE / 2, 3, 2), rng.uniform(0, 2 * np.pi), rng.uniform(0.92, 1.2))
    step = (speed_px * np.cos(heading), speed_px * np.sin(heading), rng.normal(0, 0.012), rng.normal(0, 0.008))
    return Flight(tuple(map(float, start)), tuple(map(float, step)))
