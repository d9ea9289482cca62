"""Several datasets in one index: their names, their common pictures, and the split."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

from pipeline.artifacts import arrays
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import Artifact, ArtifactStore, Node
from pipeline.config import AlignConfig, IndexConfig, SplitConfig
from pipeline.errors import DataError
from stages import align, index, split


def scene(number: int) -> Image.Image:
    """A smooth picture that looks like no other."""
    noise = np.random.default_rng(number).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((96, 96), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1))


def folder(root, name: str, numbers, classes=("anger", "fear"), part="", **save):
    """A folder per class of pictures; their numbers are what they show."""
    for number in numbers:
        path = root / name / part / classes[number % 2] / f"{name}{number:03d}.{'jpg' if save else 'png'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        scene(number).save(path, **save)
    return root / name


def build(tmp_path, *folders, **options) -> list[Artifact]:
    raw = RawData.of(",".join(map(str, folders)))
    samples = Node("index", "samples", index.VERSION, IndexConfig(workers=1), {"raw": raw}, index.run)
    node = Node("split", "split", split.VERSION, SplitConfig(**options), {"samples": samples}, split.run)
    return ArtifactStore(tmp_path / "cache").build(samples, node)


def tables(artifacts: list[Artifact]) -> pd.DataFrame:
    samples, parts = artifacts
    table = arrays.read_table(samples.file("samples.csv"), fold=str)
    return table.merge(arrays.read_table(parts.file("split.csv"))[["sample_id", "part"]], on="sample_id")


def test_a_picture_of_two_sources_is_one_subject_and_never_on_two_sides(tmp_path):
    first, second = folder(tmp_path, "a", range(60)), folder(tmp_path, "b", range(40, 90), quality=60)
    third = folder(tmp_path, "c", range(80, 130))
    artifacts = build(tmp_path, first, second, third)
    table = tables(artifacts)
    shows = table["file"].str.extract(r"(\d{3})\.")[0]
    assert len(table) == 160
    assert table["source"].value_counts().to_dict() == {"a": 60, "b": 50, "c": 50}
    assert table.groupby(shows)["subject_id"].nunique().max() == 1
    assert table.groupby("subject_id")["part"].nunique().max() == 1
    assert table["subject_id"].nunique() == 130
    assert artifacts[0].summary["counts"]["shared"] == 30
    assert artifacts[0].summary["sources"] == {"a": "folders", "b": "folders", "c": "folders"}
    assert table["sample_id"].is_unique


def test_the_same_picture_under_two_classes_stays_in_both_sources_as_one_subject(tmp_path):
    first = folder(tmp_path, "a", range(20))
    second = folder(tmp_path, "b", range(20), classes=("fear", "anger"))
    table = tables(build(tmp_path, first, second))
    assert len(table) == 40
    assert table.groupby("subject_id")["expression"].nunique().tolist() == [2] * 20


def test_official_parts_count_when_all_sources_bring_them_and_a_test_picture_stays_one(tmp_path):
    for name, test in (("a", range(30, 40)), ("b", range(20, 30))):
        folder(tmp_path, name, [n for n in range(40) if n not in test], part="train")
        folder(tmp_path, name, test, part="test")
    artifacts = build(tmp_path, tmp_path / "a", tmp_path / "b")
    table = tables(artifacts)
    assert artifacts[1].summary["official"]
    assert set(table.loc[table["part"] == "test", "file"].str.extract(r"(\d{3})\.")[0].astype(int)) == set(
        range(20, 40)
    )
    artifacts = build(tmp_path, tmp_path / "a", folder(tmp_path, "c", range(50, 90)))
    assert not artifacts[1].summary["official"]


def test_sources_without_a_common_target_are_an_error_that_names_both(tmp_path):
    first, second = folder(tmp_path, "a", range(4)), folder(tmp_path, "b", range(4), classes=("pain", "no_pain"))
    with pytest.raises(DataError, match="a and b share no target: there expression, here pain"):
        build(tmp_path, first, second)


def test_a_dataset_named_twice_is_an_error(tmp_path):
    first = folder(tmp_path, "a", range(4))
    with pytest.raises(DataError, match="twice"):
        RawData.of(f"{first},{first}")


def test_two_folders_of_one_name_are_told_apart_and_a_comma_may_be_in_a_name(tmp_path):
    first, second = folder(tmp_path / "x", "a", [1]), folder(tmp_path / "y", "a", [2])
    raw = RawData.of(f"{first}, {second}")
    assert set(raw.files) == {"a/fear/a001.png", "a-2/anger/a002.png"}
    assert raw.path_of("a-2/anger/a002.png") == second / "anger" / "a002.png"
    assert list(RawData.of(str(folder(tmp_path, "p,q", [1]))).files) == ["fear/p,q001.png"]


def test_pictures_inside_a_table_go_through_index_and_align_beside_files(tmp_path):
    fer = tmp_path / "fer"
    fer.mkdir()
    greys = [np.asarray(scene(number).convert("L").resize((48, 48))) for number in range(40)]
    pixels = [" ".join(map(str, grey.ravel())) for grey in greys]
    usage = [("Training", "PublicTest", "PrivateTest")[number % 3] for number in range(40)]
    votes = [("0,0,0,0,9", "0,0,9,0,0", "0,0,0,0,9", "4,4,0,0,0")[number % 4] + ",0,0,0,0,0" for number in range(40)]
    (fer / "fer2013.csv").write_text(
        "emotion,pixels,Usage\n" + "".join(f"0,{p},{u}\n" for p, u in zip(pixels, usage, strict=True))
    )
    (fer / "fer2013new.csv").write_text(
        "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
        + "".join(f"{u},x.png,{v}\n" for u, v in zip(usage, votes, strict=True))
    )
    data = f"{fer},{folder(tmp_path, 'a', range(100, 110))}"
    samples = Node("index", "samples", index.VERSION, IndexConfig(workers=1), {"raw": RawData.of(data)}, index.run)
    config = AlignConfig(data=data, align="none", face_size=48, workers=1)
    node = Node("align", "inputs", align.VERSION, config, {"samples": samples}, align.run)
    indexed, aligned = ArtifactStore(tmp_path / "cache").build(samples, node)
    table = arrays.read_table(indexed.file("samples.csv"))
    assert table["source"].value_counts().to_dict() == {"fer": 30, "a": 10}
    assert indexed.summary["counts"]["skipped"] == 10  # no damage: a tie of votes is no reason to refuse the dataset
    columns = arrays.open_inputs(aligned)
    (row,) = columns.rows(["fer/fer0000001.png#full"])
    assert (columns["rgb"][row] == greys[1][:, :, None]).all()
