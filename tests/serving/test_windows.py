"""What is predicted of files of signals is what was measured on their prepared windows, subject by subject."""

from __future__ import annotations

import gzip
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline import models
from pipeline.artifacts import arrays
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import ArtifactStore, Node
from pipeline.config import AlignConfig, IndexConfig, WindowConfig
from pipeline.errors import DataError
from pipeline.inputs import batches
from pipeline.inputs.signals import clean
from pipeline.serving import windows
from pipeline.tasks import PAIN, TASKS
from pipeline.training import supervised
from stages import index, predict, window
from tests.fakes import recordings
from tests.helpers.networks import saved, saved_of_signals
from tests.serving import answering

TASK = TASKS["skin-conductance"]
RATE_HZ, STEPS = 64.0, 352


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return recordings.dataset(tmp_path_factory.mktemp("raw"), 3, 2)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return saved_of_signals(tmp_path_factory.mktemp("model"), TASK, WindowConfig(), RATE_HZ, STEPS)


def predicted(model, source, tmp_path):
    return arrays.read_table(predict.run(source, model, tmp_path / "out", "cpu"))


@pytest.mark.parametrize("scaling", clean.SCALINGS)
def test_an_indexed_file_gets_the_logits_of_its_prepared_window(data, tmp_path, scaling):
    config = WindowConfig(data=str(data), channel="gsr,ecg", scaling=scaling, rate_hz=32, workers=1)
    samples = Node("index", "samples", index.VERSION, IndexConfig(data=str(data)), {"raw": RawData(data)}, index.run)
    node = Node("window", "inputs", window.VERSION, config, {"samples": samples}, window.run)
    inputs = arrays.open_inputs(ArtifactStore(tmp_path / "cache").build(node)[0])
    model = saved_of_signals(tmp_path / "model", TASK, config, 32.0, 176)
    network, card = models.load_model(model)
    ids = inputs.sample_ids
    signals = batches.Samples({"signal": inputs["signal"]}, np.arange(len(ids)), ids)
    measured = torch.cat(list(supervised.forward(network, signals, batches.specs(card), 64, "cpu")))
    table = predicted(model, data, tmp_path).set_index("file").loc[[name.partition("#")[0] for name in ids]]
    found = table[[f"prob_{name}" for name in TASK.outputs]].to_numpy()
    np.testing.assert_allclose(found, measured.double().softmax(1).numpy(), atol=1e-5)
    assert table["class"].tolist() == [TASK.outputs[i] for i in measured.argmax(1)]
    assert table["scaled_by"].isna().all() == (scaling != "subject")


def test_all_windows_of_a_subject_that_are_given_scale_it_and_the_row_says_how_many(model, data, tmp_path):
    table = predicted(model, data, tmp_path)
    assert list(table.columns[:7]) == [*windows.COLUMNS, "class"]
    assert table["subject_id"].nunique() == 3
    assert (table["scaled_by"] == 10).all()
    alone = predicted(model, data / recordings.name(1, 4, 0), tmp_path)
    [row] = alone.to_dict("records")
    assert (row["scaled_by"], row["subject_id"], row["seconds"]) == (1, "071601_w_21", 5.5)
    same = table[table["file"] == recordings.name(1, 4, 0)].iloc[0]
    assert abs(row["prob_PA4"] - same["prob_PA4"]) > 1e-6


def test_what_cannot_be_predicted_is_a_row_with_the_reason(model, data, tmp_path):
    folder = tmp_path / "in"
    for turn in range(3):
        recordings.write(folder / "anna" / f"{turn}.csv", recordings.recording(0, 4, turn))
    packed = gzip.compress((folder / "anna" / "2.csv").read_bytes())
    (folder / "anna" / "3.csv.gz").write_bytes(packed)
    (folder / "anna" / "4.csv.gz").write_bytes(packed[:200])
    (folder / "broken.csv").write_text("not a signal")
    (folder / "link.csv").symlink_to("nowhere")
    (folder / "photo.jpg").write_bytes(b"no signal")
    empty = recordings.recording(0, 0, 0)
    empty[:, 0] = np.nan
    recordings.write(folder / "anna" / "empty.csv", empty)
    recordings.write(folder / "anna" / "flat.csv", np.full_like(empty, 3.0))
    table = predicted(model, folder, tmp_path).set_index("file")
    reasons = table["reason"].fillna("").str.partition(":")[0]
    assert reasons.to_dict() == {
        "anna/0.csv": "",
        "anna/1.csv": "",
        "anna/2.csv": "",
        "anna/3.csv.gz": "",
        "anna/4.csv.gz": "unreadable",
        "anna/empty.csv": "no value",
        "anna/flat.csv": "constant",
        "broken.csv": reasons["broken.csv"],  # the reader's business
        "link.csv": "missing",
    }
    assert reasons["broken.csv"]
    assert (table["class"].isna() == (reasons != "")).all()
    assert (table.loc[reasons == "", "scaled_by"] == 4).all()
    assert table.loc["anna/2.csv", "prob_PA4"] == table.loc["anna/3.csv.gz", "prob_PA4"]


def test_the_windows_of_an_archive_are_one_persons(model, tmp_path):
    every = np.stack([recordings.recording(0, level, 0)[:, 0] for level in range(5)])
    (tmp_path / "in").mkdir()
    np.savez(tmp_path / "in" / "s01.npz", x=every, y=np.arange(5), rate_hz=64.0)
    table = predicted(model, tmp_path / "in", tmp_path)
    assert table["region"].astype(str).tolist() == ["0", "1", "2", "3", "4"]
    assert (table["scaled_by"] == 5).all()
    assert table["class"].isin(TASK.outputs).all()


def test_a_number_of_each_window_is_a_column(data, tmp_path):
    task = replace(
        TASK, kind="regress", outputs=("pain_rating",), target="pain_rating", bounds=(0.0, 100.0), ordered=False
    )
    task = replace(task, levels=(), aliases=(), positive="")
    model = answering.always(saved_of_signals(tmp_path / "model", task, WindowConfig(), RATE_HZ, STEPS), [0.375])
    table = predicted(model, data, tmp_path)
    assert list(table.columns) == [*windows.COLUMNS, "value_pain_rating", "reason"]
    assert (table["value_pain_rating"] == 37.5).all()
    assert table["reason"].isna().all()


def test_another_rate_and_length_is_brought_to_the_networks(model, tmp_path):
    for name, steps, rate_hz in (("fast", 1408, 256), ("long", 900, 64), ("short", 200, 64)):
        recordings.write(tmp_path / "in" / f"{name}.csv", recordings.recording(0, 4, 0, steps), rate_hz)
    table = predicted(model, tmp_path / "in", tmp_path).set_index("file")
    assert table["class"].notna().all()
    assert table["seconds"].to_dict() == {"fast.csv": 5.5, "long.csv": 5.5, "short.csv": 3.125}


def test_a_network_of_pictures_reads_no_signals_and_the_other_no_pictures(model, data, tmp_path):
    with pytest.raises(DataError, match="none of them a picture"):
        predicted(saved(tmp_path / "faces", PAIN, AlignConfig(face_size=64)), data, tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"none of them a file of signals \(\.csv, \.csv\.gz"):
        predicted(model, tmp_path / "in", tmp_path)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("072414_m_23-PA2-034_bio.csv", "072414_m_23"),
        ("4/072414_m_23-PA4-034_bio.csv.gz", "072414_m_23"),
        ("s01.npz", "s01"),
        ("anna/1.csv", "anna"),
        ("1.csv", "."),
    ],
)
def test_whose_a_file_is(name, subject):
    assert windows.subject_of(name) == subject
