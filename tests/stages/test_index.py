"""The index of a real folder: samples, skipped pictures with reasons, and the limits."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.artifacts import arrays
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import Artifact, ArtifactStore, Node
from pipeline.config import IndexConfig, SplitConfig
from pipeline.errors import ArtifactError, DataError
from pipeline.inputs import sample_table
from pipeline.inputs.datasets import pts
from pipeline.tasks import find
from stages import index, split
from tests.helpers import specials
from tests.helpers.matlab import save


def node_of(data, **options) -> Node:
    return Node("index", "samples", index.VERSION, IndexConfig(**options), {"raw": RawData(data)}, index.run)


def build(tmp_path, data, **options) -> Artifact:
    return ArtifactStore(tmp_path / "cache").build(node_of(data, **options))[0]


@pytest.fixture
def damaged(tmp_path, synpain):
    """Six good pairs, and one of everything that cannot be used."""
    folder = synpain(tmp_path / "data", 6)
    good = sorted(folder.glob("*.jpg"))
    (folder / "11014900_Pain_Man_Old.jpg").write_bytes(b"")
    (folder / "11014901_Pain_Man_Old.jpg").write_bytes(good[0].read_bytes()[:3000])
    (folder / "11014902_Pain_Woman_Old.jpg").write_bytes(good[1].read_bytes())
    (folder / "holiday.jpg").write_bytes(good[2].read_bytes())
    shutil.copy(good[3], folder / good[3].name.replace(".jpg", ".jpeg"))
    (folder / "README.md").write_text("no picture")
    return folder


def test_a_synpain_folder_becomes_two_samples_a_pair(tmp_path, synpain):
    artifact = build(tmp_path, synpain(tmp_path / "data", 8), workers=2)
    table = arrays.read_table(artifact.file("samples.csv"))
    assert artifact.summary["counts"] == {"pictures": 8, "samples": 16, "skipped": 0, "subjects": 8}
    assert artifact.summary["dataset"] == "synpain"
    assert artifact.summary["attributes"] == ["gender", "age_group", "ethnicity"]
    assert artifact.summary["targets"] == ["pain"]
    assert list(table["region"]) == ["left", "right"] * 8
    assert list(table["sample_id"]) == [f"{row.file}#{row.region}" for row in table.itertuples()]
    assert (table[table["region"] == "left"][["pain", "expressive"]] == ["no_pain", 0]).all(axis=None)
    right = table[table["region"] == "right"]
    assert (right["expressive"] == 1).all()
    assert list(right["pain"]) == ["pain" if "_Pain_" in file else "no_pain" for file in right["file"]]
    assert (table.groupby("subject_id")["file"].nunique() == 1).all()
    assert (table["x1"] - table["x0"] > 310).all()
    assert (table.loc[table["region"] == "left", "x1"] <= 320).all()


def test_everything_that_cannot_be_used_is_a_row_with_its_reason(tmp_path, damaged):
    artifact = build(tmp_path, damaged, max_skipped=0.5)
    reasons = dict(arrays.read_table(artifact.file("skipped.csv"))[["file", "reason"]].itertuples(index=False))
    kinds = {file: reason.partition(":")[0] for file, reason in reasons.items()}
    (copy,) = (file for file, kind in kinds.items() if kind == "duplicate")
    assert reasons[copy] == f"duplicate: of {Path(copy).stem}.jpeg"
    assert copy.endswith(".jpg")
    del kinds[copy]
    assert kinds == {
        "11014900_Pain_Man_Old.jpg": "empty file",
        "11014901_Pain_Man_Old.jpg": "unreadable",
        "11014902_Pain_Woman_Old.jpg": "contradiction",
        "holiday.jpg": "name",
    }
    assert artifact.summary["counts"]["pictures"] == 11
    assert artifact.summary["counts"]["samples"] == 12
    assert {entry["file"] for entry in artifact.summary["skipped"]} == set(reasons)


def test_more_skipped_than_allowed_is_an_error_and_leaves_the_list(tmp_path, damaged):
    with pytest.raises(DataError, match=r"5 of 11 pictures cannot be used, at most 5% may be: 1 \w") as caught:
        build(tmp_path, damaged)
    listed = re.search(r"named in (\S+skipped\.csv)", str(caught.value))[1]
    assert "holiday.jpg" in Path(listed).read_text()


@pytest.mark.slow
def test_one_process_and_two_give_the_same_bytes(tmp_path, synpain):
    data = synpain(tmp_path / "data", 40)
    one = build(tmp_path / "one", data, workers=1)
    two = build(tmp_path / "two", data, workers=2)
    assert one.file("samples.csv").read_bytes() == two.file("samples.csv").read_bytes()


def test_a_folder_per_class(tmp_path, portrait):
    for name, number in (("pain/a", 0), ("pain/b", 1), ("no_pain/a", 2)):
        path = tmp_path / "data" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(portrait(200, 240, number)).save(path)
    artifact = build(tmp_path, tmp_path / "data")
    table = arrays.read_table(artifact.file("samples.csv"))
    assert artifact.summary["dataset"] == "folders"
    assert dict(zip(table["file"], table["pain"], strict=True)) == {
        "no_pain/a.jpg": "no_pain",
        "pain/a.jpg": "pain",
        "pain/b.jpg": "pain",
    }
    assert table[["x0", "y0", "x1", "y1"]].to_numpy().tolist() == [[0, 0, 200, 240]] * 3
    assert table["subject_id"].nunique() == 3


def test_a_truth_beside_the_pictures_brings_further_targets(tmp_path, synpain):
    folder = synpain(tmp_path / "data", 2)
    first, second = (path.name for path in sorted(folder.glob("*.jpg")))
    (folder / "truth.csv").write_text(
        "file,region,label,expression,age,pspi,l68_0_x,phenotype_age\n"
        f"{first},left,0,neutral,56,0.0,3.5,0.7\n{first},right,1,closed eyes,56,7.5,3.5,0.7\n{second},left,0,,20,,,\n"
    )
    artifact = build(tmp_path, folder)
    table = arrays.read_table(artifact.file("samples.csv"))
    assert artifact.summary["targets"] == ["pain", "expression", "pspi"]
    assert artifact.summary["attributes"] == ["gender", "age_group", "ethnicity", "age"]
    assert table["expression"].fillna("").tolist() == ["neutral", "closed eyes", "", ""]
    assert table["pspi"].tolist()[:2] == [0.0, 7.5]
    assert table["age"].tolist() == [56, 56, 20, 20]
    assert not {"label", "l68_0_x", "phenotype_age"} & set(table)


def test_a_csv_file_with_subjects_attributes_and_folds(tmp_path, portrait):
    data = tmp_path / "data"
    data.mkdir()
    for number in range(3):
        Image.fromarray(portrait(200, 240, number)).save(data / f"{number}.png")
    (data / "faces.csv").write_text(
        "path,label,subject,site,fold\n0.png,pain,p1,x,train\n1.png,no_pain,p1,y,train\n2.png,no_pain,007,,test\n"
    )
    artifact = build(tmp_path, data / "faces.csv")
    table = arrays.read_table(artifact.file("samples.csv"), fold=str)
    assert artifact.summary["dataset"] == "csv"
    assert artifact.summary["attributes"] == ["site"]
    assert list(table["subject_id"]) == ["p1", "p1", "007"]
    assert list(table["fold"]) == ["train", "train", "test"]
    assert table["site"].isna().tolist() == [False, False, True]


def test_an_empty_folder_is_an_error(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError, match="no picture"):
        build(tmp_path, tmp_path / "data")


def test_a_form_asked_for_is_not_guessed(tmp_path, synpain):
    with pytest.raises(DataError, match="none is usable"):
        build(tmp_path, synpain(tmp_path / "data", 4), dataset="folders")


def test_odd_names_are_used_exactly_or_named_and_hidden_pictures_do_not_count(tmp_path, portrait):
    data = tmp_path / "data"
    odd = [" a.png", "b,\"'#.png", "c\\d.png", "NA.png", "é\u202f.png", "=1+1.png", "1e5.png", "e;\\x0d.png"]
    for number, name in enumerate(odd * 3):
        part = data / ("pain", "no_pain")[number % 2] / "abc"[number // len(odd)]
        part.mkdir(parents=True, exist_ok=True)
        Image.fromarray(portrait(40, 40, 0)[:, ::-1] // 2 + number).save(part / name)
    for name in (b"f\xff.png", b"g\r.png"):
        shutil.copy(data / "pain" / "a" / odd[0], data / "pain" / os.fsdecode(name))
    for number in range(9):
        (data / "pain" / f"..hidden{number}.png").write_bytes(b"")
    os.mkfifo(data / "pain" / "pipe.png")
    with specials.within(60):
        artifact = build(tmp_path, data, workers=1, max_skipped=0.1)
    table = arrays.read_table(artifact.file("samples.csv"))
    expected = sorted(path.relative_to(data).as_posix() for path in data.glob("*/[abc]/*"))
    assert sorted(table["file"]) == expected
    assert list(table["sample_id"]) == [f"{file}#full" for file in table["file"]]
    assert set(table["subject_id"]) == set(expected)
    skipped = arrays.read_table(artifact.file("skipped.csv")).set_index("file")["reason"]
    assert skipped["pain/pipe.png"] == "not a file: it is a pipe"
    assert skipped["pain/f\\xff.png"].startswith("name: it is not UTF-8 text")
    assert skipped["pain/g\\x0d.png"].startswith("name: it holds a control character")
    assert skipped["pain/..hidden0.png"].startswith("hidden")
    assert artifact.summary["counts"] == {"pictures": 36, "samples": 24, "skipped": 12, "subjects": 24}
    assert [item["file"] for item in artifact.summary["skipped"]] == list(skipped.index)


def test_a_dataset_of_which_no_name_can_be_used_is_an_error_that_names_one(tmp_path):
    (tmp_path / "data" / "pain").mkdir(parents=True)
    (tmp_path / "data" / "pain" / "a\r.jpg").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"1 names are left out, the first is pain/a\\x0d.jpg \(name: it holds a control"
    ):
        build(tmp_path, tmp_path / "data")


def test_pictures_that_could_not_be_read_are_no_duplicates(tmp_path, synpain):
    folder = synpain(tmp_path / "data", 8)
    for name in ("11014900_Pain_Man_Old.jpg", "11014901_Pain_Man_Old.jpg"):
        (folder / name).symlink_to(tmp_path / "nowhere")
    artifact = build(tmp_path, folder, max_skipped=0.5)
    assert [item["reason"] for item in artifact.summary["skipped"]] == ["missing: there is no such file"] * 2


def test_a_row_holds_what_would_break_its_line_as_blanks(tmp_path, portrait):
    rows = []
    for number in range(8):
        Image.fromarray(portrait(40, 40, number) // 2 + number).save(tmp_path / f"{number}.png")
        rows.append(f'{number}.png,{number % 2},"p\r{number}","x\ny"\n')
    (tmp_path / "faces.csv").write_bytes(("path,label,subject,site\n" + "".join(rows)).encode())
    table = arrays.read_table(build(tmp_path, tmp_path / "faces.csv").file("samples.csv"))
    assert list(table["subject_id"]) == [f"p {number}" for number in range(8)]
    assert set(table["site"]) == {"x y"}


def drawn(folder, name: str, side: int = 200) -> None:
    """A picture of blocks whose colours its name gives."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(list(name.encode())).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(np.kron(blocks, np.ones((side // 8, side // 8, 1), np.uint8))).save(path)


