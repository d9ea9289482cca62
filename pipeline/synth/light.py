"""Light on surfaces: a key light with soft shadows, sky and ground, scattering under skin, highlights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipeline.synth.geometry import EYES, LASHES, Bust
from pipeline.synth.raster import Hits, Rasteriser
from pipeline.synth.surface import Surface
from pipeline.synth.vectors import dot, unit

SHADOW_SIZE = 320
SHADOW_CM = 36.0


@dataclass(frozen=True)
class Light:
    """Key light (unit direction towards it, linear RGB), light from above and below, and a rim from behind."""

    key: np.ndarray
    key_colour: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    rim: np.ndarray
    rim_colour: np.ndarray
    softness: float  # of the key light's shadow, in centimetres


class ShadowMap:
    """Depth seen from the key light, for soft shadows."""

    def __init__(self, raster: Rasteriser, bust: Bust, light: Light) -> None:
        forward = light.key
        right = unit(np.cross([0, 1, 0], forward))
        self.basis = np.stack([right, np.cross(forward, right), forward]).astype(np.float32)
        self.centre = np.float32([0, -2, -6])
        self.scale = SHADOW_SIZE / SHADOW_CM
        self.softness = light.softness
        solid = bust.part != LASHES
        space = self._to_light(bust.vertices)
        hits = raster.draw(space, bust.corners[solid], (SHADOW_SIZE, SHADOW_SIZE), None)
        self.depth = np.full(SHADOW_SIZE * SHADOW_SIZE, -1e3, np.float32)
        self.depth[hits.flat] = hits.sample(space[:, 2])

    def _to_light(self, points: np.ndarray) -> np.ndarray:
        space = (points - self.centre) @ self.basis.T * self.scale
        return space.astype(np.float32)

    def lit(self, position: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """Share of the key light that reaches each point, (P,)."""
        space = self._to_light(position + 0.12 * normal)
        spread = self.softness * self.scale
        total = np.zeros(len(position), np.float32)
        turns = np.arange(9) * 2.39996
        radii = np.sqrt((np.arange(9) + 0.5) / 9) * spread
        for turn, radius in zip(turns, radii, strict=True):
            column = (SHADOW_SIZE / 2 + space[:, 0] + radius * np.cos(turn)).astype(np.int64)
            row = (SHADOW_SIZE / 2 - space[:, 1] + radius * np.sin(turn)).astype(np.int64)
            index = np.clip(row, 0, SHADOW_SIZE - 1) * SHADOW_SIZE + np.clip(column, 0, SHADOW_SIZE - 1)
            gap = (self.depth[index] - space[:, 2]) / self.scale - 0.12
            total += 1 - np.clip(gap / 0.5, 0, 1)
        return total / 9


def ambient_occlusion(hits: Hits, depth: np.ndarray) -> np.ndarray:
    """How much sky each pixel sees (H * W,), from how far it lies behind its surroundings; depth is per vertex."""
    size = hits.size
    image = np.full(size[0] * size[1], depth.min(), np.float32)
    image[hits.flat] = hits.sample(depth)
    occlusion = np.zeros(size, np.float32)
    small = image.reshape(size)[::2, ::2]
    for sigma, reach, weight in ((2.5, 0.6, 0.3), (7, 1.6, 0.4), (18, 4.0, 0.45)):
        behind = np.clip((ndimage.gaussian_filter(small, sigma) - small) / reach, 0, 1)
        wide = np.repeat(np.repeat(behind, 2, 0), 2, 1)[: size[0], : size[1]]
        occlusion += weight * wide
    return (1 - np.clip(occlusion, 0, 0.85)).ravel()


def scatter(irradiance: np.ndarray, soft: np.ndarray, hits: Hits) -> np.ndarray:
    """Blur light on soft surfaces, red furthest: a screen-space stand-in for subsurface scattering."""
    h, w = hits.size
    weight = np.zeros(h * w, np.float32)
    weight[hits.flat] = soft
    weight = weight.reshape(h, w)
    blurred = irradiance.copy()
    scale = h / 720
    for channel, sigma in enumerate((3.4 * scale, 1.7 * scale, 1.0 * scale)):
        image = np.zeros(h * w, np.float32)
        image[hits.flat] = irradiance[:, channel] * soft
        wide = ndimage.gaussian_filter(image.reshape(h, w), sigma, truncate=2.5)
        total = ndimage.gaussian_filter(weight, sigma, truncate=2.5)
        mean = (wide / np.maximum(total, 1e-4)).ravel()[hits.flat]
        blurred[:, channel] += (mean - blurred[:, channel]) * soft * 0.85
    return blurred


def specular(surface: Surface, view: np.ndarray, light: Light, lit: np.ndarray, sky: np.ndarray) -> np.ndarray:
    """Highlights of skin and wet eyes (Blinn-Phong) and the glaze at grazing angles, (P, 3)."""
    half = unit(view + light.key)
    aligned = np.clip(dot(surface.normal, half), 0, 1)
    grazing = (1 - np.clip(dot(surface.normal, view), 0, 1)) ** 4
    wet = surface.part == EYES
    power = np.where(wet, 300.0, 10 + 38 * surface.gloss)
    strength = np.where(wet, 4.0, 0.014 + 0.065 * surface.gloss * (power + 2) / 24)
    highlight = strength * aligned**power * np.where(wet, 1, lit) * np.maximum(surface.dim, 0.3 * wet)
    glaze = grazing * 0.05 * surface.gloss * sky
    return highlight[:, None] * light.key_colour + glaze[:, None] * light.sky
