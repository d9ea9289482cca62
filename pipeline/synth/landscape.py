"""A landscape seen from above, as a map: ground, water, woods, a road and houses, in colour and in temperature."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from pipeline.synth import settlement
from pipeline.synth.daylight import Daylight, sample_daylight
from pipeline.synth.noise import blended, fractal, smooth_step
from pipeline.synth.settlement import Rectangle
from pipeline.synth.woods import HEIGHT_PX, plant, shaded

SIDE = 448  # pixels of the map
AIR_C, FROST_C = (4.0, 28.0), (-8.0, 4.0)
# Colour of a ground, and how much warmer than the air the sun makes it, in degrees.
GROUNDS = {
    "grass": ((0.40, 0.49, 0.24), 3),
    "dry grass": ((0.68, 0.60, 0.38), 9),
    "heath": ((0.46, 0.40, 0.30), 7),
    "rock": ((0.55, 0.53, 0.50), 24),
    "snow": ((0.90, 0.92, 0.95), -12),
    "soil": ((0.52, 0.42, 0.31), 13),
}
# The main and the other ground, and the share of wood, from and to.
COUNTRIES = {
    "forest": ("grass", "heath", (0.55, 0.9)),
    "meadow": ("grass", "dry grass", (0.1, 0.4)),
    "savanna": ("dry grass", "soil", (0.1, 0.35)),
    "mountain": ("rock", "heath", (0.1, 0.4)),
    "snowy": ("snow", "rock", (0.15, 0.45)),
    "farmland": ("grass", "soil", (0.1, 0.3)),
}
CROPS = ((0.55, 0.58, 0.26), (0.40, 0.51, 0.20), (0.76, 0.67, 0.40), (0.52, 0.42, 0.30), (0.62, 0.62, 0.34))
WATER, WATER_COOL_C = (0.14, 0.25, 0.29), -5


@dataclass(frozen=True)
class Landscape:
    """One map and its light.

    Attributes
    ----------
    country : a key of `COUNTRIES`.
    daylight : the light that `colour` already shows.
    colour : float32 (SIDE, SIDE, 3), 0-1 for a display.
    temperature_c : float32 (SIDE, SIDE).
    canopy : 0-1, float32 (SIDE, SIDE): how far crowns hide the ground.
    built : 0-1, float32 (SIDE, SIDE): houses, road and water, where no fire begins.
    mirrors : columns and rows of what may mirror the sun.
    road : for the dust on it, None without one.
    decoys : what in it may be taken for fire, by sight or by warmth.
    """

    country: str
    daylight: Daylight
    colour: np.ndarray
    temperature_c: np.ndarray
    canopy: np.ndarray
    built: np.ndarray
    mirrors: tuple[tuple[float, float], ...]
    road: settlement.Road | None
    decoys: tuple[str, ...]


@dataclass
class _Canvas:
    """A landscape while it is painted."""

    colour: np.ndarray
    warm_c: np.ndarray
    hot_c: np.ndarray
    built: np.ndarray
    mirrors: list = field(default_factory=list)
    decoys: list = field(default_factory=list)

    def occupy(self, cover: np.ndarray) -> None:
        np.maximum(self.built, cover, out=self.built)


def paint_landscape(seed: tuple[int, ...]) -> Landscape:
    """The landscape of a seed."""
    rng = np.random.default_rng((*seed, 70))
    country = str(rng.choice(list(COUNTRIES), p=(0.26, 0.18, 0.16, 0.14, 0.1, 0.16)))
    daylight = sample_daylight(rng, FROST_C if country == "snowy" else AIR_C)
    canvas = _ground(rng, country)
    if country == "farmland":
        _fields(rng, canvas)
    if country != "snowy" and rng.random() < 0.25:
        _water(rng, canvas)
    road = _settle(rng, canvas, daylight)
    woods = _wood(rng, canvas, COUNTRIES[country][2], daylight)
    colour = blended(shaded(canvas.colour, woods.cover, HEIGHT_PX, daylight), woods.colour, woods.cover)
    warm_c = canvas.warm_c + (1.5 - canvas.warm_c) * woods.cover + 0.8 * fractal(rng, SIDE, 0.8)
    temperature_c = daylight.air_c + np.where(warm_c > 0, daylight.warmth, 1.0) * warm_c
    hot_c = canvas.hot_c * (1 - 0.9 * woods.cover)
    return Landscape(
        country=country,
        daylight=daylight,
        colour=np.clip(colour * np.float32(daylight.tint), 0, 1).astype(np.float32),
        temperature_c=np.maximum(temperature_c, hot_c).astype(np.float32),
        canopy=woods.cover,
        built=canvas.built,
        mirrors=tuple(canvas.mirrors),
        road=road,
        decoys=tuple(dict.fromkeys(canvas.decoys)),
    )


def _ground(rng: np.random.Generator, country: str) -> _Canvas:
    """Two grounds that mingle, mottled; on some, rocks that the sun has heated."""
    main, other, _ = COUNTRIES[country]
    mottle, grain = fractal(rng, SIDE, 1.3), fractal(rng, SIDE, 0.4)
    share = smooth_step(fractal(rng, SIDE, 1.6) + 0.25 * grain, 0.2, 1.0)
    tint = 1 + rng.normal(0, 0.025, 3)
    colour = blended(np.broadcast_to(np.float32(GROUNDS[main][0]), (SIDE, SIDE, 3)), GROUNDS[other][0], share)
    colour = colour * np.float32(tint) * (1 + 0.10 * mottle + 0.055 * grain)[..., None]
    warm_c = GROUNDS[main][1] * (1 - share) + GROUNDS[other][1] * share + 1.2 * mottle
    canvas = _Canvas(colour, warm_c, np.full((SIDE, SIDE), -50.0), np.zeros((SIDE, SIDE)))
    if rng.random() < 0.3:
        stones = smooth_step(fractal(rng, SIDE, 1.0), 1.7, 2.0)
        canvas.colour = blended(canvas.colour, np.float32([0.60, 0.57, 0.53]) * (1 + 0.1 * grain)[..., None], stones)
        canvas.warm_c = canvas.warm_c + (36 - canvas.warm_c) * stones
        canvas.decoys.append("hot rocks")
    return canvas


def _fields(rng: np.random.Generator, canvas: _Canvas) -> None:
    """A patchwork of fields, each with rows of its own."""
    angle, length_px, width_px = rng.uniform(0, np.pi), rng.uniform(90, 150), rng.uniform(60, 100)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    along = columns * np.cos(angle) + rows * np.sin(angle)
    across = rows * np.cos(angle) - columns * np.sin(angle)
    strip = np.floor(across / width_px).astype(int) % 16
    piece = np.floor((along + strip * 37.0) / length_px).astype(int) % 16
    crops = rng.integers(len(CROPS), size=(16, 16))[strip, piece]
    furrows = 1 + 0.05 * np.sin(2 * np.pi * np.where(crops % 2, along, across) / 7.0)
    hedge = np.minimum(across % width_px, (along + strip * 37.0) % length_px) < 3
    shade = np.float32(CROPS)[crops] * (furrows * np.where(hedge, 0.7, 1.0))[..., None]
    texture = canvas.colour / canvas.colour.mean((0, 1))
    canvas.colour = 0.2 * canvas.colour + 0.8 * shade * (0.6 + 0.4 * texture)
    canvas.warm_c = canvas.warm_c + np.array([1, 0, 4, 9, 2])[crops]


def _water(rng: np.random.Generator, canvas: _Canvas) -> None:
    """A lake or a river, whose surface may mirror the sun."""
    relief = fractal(rng, SIDE, 2.0)
    river = rng.random() < 0.5
    cover = smooth_step(0.16 - np.abs(relief) if river else relief - 0.9, 0, 0.04)
    ripples = 1 + 0.05 * fractal(rng, SIDE, 0.6)
    canvas.colour = blended(canvas.colour, (0.66, 0.60, 0.48), smooth_step(ndimage.gaussian_filter(cover, 3), 0.1, 0.6))
    canvas.colour = blended(canvas.colour, np.float32(WATER) * ripples[..., None], cover)
    canvas.warm_c = canvas.warm_c + (WATER_COOL_C - canvas.warm_c) * cover
    canvas.occupy(cover)
    wet = np.argwhere(cover[110:-110, 110:-110] > 0.95) + 110
    canvas.mirrors += [(float(x), float(y)) for y, x in wet[rng.integers(len(wet), size=3)]] if len(wet) else []


def _settle(rng: np.random.Generator, canvas: _Canvas, daylight: Daylight) -> settlement.Road | None:
    """Perhaps a road; beside it perhaps houses, on it perhaps vehicles; perhaps tarpaulins somewhere."""
    grain = fractal(rng, SIDE, 0.4)
    road = settlement.sample_road(rng) if rng.random() < 0.62 else None
    if road:
        canvas.occupy(settlement.pave(canvas.colour, canvas.warm_c, road, grain))
        for _ in range(int(rng.choice((0, 1, 2, 4), p=(0.4, 0.25, 0.2, 0.15)))):
            _house(rng, canvas, road, daylight)
        for _ in range(int(rng.choice((0, 1, 2, 4), p=(0.35, 0.3, 0.2, 0.15)))):
            x, y, angle = road.place(rng.uniform(-110, 110), rng.choice((-1, 1)) * road.width_px * 0.25, SIDE)
            car = Rectangle(x, y, rng.uniform(7.5, 11), rng.uniform(4.2, 5), angle + rng.choice((0, np.pi)))
            paint = settlement.PAINTS[rng.integers(len(settlement.PAINTS))]
            cover = settlement.park(canvas.colour, canvas.hot_c, car, paint, rng.uniform(*settlement.ENGINE_C))
            canvas.occupy(cover)
            canvas.decoys.append("vehicle")
    if rng.random() < 0.12:
        for x, y in rng.uniform(150, SIDE - 150, (int(rng.integers(1, 4)), 2)):
            sheet = Rectangle(x, y, rng.uniform(5, 12), rng.uniform(4, 8), rng.uniform(0, np.pi))
            paint = settlement.TARPAULINS[rng.integers(len(settlement.TARPAULINS))]
            canvas.occupy(settlement.spread_tarpaulin(canvas.colour, sheet, paint, grain))
        canvas.decoys.append("tarpaulin")
    return road


def _house(rng: np.random.Generator, canvas: _Canvas, road: settlement.Road, daylight: Daylight) -> None:
    length_px, width_px = rng.uniform(20, 36), rng.uniform(15, 22)
    beside_px = rng.choice((-1, 1)) * (road.width_px / 2 + width_px / 2 + rng.uniform(4, 16))
    x, y, angle = road.place(rng.uniform(-110, 110), beside_px, SIDE)
    house = Rectangle(x, y, length_px, width_px, angle + rng.choice((0, np.pi / 2), p=(0.7, 0.3)))
    roof = str(rng.choice(list(settlement.ROOFS)))
    canvas.colour = shaded(canvas.colour, house.cover(SIDE), 8.0, daylight)
    canvas.occupy(settlement.build(canvas.colour, canvas.warm_c, house, roof, daylight))
    canvas.decoys.append("warm roof")
    if roof in ("tiles", "orange"):
        canvas.decoys.append("red roof")
    if settlement.ROOFS[roof][2]:
        canvas.mirrors.append((house.x, house.y))


def _wood(rng: np.random.Generator, canvas: _Canvas, share: tuple[float, float], daylight: Daylight):
    """Groves and single trees beside what is built."""
    level = np.quantile(relief := fractal(rng, SIDE, 1.5), 1 - rng.uniform(*share))
    density = 0.03 + 0.97 * smooth_step(relief, level - 0.08, level + 0.08)
    free = 1 - np.minimum(1, 1.6 * ndimage.maximum_filter(canvas.built, 11))
    autumn = float(rng.uniform(0.3, 0.9)) if rng.random() < 0.16 else 0.0
    if autumn:
        canvas.decoys.append("autumn trees")
    return plant(rng, density * free, autumn, daylight)