def line(name: str, corner: float, flags: str = "0 0 0 0 0 0") -> str:
    """WFLW's line of a face that is 40 pixels wide and 40 high."""
    x = np.linspace(corner, corner + 40, 98)
    return " ".join([*(f"{value:.3f}" for value in np.repeat(x, 2)), *[str(corner)] * 2, *[str(corner + 40)] * 2]) + (
        f" {flags} {name}\n"
    )


@pytest.fixture
def wflw(tmp_path):
    """Three pictures with four faces, of which one lies outside its picture."""
    folder = tmp_path / "data"
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        drawn(folder, f"WFLW_images/{name}")
    train = line("a.jpg", 20) + line("b.jpg", 30) + line("b.jpg", 120, "1 0 0 0 0 1") + line("b.jpg", 900)
    (folder / "list_98pt_rect_attr_train.txt").write_text(train)
    (folder / "list_98pt_rect_attr_test.txt").write_text(line("c.jpg", 50))
    return folder


def test_faces_with_points_are_rows_in_two_files_of_one_order(tmp_path, wflw):
    artifact = build(tmp_path, wflw, max_skipped=0.5)
    table = arrays.read_table(artifact.file("samples.csv"))
    assert (artifact.summary["dataset"], artifact.summary["targets"]) == ("wflw", ["points98"])
    assert artifact.summary["attributes"][0] == "large_pose"
    assert artifact.summary["counts"] == {"pictures": 3, "samples": 4, "skipped": 1, "subjects": 3}
    of_b = table[table["file"] == "WFLW_images/b.jpg"]
    assert list(of_b["region"]) == ["1", "2"]
    assert of_b[["x0", "y0", "x1", "y1"]].to_numpy().tolist() == [[10, 10, 91, 91], [100, 100, 181, 181]]
    assert list(of_b["large_pose"]) == [0, 1]
    assert "points98" not in table
    assert artifact.summary["skipped"][0]["region"] == "3"
    assert artifact.summary["skipped"][0]["reason"].startswith("outside: the face is at 900.5, 900.5")
    points = sample_table.read(artifact, find("landmarks", points=98))
    assert points["points98_0_x"].tolist() == (table["x0"] + table["x1"]).map(lambda both: both / 2 - 20).tolist()
    assert sample_table.boxes(artifact, "dataset")[:, 0].tolist() == points["points98_0_x"].tolist()
    with pytest.raises(ArtifactError, match="has no column points68"):
        arrays.Columns(artifact.file("points.h5"), "points", artifact.fingerprint)["points68"]


