"""The split of an index: disjoint, counted, and by the official folds when the dataset brings them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.artifacts import arrays
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import Artifact, ArtifactStore, Node
from pipeline.config import IndexConfig, SplitConfig
from pipeline.errors import ConfigError
from stages import index, split


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Forty tiny pictures of twenty people, both classes, with folds of their own."""
    folder = tmp_path_factory.mktemp("raw")
    rng = np.random.default_rng(0)
    rows = []
    for number in range(40):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / f"{number:02d}.png")
        fold = "test" if number // 2 < 5 else "train"
        rows.append(
            (f"{number:02d}.png", ("no_pain", "pain")[number % 2], f"s{number // 2:02d}", "ab"[number // 4 % 2], fold)
        )
    pd.DataFrame(rows, columns=["path", "label", "subject", "site", "fold"]).to_csv(folder / "faces.csv", index=False)
    return folder / "faces.csv"


def build(tmp_path, data, **options) -> tuple[Artifact, pd.DataFrame]:
    samples = Node("index", "samples", index.VERSION, IndexConfig(workers=1), {"raw": RawData(data)}, index.run)
    node = Node("split", "split", split.VERSION, SplitConfig(**options), {"samples": samples}, split.run)
    (artifact,) = ArtifactStore(tmp_path).build(node)
    return artifact, arrays.read_table(artifact.file("split.csv"))


def test_parts_are_disjoint_in_subjects_and_complete(tmp_path, data):
    artifact, table = build(tmp_path, data, official=False)
    assert table.groupby("subject_id")["part"].nunique().max() == 1
    assert table["sample_id"].is_unique
    assert len(table) == 40
    assert artifact.summary["counts"] == {
        "train": {"subjects": 14, "samples": 28, "no_pain": 14, "pain": 14},
        "val": {"subjects": 3, "samples": 6, "no_pain": 3, "pain": 3},
        "test": {"subjects": 3, "samples": 6, "no_pain": 3, "pain": 3},
    }


def test_the_official_test_part_is_used_and_a_validation_part_cut_from_the_rest(tmp_path, data):
    artifact, table = build(tmp_path, data)
    assert set(table.loc[table["part"] == "test", "subject_id"]) == {f"s{number:02d}" for number in range(5)}
    assert artifact.summary["official"] is True
    assert artifact.summary["counts"]["val"]["subjects"] == 3


def test_the_seed_changes_the_random_split_only(tmp_path, data):
    _, first = build(tmp_path, data, official=False)
    _, second = build(tmp_path, data, official=False, seed=1)
    assert not first.equals(second)
    assert first["sample_id"].equals(second["sample_id"])


def test_impossible_shares_are_an_error(tmp_path, data):
    with pytest.raises(ConfigError, match="all three must be above 0"):
        build(tmp_path, data, train=0.9, val=0.1)
