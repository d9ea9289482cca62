"""What people built, seen from above: a road, houses beside it, vehicles on it, and tarpaulins in the open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.synth.daylight import Daylight
from pipeline.synth.noise import blended, smooth_step

ASPHALT, DIRT = (0.36, 0.36, 0.37), (0.60, 0.51, 0.38)
# Colour of a roof, how much warmer than the air the sun makes it, and whether it mirrors the sun.
ROOFS = {
    "tiles": ((0.70, 0.30, 0.18), 22, False),
    "orange": ((0.76, 0.42, 0.22), 22, False),
    "slate": ((0.33, 0.34, 0.38), 34, False),
    "metal": ((0.78, 0.80, 0.83), 12, True),
    "thatch": ((0.55, 0.47, 0.34), 14, False),
}
PAINTS = ((0.92, 0.92, 0.9), (0.75, 0.1, 0.08), (0.95, 0.5, 0.08), (0.15, 0.2, 0.4), (0.2, 0.2, 0.2), (0.95, 0.8, 0.2))
TARPAULINS = ((0.97, 0.50, 0.08), (0.98, 0.75, 0.25), (0.9, 0.25, 0.12))
ENGINE_C = (60.0, 90.0)


@dataclass(frozen=True)
class Rectangle:
    """A rectangle on the map: pixels, radians; `x` and `y` are its centre."""

    x: float
    y: float
    length_px: float
    width_px: float
    angle: float

    def coordinates(self, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Along and across, from -1 to 1 inside, float (side, side)."""
        rows, columns = np.mgrid[:side, :side].astype(np.float32)
        dx, dy, cos, sin = columns - self.x, rows - self.y, np.cos(self.angle), np.sin(self.angle)
        return (dx * cos + dy * sin) / (self.length_px / 2), (dy * cos - dx * sin) / (self.width_px / 2)

    def cover(self, side: int) -> np.ndarray:
        """0-1, float (side, side), soft over the pixel of its edge."""
        along, across = self.coordinates(side)
        inside = np.minimum((1 - np.abs(along)) * self.length_px / 2, (1 - np.abs(across)) * self.width_px / 2)
        return np.clip(inside + 0.5, 0, 1)


@dataclass(frozen=True)
class Road:
    """A bent road across the map: y over x in a frame turned by `angle`; `amplitude_px` bends it `waves` times."""

    angle: float
    offset_px: float
    amplitude_px: float
    waves: float
    phase: float
    width_px: float
    paved: bool

    def distance_px(self, side: int) -> np.ndarray:
        """From the middle of the road, signed, float (side, side)."""
        rows, columns = np.mgrid[:side, :side].astype(np.float32) - side / 2
        along = columns * np.cos(self.angle) + rows * np.sin(self.angle)
        across = rows * np.cos(self.angle) - columns * np.sin(self.angle)
        return across - self._bend(along, side)

    def place(self, along_px: float, across_px: float, side: int) -> tuple[float, float, float]:
        """Column, row and direction of a place beside the road; `along_px` counts from the map's middle."""
        across = self._bend(along_px, side) + across_px
        slope = (self._bend(along_px + 1, side) - self._bend(along_px - 1, side)) / 2
        x = along_px * np.cos(self.angle) - across * np.sin(self.angle) + side / 2
        y = along_px * np.sin(self.angle) + across * np.cos(self.angle) + side / 2
        return float(x), float(y), float(self.angle + np.arctan(slope))

    def _bend(self, along, side: int):
        return self.offset_px + self.amplitude_px * np.sin(2 * np.pi * self.waves * along / side + self.phase)


def sample_road(rng: np.random.Generator) -> Road:
    """A road that passes near the middle of the map."""
    paved = bool(rng.random() < 0.55)
    return Road(
        angle=float(rng.uniform(0, np.pi)),
        offset_px=float(rng.uniform(-70, 70)),
        amplitude_px=float(rng.uniform(5, 40)),
        waves=float(rng.uniform(0.5, 1.5)),
        phase=float(rng.uniform(0, 2 * np.pi)),
        width_px=float(rng.uniform(9, 14) if paved else rng.uniform(5, 9)),
        paved=paved,
    )


def pave(colour: np.ndarray, warm_c: np.ndarray, road: Road, grain: np.ndarray) -> np.ndarray:
    """Paint a road into the map's colour and what the sun adds to its temperature; returns how far it covers, 0-1."""
    distance_px = road.distance_px(len(colour))
    cover = smooth_step(road.width_px / 2 - np.abs(distance_px), -0.8, 0.8)
    shade = np.float32(ASPHALT if road.paved else DIRT) * (1 + 0.06 * grain)[..., None]
    colour[...] = blended(colour, shade, cover)
    if road.paved:
        colour[...] = blended(colour, (0.85, 0.85, 0.82), 0.7 * smooth_step(0.7 - np.abs(distance_px), 0, 0.6))
    warm_c += (18 - warm_c) * cover
    return cover


def build(colour: np.ndarray, warm_c: np.ndarray, house: Rectangle, roof: str, daylight: Daylight) -> np.ndarray:
    """Paint a house with a gabled roof; returns how far it covers, 0-1 (side, side)."""
    side = len(colour)
    along, across = house.coordinates(side)
    cover = house.cover(side)
    paint, heated_c, _ = ROOFS[roof]
    across_sun = -daylight.sun[0] * np.sin(house.angle) + daylight.sun[1] * np.cos(house.angle)
    slope = np.sign(across) * across_sun * (0.24 if daylight.sunny else 0.03)
    tiles = 1 + slope + 0.05 * np.sin(along * house.length_px * 1.3) - 0.25 * (np.abs(across) < 0.07)
    colour[...] = blended(colour, np.float32(paint) * tiles[..., None], cover)
    warm_c += (heated_c * (1 + slope) - warm_c) * cover
    return cover


def park(
    colour: np.ndarray, hot_c: np.ndarray, car: Rectangle, paint: tuple[float, ...], engine_c: float
) -> np.ndarray:
    """Paint a vehicle whose engine, in its front third, is hot; returns how far it covers, 0-1 (side, side)."""
    side = len(colour)
    along, across = car.coordinates(side)
    cover = car.cover(side)
    colour[...] = blended(colour, paint, cover)
    colour[...] = blended(colour, (0.12, 0.14, 0.17), 0.8 * ((np.abs(along - 0.3) < 0.14) & (np.abs(across) < 0.8)))
    hot_c[...] = np.maximum(hot_c, engine_c * np.exp(-(((along - 0.6) / 0.5) ** 2) - (across / 0.9) ** 2))
    return cover


def spread_tarpaulin(colour: np.ndarray, sheet: Rectangle, paint: tuple[float, ...], grain: np.ndarray) -> np.ndarray:
    """Paint a coloured sheet on the ground; returns how far it covers, 0-1 (side, side)."""
    cover = sheet.cover(len(colour))
    colour[...] = blended(colour, np.float32(paint) * (1 + 0.1 * grain)[..., None], cover)
    return cover
