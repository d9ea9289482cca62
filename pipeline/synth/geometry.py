"""One posed bust: skin, eyes, teeth, tongue, lashes, hair and clothes as triangles with what shading needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.synth import hair
from pipeline.synth.expressions import Expression, face_units
from pipeline.synth.head import PARTS, HeadModel
from pipeline.synth.identity import Identity

NECK_PIVOT = np.float32([0.0, -8.0, -8.5])
SKIN, TEETH, TONGUE, LASHES, EYES, HAIR = (PARTS.index(name) for name in PARTS)
OVERLAYS = (LASHES, HAIR)  # drawn over the rest, with soft edges


@dataclass(frozen=True)
class Pose:
    """Rotation of the head against the camera in degrees (yaw > 0 turns to the picture's right, pitch > 0
    looks up, roll > 0 tilts clockwise), and how much of the yaw the shoulders share."""

    yaw: float
    pitch: float
    roll: float
    shoulders: float = 0.3


@dataclass(frozen=True)
class Bust:
    """Triangles and per-vertex values, all in centimetres, head frame turned to the camera.

    corners (T, 3) and part (T,) per triangle; vertices, normals, rest (V, 3), uv, strand (V, 2), edge, cloth (V,),
    flow (V, 3) per vertex; eye_centres (2, 3) and eye_radius; rotation (3, 3) of the head.
    """

    corners: np.ndarray
    part: np.ndarray
    vertices: np.ndarray
    normals: np.ndarray
    rest: np.ndarray
    uv: np.ndarray
    edge: np.ndarray
    strand: np.ndarray
    flow: np.ndarray
    cloth: np.ndarray
    eye_centres: np.ndarray
    eye_radius: float
    rotation: np.ndarray
    curly: bool
    hem: float


def rotation_matrix(pose: Pose) -> np.ndarray:
    """Head to camera: roll after pitch after yaw, float32 (3, 3)."""
    yaw, pitch, roll = np.radians([pose.yaw, -pose.pitch, -pose.roll])
    cy, sy, cp, sn, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sn], [0, sn, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return (about_z @ about_y @ about_x).astype(np.float32)


def triangles(quads: np.ndarray) -> np.ndarray:
    """Two triangles a quad; the k-th and the (k + Q)-th belong to quad k."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def vertex_normals(vertices: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals, float32 (V, 3)."""
    a, b, c = (vertices[corners[:, k]] for k in range(3))
    faces = np.cross(b - a, c - a)
    rows = corners.T.ravel()
    total = np.stack([np.bincount(rows, np.tile(faces[:, k], 3), len(vertices)) for k in range(3)], axis=-1)
    return (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def shape_coefficients(head: HeadModel, person: Identity, expression: Expression, pose: Pose) -> dict[str, float]:
    """Blendshape coefficients of one person making one expression in one pose."""
    units = face_units(expression)
    lids = -pose.pitch / 30.0  # eyes stay on the camera, lids follow them
    for side in ("Left", "Right"):
        units[f"facial_action:eyeLook{'Up' if lids > 0 else 'Down'}{side}"] = abs(lids)
    return head.phenotype_coefficients(dict(person.phenotype)) | dict(person.shape) | units


def build_bust(head: HeadModel, person: Identity, expression: Expression, pose: Pose, ears: np.ndarray) -> Bust:
    """Deform, dress, grow hair on and pose one head; ears is `Masks.around_ears`."""
    coarse = head.coarse(shape_coefficients(head, person, expression, pose))
    eye_points = [coarse[rows] for rows in head.eyes]
    centres = np.stack([points.mean(0) for points in eye_points])
    offset = centres.mean(0)
    radius = float(np.mean([np.linalg.norm(p - c, axis=1).mean() for p, c in zip(eye_points, centres, strict=True)]))
    skin = (head.refine @ coarse - offset).astype(np.float32)
    centres = (centres - offset).astype(np.float32)
    corners = triangles(head.quads)
    normals = vertex_normals(skin, corners)
    _recess_teeth(head, skin)
    style = hair.STYLES[person.hair_style]
    if style is not None and style.curtain is not None:  # hair holds the ears close to the head
        skin[:, 0] *= 1 - 0.13 * ears
    cloth = _cloth(head, person)
    skin = skin + normals * (0.45 * np.clip(cloth / 0.35, 0, 1))[:, None]
    pieces = [_skin_piece(head, skin, cloth), *(_eye_piece(c, radius) for c in centres)]
    grown = hair.grow(person, skin, normals, head.rest, head.quads[head.quad_part == SKIN], ears)
    if grown is not None:
        pieces.append(_hair_piece(grown))
    return _assemble(pieces, centres, radius, pose, grown)


def _recess_teeth(head: HeadModel, skin: np.ndarray) -> None:
    """Narrow the teeth and tongue and set them back: a wide laugh pulls the lips over them."""
    for part in (TEETH, TONGUE):
        rows = np.unique(head.quads[head.quad_part == part])
        skin[rows] = skin[rows] * np.float32([0.88, 1, 1]) - np.float32([0, 0, 0.3])


def _cloth(head: HeadModel, person: Identity) -> np.ndarray:
    """Centimetres inside the shirt, (S,); its collar is higher at the back."""
    return np.clip(person.neckline + 0.24 * -(head.rest[:, 2] + 5) - head.rest[:, 1], -1, 20).astype(np.float32)


def _piece(part, vertices, quads, **values) -> dict:
    n = len(vertices)
    blank = {
        "rest": np.zeros((n, 3)),
        "uv": np.zeros((n, 2)),
        "edge": np.ones(n),
        "strand": np.zeros((n, 2)),
        "flow": np.zeros((n, 3)),
        "cloth": -np.ones(n),
    }
    part = np.broadcast_to(part, len(quads))
    return blank | {"vertices": vertices, "quads": quads, "part": part} | values


def _skin_piece(head, skin, cloth) -> dict:
    return _piece(head.quad_part, skin, head.quads, rest=head.rest, uv=head.uv, cloth=cloth)


def _hair_piece(grown) -> dict:
    return _piece(HAIR, grown.vertices, grown.quads, edge=grown.edge, strand=grown.strand, flow=grown.flow)


@lru_cache(maxsize=1)
def _sphere(rings: int = 24, sectors: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """The front part of a unit sphere round +z."""
    polar = np.linspace(0.0, 1.75, rings)[:, None]
    around = np.linspace(0, 2 * np.pi, sectors, endpoint=False)[None, :]
    points = np.stack(
        [np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar) + 0 * around], axis=-1
    )
    grid = np.arange(rings * sectors).reshape(rings, sectors)
    nxt = np.roll(grid, -1, axis=1)
    quads = np.stack([grid[:-1], grid[1:], nxt[1:], nxt[:-1]], axis=-1).reshape(-1, 4)
    return points.reshape(-1, 3).astype(np.float32), quads


def _eye_piece(centre: np.ndarray, radius: float) -> dict:
    points, quads = _sphere()
    # A little smaller and deeper than the mesh's own, so that strongly squeezed lids stay in front.
    return _piece(EYES, centre + 0.975 * radius * points - np.float32([0, 0, 0.07]), quads)


def _assemble(pieces, centres, radius, pose, grown) -> Bust:
    """Join the pieces, compute normals, and turn head and shoulders."""
    starts = np.cumsum([0] + [len(piece["vertices"]) for piece in pieces])
    quads = np.concatenate([piece["quads"] + start for piece, start in zip(pieces, starts[:-1], strict=True)])
    joined = {
        key: np.concatenate([piece[key] for piece in pieces]).astype(np.float32)
        for key in ("vertices", "rest", "uv", "edge", "strand", "flow", "cloth")
    }
    part = np.concatenate([piece["part"] for piece in pieces])
    corners = triangles(quads)
    rotation = rotation_matrix(pose)
    vertices = _posed(joined["vertices"], rotation, pose)
    turned_flow = joined["flow"] @ rotation.T
    return Bust(
        corners=corners,
        part=np.tile(part, 2),
        vertices=vertices,
        normals=vertex_normals(vertices, corners),
        rest=joined["rest"],
        uv=joined["uv"],
        edge=joined["edge"],
        strand=joined["strand"],
        flow=turned_flow,
        cloth=joined["cloth"],
        eye_centres=_posed(centres, rotation, pose),
        eye_radius=radius,
        rotation=rotation,
        curly=grown is not None and grown.curly,
        hem=grown.hem if grown is not None else -99.0,
    )


def _posed(points: np.ndarray, rotation: np.ndarray, pose: Pose) -> np.ndarray:
    """Turn the head about the neck; the turn fades out towards the shoulders, which share some yaw."""
    t = np.clip((points[:, 1] + 19) / 9, 0, 1)[:, None]
    share = (t * t * (3 - 2 * t)).astype(np.float32)
    torso = rotation_matrix(Pose(pose.shoulders * pose.yaw, 0, 0.15 * pose.roll))
    local = points - NECK_PIVOT
    return share * (local @ rotation.T) + (1 - share) * (local @ torso.T) + NECK_PIVOT