def test_points_alone_are_divided_by_the_official_parts_and_at_random(tmp_path, wflw):
    samples = node_of(wflw, max_skipped=0.5)
    for official in (True, False):
        node = Node("split", "split", split.VERSION, SplitConfig(official=official), {"samples": samples}, split.run)
        made = ArtifactStore(tmp_path / "cache").build(node)[0]
        table = arrays.read_table(made.file("split.csv"))
        assert made.summary["official"] == official
        assert set(table["part"]) == {"train", "val", "test"}
        assert table.groupby("subject_id")["part"].nunique().max() == 1
        if official:
            assert set(table.loc[table["subject_id"].str.endswith("c.jpg"), "part"]) == {"test"}


def test_without_points_and_boxes_there_is_no_file_of_them(tmp_path, synpain):
    artifact = build(tmp_path, synpain(tmp_path / "data", 2))
    assert "points.h5" not in artifact.record["files"]
    assert "sequence" not in arrays.read_table(artifact.file("samples.csv"))


def test_points_of_a_truth_leave_the_rows_as_they_are(tmp_path, synpain):
    folder = synpain(tmp_path / "data", 2)
    before = build(tmp_path / "before", folder)
    name = sorted(path.name for path in folder.glob("*.jpg"))[1]
    columns = [f"l68_{point}_{axis}" for point in range(68) for axis in "xy"]
    cells = ",".join(str(100 + number % 60) for number in range(136))
    (folder / "truth.csv").write_text(f"file,region,{','.join(columns)}\n{name},left,{cells}\n")
    after = build(tmp_path / "after", folder)
    assert before.file("samples.csv").read_bytes() == after.file("samples.csv").read_bytes()
    assert after.summary["targets"] == ["pain", "points68"]
    table = sample_table.read(after, find("landmarks"))
    known = table["points68"].notna()
    assert table.loc[known, ["file", "region"]].to_numpy().tolist() == [[name, "left"]]
    assert table.loc[known, ["points68_0_x", "points68_67_y"]].to_numpy().tolist() == [[100, 115]]
    assert sample_table.boxes(after, "dataset") is None


