from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from pipeline import models
from pipeline.artifacts import arrays
from pipeline.config import Architecture, PredictConfig
from pipeline.errors import ArtifactError, DataError
from pipeline.inputs.faces.detector import Detection
from pipeline.serving.predictor import annotate, side_by_side
from stages import predict

TINY = Architecture(
    "deit_tiny_distilled_patch16_224",
    options=(("embed_dim", 24), ("depth", 1), ("num_heads", 3)),
    image_size=32,
    weights="random",
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    network = models.build(TINY, ["no_pain", "pain"])
    card = models.describe(network, TINY, ["no_pain", "pain"])
    models.save_model(folder, network, card | {"alignment": {"face_size": 64, "margin": 0.25}})
    return folder


@pytest.fixture(scope="module")
def portrait():
    """A photograph of one person, uint8, shape (256, 256, 3)."""
    data = pytest.importorskip("skimage.data")
    return data.astronaut()[:256, 96:352]


def predicted(model, source, tmp_path):
    out = predict.run(PredictConfig(input=str(source), device="cpu"), model, tmp_path / "out")
    return arrays.read_table(out)


def test_one_face(model, portrait, tmp_path, caplog):
    caplog.set_level("INFO")
    Image.fromarray(portrait).save(tmp_path / "one.png")
    table = predicted(model, tmp_path / "one.png", tmp_path)
    assert f"predict: {model}" in caplog.text
    [row] = table.to_dict("records")
    assert (row["file"], row["half"], row["face"]) == ("one.png", "full", 1)
    assert row["class"] == ("pain" if row["prob_pain"] > 0.5 else "no_pain")
    x0, y0, x1, y1 = (row[name] for name in ("x0", "y0", "x1", "y1"))
    assert x0 < 128 < x1
    assert 60 < y1 - y0 < 200
    assert Image.open(tmp_path / "out" / "annotated" / "one.png.jpg").size == (256, 256)


@pytest.mark.parametrize("divider", [0, 6])
def test_side_by_side_by_content(model, portrait, tmp_path, divider):
    white = np.full((256, divider, 3), 255, np.uint8)
    Image.fromarray(np.concatenate([portrait, white, portrait[:, ::-1]], axis=1)).save(tmp_path / "pair.png")
    table = predicted(model, tmp_path / "pair.png", tmp_path)
    assert table["half"].tolist() == ["left", "right"]
    assert table["x1"][0] <= 256 < table["x0"][1]


def test_a_wide_picture_of_one_person_is_not_split(model, portrait, tmp_path):
    wide = np.pad(portrait, ((0, 0), (128, 128), (0, 0)), mode="edge")
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert predicted(model, tmp_path / "wide.png", tmp_path)["half"].tolist() == ["full"]


def test_several_people_small_ones_too(model, portrait, tmp_path):
    """Three people in one picture, one of them at a third of the size."""
    canvas = np.full((512, 768, 3), 90, np.uint8)
    canvas[:256, :256] = portrait
    canvas[200:456, 300:556] = portrait[:, ::-1]
    canvas[50:135, 620:705] = np.asarray(Image.fromarray(portrait[:255, :255]).reduce(3))
    Image.fromarray(canvas).save(tmp_path / "group.png")
    table = predicted(model, tmp_path / "group.png", tmp_path)
    assert table["half"].tolist() == ["full"] * 3
    assert table["face"].tolist() == [1, 2, 3]
    assert table["x0"].is_monotonic_increasing


def test_what_has_no_prediction_is_a_row_with_the_reason(model, portrait, tmp_path):
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    Image.fromarray(portrait).save(folder / "deep" / "face.jpg")
    Image.new("RGB", (200, 200), "grey").save(folder / "grey.png")
    (folder / "broken.jpg").write_bytes(b"not a picture")
    (folder / "notes.txt").write_text("no picture")
    table = predicted(model, folder, tmp_path).set_index("file")
    assert table.index.tolist() == ["broken.jpg", "deep/face.jpg", "grey.png"]
    assert table["reason"]["broken.jpg"].startswith("unreadable")
    assert table["reason"]["grey.png"] == "no face found"
    assert table["class"].isna().tolist() == [True, False, True]
    assert (tmp_path / "out" / "annotated" / "deep" / "face.jpg").is_file()


def test_input_that_is_missing_or_has_no_picture(model, tmp_path):
    with pytest.raises(DataError, match="There is no picture"):
        predicted(model, tmp_path / "nowhere", tmp_path)
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match="none of them a picture"):
        predicted(model, tmp_path, tmp_path)


def test_a_folder_that_is_no_model(model, portrait, tmp_path):
    Image.fromarray(portrait).save(tmp_path / "one.png")
    with pytest.raises(ArtifactError, match="no whole model"):
        predicted(tmp_path, tmp_path / "one.png", tmp_path)
    card = json.loads((model / "model.json").read_text())
    del card["alignment"]
    (tmp_path / "model.json").write_text(json.dumps(card))
    shutil.copy(model / "weights.safetensors", tmp_path)
    with pytest.raises(ArtifactError, match="aligned"):
        predicted(tmp_path, tmp_path / "one.png", tmp_path)


def face(x0, y0, x1, y1, probability=0.99):
    return Detection(np.array([x0, y0, x1, y1], float), probability, np.zeros((5, 2)))


@pytest.mark.parametrize(
    ("faces", "expected"),
    [
        ([face(50, 50, 150, 170), face(350, 60, 450, 180)], True),
        ([face(50, 50, 150, 170), face(350, 60, 450, 180, 0.5)], False),  # one of them is doubtful
        ([face(50, 50, 150, 170), face(180, 60, 240, 180)], False),  # both in the left half
        ([face(200, 50, 300, 170), face(350, 60, 450, 180)], False),  # one across the middle
        ([face(50, 50, 150, 170), face(350, 60, 400, 110)], False),  # one much smaller
        ([face(50, 10, 150, 110), face(350, 200, 450, 300)], False),  # one much lower
        ([face(50, 50, 150, 170)], False),
    ],
)
def test_two_faces_make_a_side_by_side_picture(faces, expected):
    assert side_by_side(faces, 500) is expected


def test_a_picture_without_faces_stays_as_it_is():
    image = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    assert (np.asarray(annotate(image, [], ["no_pain", "pain"])) == image).all()
