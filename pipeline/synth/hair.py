"""Hair as thin geometry: a shell grown from the scalp and, for longer styles, a curtain round the head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.synth.identity import Identity

# Height of the hairline (cm, base mesh) by azimuth round the head: 0 is the forehead, 180 the nape.
AZIMUTH = np.array([0, 22, 36, 48, 58, 66, 74, 82, 100, 114, 128, 150, 180], np.float32)
HAIRLINE = np.array([7.2, 6.9, 5.6, 3.6, 2.2, 0.6, -0.6, 0.8, 2.2, 1.2, -4.0, -7.0, -8.0], np.float32)
AXIS_Z = -8.5


@dataclass(frozen=True)
class Style:
    """Lengths in centimetres: how thick the shell is on top and at the sides, how far the hairline moves."""

    top: float
    sides: float
    flow: str = "crown"  # crown, swept, parted, bun or curls
    curtain: float | None = None  # height at which falling hair ends
    bump: float = 0.0
    only_below: float | None = None  # a bald top


STYLES = {
    "bald": None,
    "buzz": Style(0.22, 0.15),
    "ring": Style(0.7, 0.6, only_below=6.0),
    "crop": Style(1.3, 0.5, flow="swept", bump=0.12),
    "short": Style(2.2, 0.9, flow="swept", bump=0.25),
    "curly": Style(2.6, 2.2, flow="curls", bump=0.22),
    "tied": Style(0.7, 0.5, flow="bun"),
    "bob": Style(1.3, 1.2, flow="parted", curtain=-10.5, bump=0.08),
    "long": Style(1.2, 1.1, flow="parted", curtain=-24.0, bump=0.08),
}


@dataclass(frozen=True)
class Hair:
    """Vertices (V, 3), quads (Q, 4), and per vertex: `edge`, centimetres from the hair's border (below 0 it
    frays), `strand`, coordinates across and along the strands, and `flow`, the strands' direction."""

    vertices: np.ndarray
    quads: np.ndarray
    edge: np.ndarray
    strand: np.ndarray
    flow: np.ndarray
    curly: bool
    hem: float = -99.0  # height at which falling hair ends and frays


def above_hairline(rest: np.ndarray, style: Style | None, recede: float) -> np.ndarray:
    """Centimetres above the hairline at base-mesh positions (…, 3); negative on the face and neck.

    recede lifts the hairline over the forehead and temples by so many centimetres.
    """
    azimuth = np.degrees(np.arctan2(np.abs(rest[..., 0]), rest[..., 2] - AXIS_Z))
    temple = np.exp(-(((azimuth - 34) / 22) ** 2)) * 1.4 + np.exp(-((azimuth / 30) ** 2))
    above = rest[..., 1] - np.interp(azimuth, AZIMUTH, HAIRLINE) - recede * temple
    if style is not None and style.only_below is not None:
        above = np.minimum(above, style.only_below - rest[..., 1] + 0.15 * rest[..., 2] + 1.5)
    return above


def grow(
    person: Identity, skin: np.ndarray, normals: np.ndarray, rest: np.ndarray, quads: np.ndarray, ears: np.ndarray
) -> Hair | None:
    """The hair of a head, or None for a bald one.

    Parameters
    ----------
    skin, normals, rest : float, shape (S, 3); deformed vertices, their normals, base positions.
    quads : int, shape (Q, 4); faces of the skin.
    ears : float, shape (S,); 1 on the ears, where nothing grows, fading out over the skin around them.
    """
    style = STYLES[person.hair_style]
    if style is None:
        return None
    rng = np.random.default_rng((person.seed, 3))
    edge = above_hairline(rest, style, person.recede)
    if person.fringe:
        edge = edge + person.fringe * np.exp(-((rest[:, 0] / 6.5) ** 4)) * (rest[:, 2] > -4)
    edge = np.where(ears > 0.02, np.minimum(edge, 1.6 - 6.0 * ears), edge)
    shell = _shell(style, _flow(style, person), skin, normals, rest, quads, edge, rng)
    if style.curtain is None:
        return shell
    return _join(shell, _curtain(style, skin, rest, rng))


def _flow(style: Style, person: Identity) -> str:
    """Where this person's strands come from: a fringe falls from the crown, short curls go their own way."""
    if person.curls and style.curtain is None and style.flow != "bun":
        return "curls"
    return "crown" if person.fringe and style.flow in ("swept", "parted") else style.flow


def _shell(style, flow_name, skin, normals, rest, quads, edge, rng) -> Hair:
    """The scalp moved outwards by the hair's thickness."""
    inside = edge[quads].min(1) > -0.6
    used, index = np.unique(quads[inside], return_inverse=True)
    level = np.clip((rest[used, 1] - 3.5) / 7.0, 0, 1)
    thick = style.sides + (style.top - style.sides) * level * level * (3 - 2 * level)
    thick = thick * (1 - np.exp(-np.clip(edge[used], 0, None) / (0.9 + 0.9 * thick)))
    waves = _lumps(rest[used], rng)
    thick = thick * (1 + style.bump * waves) + 0.03
    outward = normals[used] + np.float32([0, 0.25, 0])
    vertices = skin[used] + outward / np.linalg.norm(outward, axis=1, keepdims=True) * thick[:, None]
    flow, strand = _strands(rest[used], flow_name, rng)
    flow -= (flow * normals[used]).sum(1, keepdims=True) * normals[used]
    return Hair(vertices, index.reshape(-1, 4), edge[used], strand, flow, flow_name == "curls")


