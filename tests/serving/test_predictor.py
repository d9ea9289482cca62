"""What is predicted of a picture is what was measured on its aligned faces."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline import models
from pipeline.artifacts import arrays, cards
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import ArtifactStore, Node
from pipeline.config import AlignConfig, IndexConfig
from pipeline.errors import ArtifactError
from pipeline.inputs import batches
from pipeline.inputs.faces.geometry import template
from pipeline.inputs.images import load_reduced
from pipeline.serving.answers import STRANGENESS
from pipeline.serving.predictor import Predictor
from pipeline.tasks import PAIN, TASKS
from pipeline.training import supervised
from stages import align, index
from tests.helpers.networks import saved
from tests.serving import answering

CLASSIFY = [task for task in TASKS.values() if task.kind == "classify"]


@pytest.fixture(scope="module")
def raw(tmp_path_factory, synpain, pair):
    """Pictures of SynPAIN's form, the last so large that it is decoded at a reduced size."""
    folder = synpain(tmp_path_factory.mktemp("raw"), 5)
    picture = Image.fromarray(pair(6)[0])
    picture.resize((2560, 1440), Image.Resampling.LANCZOS).save(folder / "10110999_NoPain_Woman_Old.jpg", quality=92)
    return folder


@pytest.fixture(scope="module", params=["mtcnn", "none"])
def config(request, raw):
    return AlignConfig(data=str(raw), align=request.param, face_size=64, device="cpu", workers=1)


@pytest.fixture(scope="module")
def store(config, raw, tmp_path_factory):
    """The samples' table and the aligned faces."""
    samples = Node("index", "samples", index.VERSION, IndexConfig(), {"raw": RawData(raw)}, index.run)
    node = Node("align", "inputs", align.VERSION, config, {"samples": samples}, align.run)
    made = ArtifactStore(tmp_path_factory.mktemp("cache")).build(samples, node)
    return arrays.read_table(made[0].file("samples.csv")), arrays.open_inputs(made[1])


@pytest.mark.slow
@pytest.mark.parametrize("task", CLASSIFY, ids=lambda task: task.name)
def test_an_indexed_picture_gets_the_logits_of_its_aligned_faces(task, config, store, raw, tmp_path):
    table, columns = store
    model = saved(tmp_path / "model", task, config)
    network, card = models.load_model(model)
    faces = batches.Samples({"rgb": columns["rgb"]}, np.arange(len(table)), list(table["sample_id"]))
    measured = torch.cat(list(supervised.forward(network, faces, batches.specs(card), 64, "cpu"))).numpy()
    predictor = Predictor(model, "cpu")
    for file, rows in table.groupby("file"):
        _, aligned = predictor.aligner.faces(raw / file)
        assert np.array_equal(np.stack([face.rgb for face in aligned]), columns["rgb"][rows.index])
        expected = measured[rows.index]
        np.testing.assert_allclose(predictor.logits(aligned), expected, atol=1e-5)
        _, predictions = predictor.faces(raw / file)
        assert [face.half for face in predictions] == list(rows["region"])
        probabilities = torch.from_numpy(expected).double().softmax(1).numpy()
        np.testing.assert_allclose([face.answer.values for face in predictions], probabilities, atol=1e-5)
        assert [face.answer.cells["class"] for face in predictions] == [task.outputs[i] for i in expected.argmax(1)]


def test_the_large_picture_was_decoded_at_a_reduced_size(raw):
    """Else the equality above would say nothing of it."""
    assert load_reduced(raw / "10110999_NoPain_Woman_Old.jpg", 2)[1] == 2


@pytest.mark.parametrize(("lacking", "message"), [("prepare", "lacks prepare"), ("task", "lacks task")])
def test_a_card_that_does_not_say_all_is_refused(tmp_path, lacking, message):
    folder = saved(tmp_path, PAIN, AlignConfig(face_size=64))
    card = json.loads((folder / "model.json").read_text())
    del card[lacking]
    (folder / "model.json").write_text(cards.text(card))
    with pytest.raises(ArtifactError, match=rf"{message}\. Train it anew: make distill"):
        Predictor(folder, "cpu")


