"""What is predicted of frames is what was measured on the prepared ones, each label by itself."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageColor

from pipeline import models
from pipeline.artifacts import arrays, cards
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import ArtifactStore, Node
from pipeline.config import Architecture, IndexConfig, ResizeConfig, as_dict
from pipeline.errors import ArtifactError, ConfigError
from pipeline.inputs import batches
from pipeline.serving.annotate import annotate_frame
from pipeline.serving.answers import STRANGENESS, Mark
from pipeline.serving.colors import PALETTE, STRIP, on_scale
from pipeline.serving.network import Network
from pipeline.tasks import TASKS, Task
from pipeline.training import supervised
from stages import index, predict, resize
from tests.helpers import frames
from tests.helpers.networks import saved_of_frames
from tests.serving import answering

TASK = TASKS["fire-smoke"]
SMOKE = Task("density", "regress", "density", ("density",), bounds=(0.0, 10.0), prepare="resize", subject="smoke")
FIRE, SMOKELESS = Mark("fire 0.97", PALETTE[0]), Mark("smoke 0.12", PALETTE[1], called=False)
COLUMNS = ["file", "fire", "smoke", "prob_fire", "prob_smoke", *STRANGENESS, "reason"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = frames.dataset(tmp_path_factory.mktemp("raw"), 12)
    for number, path in enumerate(sorted((folder / "rgb").iterdir())):
        Image.effect_noise((60, 48), 30 + 5 * number).convert("RGB").save(path)
        Image.effect_noise((60, 48), 40).save(folder / "ir" / path.name)
    return folder


@pytest.mark.parametrize("filters", ["", "stretch,median,minmax"])
def test_a_frame_gets_the_logits_of_its_prepared_one(data, tmp_path, filters):
    config = ResizeConfig(data=str(data), frame_size=40, filters=filters, workers=1)
    samples = Node("index", "samples", index.VERSION, IndexConfig(data=str(data)), {"raw": RawData(data)}, index.run)
    node = Node("resize", "inputs", resize.VERSION, config, {"samples": samples}, resize.run)
    inputs = arrays.open_inputs(ArtifactStore(tmp_path / "cache").build(node)[0])
    model = saved_of_frames(tmp_path / "model", TASK, config)
    network, card = models.load_model(model)
    ids = inputs.sample_ids
    prepared = batches.Samples({"rgb": inputs["rgb"]}, np.arange(len(ids)), ids)
    measured = torch.cat(list(supervised.forward(network, prepared, batches.specs(card), 64, "cpu")))
    table = arrays.read_table(predict.run(data / "rgb", model, tmp_path / "out", "cpu"))
    assert list(table.columns) == COLUMNS
    table = table.set_index("file").loc[[name.removeprefix("rgb/").removesuffix("#full") for name in ids]]
    probabilities = measured.double().sigmoid().numpy()
    np.testing.assert_allclose(table[["prob_fire", "prob_smoke"]].to_numpy(), probabilities, atol=1e-6)
    np.testing.assert_array_equal(table[["fire", "smoke"]].to_numpy(), (probabilities > 0.5).astype(int))


def test_what_cannot_be_read_is_a_row_with_the_reason_and_the_rest_have_copies(tmp_path):
    model = saved_of_frames(tmp_path / "model", TASK, ResizeConfig(frame_size=32))
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for name, size in (("a.png", (300, 200)), ("deep/b.jpg", (60, 90))):
        Image.new("RGB", size, "white").save(folder / name)
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "link.png").symlink_to("nowhere")
    table = arrays.read_table(predict.run(folder, model, tmp_path / "out", "cpu")).set_index("file")
    reasons = table["reason"].fillna("").str.partition(":")[0].to_dict()
    assert reasons == {"a.png": "", "broken.png": "unreadable", "deep/b.jpg": "", "link.png": "missing"}
    assert (table["prob_smoke"].notna().to_numpy() == (table["reason"].isna()).to_numpy()).all()
    copies = {path.relative_to(tmp_path / "out" / "annotated").as_posix() for path in (tmp_path / "out").rglob("*.jpg")}
    assert copies == {"a.png.jpg", "deep/b.jpg"}
    with Image.open(tmp_path / "out" / "annotated" / "a.png.jpg") as copy:
        assert copy.width == 300
        assert copy.height > 200


def test_a_network_that_reads_infrared_is_refused_with_what_to_choose(tmp_path):
    dual = Architecture("dual:resnet10t", image_size=32, weights="random")
    model = saved_of_frames(tmp_path / "model", TASK, ResizeConfig(frame_size=32), dual)
    frames.rgb(3).save(tmp_path / "a.png")
    with pytest.raises(ConfigError, match=r"reads the IR frame \(ir\), which is privileged.*Choose a student.*MODEL="):
        predict.run(tmp_path / "a.png", model, tmp_path / "out", "cpu")
    assert not (tmp_path / "out").exists()


def test_a_network_answers_with_a_cell_and_a_probability_of_each_label(tmp_path):
    network = Network(saved_of_frames(tmp_path, TASK, ResizeConfig(frame_size=32)), "cpu")
    assert network.columns == ("fire", "smoke", "prob_fire", "prob_smoke", *STRANGENESS)
    (answer,) = network.answers(np.array([[1.0, -1.0]], np.float32))
    assert tuple(answer.cells) == network.columns


def test_a_number_of_a_frame_is_a_column_and_on_the_strip(tmp_path):
    model = answering.always(saved_of_frames(tmp_path / "model", SMOKE, ResizeConfig(frame_size=32)), [0.75])
    frames.rgb(3).save(tmp_path / "a.png")
    table = arrays.read_table(predict.run(tmp_path / "a.png", model, tmp_path / "out", "cpu"))
    assert list(table.columns) == ["file", "value_density", *STRANGENESS, "reason"]
    assert table["value_density"].tolist() == [7.5]
    with Image.open(tmp_path / "out" / "annotated" / "a.png.jpg") as copy:
        near = np.abs(np.asarray(copy)[1, 1].astype(int) - ImageColor.getrgb(on_scale(0.75)))
    assert near.max() < 30


def test_points_of_a_frame_are_refused(tmp_path):
    task = replace(answering.points(2), prepare="resize")
    numbers = replace(SMOKE, outputs=task.numbers)
    model = saved_of_frames(tmp_path / "model", numbers, ResizeConfig(frame_size=32))
    card = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(cards.text({**card, "task": as_dict(task)}))
    frames.rgb(3).save(tmp_path / "a.png")
    with pytest.raises(ArtifactError, match=r"answers with points, of what `make resize` .* of `make align`.*MODEL="):
        predict.run(tmp_path / "a.png", model, tmp_path / "out", "cpu")
    assert not (tmp_path / "out").exists()


def test_the_strip_stands_above_the_picture_with_what_is_called_in_colour():
    image = np.full((100, 254, 3), 90, np.uint8)
    drawn = np.asarray(annotate_frame(image, [FIRE, SMOKELESS]))
    np.testing.assert_array_equal(drawn[-100:], image)
    strip = drawn[:-100]
    assert tuple(strip[1, 1]) == ImageColor.getrgb(PALETTE[0])
    assert ImageColor.getrgb(PALETTE[1]) not in set(map(tuple, strip.reshape(-1, 3)))
    assert tuple(strip[1, -1]) == ImageColor.getrgb(STRIP)


def test_the_strip_of_a_narrow_picture_has_several_lines():
    image = np.full((40, 60, 3), 90, np.uint8)
    one = annotate_frame(image, [FIRE]).height
    assert annotate_frame(image, [FIRE, SMOKELESS, Mark("people 1.00", PALETTE[2])]).height == 40 + 3 * (one - 40)


@pytest.mark.parametrize("called", [[FIRE], [FIRE, SMOKELESS], [Mark("not like the training frames", STRIP), FIRE]])
def test_frames_of_a_video_have_one_height(called):
    most = (Mark("not like the training frames", STRIP), FIRE, SMOKELESS)
    image = np.full((100, 120, 3), 90, np.uint8)
    drawn = annotate_frame(image, called, most)
    assert drawn.size == annotate_frame(image, most).size
    np.testing.assert_array_equal(np.asarray(drawn)[-100:], image)
