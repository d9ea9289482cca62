"""Daylight over a landscape: where the sun is, its colour and strength, haze, and how far it has warmed the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Elevation of the sun in degrees, exposure, red and blue against green, warmth of the ground, each from and to.
HOURS = {
    "morning": ((14, 30), (0.75, 1.0), (1.04, 1.14), (0.78, 0.92), (0.2, 0.5)),
    "noon": ((45, 70), (0.95, 1.2), (0.98, 1.04), (0.94, 1.02), (0.6, 1.0)),
    "evening": ((10, 22), (0.65, 0.95), (1.1, 1.24), (0.66, 0.84), (0.3, 0.7)),
    "overcast": ((90, 90), (0.7, 0.95), (0.92, 0.98), (1.0, 1.1), (0.15, 0.35)),
    "dusk": ((90, 90), (0.3, 0.48), (0.92, 1.0), (1.04, 1.16), (0.15, 0.35)),
}
SHADOW = 0.5  # of the light, where the sun does not reach


@dataclass(frozen=True)
class Daylight:
    """The light of one clip.

    Attributes
    ----------
    hour : a key of `HOURS`.
    elevation_deg : of the sun; 90 where there are no shadows.
    sun : unit vector in the map, columns and rows, towards the sun.
    tint : factors of red, green and blue, exposure included.
    haze : share of the picture that is veiled.
    warmth : 0-1, how far the sun has warmed what it shines upon.
    air_c : temperature of the air.
    """

    hour: str
    elevation_deg: float
    sun: tuple[float, float]
    tint: tuple[float, float, float]
    haze: float
    warmth: float
    air_c: float

    @property
    def sunny(self) -> bool:
        return self.elevation_deg < 90

    def shadow_px(self, height_px: float) -> tuple[float, float]:
        """Where the shadow of a top falls, from its foot: columns and rows."""
        length = height_px / np.tan(np.radians(self.elevation_deg)) if self.sunny else 0.0
        return -self.sun[0] * length, -self.sun[1] * length


def sample_daylight(rng: np.random.Generator, air_c: tuple[float, float]) -> Daylight:
    """Daylight drawn at random, with air of a temperature from and to."""
    hour = str(rng.choice(list(HOURS), p=(0.2, 0.34, 0.18, 0.2, 0.08)))
    elevation_deg, exposure, red, blue, warmth = (float(rng.uniform(*between)) for between in HOURS[hour])
    azimuth = rng.uniform(0, 2 * np.pi)
    return Daylight(
        hour=hour,
        elevation_deg=elevation_deg,
        sun=(float(np.cos(azimuth)), float(np.sin(azimuth))),
        tint=(exposure * red, exposure, exposure * blue),
        haze=float(rng.uniform(0, 0.22) ** 1.3),
        warmth=warmth,
        air_c=float(rng.uniform(*air_c)),
    )
