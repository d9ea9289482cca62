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
from pipeline.inputs.images import load_reduced
from pipeline.serving.predictor import Predictor
from pipeline.tasks import PAIN, TASKS
from pipeline.training import supervised
from stages import align, index
from tests.helpers.networks import saved

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
        np.testing.assert_allclose([face.probabilities for face in predictions], probabilities, atol=1e-5)
        assert [face.label for face in predictions] == [task.outputs[i] for i in expected.argmax(1)]


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
    assert sum(face.probabilities) == pytest.approx(1)
