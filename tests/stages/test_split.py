"""The split of an index: disjoint, counted, and by the official folds when the dataset brings them."""

from __future__ import annotations

import shutil

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


def with_folds(data, tmp_path, count):
    """The dataset with so many numbered folds of its own."""
    folder = shutil.copytree(data.parent, tmp_path / "raw")
    table = pd.read_csv(data)
    table["fold"] = [int(subject[1:]) % count for subject in table["subject"]]
    table.to_csv(folder / data.name, index=False)
    return folder / data.name


OPTIONS = {
    "one split": {"official": False},
    "another seed": {"official": False, "seed": 3},
    "other shares": {"official": False, "train": 0.5, "val": 0.25},
    "official parts": {},
    "three folds": {"cv": "3", "official": False},
    "five folds": {"cv": "5", "official": False, "seed": 2},
    "as many folds as subjects": {"cv": "20", "official": False},
    "each subject": {"cv": "subject"},
    "each subject in another order": {"cv": "subject", "seed": 5, "official": False},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_no_subject_is_in_two_parts_under_any_option(tmp_path, data, name):
    options, tested = OPTIONS[name], []
    cv = options.get("cv", "0")
    for fold in range({"0": 1, "subject": 20}.get(cv) or int(cv)):
        artifact, table = build(tmp_path, data, fold=fold, **options)
        assert table.groupby("subject_id")["part"].nunique().max() == 1
        assert set(table["part"]) == {"train", "val", "test"}
        assert artifact.summary["shared_subjects"] == 0
        tested += table.loc[table["part"] == "test", "sample_id"].tolist()
    assert len(tested) == len(set(tested))
    if cv != "0":
        assert sorted(tested) == sorted(table["sample_id"])


def test_official_folds_of_the_number_asked_for_are_the_outer_folds(tmp_path, data):
    file = with_folds(data, tmp_path, 4)
    for fold in range(4):
        artifact, table = build(tmp_path / "cache", file, cv="4", fold=fold)
        assert artifact.summary["official"] is True
        tested = table.loc[table["part"] == "test", "subject_id"]
        assert {int(subject[1:]) % 4 for subject in tested} == {fold}
    with pytest.raises(ConfigError, match=r"brings 4 official folds, CV=5 asks for 5. Use its own: CV=4"):
        build(tmp_path / "cache", file, cv="5")
    artifact, _ = build(tmp_path / "cache", file, cv="5", official=False)
    assert artifact.summary["official"] is False


@pytest.mark.parametrize("cv", ["0", "4"])
def test_windows_of_one_person_go_to_several_parts_only_where_that_is_meant(tmp_path, data, cv):
    with pytest.raises(ConfigError, match=r"SPLIT_BY=sample puts samples of the same person.*I_KNOW_IT_LEAKS=1"):
        build(tmp_path, data, by="sample", cv=cv)
    artifact, table = build(tmp_path, data, by="sample", cv=cv, i_know_it_leaks=True)
    shared = (table.groupby("subject_id")["part"].nunique() > 1).sum()
    assert artifact.summary["shared_subjects"] == shared > 3
    assert table["sample_id"].is_unique


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "sample", "i_know_it_leaks": True, "cv": "subject"}, r"SPLIT_BY=sample divides samples, CV=subject"),
        ({"unseen": "a", "cv": "5"}, r"UNSEEN=a makes one source the test part, CV=5 makes others"),
        ({"unseen": "a", "by": "sample", "i_know_it_leaks": True}, r"UNSEEN=a makes .* SPLIT_BY=sample makes others"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        split.check(SplitConfig(**options))
