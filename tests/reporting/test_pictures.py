from __future__ import annotations

import base64
import copy
import io
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from pipeline.inputs.batches import MODALITIES
from pipeline.reporting import pictures


def probability_of_truth(rows, task):
    return [row[f"prob_{task.outputs[row['label']]}"] for _, row in rows.iterrows()]


def test_samples_are_right_or_wrong_by_the_mean_over_seeds(compared):
    method = compared[2]
    right, [(heading, wrong)] = pictures.right_samples(method, 6, seed=0), pictures.wrong_samples(method, 6)
    assert heading == ""
    assert ((wrong["prob_pain"] > 0.5) != (wrong["label"] == 1)).all()
    assert ((right["prob_pain"] > 0.5) == (right["label"] == 1)).all()
    assert probability_of_truth(wrong, method.task) == sorted(probability_of_truth(wrong, method.task))
    assert right["label"].sum() == 3
    assert right["sample_id"].tolist() == pictures.right_samples(method, 6, seed=0)["sample_id"].tolist()


def test_a_method_without_errors_has_no_wrong_samples(compared):
    method = copy.copy(compared[2])
    label = method.samples["label"]
    vars(method)["samples"] = method.samples.assign(prob_pain=label, prob_no_pain=1 - label, predicted=label)
    assert (len(pictures.right_samples(method, 6, seed=0)), pictures.wrong_samples(method, 6)) == (6, [])


def test_of_many_classes_the_pairs_most_confused_come_first(seven):
    method, task = seven.favourite, seven.task
    groups = pictures.wrong_samples(method, 12)
    wrong = method.samples[method.samples["predicted"] != method.samples["label"]]
    counts = wrong.groupby(["label", "predicted"]).size()
    sizes = [counts[rows["label"].iloc[0], rows["predicted"].iloc[0]] for _, rows in groups]
    assert sizes == sorted(counts, reverse=True)[: pictures.MOST_PAIRS]
    for heading, rows in groups:
        true, predicted = (task.outputs[rows[column].iloc[0]] for column in ("label", "predicted"))
        assert heading.startswith(f"{true} taken for {predicted}: ")
        assert rows[["label", "predicted"]].drop_duplicates().shape[0] == 1
        assert probability_of_truth(rows, task) == sorted(probability_of_truth(rows, task))
    assert sum(len(rows) for _, rows in groups) <= 12


def test_what_is_shown_names_the_truth_and_the_class_said(material, seven):
    wrong, right = pictures.examples(seven)
    assert {picture.truth for picture in right} == set(seven.task.outputs)
    assert all(picture.lines[0].startswith(f"p({picture.truth}) ") for picture in right)
    assert not any(picture.lines[0].startswith(f"p({picture.truth}) ") for _, group in wrong for picture in group)
    two = pictures.examples(material)[1]
    assert {picture.truth for picture in two} <= {"pain", "no pain", "no pain, expressive"}
    assert all(picture.lines[0].startswith("p(pain) ") for picture in two)


def test_a_picture_becomes_part_of_the_page():
    image = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    kind, data = pictures.data_uri(image).split(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (216, 216)


def test_signals_become_lines_in_one_frame_without_what_is_not_known():
    time = np.linspace(0, 1, 50, dtype=np.float32)
    signals = np.stack([np.stack([time, 1 - time], axis=1), np.full((50, 2), 0.5, np.float32)])
    signals[1, 40:] = np.nan
    drawn = []
    for uri in pictures.line_uris(signals):
        kind, data = uri.split(",")
        assert kind == "data:image/svg+xml;base64"
        svg = ElementTree.fromstring(base64.b64decode(data))
        lines = [[tuple(map(float, p.split(","))) for p in line.get("points").split()] for line in svg]
        assert len({line.get("stroke") for line in svg}) == 2
        drawn.append(np.array(lines))
    rising, falling = drawn[0][:, :, 1]
    assert rising[0] > rising[25] > rising[-1]  # downwards on the page
    np.testing.assert_allclose(falling, rising[::-1], atol=0.2)
    assert drawn[1].shape == (2, 40, 2)
    np.testing.assert_allclose(drawn[1][:, :, 1], pictures.SHOWN_PX / 2, atol=0.2)  # the middle of both windows' frame


def test_nothing_known_is_an_empty_frame():
    [uri] = pictures.line_uris(np.full((1, 9, 1), np.nan, np.float32))
    assert b'points=""' in base64.b64decode(uri.split(",")[1])


def test_every_modality_can_be_shown():
    assert set(pictures.URIS) == set(MODALITIES)
