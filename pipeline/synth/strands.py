"""Hair and lashes, drawn over the rest with soft edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.synth.camera import Camera
from pipeline.synth.geometry import HAIR, LASHES, Bust
from pipeline.synth.identity import Identity
from pipeline.synth.light import Light, ShadowMap
from pipeline.synth.raster import Hits
from pipeline.synth.skin import srgb_to_linear
from pipeline.synth.textures import texture
from pipeline.synth.vectors import dot, unit


@dataclass(frozen=True)
class Strands:
    """What hair and lashes are drawn from: the pixels of the whole bust, and the light."""

    hits: Hits
    bust: Bust
    person: Identity
    light: Light
    shadow: ShadowMap
    occlusion: np.ndarray
    camera: Camera


def add_overlays(colour: np.ndarray, cover: np.ndarray, scene: Strands) -> None:
    """Blend hair and lashes over the colour (H * W, 3) and cover (H * W,) of what lies behind them, in place."""
    part = scene.bust.part[scene.hits.triangle]
    for kind, paint in ((HAIR, _hair), (LASHES, _lashes)):
        chosen = np.flatnonzero(part == kind)
        if not len(chosen):
            continue
        hits = scene.hits.only(chosen)
        rgb, alpha = paint(hits, scene)
        if kind == HAIR:  # before the open background there is always more hair behind, except at its lower end
            above_hem = hits.sample(scene.bust.vertices[:, 1]) > scene.bust.hem + 1.5
            alpha = np.where(above_hem & (cover[hits.flat] == 0), 1.0, alpha).astype(np.float32)
        behind = colour[hits.flat] * cover[hits.flat, None]
        colour[hits.flat] = behind + (rgb - behind) * alpha[:, None]
        total = cover[hits.flat] + (1 - cover[hits.flat]) * alpha
        colour[hits.flat] /= np.maximum(total, 1e-4)[:, None]
        cover[hits.flat] = total


def _lashes(hits: Hits, scene: Strands) -> tuple[np.ndarray, np.ndarray]:
    """Colour (P, 3) and cover (P,) of the lashes."""
    comb = texture("lashes", hits.sample(scene.bust.uv)[:, 0] * 4000, 7)
    alpha = np.clip(0.5 + 0.12 * comb, 0.1, 0.9) * (1.0 if scene.person.gender == "Woman" else 0.6)
    dark = 0.5 * srgb_to_linear(scene.person.hair_srgb) * 0.4 + 0.006
    return np.broadcast_to(dark, (len(alpha), 3)), alpha.astype(np.float32)


def _hair(hits: Hits, scene: Strands) -> tuple[np.ndarray, np.ndarray]:
    """Colour (P, 3) and cover (P,) of hair: strands and locks from stretched noise, frayed borders."""
    bust = scene.bust
    edge, position = hits.sample(bust.edge), hits.sample(bust.vertices)
    normal = unit(hits.sample(bust.normals))
    normal = np.where(dot(normal, scene.camera.eye - position)[:, None] < 0, -normal, normal)
    fine, lock = _strand_noise(hits.sample(bust.strand), bust.curly)
    flow = hits.sample(bust.flow)
    flow = unit(flow - dot(flow, normal)[:, None] * normal)
    normal = unit(normal + np.cross(flow, normal) * (0.28 * lock + 0.12 * fine)[:, None])
    base = srgb_to_linear(scene.person.hair_srgb) * (1 + 0.28 * fine + 0.16 * lock)[:, None].clip(0.35, 1.9)
    depth = np.clip(0.45 + 0.55 * np.clip(edge / 1.2, 0, 1), 0, 1)[:, None]
    lit = scene.shadow.lit(position, normal)
    colour = base * _irradiance(normal, lit, scene.occlusion[hits.flat], scene.light) * depth
    colour += _sheen(base, flow, normal, fine, lit, unit(scene.camera.eye - position), scene)
    fray = edge + 0.26 * fine + 0.16 * lock
    return colour.astype(np.float32), np.clip((fray + 0.15) / 0.6, 0, 1).astype(np.float32)


def _irradiance(normal: np.ndarray, lit: np.ndarray, sky: np.ndarray, light: Light) -> np.ndarray:
    """Light that falls on hair, (P, 3); it wraps round more than on skin."""
    facing = np.clip((normal @ light.key + 0.3) / 1.3, 0, 1) * lit
    up = (0.5 + 0.5 * normal[:, 1])[:, None]
    irradiance = facing[:, None] * light.key_colour + (up * light.sky + (1 - up) * light.ground) * sky[:, None]
    return irradiance + np.clip(normal @ light.rim, 0, 1)[:, None] * light.rim_colour


def _sheen(base, flow, normal, fine, lit, view, scene: Strands) -> np.ndarray:
    """Highlights along the strands, (P, 3). Source: Kajiya & Kay 1989, section 4."""
    light = scene.light
    along = dot(unit(flow + normal * (0.15 * fine + 0.1)[:, None]), unit(view + light.key))
    gleam = np.clip(1 - along**2, 0, 1) ** (40 if not scene.bust.curly else 12)
    gleam = gleam * lit * np.clip(normal @ light.key + 0.2, 0, 1)
    return (0.05 + 0.35 * base) * gleam[:, None] * light.key_colour * 0.8


def _strand_noise(strand: np.ndarray, curly: bool) -> tuple[np.ndarray, np.ndarray]:
    """Fine strands and broad locks, both about -2 to 2."""
    across, along = strand[:, 0], strand[:, 1]
    if curly:
        fine = texture("curls", across * 30, along * 30)
        lock = texture("locks", across * 12, along * 12)
        return fine, 1.6 * lock
    bend = across + 0.12 * np.sin(along * 0.9 + across)
    fine = texture("strands", bend * 22, along * 3)
    lock = texture("locks", bend * 10, along * 1.6)
    return fine, lock
