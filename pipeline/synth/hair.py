"""Hair as thin geometry: a shell grown from the scalp and, for longer styles, a curtain round the head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Height of the hairline (cm, base mesh) by azimuth round the head: 0 is the forehead, 180 the nape.
AZIMUTH = np.array([0, 22, 36, 48, 58, 66, 74, 82, 100, 114, 128, 150, 180], np.float32)
HAIRLINE = np.array([7.2, 6.9, 5.6, 3.6, 2.2, 0.6, -0.6, 0.8, 2.2, 1.2, -4.0, -7.0, -8.0], np.float32)
AXIS_Z = -8.5


@dataclass(frozen=True)
class Style:
    """Lengths in centimetres: how thick the shell is on top and at the sides, how far the hairline moves."""

    top: float
    sides: float
    flow: str = "crown"  # where strands come from: crown, bun or curls
    curtain: float | None = None  # height at which falling hair ends
    bump: float = 0.0
    only_below: float | None = None  # a bald top


STYLES = {
    "bald": None,
    "buzz": Style(0.22, 0.15),
    "ring": Style(0.7, 0.6, only_below=6.0),
    "crop": Style(1.3, 0.5, bump=0.12),
    "short": Style(2.3, 1.0, bump=0.2),
    "curly": Style(3.0, 2.4, flow="curls", bump=0.55),
    "tied": Style(0.7, 0.5, flow="bun"),
    "bob": Style(1.5, 1.3, curtain=-10.5, bump=0.08),
    "long": Style(1.3, 1.2, curtain=-24.0, bump=0.08),
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


def scalp(rest: np.ndarray, recede: float = 0.0) -> np.ndarray:
    """Centimetres above the hairline at base-mesh positions (…, 3); negative on the face and neck.

    recede lifts the hairline over the forehead and temples by so many centimetres.
    """
    azimuth = np.degrees(np.arctan2(np.abs(rest[..., 0]), rest[..., 2] - AXIS_Z))
    temple = np.exp(-(((azimuth - 34) / 22) ** 2)) * 1.4 + np.exp(-((azimuth / 30) ** 2))
    return rest[..., 1] - np.interp(azimuth, AZIMUTH, HAIRLINE) - recede * temple


def grow(
    style_name: str,
    skin: np.ndarray,
    normals: np.ndarray,
    rest: np.ndarray,
    quads: np.ndarray,
    ears: np.ndarray,
    recede: float,
    fringe: float,
    seed: int,
) -> Hair | None:
    """The hair of a head, or None for a bald one.

    Parameters
    ----------
    skin, normals, rest : float, shape (S, 3); deformed vertices, their normals, base positions.
    quads : int, shape (Q, 4); faces of the skin.
    ears : float, shape (S,); 1 on the ears, where nothing grows, fading out over the skin around them.
    recede : centimetres that the hairline has moved back.
    fringe : centimetres that hair falls over the forehead.
    seed : of the locks' shape.
    """
    style = STYLES[style_name]
    if style is None:
        return None
    rng = np.random.default_rng((seed, 3))
    edge = scalp(rest, recede)
    if fringe:
        front = np.exp(-((rest[:, 0] / 6.5) ** 4)) * (rest[:, 2] > -4)
        edge = edge + fringe * front
    if style.only_below is not None:
        edge = np.minimum(edge, style.only_below - rest[:, 1] + 0.15 * rest[:, 2] + 1.5)
    edge = np.where(ears > 0.02, np.minimum(edge, 1.6 - 6.0 * ears), edge)
    shell = _shell(style, skin, normals, rest, quads, edge, rng)
    if style.curtain is None:
        return shell
    return _join(shell, _curtain(style, skin, rest, rng))


def _shell(style, skin, normals, rest, quads, edge, rng) -> Hair:
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
    origin = np.float32([0, 4, -21]) if style.flow == "bun" else np.float32([1.2, 11.5, -11])
    flow = rest[used] - origin
    flow -= (flow * normals[used]).sum(1, keepdims=True) * normals[used]
    strand = _strand_coordinates(rest[used], origin, style.flow)
    return Hair(vertices, index.reshape(-1, 4), edge[used], strand, flow, style.flow == "curls")


def _strand_coordinates(rest, origin, flow) -> np.ndarray:
    """(across, along) in centimetres: azimuth round the origin of the strands, and distance from it."""
    away = rest - origin
    if flow == "bun":
        across = np.arctan2(away[:, 0], away[:, 1] + 3) * 9
    elif flow == "curls":
        return np.stack([rest[:, 0] + 0.6 * rest[:, 2], rest[:, 1] - 0.5 * rest[:, 2]], axis=-1)
    else:
        across = np.arctan2(away[:, 0], away[:, 2]) * 9
    return np.stack([across, np.linalg.norm(away, axis=1)], axis=-1)


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
    top = skin[:, 1].max() - 4.5
    y = np.linspace(top, style.curtain, rows)[:, None]
    down = np.clip((top - y) / 9, 0, 1)
    start = np.radians(44 + 16 * np.clip((top - y - 1) / 6, 0, 1) + 2 * np.sin(0.35 * y + rng.uniform(0, 6)))
    turn = np.linspace(0, 1, columns)[None, :]
    azimuth = start + turn * (2 * np.pi - 2 * start)
    lock = 0.16 * np.sin(azimuth * rng.uniform(16, 22) + 0.12 * y) + 0.14 * np.sin(azimuth * 41 + 2)
    spread = half + 1.3 * np.sin(np.pi * np.clip(down, 0, 1) * 0.5) + lock * down
    spread = spread - 0.05 * np.clip(-8 - y, 0, 12)
    x = spread * np.sin(azimuth)
    z = centre + np.where(np.cos(azimuth) > 0, 8.0, centre - back + lock) * np.cos(azimuth)
    vertices = np.stack([x, np.broadcast_to(y, x.shape), z], axis=-1).reshape(-1, 3).astype(np.float32)
    grid = np.arange(rows * columns).reshape(rows, columns)
    quads = np.stack([grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], axis=-1).reshape(-1, 4)
    from_side = np.minimum(turn, 1 - turn) * 2 * np.pi * 7.5
    edge = np.minimum(from_side - 0.15, np.minimum((y - style.curtain) * 0.45, (top - y) * 0.8)) + 0 * turn
    strand = np.stack([azimuth * 8 + 0.3 * np.sin(0.4 * y), np.broadcast_to(-y, x.shape)], axis=-1)
    flow = np.tile(np.float32([0, -1, 0]), (len(vertices), 1))
    return Hair(vertices, quads, edge.ravel(), strand.reshape(-1, 2), flow, False)


def _join(a: Hair, b: Hair) -> Hair:
    return Hair(
        np.concatenate([a.vertices, b.vertices]),
        np.concatenate([a.quads, b.quads + len(a.vertices)]),
        np.concatenate([a.edge, b.edge]),
        np.concatenate([a.strand, b.strand]),
        np.concatenate([a.flow, b.flow]),
        a.curly,
    )
