from __future__ import annotations

import sys

import numpy as np
import pytest

from pipeline.evaluation import embedding


def clusters(samples=60):
    rng = np.random.default_rng(0)
    which = np.arange(samples) % 2
    return (rng.normal(0, 0.3, (samples, 8)) + 6 * which[:, None]).astype(np.float16), which


@pytest.mark.parametrize("way", [embedding.tsne, embedding.umap])
def test_neighbours_stay_neighbours_and_the_seed_decides(way):
    if way is embedding.umap:
        pytest.importorskip("umap.umap_")
    hidden, which = clusters()
    places = way(hidden, 3)
    assert places.shape == (60, 2)
    distance = np.linalg.norm(places[:, None] - places[None], axis=-1) + 1e9 * np.eye(60)
    assert (which[distance.argmin(axis=1)] == which).all()
    np.testing.assert_array_equal(way(hidden, 3), places)


def test_without_its_package_there_is_no_umap(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    assert embedding.umap(clusters()[0], 0) is None


def test_sets_of_two_labels():
    sets = embedding.label_sets({"fire": np.array([0, 1, 1, 0], bool), "smoke": np.array([0, 0, 1, 1], bool)})
    assert sets.tolist() == ["neither", "fire", "fire + smoke", "smoke"]


def test_of_many_labels_the_frequent_sets_are_told_apart():
    rows = np.array([[number >> bit & 1 for bit in range(4)] for number in range(16) for _ in range(16 - number)], bool)
    sets = embedding.label_sets({f"label_{bit}": rows[:, bit] for bit in range(4)})
    assert len(set(sets)) == embedding.MOST_SETS
    assert (sets == embedding.OTHERS).sum() == sum(16 - number for number in range(embedding.MOST_SETS - 1, 16))
    assert sets[0] == "none"