def test_a_folder_of_pts_files_is_indexed_and_a_changed_file_makes_another_index(tmp_path):
    shape = np.stack([np.linspace(50, 90, 68)] * 2, axis=1)
    for number in range(3):
        drawn(tmp_path / "data", f"{number}.png")
        (tmp_path / "data" / f"{number}.pts").write_text(pts.text_of(shape + number))
    first = build(tmp_path, tmp_path / "data")
    table = arrays.read_table(first.file("samples.csv"))
    assert (first.summary["dataset"], first.summary["targets"]) == ("300w", ["points68"])
    assert table[["x0", "y0", "x1", "y1"]].to_numpy().tolist() == [[30 + n, 30 + n, 110 + n, 110 + n] for n in range(3)]
    assert sample_table.boxes(first, "dataset") is None
    (tmp_path / "data" / "1.pts").write_text(pts.text_of(shape))
    second = build(tmp_path, tmp_path / "data")
    assert second.fingerprint != first.fingerprint
    assert sample_table.boxes(second, "points")[1].tolist() == [50, 50, 90, 90]


def test_frames_of_pain_have_numbers_classes_and_sequences(tmp_path):
    for subject, sequence, frame, pspi in (("s1", "q1", "f1", 0), ("s1", "q1", "f2", 2.5), ("s2", "q2", "f1", 16)):
        drawn(tmp_path / "data", f"Images/{subject}/{sequence}/{frame}.png")
        label = tmp_path / "data" / "Frame_Labels" / "PSPI" / subject / sequence / f"{frame}_facs.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(f"   {pspi:.7e}\n")
    artifact = build(tmp_path, tmp_path / "data")
    table = arrays.read_table(artifact.file("samples.csv"))
    assert (artifact.summary["dataset"], artifact.summary["targets"]) == ("unbc", ["pspi", "pain"])
    assert artifact.summary["attributes"] == []
    assert table[["subject_id", "sequence", "pspi", "pain"]].to_numpy().tolist() == [
        ["s1", "q1", 0, "no_pain"],
        ["s1", "q1", 2.5, "pain"],
        ["s2", "q2", 16, "pain"],
    ]


