"""Faces, labels and answers joined, and streamed as batches."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from pipeline.artifacts import arrays
from pipeline.artifacts.arrays import Columns
from pipeline.errors import ArtifactError, DataError
from pipeline.inputs import keyed_random, streaming
from pipeline.inputs.views import image as views
from pipeline.inputs.views.image import InputSpec
from pipeline.training import supervised

SPEC = InputSpec(16, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
NAMES = [f"{number:02}.jpg#full" for number in range(30)]


@pytest.fixture
def columns(tmp_path) -> Columns:
    """Faces in an order of their own, each filled with its number."""
    return written(tmp_path / "inputs.h5", "inputs", list(reversed(NAMES)), rgb=(16, 16, 3))


def written(path, kind, names, **shapes) -> Columns:
    ids = arrays.sample_id_column(names)
    layout = {name: ((len(names), *shape), np.uint8) for name, shape in shapes.items()}
    arrays.create(path, kind, "f", layout | {"sample_id": (ids.shape, ids.dtype)}, {})
    writer = arrays.ColumnWriter(path)
    numbers = np.array([int(name[:2]) for name in names], np.uint8)
    for rows in writer.pending():
        filled = {
            name: np.broadcast_to(numbers[rows].reshape(-1, *[1] * len(shape)), (len(numbers[rows]), *shape))
            for name, shape in shapes.items()
        }
        writer.write(rows, sample_id=ids[rows], **filled)
    writer.finish()
    return Columns(path, kind, "f")


@pytest.fixture
def samples() -> pd.DataFrame:
    return pd.DataFrame({"sample_id": NAMES, "label": np.arange(30) % 2})


@pytest.fixture
def split() -> pd.DataFrame:
    parts = np.select([np.arange(30) < 20, np.arange(30) < 25], ["train", "val"], "test")
    return pd.DataFrame({"sample_id": NAMES, "part": parts}).sample(frac=1, random_state=0)


def test_everything_meets_by_sample_id(samples, split, columns):
    faces = supervised.join(samples, split, columns, "train")
    numbers = faces.images[faces.rows, 0, 0, 0].astype(int)
    assert sorted(numbers) == list(range(20))
    assert np.array_equal(faces.labels, numbers % 2)
    assert faces.sample_ids == [f"{number:02}.jpg#full" for number in numbers]


def test_faces_that_are_left_out_leave_the_others_as_they_are(samples, split, columns):
    faces = supervised.join(samples, split, columns, "train")
    fewer = faces.without(np.arange(20) % 3 == 0)
    kept = [n for n in range(20) if n % 3]
    assert fewer.sample_ids == [faces.sample_ids[n] for n in kept]
    assert np.array_equal(fewer.rows, faces.rows[kept])
    assert np.array_equal(fewer.labels, faces.labels[kept])


def batches_of(faces, plan, batch_size, provider=None):
    """The batches of seed 4."""
    return supervised.training_batches(faces, plan, SPEC, batch_size, 4, 2, "cpu", provider)


def test_a_face_that_is_missing_is_named(samples, split, tmp_path):
    fewer = written(tmp_path / "fewer.h5", "inputs", NAMES[1:], rgb=(16, 16, 3))
    with pytest.raises(ArtifactError, match=NAMES[0]):
        supervised.join(samples, split, fewer, "train")


@pytest.mark.parametrize("part", ["train", "holdout"])
def test_a_part_that_cannot_be_learned_from_is_named(samples, split, columns, part):
    with pytest.raises(DataError, match=part):
        supervised.join(samples.iloc[5:], split, columns, part)


def test_batches_follow_the_order_and_the_views_of_the_seed(samples, split, columns):
    faces = supervised.join(samples, split, columns, "train")
    batches = batches_of(faces, views.Plan(9), 6)
    found = [(inputs.clone(), targets["label"]) for inputs, targets in batches(2, 0)]
    assert [len(inputs) for inputs, _ in found] == [6, 6, 6, 2]
    order = streaming.epoch_order(4, 2, 20)
    assert np.array_equal(torch.cat([label for _, label in found]).numpy(), faces.labels[order])
    pictures = torch.from_numpy(np.asarray(faces.images[faces.rows[order]]))
    drawn = views.view_parameters(9, keyed_random.keys(faces.sample_ids)[order], 2)
    torch.testing.assert_close(torch.cat([inputs for inputs, _ in found]), views.augment(pictures, drawn, SPEC))


def test_batches_from_a_later_step_are_the_rest(samples, split, columns):
    faces = supervised.join(samples, split, columns, "train")
    batches = batches_of(faces, views.Plan(9), 6)
    whole = [inputs.clone() for inputs, _ in batches(1, 0)]
    rest = [inputs.clone() for inputs, _ in batches(1, 2)]
    assert all(torch.equal(a, b) for a, b in zip(whole[2:], rest, strict=True))
    assert list(batches(1, 4)) == []


def test_without_augmentation_the_face_itself_is_seen(samples, split, columns):
    faces = supervised.join(samples, split, columns, "train")
    plain = batches_of(faces, views.Plan(9, augment=False), 20)
    inputs, _ = next(iter(plain(0, 0)))
    pictures = torch.from_numpy(np.asarray(faces.images[faces.rows[streaming.epoch_order(4, 0, 20)]]))
    torch.testing.assert_close(inputs, views.normalise(pictures, SPEC))


def test_an_epoch_sees_its_view_and_hears_what_was_said_of_it(samples, split, columns):
    faces, heard = supervised.join(samples, split, columns, "train"), []

    def provider(index, view, images, drawn):
        heard.append((index, view, images.clone(), drawn))
        return {"hard": torch.full((len(index),), view)}

    batches = batches_of(faces, views.Plan(9, views=3), 8, provider)
    for epoch in range(5):
        for _, targets in batches(epoch, 0):
            index, view, images, drawn = heard[-1]
            assert view == epoch % 3
            assert (targets["hard"] == view).all()
            assert np.array_equal(images[:, 0, 0, 0].numpy() % 2, targets["label"].numpy())
            assert np.array_equal(faces.images[faces.rows[index], 0, 0, 0], images[:, 0, 0, 0].numpy())
            expected = views.view_parameters(9, keyed_random.keys([faces.sample_ids[i] for i in index]), view)
            assert np.array_equal(drawn.parameters, expected)


@pytest.mark.parametrize("mix", ["cutmix", "mixup"])
def test_labels_of_mixed_faces_are_shares(samples, split, columns, mix):
    faces, heard = supervised.join(samples, split, columns, "train"), []
    provider = lambda index, view, images, drawn: heard.append((index, drawn)) or {}  # noqa: E731
    for _, targets in batches_of(faces, views.Plan(9, mix=mix), 8, provider)(0, 0):
        index, drawn = heard[-1]
        pain = drawn.kept * faces.labels[index] + (1 - drawn.kept) * faces.labels[drawn.partners]
        np.testing.assert_allclose(targets["label"][:, 1], pain, atol=1e-6)
        np.testing.assert_allclose(targets["label"].sum(1), 1, atol=1e-6)


class Brightness(nn.Module):
    """Says pain for bright faces."""

    def __init__(self, limit: float):
        super().__init__()
        self.limit = nn.Parameter(torch.tensor(limit))

    @property
    def network(self):
        """Itself: it is its own network_with_heads."""
        return self

    def forward(self, images):
        margin = images.mean(dim=(1, 2, 3)) - self.limit
        return torch.stack([-margin, margin], dim=1)


def test_validation_by_hand(samples, split, columns):
    samples["label"] = np.arange(30) >= 22  # of the held-out 20 to 24, the last three
    faces = supervised.join(samples, split, columns, "val")
    level = (21.5 / 255 - 0.5) / 0.5  # calls 22, 23 and 24 bright
    validate = supervised.validation(faces, SPEC, 2, None, "cpu", "float32")
    found = validate(Brightness(level))
    margins = (np.arange(20, 25) / 255 - 0.5) / 0.5 - level
    signed = np.where(np.arange(20, 25) >= 22, margins, -margins)
    assert found["val_loss"] == pytest.approx(np.log1p(np.exp(-2 * signed)).mean(), abs=1e-6)
    assert found["val_balanced_accuracy"] == 1
    level = (22.5 / 255 - 0.5) / 0.5
    assert validate(Brightness(level))["val_balanced_accuracy"] == pytest.approx((1 + 2 / 3) / 2)


def test_class_weights_weigh_the_validation_too(samples, split, columns):
    faces = supervised.join(samples, split, columns, "val")
    model = Brightness(-0.5)
    plain, weighted = (
        supervised.validation(faces, SPEC, 5, weights, "cpu", "float32")(model)["val_loss"]
        for weights in (None, torch.tensor([0.1, 1.9]))
    )
    assert weighted != pytest.approx(plain)


def test_balanced_accuracy_ignores_classes_that_do_not_occur():
    assert supervised.balanced_accuracy(torch.tensor([1, 1, 0]), torch.tensor([1, 1, 1])) == pytest.approx(2 / 3)