def test_a_box_beyond_the_edge_is_cut_at_it(tmp_path, photograph):
    Image.fromarray(photograph[30:160, 170:290]).save(tmp_path / "close.png")
    predictor = Predictor(saved(tmp_path / "model", PAIN, AlignConfig(face_size=64)), "cpu")
    image, (face,) = predictor.faces(tmp_path / "close.png")
    x0, y0, x1, y1 = face.box
    assert 0 <= x0 < x1 <= image.shape[1]
    assert 0 <= y0 < y1 <= image.shape[0]
    assert face.answer.values.sum() == pytest.approx(1)


def marks(margin: float) -> list[float]:
    """Raw outputs of points that are where an aligned face has eyes, nose tip and corners of the mouth."""
    return (template(1, margin) - 0.5).ravel().tolist()


@pytest.mark.parametrize("turn", [0, 25, -40])
def test_points_of_a_turned_face_are_where_they_are_in_the_picture(tmp_path, photograph, turn):
    model = answering.of_faces(tmp_path / "model", answering.points(5), marks(AlignConfig().margin))
    Image.fromarray(photograph).rotate(turn, Image.Resampling.BICUBIC, center=(220, 120)).save(tmp_path / "one.png")
    _, (face,) = Predictor(model, "cpu").faces(tmp_path / "one.png")
    cosine, sine = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    eyes = (np.array([[204, 101], [246, 103]]) - (220, 120)) @ np.array([[cosine, -sine], [sine, cosine]]) + (220, 120)
    assert face.answer.points.shape == (5, 2)
    np.testing.assert_allclose(face.answer.points[:2], eyes, atol=4)


def test_points_of_side_by_side_faces_are_each_in_their_half(tmp_path, pair):
    model = answering.of_faces(tmp_path / "model", answering.points(5), marks(AlignConfig().margin))
    picture, (start, width) = pair(2)
    Image.fromarray(picture).save(tmp_path / "pair.png")
    predictor = Predictor(model, "cpu")
    _, faces = predictor.faces(tmp_path / "pair.png")
    _, aligned = predictor.aligner.faces(tmp_path / "pair.png")
    left, right = (face.answer.points for face in faces)
    assert [face.half for face in faces] == ["left", "right"]
    assert left[:, 0].max() < start
    assert right[:, 0].min() > start + width
    distance = np.hypot(*(left[1] - left[0]))
    for points, face in zip((left, right), aligned, strict=True):  # a similarity brings them near, not onto each other
        assert np.abs(points - face.landmarks).max() < 0.3 * distance


def test_points_of_a_picture_that_is_a_face_are_shares_of_its_sides(tmp_path, photograph):
    align = AlignConfig(face_size=64, align="none")
    model = answering.of_faces(tmp_path / "model", answering.points(2), [-0.5, -0.5, 0.25, 0.5], align)
    Image.fromarray(photograph[:200, :400]).save(tmp_path / "one.png")
    _, (face,) = Predictor(model, "cpu").faces(tmp_path / "one.png")
    np.testing.assert_allclose(face.answer.points, [[0, 0], [300, 200]], atol=1e-4)


@pytest.mark.parametrize(("raw", "pspi"), [(0.2, 3.2), (-0.4, 0), (1.7, 16)])
def test_a_number_is_told_in_its_units_and_within_its_bounds(tmp_path, photograph, raw, pspi):
    model = answering.of_faces(tmp_path / "model", answering.PSPI, [raw], AlignConfig(face_size=64, align="none"))
    Image.fromarray(photograph).save(tmp_path / "one.png")
    _, (face,) = Predictor(model, "cpu").faces(tmp_path / "one.png")
    assert face.answer.cells == {"value_pspi": pytest.approx(pspi), **dict.fromkeys(STRANGENESS)}


def test_a_twin_shares_the_network_and_looks_for_itself(tmp_path, portrait):
    predictor = Predictor(saved(tmp_path, PAIN, AlignConfig(face_size=64)))
    twin = predictor.twin()
    assert twin.network is predictor.network
    assert twin.aligner is not predictor.aligner
    picture = portrait(160, 160)
    (face,), (same,) = predictor(picture).faces, twin(picture).faces
    assert face.answer.cells == same.answer.cells
    assert face.box == same.box
    assert (len(predictor.spent_s), len(twin.spent_s)) == (2, 2)
