"""Inputs, truth and what teachers say joined, and streamed as batches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score
from torch import nn

from pipeline.artifacts import arrays
from pipeline.artifacts.arrays import Columns
from pipeline.compute.distributed import ALONE, ROWS, Ranks
from pipeline.errors import ArtifactError, DataError
from pipeline.inputs import keyed_random, sampling
from pipeline.inputs.batches import Samples
from pipeline.inputs.views import image as views
from pipeline.inputs.views.image import InputSpec
from pipeline.inputs.views.plan import Plan
from pipeline.tasks import PAIN
from pipeline.training import supervised
from pipeline.training.supervised import Lesson

SPEC = InputSpec(16, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
SPECS = {"rgb": SPEC}
NAMES = [f"{number:02}.jpg#full" for number in range(30)]


@pytest.fixture
def columns(tmp_path) -> Columns:
    """Faces in an order of their own, each filled with its number."""
    return written(tmp_path / "inputs.h5", "inputs", list(reversed(NAMES)), rgb=(16, 16, 3))


def written(path, kind, names, **shapes) -> Columns:
    ids = arrays.sample_id_column(names)
    layout = {name: ((len(names), *shape), np.uint8) for name, shape in shapes.items()}
    writer = arrays.open_writer(path, kind, "f", layout | {"sample_id": (ids.shape, ids.dtype)}, {})
    numbers = np.array([int(name[:2]) for name in names], np.uint8)
    for rows in writer.pending():
        filled = {
            name: np.broadcast_to(numbers[rows].reshape(-1, *[1] * len(shape)), (len(numbers[rows]), *shape))
            for name, shape in shapes.items()
        }
        writer.write(rows, sample_id=ids[rows], **filled)
    writer.finish()
    return Columns(path, kind, "f")


def words(classes) -> np.ndarray:
    """What the column of the task says of classes."""
    return np.array(PAIN.outputs)[np.asarray(classes).astype(int)]


def join(samples, split, columns, part="train", task=PAIN) -> Samples:
    return supervised.join(samples, split, columns, part, task, task.student_inputs)


def numbers_of(joined: Samples) -> np.ndarray:
    """The numbers of the samples, as their inputs show them."""
    return joined.columns["rgb"][joined.rows, 0, 0, 0].astype(int)


@pytest.fixture
def samples() -> pd.DataFrame:
    return pd.DataFrame({"sample_id": NAMES, "pain": words(np.arange(30) % 2)})


@pytest.fixture
def split() -> pd.DataFrame:
    parts = np.select([np.arange(30) < 20, np.arange(30) < 25], ["train", "val"], "test")
    return pd.DataFrame({"sample_id": NAMES, "part": parts}).sample(frac=1, random_state=0)


def test_everything_meets_by_sample_id(samples, split, columns):
    joined = join(samples, split, columns)
    numbers = numbers_of(joined)
    assert sorted(numbers) == list(range(20))
    assert np.array_equal(joined.truth, numbers % 2)
    assert joined.truth.dtype == np.int64
    assert joined.sample_ids == [f"{number:02}.jpg#full" for number in numbers]


def test_the_order_is_that_of_the_split_not_of_the_table(samples, split, columns):
    first, second = (join(table, split, columns) for table in (samples, samples.iloc[::-1]))
    assert first.sample_ids == second.sample_ids == list(split.loc[split["part"] == "train", "sample_id"])
    assert np.array_equal(first.truth, second.truth)


def test_samples_of_which_the_task_is_told_nothing_are_left_out(samples, split, columns):
    samples["pain"] = np.select([np.arange(30) % 5 == 0, np.arange(30) % 5 == 1], ["yawn", ""], samples["pain"])
    joined = join(samples, split, columns)
    used = [name for name in split.loc[split["part"] == "train", "sample_id"] if int(name[:2]) % 5 > 1]
    assert joined.sample_ids == used
    assert len(used) == 12
    assert np.array_equal(numbers_of(joined), [int(name[:2]) for name in used])
    assert np.array_equal(joined.truth, [int(name[:2]) % 2 for name in used])


def test_a_missing_cell_is_nothing_told(samples, split, columns):
    samples.loc[samples.index < 4, "pain"] = np.nan
    assert min(numbers_of(join(samples, split, columns))) == 4


def test_a_task_that_the_dataset_says_nothing_of_is_named(samples, split, columns):
    with pytest.raises(DataError, match=r"says nothing of pain, .*TASK=pain .*sample_id, age") as caught:
        join(samples[["sample_id"]].assign(age=3), split, columns)
    assert "\n" not in str(caught.value)


def test_only_the_modalities_that_are_read_are_taken(samples, split, tmp_path):
    both = written(tmp_path / "both.h5", "inputs", NAMES, rgb=(16, 16, 3), ir=(8, 8, 1))
    for asked in (("rgb",), ("ir",), ("rgb", "ir", "rgb")):
        joined = supervised.join(samples, split, both, "train", PAIN, asked)
        assert list(joined.columns) == list(dict.fromkeys(asked))
        assert all(len(column) == 30 for column in joined.columns.values())


def test_samples_that_are_left_out_leave_the_others_as_they_are(samples, split, columns):
    joined = join(samples, split, columns)
    places = np.flatnonzero(np.arange(20) % 3)
    fewer = joined.at(places)
    assert fewer.sample_ids == [joined.sample_ids[n] for n in places]
    assert np.array_equal(fewer.rows, joined.rows[places])
    assert np.array_equal(fewer.truth, joined.truth[places])


def lesson_of(train: Samples, plan=None, val: Samples | None = None, teachers=None) -> Lesson:
    return Lesson(PAIN, train, val or train, plan or Plan(9), "label", teachers=teachers)


def batches_of(samples: Samples, plan, batch_size, teachers=None, team=ALONE):
    """The batches of seed 4."""
    lesson = lesson_of(samples, plan, teachers=teachers)
    return supervised.training_batches(lesson, SPECS, batch_size, 4, "cpu", team=team)


def test_a_sample_without_an_input_is_named(samples, split, tmp_path):
    fewer = written(tmp_path / "fewer.h5", "inputs", NAMES[1:], rgb=(16, 16, 3))
    with pytest.raises(ArtifactError, match=NAMES[0]):
        join(samples, split, fewer)


@pytest.mark.parametrize("part", ["train", "holdout"])
def test_a_part_that_cannot_be_learned_from_is_named(samples, split, columns, part):
    with pytest.raises(DataError, match=f"part {part} has"):
        join(samples.iloc[5:], split, columns, part)


def test_a_sample_that_is_not_indexed_is_named(samples, split, columns):
    with pytest.raises(DataError, match=rf"train has 20 samples, and samples.csv lacks 1 .*{NAMES[4]}"):
        join(samples.drop(4), split, columns)
    join(samples.drop(22), split, columns)  # of another part


def test_a_part_of_words_that_are_no_class_names_the_column_and_the_classes(samples, split, columns):
    with pytest.raises(DataError, match=r"train has 20 samples, and none .* of pain .*no_pain, pain"):
        join(samples.assign(pain="yawn"), split, columns)


def test_batches_follow_the_order_and_the_views_of_the_seed(samples, split, columns):
    joined = join(samples, split, columns)
    batches = batches_of(joined, Plan(9), 6)
    found = [(inputs.clone(), targets["label"]) for inputs, targets in batches(2, 0)]
    assert [len(inputs) for inputs, _ in found] == [6, 6, 6, 2]
    order = sampling.epoch_order(4, 2, 20)
    assert np.array_equal(torch.cat([label for _, label in found]).numpy(), joined.truth[order])
    pictures = torch.from_numpy(np.asarray(joined.columns["rgb"][joined.rows[order]]))
    drawn = views.view_parameters(9, keyed_random.keys(joined.sample_ids)[order], 2)
    torch.testing.assert_close(torch.cat([inputs for inputs, _ in found]), views.augment(pictures, drawn, SPEC))


def test_balanced_batches_show_classes_alike(samples, split, columns):
    samples["pain"] = words(np.arange(30) < 3)  # 3 of the 20 that are learned from
    joined = join(samples, split, columns)
    source = supervised.training_batches(lesson_of(joined), SPECS, 6, 4, "cpu", "balanced")
    labels = torch.cat([targets["label"] for epoch in range(50) for _, targets in source(epoch, 0)])
    assert len(labels) == 50 * 20
    assert labels.float().mean().item() == pytest.approx(0.5, abs=0.05)
    order = sampling.epoch_order(4, 0, 20, joined.truth)
    first = torch.cat([targets["label"] for _, targets in source(0, 0)])
    assert np.array_equal(first.numpy(), joined.truth[order])


def test_batches_from_a_later_step_are_the_rest(samples, split, columns):
    joined = join(samples, split, columns)
    batches = batches_of(joined, Plan(9), 6)
    whole = [inputs.clone() for inputs, _ in batches(1, 0)]
    rest = [inputs.clone() for inputs, _ in batches(1, 2)]
    assert all(torch.equal(a, b) for a, b in zip(whole[2:], rest, strict=True))
    assert list(batches(1, 4)) == []


def test_without_augmentation_the_input_itself_is_seen(samples, split, columns):
    joined = join(samples, split, columns)
    plain = batches_of(joined, Plan(9, augment=False), 20)
    inputs, _ = next(iter(plain(0, 0)))
    pictures = torch.from_numpy(np.asarray(joined.columns["rgb"][joined.rows[sampling.epoch_order(4, 0, 20)]]))
    torch.testing.assert_close(inputs, views.normalise(pictures, SPEC))


def test_an_epoch_sees_its_view_and_hears_what_was_said_of_it(samples, split, columns):
    joined, heard = join(samples, split, columns), []

    def teachers(batch, view):
        heard.append((replace(batch, raw={"rgb": batch.raw["rgb"].clone()}), view))
        return {"teacher/hard": torch.full((len(batch.index),), view)}

    batches = batches_of(joined, Plan(9, views=3), 8, teachers)
    for epoch in range(5):
        for _, targets in batches(epoch, 0):
            batch, view = heard[-1]
            index, images, drawn = batch.index, batch.raw["rgb"], batch.drawn
            assert view == epoch % 3
            assert (targets["teacher/hard"] == view).all()
            assert np.array_equal(images[:, 0, 0, 0].numpy() % 2, targets["label"].numpy())
            assert np.array_equal(numbers_of(joined)[index], images[:, 0, 0, 0].numpy())
            expected = views.view_parameters(9, keyed_random.keys([joined.sample_ids[i] for i in index]), view)
            assert np.array_equal(drawn.parameters["picture"], expected)


@pytest.mark.parametrize("mix", ["cutmix", "mixup"])
def test_labels_of_mixed_views_are_shares(samples, split, columns, mix):
    joined, heard = join(samples, split, columns), []
    teachers = lambda batch, view: heard.append((batch.index, batch.drawn)) or {}  # noqa: E731
    for _, targets in batches_of(joined, Plan(9, mix=mix), 8, teachers)(0, 0):
        index, drawn = heard[-1]
        pain = drawn.kept * joined.truth[index] + (1 - drawn.kept) * joined.truth[drawn.partners]
        np.testing.assert_allclose(targets["label"][:, 1], pain, atol=1e-6)
        np.testing.assert_allclose(targets["label"].sum(1), 1, atol=1e-6)


class Brightness(nn.Module):
    """Says pain for bright faces."""

    def __init__(self, limit: float):
        super().__init__()
        self.limit = nn.Parameter(torch.tensor(limit))

    @property
    def network(self):
        """Itself: it has no heads."""
        return self

    def forward(self, images):
        margin = images.mean(dim=(1, 2, 3)) - self.limit
        return torch.stack([-margin, margin], dim=1)


def test_validation_by_hand(samples, split, columns):
    samples["pain"] = words(np.arange(30) >= 22)  # of the held-out 20 to 24, the last three
    held_out = join(samples, split, columns, "val")
    level = (21.5 / 255 - 0.5) / 0.5  # calls 22, 23 and 24 bright
    validate = supervised.validation(lesson_of(held_out), SPECS, 2, None, "cpu", "float32", ALONE)
    found = validate(Brightness(level))
    margins = (np.arange(20, 25) / 255 - 0.5) / 0.5 - level
    signed = np.where(np.arange(20, 25) >= 22, margins, -margins)
    assert found["val_loss"] == pytest.approx(np.log1p(np.exp(-2 * signed)).mean(), abs=1e-6)
    assert found["val_balanced_accuracy"] == 1
    level = (22.5 / 255 - 0.5) / 0.5
    assert validate(Brightness(level))["val_balanced_accuracy"] == pytest.approx((1 + 2 / 3) / 2)


def test_class_weights_weigh_the_validation_too(samples, split, columns):
    held_out = join(samples, split, columns, "val")
    model = Brightness(-0.5)
    plain, weighted = (
        supervised.validation(lesson_of(held_out), SPECS, 5, weights, "cpu", "float32", ALONE)(model)["val_loss"]
        for weights in (None, torch.tensor([0.1, 1.9]))
    )
    assert weighted != pytest.approx(plain)


def test_the_row_of_the_history_is_that_of_the_whole_part(samples, split, columns):
    """Sizes of batches mean nothing, and each class has its F1."""
    held_out = join(samples, split, columns, "test")
    model = Brightness((26.5 / 255 - 0.5) / 0.5)
    rows = [
        supervised.validation(lesson_of(held_out), SPECS, size, None, "cpu", "float32", ALONE)(model) for size in (1, 5)
    ]
    assert rows[0] == pytest.approx(rows[1])
    predicted = numbers_of(held_out) > 26
    assert rows[0]["val_balanced_accuracy"] == pytest.approx(balanced_accuracy_score(held_out.truth, predicted))
    assert set(rows[0]) == {"val_loss", "val_balanced_accuracy", "val_f1_no_pain", "val_f1_pain"}


def test_the_validation_samples_are_those_of_the_lesson(samples, split, columns):
    train, val = (join(samples, split, columns, part) for part in ("train", "val"))
    model = Brightness((21.5 / 255 - 0.5) / 0.5)
    first, second = (
        supervised.validation(lesson_of(one, val=val), SPECS, 5, None, "cpu", "float32", ALONE)(model)
        for one in (train, val)
    )
    assert first == second


def team_of(rank: int, size: int) -> Ranks:
    team = object.__new__(Ranks)  # no process group: taking slices needs none
    team.rank, team.size = rank, size
    return team


def test_each_of_a_team_gets_its_slice_of_every_batch(samples, split, columns):
    joined = join(samples, split, columns)
    whole = [(inputs.clone(), targets["label"]) for inputs, targets in batches_of(joined, Plan(9), 6)(1, 0)]
    slices = []
    for rank in range(2):
        source = batches_of(joined, Plan(9), 6, team=team_of(rank, 2))
        slices.append([(inputs.clone(), targets) for inputs, targets in source(1, 0)])
    for (inputs, label), *parts in zip(whole, *slices, strict=True):
        assert all(int(targets[ROWS]) == len(inputs) for _, targets in parts)
        torch.testing.assert_close(torch.cat([part for part, _ in parts])[: len(inputs)], inputs)
        assert torch.equal(torch.cat([targets["label"] for _, targets in parts])[: len(inputs)], label)


def test_raw_outputs_come_in_the_order_that_is_asked_for(samples, split, columns):
    joined, places = join(samples, split, columns), np.array([7, 0, 7, 3])
    model = Brightness(0.0)
    found = torch.cat(list(supervised.forward(model, joined, SPECS, 3, "cpu", places=places)))
    assert found.dtype == torch.float32
    expected = (numbers_of(joined)[places] / 255 - 0.5) / 0.5
    np.testing.assert_allclose(found[:, 1].numpy(), expected, atol=1e-6)
    everyone = torch.cat(list(supervised.forward(model, joined, SPECS, 6, "cpu")))
    assert torch.equal(everyone[places], found)


def test_few_samples_are_passed_over_again_for_as_many_steps(samples, split, columns):
    """An epoch of 20 samples, of which 5 are there: four steps, each a pass with an order and a view of its own."""
    few = join(samples, split, columns).at(np.arange(5))
    lesson = replace(lesson_of(few), epoch=20)
    source = supervised.training_batches(lesson, SPECS, 6, 4, "cpu")
    assert lesson.steps(6) == 4
    for epoch in range(2):
        found = [(inputs.clone(), targets["label"]) for inputs, targets in source(epoch, 0)]
        assert len(found) == 4
        for step, (inputs, label) in enumerate(found):
            order = sampling.epoch_order(4, 4 * epoch + step, 5)
            assert np.array_equal(label.numpy(), few.truth[order])
            pictures = torch.from_numpy(np.asarray(few.columns["rgb"][few.rows[order]]))
            drawn = views.view_parameters(9, keyed_random.keys(few.sample_ids)[order], 4 * epoch + step)
            torch.testing.assert_close(inputs, views.augment(pictures, drawn, SPEC))
        rest = [inputs for inputs, _ in source(epoch, 3)]
        assert len(rest) == 1
        assert torch.equal(rest[0], found[3][0])


def test_a_pass_may_go_on_in_the_next_epoch(samples, split, columns):
    """Passes of two steps in epochs of three: every sample of a pass is seen once."""
    some = join(samples, split, columns).at(np.arange(10))
    source = supervised.training_batches(replace(lesson_of(some, Plan(9, augment=False)), epoch=15), SPECS, 5, 4, "cpu")
    seen = [np.round(inputs[:, 0, 0, 0].numpy() * 127.5 + 127.5) for e in range(2) for inputs, _ in source(e, 0)]
    assert len(seen) == 6
    for one in range(3):
        assert sorted(np.concatenate(seen[2 * one : 2 * one + 2])) == sorted(numbers_of(some))