def _strands(rest, flow_name, rng) -> tuple[np.ndarray, np.ndarray]:
    """Direction of the strands, (V, 3), and coordinates (across, along) them in centimetres, (V, 2)."""
    x, y, z = rest.T
    side = rng.choice([-1, 1])
    if flow_name == "swept":
        along = np.broadcast_to(np.float32([0.4 * side, 0.0, -1.0]), rest.shape).copy()
        return along, np.stack([x + 0.4 * side * z + 0.1 * y, y - z], axis=-1)
    if flow_name == "parted":
        away = x - side * rng.uniform(0, 2.2)
        along = np.stack([np.sign(away) * 0.6, -np.ones_like(x), np.zeros_like(x)], axis=-1)
        return along, np.stack([1.1 * z + 0.2 * y, np.abs(away) - y], axis=-1)
    if flow_name == "curls":
        return rest - np.float32([0, 3, -9]), np.stack([x + 0.6 * z, y - 0.5 * z], axis=-1)
    origin = np.float32([0, 4, -21]) if flow_name == "bun" else np.float32([1.2, 11.5, -11])
    away = rest - origin
    turn = np.arctan2(away[:, 0], away[:, 1] + 3) if flow_name == "bun" else np.arctan2(away[:, 0], away[:, 2])
    return away, np.stack([turn * 9, np.linalg.norm(away, axis=1)], axis=-1)


def _lumps(points: np.ndarray, rng) -> np.ndarray:
    """Smooth 3-D noise as a sum of waves."""
    total = np.zeros(len(points), np.float32)
    for _ in range(14):
        wave = rng.normal(0, 0.55, 3).astype(np.float32)
        total += np.sin(points @ wave + rng.uniform(0, 6.3))
    return total / np.sqrt(7)


def _curtain(style, skin, rest, rng) -> Hair:
    """Hair falling from the sides and the back of the head, hanging clear of the ears."""
    rows, columns = 40, 88
    skull = rest[:, 1] > 1
    half = np.abs(skin[skull & (rest[:, 1] > 3), 0]).max() + 1.0
    back = skin[skull, 2].min() - 0.9
    centre = skin[skull & (np.abs(rest[:, 2] + 9) < 1.5), 2].mean() + 1.0
    crown = skin[:, 1].max() + 0.75 * style.top
    top = crown - 1.0
    y = np.linspace(top, style.curtain, rows)[:, None]
    down = np.clip((8 - y) / 9, 0, 1)
    start = np.radians(44 + 16 * np.clip((7 - y) / 6, 0, 1) + 2 * np.sin(0.35 * y + rng.uniform(0, 6)))
    turn = np.linspace(0, 1, columns)[None, :]
    azimuth = start + turn * (2 * np.pi - 2 * start)
    lock = 0.16 * np.sin(azimuth * rng.uniform(16, 22) + 0.12 * y) + 0.14 * np.sin(azimuth * 41 + 2)
    spread = half + 1.3 * np.sin(np.pi * np.clip(down, 0, 1) * 0.5) + lock * down
    spread = spread - 0.05 * np.clip(-8 - y, 0, 12)
    from_side = np.minimum(turn, 1 - turn) * 2 * np.pi * 7.5
    # Above the temples the curtain closes over the skull; its front edge tucks in.
    dome = np.sqrt(1 - np.clip((y - 2) / (crown - 2), 0, 0.98) ** 2)
    spread = (spread * dome + 0.1) * (1 - 0.07 * np.exp(-from_side / 1.2))
    depth = np.where(np.cos(azimuth) > 0, 8.0, centre - back + lock) * dome
    x = spread * np.sin(azimuth)
    z = centre + depth * np.cos(azimuth)
    vertices = np.stack([x, np.broadcast_to(y, x.shape), z], axis=-1).reshape(-1, 3).astype(np.float32)
    grid = np.arange(rows * columns).reshape(rows, columns)
    quads = np.stack([grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], axis=-1).reshape(-1, 4)
    edge = np.minimum(from_side - 0.15, np.minimum((y - style.curtain) * 0.45, (top - y) * 0.8 + 0.3)) + 0 * turn
    strand = np.stack([azimuth * 8 + 0.3 * np.sin(0.4 * y), np.broadcast_to(-y, x.shape)], axis=-1)
    flow = np.tile(np.float32([0, -1, 0]), (len(vertices), 1))
    return Hair(vertices, quads, edge.ravel(), strand.reshape(-1, 2), flow, False, style.curtain)


def _join(a: Hair, b: Hair) -> Hair:
    return Hair(
        np.concatenate([a.vertices, b.vertices]),
        np.concatenate([a.quads, b.quads + len(a.vertices)]),
        np.concatenate([a.edge, b.edge]),
        np.concatenate([a.strand, b.strand]),
        np.concatenate([a.flow, b.flow]),
        a.curly,
        b.hem,
    )
