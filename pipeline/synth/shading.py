"""A deferred shader in numpy: from what each pixel sees to its colour. Linear light until `tone_map`."""

from __future__ import annotations

import numpy as np

from pipeline.synth.camera import Camera
from pipeline.synth.geometry import OVERLAYS, TEETH, Bust
from pipeline.synth.light import Light, ShadowMap, ambient_occlusion, scatter, specular
from pipeline.synth.masks import Masks
from pipeline.synth.raster import Hits, Rasteriser
from pipeline.synth.strands import Strands, add_overlays
from pipeline.synth.surface import Look, Surface, solid_surface
from pipeline.synth.vectors import unit


def shade(
    raster: Rasteriser, bust: Bust, look: Look, masks: Masks, camera: Camera, light: Light
) -> tuple[np.ndarray, np.ndarray]:
    """Colour and cover of the picture.

    Returns
    -------
    colour : float32, shape (height, width, 3); linear light.
    cover : float32, shape (height, width); 0 where the background shows.
    """
    points = camera.place(bust.vertices).astype(np.float32)
    overlay = np.isin(bust.part, OVERLAYS)
    solid = raster.draw(points, bust.corners[~overlay], camera.size, camera.focal)
    every = raster.draw(points, bust.corners, camera.size, camera.focal)
    shadow = ShadowMap(raster, bust, light)
    surface = solid_surface(bust, solid, bust.part[~overlay], look, masks, camera)
    occlusion = ambient_occlusion(every, points[:, 2])
    colour = np.zeros((camera.size[0] * camera.size[1], 3), np.float32)
    colour[solid.flat] = _lit(surface, solid, light, shadow, occlusion, camera)
    cover = np.zeros(len(colour), np.float32)
    cover[solid.flat] = 1
    add_overlays(colour, cover, Strands(every, bust, look.person, light, shadow, occlusion, camera))
    return colour.reshape(*camera.size, 3), cover.reshape(camera.size)


def _lit(
    surface: Surface, hits: Hits, light: Light, shadow: ShadowMap, occlusion: np.ndarray, camera: Camera
) -> np.ndarray:
    """Colour of the surface's pixels, (P, 3)."""
    view = unit(camera.eye - surface.position)
    sky = occlusion[hits.flat] * surface.dim
    lit = shadow.lit(surface.position, surface.normal)
    # The shadow map is too coarse for what happens between the lips.
    teeth = surface.part == TEETH
    lit[teeth] = np.maximum(lit[teeth], 0.45)
    sky[teeth] = np.sqrt(sky[teeth] * surface.dim[teeth])
    wrap = 0.28 * surface.soft[:, None] * np.float32([1.0, 0.45, 0.3])
    facing = (surface.normal @ light.key)[:, None]
    diffuse = np.clip((facing + wrap) / (1 + wrap), 0, 1) * light.key_colour * (lit * surface.dim)[:, None]
    up = (0.5 + 0.5 * surface.normal[:, 1])[:, None]
    ambient = (up * light.sky + (1 - up) * light.ground) * sky[:, None]
    rim = np.clip(surface.normal @ light.rim, 0, 1)[:, None] * light.rim_colour * sky[:, None]
    irradiance = scatter(diffuse + ambient + rim, surface.soft, hits)
    # Light that bounces inside creases comes back in the skin's own colour.
    bounce = (1 - sky)[:, None] * surface.albedo * 0.25
    colour = surface.albedo * (irradiance * (1 + bounce))
    return colour + specular(surface, view, light, lit, sky)


def tone_map(linear: np.ndarray) -> np.ndarray:
    """Linear light to sRGB uint8 through a soft shoulder, as a camera would."""
    x = np.clip(linear, 0, None)
    x = x * (1 + x / 5.0) / (1 + 0.62 * x)
    x = np.clip(x * 1.12, 0, 1)
    srgb = np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.power(x, 1 / 2.4, where=x > 0, out=np.zeros_like(x)) - 0.055)
    return (srgb * 255 + 0.5).astype(np.uint8)
