from __future__ import annotations

import pytest

from pipeline.evaluation import embedding
from pipeline.reporting import embeddings


def test_every_shown_method_has_a_plane_of_its_own(labelled, monkeypatch):
    monkeypatch.setitem(embeddings.WAYS, "umap", ("UMAP", lambda hidden, seed: None))
    section = embeddings.embeddings(labelled)
    assert len(section.figures) == min(len(labelled.shown), embeddings.MOST_METHODS)
    assert all(name.startswith("tsne-") for name in section.figures)
    assert not section.words["umap"]
    alt = section.figures["tsne-teacher-resnet"].alt
    assert all(word in alt for word in (" neither", " fire,", " fire + smoke", " smoke"))


def test_too_few_samples_have_no_section(labelled, monkeypatch):
    monkeypatch.setattr(embedding, "LEAST", 10**6)
    assert embeddings.embeddings(labelled) is None


def test_umap_stands_beside_where_it_is_installed(labelled):
    pytest.importorskip("umap.umap_")
    method = labelled.shown[0]
    assert [figure.name.split("-")[0] for figure in embeddings._drawn(method, 0)] == ["tsne", "umap"]
