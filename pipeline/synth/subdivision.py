"""Catmull-Clark subdivision as one sparse matrix, so that refining a deformed mesh is a multiplication."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def subdivide(quads: np.ndarray, n_vertices: int) -> tuple[sp.csr_matrix, np.ndarray, np.ndarray]:
    """One Catmull-Clark step of a mesh of quads.

    Parameters
    ----------
    quads : int, shape (F, 4)
    n_vertices : number of vertices V that the quads index

    Returns
    -------
    refine : sparse float, shape (S, V); new vertices = refine @ old vertices, the old ones first.
    quads : int, shape (4 F, 4)
    parents : int, shape (4 F,); the old face of each new one.

    Boundary edges and vertices follow the cubic B-spline rule. Source: Catmull & Clark 1978.
    """
    n_faces = len(quads)
    face_points = _rows(np.repeat(np.arange(n_faces), 4), quads.ravel(), 0.25, (n_faces, n_vertices))
    ends, edge_of_corner = _edges(quads)
    n_edges = len(ends)
    edge_faces = _rows(edge_of_corner.ravel(), np.repeat(np.arange(n_faces), 4), 1.0, (n_edges, n_faces))
    interior = np.asarray(edge_faces.sum(1)).ravel() == 2
    midpoints = _rows(np.repeat(np.arange(n_edges), 2), ends.ravel(), 0.5, (n_edges, n_vertices))
    smooth = 0.5 * midpoints + 0.25 * edge_faces @ face_points
    edge_points = sp.diags(interior.astype(float)) @ smooth + sp.diags((~interior).astype(float)) @ midpoints
    vertex_points = _vertex_points(quads, ends, interior, face_points, midpoints, n_vertices)
    refine = sp.vstack([vertex_points, edge_points, face_points]).tocsr()
    centre = n_vertices + n_edges + np.arange(n_faces)
    after = n_vertices + edge_of_corner
    before = n_vertices + np.roll(edge_of_corner, 1, axis=1)
    new = np.stack([quads, after, np.repeat(centre[:, None], 4, 1), before], axis=-1).reshape(-1, 4)
    return refine, new, np.repeat(np.arange(n_faces), 4)


def _rows(rows: np.ndarray, columns: np.ndarray, value: float, shape: tuple[int, int]) -> sp.csr_matrix:
    return sp.csr_matrix((np.full(len(rows), value), (rows, columns)), shape=shape)


def _edges(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends of each edge (E, 2), and for each face the edge from its k-th corner to the next (F, 4)."""
    pairs = np.sort(np.stack([quads, np.roll(quads, -1, axis=1)], axis=-1), axis=-1).reshape(-1, 2)
    ends, edge = np.unique(pairs, axis=0, return_inverse=True)
    return ends, edge.reshape(quads.shape)


def _vertex_points(quads, ends, interior, face_points, midpoints, n_vertices) -> sp.csr_matrix:
    """New places of the old vertices: (Q + 2R + (n - 3)P) / n inside, B-spline on a boundary."""
    valence = np.bincount(quads.ravel(), minlength=n_vertices).astype(float)
    boundary_edges = ends[~interior]
    on_boundary = np.zeros(n_vertices, bool)
    on_boundary[boundary_edges.ravel()] = True
    safe = np.maximum(valence, 1)
    of_face = _rows(quads.ravel(), np.repeat(np.arange(len(quads)), 4), 1.0, (n_vertices, len(quads)))
    inner_edges = np.flatnonzero(interior)
    of_edge = _rows(ends[inner_edges].ravel(), np.repeat(inner_edges, 2), 1.0, (n_vertices, len(ends)))
    average_faces = sp.diags(1 / safe) @ of_face @ face_points
    average_edges = sp.diags(1 / safe) @ of_edge @ midpoints
    keep = sp.diags((safe - 3) / safe)
    inside = sp.diags(1 / safe) @ (average_faces + 2 * average_edges) + keep
    neighbours = _rows(
        np.r_[boundary_edges[:, 0], boundary_edges[:, 1]],
        np.r_[boundary_edges[:, 1], boundary_edges[:, 0]],
        0.125,
        (n_vertices, n_vertices),
    )
    border = neighbours + 0.75 * sp.identity(n_vertices)
    loose = sp.diags((valence == 0).astype(float))
    border_mask = sp.diags((on_boundary & (valence > 0)).astype(float))
    inside_mask = sp.diags((~on_boundary & (valence > 0)).astype(float))
    return (inside_mask @ inside + border_mask @ border + loose).tocsr()