def test_pictures_of_a_matlab_file_are_unpacked_with_points_hidden_ones_and_boxes(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    pictures = [np.random.default_rng(number).integers(0, 256, (60, 80, 3), np.uint8) for number in range(2)]
    phis = [np.concatenate([np.linspace(10, 40, 58), np.arange(29) < number]) for number in (0, 9)]
    save(data / "COFW_test_color.mat", "T", pictures, phis, (11, 11, 20, 30))
    artifact = build(tmp_path, data)
    table = arrays.read_table(artifact.file("samples.csv"))
    assert (artifact.summary["dataset"], artifact.summary["targets"]) == ("cofw", ["points29"])
    assert list(table["occluded"]) == [0, 1]
    assert table[["x0", "y0", "x1", "y1"]].to_numpy().tolist() == [[0, 0, 51, 56]] * 2
    stored = arrays.Columns(artifact.file("points.h5"), "points", artifact.fingerprint)
    assert stored["hidden"][:].sum(axis=1).tolist() == [0, 9]
    assert stored["box"][0].tolist() == [10.5, 10.5, 30.5, 40.5]
    assert [name.decode() for name in stored["sample_id"][:]] == list(table["sample_id"])


def test_a_table_whose_only_answer_is_a_number_is_indexed(tmp_path):
    for number in range(12):
        drawn(tmp_path, f"{number}.png")
    rows = "".join(f"{number}.png,{number}.5,s{number // 2},q{number % 2}\n" for number in range(12))
    (tmp_path / "t.csv").write_text(f"path,phq_score,subject,video\n{rows}")
    artifact = build(tmp_path, tmp_path / "t.csv")
    table = arrays.read_table(artifact.file("samples.csv"))
    assert (artifact.summary["targets"], artifact.summary["attributes"]) == (["phq_score"], [])
    assert table["phq_score"].tolist() == [number + 0.5 for number in range(12)]
    assert list(table["sequence"][:3]) == ["q0", "q1", "q0"]
