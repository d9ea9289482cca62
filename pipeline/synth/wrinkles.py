"""Furrows that expressions press into the skin and that age leaves there, as a height over the skin's canvas."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pipeline.synth.expressions import Expression
from pipeline.synth.identity import Identity
from pipeline.synth.skin import WIDTH, grid, noise, smooth_step

Line = tuple[tuple[float, float], ...]


class Furrow(NamedTuple):
    """Furrows of one kind on the picture's right half of the face (mirrored for the other), in centimetres."""

    units: tuple[int, ...]  # the action units that press it in
    lines: tuple[Line, ...]
    width: float
    depth: float
    bulge: float  # of the skin beside it, as a share of the depth
    age: float  # its strength in an old face at rest


FURROWS = (
    Furrow((4,), (((0.42, 0.75), (0.5, 1.5), (0.72, 2.5)), ((0.95, 1.35), (1.2, 2.1))), 0.14, 0.12, 0.4, 0.35),
    Furrow((4, 9), (((0.0, 0.62), (0.5, 0.5)),), 0.12, 0.07, 0.0, 0.15),
    Furrow(
        (9,),
        (((0.0, 0.1), (0.55, 0.0), (0.85, -0.25)), ((0.35, -0.5), (0.95, -1.0)), ((0.4, -0.95), (1.05, -1.55))),
        *(0.11, 0.08, 0.0, 0.15),
    ),
    Furrow(
        (1,),
        (((0, 3.1), (1.4, 3.25), (2.6, 3.0)), ((0, 4.0), (1.5, 4.15), (2.9, 3.9)), ((0, 4.9), (1.6, 5.0))),
        *(0.17, 0.065, 0.0, 0.6),
    ),
    Furrow(
        (2,),
        (((2.0, 3.15), (3.6, 3.5), (5.0, 3.0)), ((2.0, 4.1), (3.7, 4.4), (5.0, 3.9)), ((1.6, 5.0), (3.6, 5.2))),
        *(0.17, 0.06, 0.0, 0.55),
    ),
    Furrow(
        (6,),
        (
            ((4.75, 0.12), (5.5, 0.5), (6.1, 0.95)),
            ((4.8, -0.05), (5.9, 0.0)),
            ((4.75, -0.25), (5.8, -0.55)),
            ((4.65, -0.5), (5.5, -1.1)),
        ),
        *(0.11, 0.08, 0.0, 0.7),
    ),
    Furrow((6, 7), (((1.9, -0.85), (2.7, -1.18), (3.6, -1.2), (4.5, -0.9)),), 0.15, 0.09, 0.5, 0.85),
    Furrow((7,), (((2.1, -0.62), (3.2, -0.82), (4.3, -0.62)),), 0.09, 0.055, 0.0, 0.6),
    Furrow((9, 10, 12), (((1.85, -3.3), (2.25, -4.2), (2.85, -5.3), (3.3, -6.4), (3.4, -7.1)),), 0.2, 0.13, 0.8, 0.9),
    Furrow((12,), (((3.7, -5.4), (4.1, -6.4), (4.05, -7.4)),), 0.22, 0.07, 0.6, 0.4),
    Furrow((15,), (((2.75, -7.0), (3.1, -7.7), (3.3, -8.7)),), 0.17, 0.08, 0.3, 0.9),
    Furrow((17,), (((0.0, -8.75), (1.0, -8.65), (1.7, -8.3)),), 0.2, 0.09, 0.0, 0.15),
    Furrow(
        (20,), (((3.2, -5.9), (3.5, -6.9), (3.3, -8.0)), ((3.9, -6.2), (4.2, -7.0), (3.9, -8.0))), 0.15, 0.06, 0.0, 0.5
    ),
)


def wrinkle(person: Identity, expression: Expression) -> np.ndarray:
    """Height of the furrows of this person and expression, float32 (HEIGHT, WIDTH, 1), centimetres."""
    maps = _furrow_maps()
    right = np.tensordot(_strengths(person, expression, right=True), maps, axes=1)
    left = np.tensordot(_strengths(person, expression, right=False), maps, axes=1)[:, ::-1]
    wobble = 1 + 0.25 * noise(np.random.default_rng((person.seed, 2)), 0.8)
    return (np.concatenate([left, right], axis=1) * wobble)[..., None].astype(np.float32)


def _strengths(person: Identity, expression: Expression, right: bool) -> np.ndarray:
    """Strength of each furrow on one half of the face: the acting units, more so in old skin, plus age itself."""
    acting = np.float32([max(expression.side(unit, right) for unit in f.units) / 5 for f in FURROWS])
    old = np.float32([f.age for f in FURROWS])
    return acting * (0.95 + 0.65 * person.grey) + old * person.grey**1.2


@lru_cache(maxsize=1)
def _furrow_maps() -> np.ndarray:
    """Height of each furrow at full strength, float32 (n, HEIGHT, WIDTH // 2), for x > 0."""
    x, y = (g[:, WIDTH // 2 :] for g in grid())
    return np.stack([sum(_groove(x, y, np.float32(line), f) for line in f.lines) for f in FURROWS])


def _groove(x: np.ndarray, y: np.ndarray, line: np.ndarray, furrow: Furrow) -> np.ndarray:
    """One groove with the ridge on its outer side."""
    distance, outward, fade = _line_field(x, y, line)
    near = np.exp(-((distance / (6 * furrow.width)) ** 2))
    ridge = furrow.bulge * np.exp(-(((outward - 2.4 * furrow.width) / (1.8 * furrow.width)) ** 2)) * near
    return furrow.depth * (ridge - np.exp(-((distance / furrow.width) ** 2))) * fade


def _line_field(x, y, line):
    """Distance to a polyline, distance to its outer side (larger x or lower y), and a fade towards its ends."""
    best = np.full(x.shape, 1e9, np.float32)
    outward = np.zeros_like(best)
    along = np.zeros_like(best)
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    total, passed = lengths.sum(), 0.0
    for (ax, ay), (bx, by), length in zip(line[:-1], line[1:], lengths, strict=True):
        ux, uy = (bx - ax) / length, (by - ay) / length
        t = np.clip((x - ax) * ux + (y - ay) * uy, 0, length)
        dx, dy = x - ax - t * ux, y - ay - t * uy
        distance = np.hypot(dx, dy)
        nearer = distance < best
        normal = np.array([-uy, ux]) * (1 if (-uy - 0.3 * ux) >= 0 else -1)
        best = np.where(nearer, distance, best)
        outward = np.where(nearer, dx * normal[0] + dy * normal[1], outward)
        along = np.where(nearer, (passed + t) / total, along)
        passed += length
    return best, outward, np.clip(smooth_step(along, -0.35, 0.25) * smooth_step(1 - along, -0.15, 0.4), 0, 1)
