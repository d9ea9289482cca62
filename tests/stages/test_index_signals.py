"""The index of signals: every layout, what is measured, and two hundred damaged files of which none is lost."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from pipeline.artifacts import arrays
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import Artifact, ArtifactStore, Node
from pipeline.config import IndexConfig
from pipeline.errors import DataError
from stages import index
from tests.helpers import recordings
from tests.helpers.recordings import LEVELS, RATE_HZ, STEPS, archive, content, name, table, write


def build(tmp_path, data, **options) -> Artifact:
    config = IndexConfig(**{"workers": 1} | options)
    node = Node("index", "samples", index.VERSION, config, {"raw": RawData(data)}, index.run)
    return ArtifactStore(tmp_path / "cache").build(node)[0]


def rows_of(artifact: Artifact):
    return arrays.read_table(artifact.file("samples.csv"))


def reasons_of(artifact: Artifact) -> dict[str, str]:
    table = arrays.read_table(artifact.file("skipped.csv"))
    return dict(zip(table["file"] + "#" + table["region"].fillna(""), table["reason"], strict=True))


@pytest.fixture
def windows(tmp_path):
    """A folder for each of four subjects, a window of each level."""
    folder = tmp_path / "data"
    for subject in range(4):
        for level in range(5):
            file = name(subject, level, 7)
            write(folder / file.partition("-")[0] / file, content(table(5 * subject + level)))
    return folder


def test_each_window_is_a_sample_with_its_level_its_person_and_what_was_measured(tmp_path, windows):
    artifact = build(tmp_path, windows)
    made = rows_of(artifact)
    assert list(made.columns) == [
        "sample_id", "file", "region", "rate_hz", "steps", "repairs", "subject_id", "level", "sex", "age",
    ]  # fmt: skip
    assert (made["sample_id"] == made["file"] + "#full").all()
    assert (made[["rate_hz", "steps"]] == [RATE_HZ, STEPS]).all(axis=None)
    assert made["repairs"].isna().all()
    assert list(made["level"]) == list(LEVELS) * 4
    assert made.groupby("subject_id")["level"].nunique().tolist() == [5] * 4
    counts = {"recordings": 20, "samples": 20, "skipped": 0, "repaired": 0, "subjects": 4}
    assert artifact.summary["counts"] == counts
    assert (artifact.summary["targets"], artifact.summary["attributes"]) == (["level"], ["sex", "age"])
    assert artifact.summary["dataset"] == "biovid"


def test_every_layout_says_the_same_of_the_same_windows(tmp_path, windows):
    wanted = ["subject_id", "level", "sex", "age", "rate_hz", "steps"]
    by_subject = rows_of(build(tmp_path, windows))[wanted].sort_values(wanted).reset_index(drop=True)
    for layout in ("levels", "flat", "packed"):
        folder = tmp_path / layout
        for path in windows.rglob("*.csv"):
            level = str(LEVELS.index(path.name.split("-")[1]))
            place = folder / {"levels": level, "flat": "", "packed": "any/where"}[layout] / path.name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
            if layout == "packed":
                write(place.with_suffix(".csv.gz"), recordings.gzip.compress(place.read_bytes()))
                place.unlink()
        assert rows_of(build(tmp_path, folder))[wanted].sort_values(wanted).reset_index(drop=True).equals(by_subject)


def test_a_file_for_each_subject_says_the_same(tmp_path, windows):
    wanted = ["subject_id", "level", "rate_hz", "steps"]
    by_subject = rows_of(build(tmp_path, windows))[wanted].sort_values(wanted).reset_index(drop=True)
    for subject in sorted(path.name for path in windows.iterdir()):
        number = int(subject[:6]) - 71000
        x = np.stack([table(5 * number + level)[:, 1] for level in range(5)])
        write(tmp_path / "npz" / f"{subject}.npz", archive({"x": x, "y": np.arange(5), "rate_hz": np.array(64)}))
    artifact = build(tmp_path, tmp_path / "npz")
    made = rows_of(artifact)
    assert made[wanted].sort_values(wanted).reset_index(drop=True).equals(by_subject)
    assert made["sample_id"].iloc[1] == "071000_m_20.npz#1"
    assert artifact.summary["counts"]["recordings"] == 20


def test_lists_bring_official_folds(tmp_path, windows):
    for fold in (1, 2):
        lines = {"train": [], "test": []}
        for path in sorted(windows.rglob("*.csv")):
            part = "test" if int(path.name[:6]) % 2 == fold - 1 else "train"
            lines[part].append(f"{path.name[: -len('_bio.csv')]} 1 1 {LEVELS.index(path.name.split('-')[1])}")
        for part, names in lines.items():
            (windows / f"{part}_fold{fold}.txt").write_text("\n".join(names))
    made = rows_of(build(tmp_path, windows))
    assert set(made["fold"]) == {1, 2}
    assert made.groupby("subject_id")["fold"].nunique().tolist() == [1] * 4


def test_a_table_of_files_of_signals(tmp_path, windows):
    files = sorted(windows.rglob("*.csv"))
    lines = [f"{path.relative_to(windows)},{LEVELS.index(path.name.split('-')[1])},left" for path in files]
    (windows / "index.csv").write_text("\n".join(["path,label,hand", *lines]))
    artifact = build(tmp_path, windows / "index.csv")
    made = rows_of(artifact)
    assert list(made["level"]) == list(LEVELS) * 4
    assert made["subject_id"].nunique() == 4
    assert (made["hand"] == "left").all()
    assert artifact.summary["dataset"] == "csv"


def test_labels_of_nought_and_one_are_levels_where_the_files_are_signals(tmp_path):
    for level in (0, 1):
        write(tmp_path / f"d/{level}.csv", content(table(level)))
    (tmp_path / "d/index.csv").write_text("path,label,subject\n0.csv,0,a\n1.csv,1,b\n")
    assert list(rows_of(build(tmp_path, tmp_path / "d/index.csv"))["level"]) == ["BL1", "PA1"]


def test_a_table_may_not_say_what_is_measured(tmp_path):
    write(tmp_path / "a.csv", content(table()))
    (tmp_path / "index.csv").write_text("path,label,Rate_Hz\na.csv,0,64\n")
    with pytest.raises(DataError, match="rate_hz must be renamed: of signals it is read off themselves"):
        build(tmp_path, tmp_path / "index.csv")


def test_the_channels_that_are_asked_for_decide_what_is_usable(tmp_path, windows):
    silent = table(99)
    silent[:, 2] = np.nan
    file = windows / "071000_m_20" / name(0, 0, 8)
    write(file, content(silent))
    assert build(tmp_path, windows).summary["counts"]["skipped"] == 0
    reasons = reasons_of(build(tmp_path, windows, channel="gsr,ecg"))
    assert reasons == {f"{file.relative_to(windows)}#": "no value: nothing was measured of ecg"}
    with pytest.raises(DataError, match="21 of 21 recordings cannot be used, none is usable: 21 no channel"):
        build(tmp_path, windows, channel="eeg")


def test_a_recording_twice_is_used_once_and_with_two_levels_never(tmp_path, windows):
    one = windows / "071000_m_20" / name(0, 0, 7)
    shutil.copy(one, one.with_name(name(0, 0, 9)))
    other = windows / "071001_w_21" / name(1, 1, 7)
    shutil.copy(other, other.with_name(name(1, 2, 9)))
    kinds = [reason.partition(":")[0] for reason in reasons_of(build(tmp_path, windows, max_skipped=1)).values()]
    assert sorted(kinds) == ["contradiction", "contradiction", "duplicate"]


@pytest.mark.slow
def test_of_hundreds_of_damaged_files_each_is_repaired_or_named_and_none_stops_the_rest(tmp_path, windows):
    damages = {}
    for number, damage in enumerate(recordings.damages()):
        file = name(10 + number % 40, number % 5, number, ("_bio.csv", "_bio.csv.gz")[number % 2])
        write(windows / file, damage.data)
        damages[file] = damage
    assert len(damages) > 200
    artifact = build(tmp_path, windows, max_skipped=1)
    made, reasons = rows_of(artifact), reasons_of(artifact)
    usable = made.set_index("file")["repairs"].fillna("")
    equal = {}  # equal contents are one recording: of these the first speaks for all
    for file, damage in damages.items():
        reason = reasons.get(f"{file}#", "")
        if reason.partition(":")[0] in ("duplicate", "contradiction"):
            equal[file] = reason
        elif damage.kind and not damage.repaired:
            assert reason.partition(":")[0] == damage.kind, (damage.what, reason)
            assert file not in usable
        else:
            assert not reason, (damage.what, reason)
            assert damage.kind in usable[file]
    assert len(equal) < 10
    assert len(damages) + 20 == len(made) + len(reasons) == artifact.summary["counts"]["recordings"]
    assert artifact.summary["counts"]["repaired"] == (usable != "").sum() > 40
    assert artifact.summary["counts"]["skipped"] == len(reasons)


def test_damaged_files_of_subjects_are_named_window_by_window(tmp_path):
    kinds = {}
    for number, damage in enumerate(recordings.packed_damages()):
        file = f"{number:06d}_m_30.npz"
        write(tmp_path / "data" / file, damage.data + bytes(0))
        kinds[file] = damage
    artifact = build(tmp_path, tmp_path / "data", max_skipped=1)
    reasons = reasons_of(artifact)
    by_file: dict[str, set[str]] = {}
    for place, reason in reasons.items():
        by_file.setdefault(place.partition("#")[0], set()).add(reason.partition(":")[0])
    whole = rows_of(artifact).groupby("file")["region"].nunique()
    for file, damage in kinds.items():
        found = by_file.get(file, set())
        if found & {"duplicate", "contradiction"}:
            continue
        if damage.kind and not damage.repaired:
            assert damage.kind in found, (damage.what, found)
        else:
            assert not found, (damage.what, found)
            assert whole[file] == 3


def test_a_window_that_cannot_be_used_is_one_of_its_files_and_counts_as_one(tmp_path):
    x = np.stack([table(n)[:, 1] for n in range(100)])
    x[41] = 1.0
    write(tmp_path / "d/P1.npz", archive({"x": x, "y": np.arange(100) % 5, "rate_hz": np.array(64)}))
    artifact = build(tmp_path, tmp_path / "d", max_skipped=0.01)
    assert reasons_of(artifact) == {"P1.npz#41": "constant: gsr is 1 throughout"}
    assert artifact.summary["counts"] == {
        "recordings": 100, "samples": 99, "skipped": 1, "repaired": 0, "subjects": 1,
    }  # fmt: skip
    assert json.dumps(artifact.summary)


def test_more_damage_than_allowed_is_an_error_that_counts_recordings(tmp_path, windows):
    for number in range(2):
        write(windows / name(20, number, 0), b"")
    with pytest.raises(DataError, match=r"2 of 22 recordings cannot be used, at most 5% may be: 2 empty file"):
        build(tmp_path, windows)


def test_hidden_recordings_are_named(tmp_path, windows):
    write(windows / f".{name(0, 0, 7, '_bio.csv.gz')}", b"")
    assert list(reasons_of(build(tmp_path, windows)).values()) == ["hidden: its name begins with a dot"]


def test_two_processes_say_what_one_says(tmp_path, windows):
    one = build(tmp_path, windows).file("samples.csv").read_bytes()
    assert build(tmp_path / "other", windows, workers=2).file("samples.csv").read_bytes() == one


def test_one_person_in_two_sources_is_one_subject(tmp_path, windows):
    """By BioVid's name of the person, and by equal recordings under any name: no one is in two parts."""
    low, high, other = (tmp_path / name for name in ("low", "high", "other"))
    for path in windows.rglob("*.csv"):
        place = low if "-BL1-" in path.name else high
        write(place / path.name, path.read_bytes())
    copied = next(windows.rglob("*071002*-PA1-*.csv"))
    write(other / "a.csv", recordings.gzip.compress(copied.read_bytes()))
    write(other / "b.csv", content(table(77)))
    (other / "t.csv").write_text("path,label,subject\na.csv,PA1,x\nb.csv,BL1,y\n")
    raw = RawData.of(f"{low},{high},{other / 't.csv'}")
    node = Node("index", "samples", index.VERSION, IndexConfig(workers=1), {"raw": raw}, index.run)
    artifact = ArtifactStore(tmp_path / "cache").build(node)[0]
    made = rows_of(artifact)
    assert artifact.summary["counts"]["subjects"] == 5
    assert artifact.summary["counts"]["shared"] == 4
    same = made[made["file"].str.contains("071002") | made["file"].str.endswith("a.csv")]
    assert same["subject_id"].nunique() == 1
    assert made.loc[made["file"].str.endswith("b.csv"), "subject_id"].item() == "t/y"


def test_files_that_are_all_useless_are_still_called_recordings(tmp_path):
    write(tmp_path / "d/a.npz", b"PK\x03\x04")
    with pytest.raises(DataError, match=r"1 of 1 recordings cannot be used, .* The first is a\.npz: unreadable: "):
        build(tmp_path, tmp_path / "d")
