"""Section on pooled features: the test samples on a plane, as each network groups them."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from pipeline.artifacts.columns import Columns
from pipeline.evaluation import embedding
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.question import Question
from pipeline.reporting.drawing import PALETTE, STYLE, Picture, picture
from pipeline.reporting.figures import heading, slug
from pipeline.reporting.material import Material, Section, section
from pipeline.reporting.methods import Method
from pipeline.reporting.runs import held_out

MOST_METHODS = 6  # that are drawn
WAYS = {"tsne": ("t-SNE", embedding.tsne), "umap": ("UMAP", embedding.umap)}


def embeddings(material: Material) -> Section | None:
    """Pooled features on a plane; None where too few samples have any."""
    methods = material.shown[:MOST_METHODS]
    figures = [drawn for method in methods for drawn in _drawn(method, material.config.seed)]
    if not figures:
        return None
    return section(
        "Embeddings: which samples a network takes for alike",
        "Embeddings",
        figures=figures,
        umap=any(figure.name.startswith("umap") for figure in figures),
        of=len(methods),
        left_out=len(material.shown) - len(methods),
    )


def _drawn(method: Method, seed: int) -> list[Picture]:
    """The planes of a method's first network, by every way that there is."""
    one = method.runs[0].folds[0]
    store = Columns(one.evaluation.file(embedding.FILE), "hidden", one.evaluation.fingerprint)
    hidden, names = store["hidden"][:], list(store.sample_ids)
    if len(hidden) < embedding.LEAST:
        return []
    frame = held_out(method.runs[0].predictions).set_index("sample_id").loc[names]
    sets = embedding.label_sets(METRICS[method.task.kind].truths(frame, Question.of(method.task)))
    planes = [(name, title, way(hidden, seed)) for name, (title, way) in WAYS.items()]
    return [_scatter(method, name, title, places, sets) for name, title, places in planes if places is not None]


@matplotlib.rc_context(STYLE)
def _scatter(method: Method, name: str, title: str, places: np.ndarray, sets: np.ndarray) -> Picture:
    """Samples on a plane, in the colours of their sets of labels."""
    figure = Figure(figsize=(2.8, 3.2), dpi=200)  # of the dots, which are pixels in both files
    axes = figure.subplots()
    words = sorted(np.unique(sets), key=lambda word: (word not in embedding.NOTHING, word))  # grey is nothing
    for number, word in enumerate(words):
        inside = sets == word
        color = PALETTE[number % len(PALETTE)]
        axes.scatter(*places[inside].T, s=7, color=color, alpha=0.6, lw=0, rasterized=True)
        across, down = number % 2, number // 2
        beside = {"transform": axes.transAxes, "size": 8, "va": "top", "color": color}
        axes.text(0.5 * across, -0.04 - 0.08 * down, f"● {word}", **beside)
    axes.set(xticks=[], yticks=[], title=f"{heading(method, 34)}\n{title}")
    axes.spines[:].set_visible(False)
    counts = ", ".join(f"{int((sets == word).sum())} {word}" for word in words)
    return picture(figure, f"{name}-{slug(method)}", f"{title} of the pooled features, {method.title}: {counts}")
