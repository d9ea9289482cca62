"""A teacher's cached answers: complete, checked, resumed, and what the teacher really says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline import models
from pipeline.artifacts import arrays
from pipeline.artifacts.hdf5 import Structure
from pipeline.artifacts.store import Artifact, Node
from pipeline.config import LabelsConfig
from pipeline.distillation import ensemble, label_writer
from pipeline.distillation import labels as label_store
from pipeline.distillation.targets import CachedTargets
from pipeline.errors import ArtifactError
from pipeline.inputs import keyed_random
from pipeline.inputs.batches import Batch
from pipeline.inputs.views import image as views
from pipeline.inputs.views.plan import Drawn, Plan, Views
from pipeline.tasks import PAIN
from stages import teacher_labels, train_teacher
from stages.graph import GROWS
from tests.fakes.classify import Fakes
from tests.helpers.presets import NETWORKS, SMOKE
from tests.helpers.rewritten import rewritten

CLASSES = ("no_pain", "pain")
DATA = ("inputs", "samples", "split")


def teacher_node(fakes: Fakes, seed: int = 0, **config) -> Node:
    config = replace(SMOKE.train_teacher, architecture=NETWORKS["swin"], seed=seed, epochs=1, **config)
    return Node("train_teacher", f"teacher-{seed}-{config.fold}", 1, config, fakes.data, train_teacher.run)


def labels_node(fakes: Fakes, seed: int = 0, batch_size: int = 16, **config) -> Node:
    config = LabelsConfig(task=PAIN, batch_size=batch_size, **config)
    teachers = {"teacher": teacher_node(fakes, seed)}
    if config.folds:
        folds = range(config.folds)
        teachers = {f"teacher_{k}": teacher_node(fakes, folds=config.folds, fold=k) for k in folds}
    slug = f"labels-{seed}-{config.views}-{config.mix}-{config.folds}-{config.features.replace(',', '-')}"
    return Node("teacher_labels", slug, 1, config, {**fakes.data, **teachers}, teacher_labels.run, GROWS)


def nodes(fakes: Fakes, seed: int = 0) -> tuple[Node, Node]:
    return teacher_node(fakes, seed), labels_node(fakes, seed)


class Made:
    """The artifacts of one small run."""

    def __init__(self, root):
        self.fakes = Fakes(root, subjects=35, size=64)
        self.teacher, self.labels = self.fakes.store.build(*nodes(self.fakes))
        self.inputs, self.samples, self.split = self.fakes.store.build(*map(self.fakes.data.get, DATA))

    def labels_with(self, **config) -> Artifact:
        (artifact,) = self.fakes.store.build(labels_node(self.fakes, **config))
        return artifact

    def verify(self, labels: Artifact, teachers=None, config=None, **options) -> int:
        inputs = {"samples": self.samples, "inputs": self.inputs, "split": self.split}
        config = config or LabelsConfig(task=PAIN, device="cpu")
        return teacher_labels.verify(config, labels, **inputs, teachers=teachers or [self.teacher], **options)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    return Made(tmp_path_factory.mktemp("cache"))


def teachers_logits(made: Made, inputs: torch.Tensor, teacher: Artifact | None = None) -> np.ndarray:
    model, _ = models.load_model(teacher or made.teacher)
    with torch.inference_mode():
        return model(inputs).numpy()


def spec_of(made: Made) -> models.InputSpec:
    return models.InputSpec(**models.load_model(made.teacher)[1]["inputs"]["rgb"])


def training_ids(made: Made) -> list[str]:
    split = arrays.read_table(made.split.file("split.csv"))
    return sorted(split.loc[split["part"] == "train", "sample_id"])


def test_every_face_has_the_teachers_answer(made):
    found, faces = label_store.LabelStore.of(made.labels), arrays.open_inputs(made.inputs)
    assert found.samples.sample_ids == faces.sample_ids
    assert found.samples["logits"].shape == (70, 2)
    assert (found.samples["logits"].dtype, found.samples["hard"].dtype) == (np.float32, np.uint16)
    expected = teachers_logits(made, views.normalise(torch.from_numpy(np.array(faces["rgb"])), spec_of(made)))
    np.testing.assert_allclose(found.samples["logits"], expected, atol=1e-4)
    assert np.array_equal(found.samples["hard"], expected.argmax(1))
    assert found.views is None
    assert [found.samples.sample_ids[row] for row in found.training] == [
        name for name in faces.sample_ids if name in set(training_ids(made))
    ]


def test_the_file_says_what_it_was_made_for(made):
    found = label_store.LabelStore.of(made.labels)
    assert found.json("outputs") == list(CLASSES)
    assert found.attrs["teacher"] == "swin_tiny_patch4_window7_224"
    assert found.json("teachers") == [made.teacher.fingerprint]
    assert found.attrs["inputs"] == made.inputs.fingerprint
    assert (found.attrs["task"], found.attrs["views"], found.attrs["view_seed"]) == ("pain", 1, 0)
    reads = found.json("reads")["rgb"]
    assert (reads["size"], reads["mean"]) == (56, [0.485, 0.456, 0.406])


def test_counts_say_how_often_the_teacher_disagrees_with_the_truth(made):
    found, counts = label_store.LabelStore.of(made.labels), made.labels.summary["counts"]
    truth = arrays.read_table(made.samples.file("samples.csv"))["pain"].map(CLASSES.index).to_numpy()
    wrong = (found.samples["hard"][:] != truth).sum()
    assert wrong == sum(counts[f"{part}_disagrees"] for part in ("train", "val", "test"))
    assert counts["samples"] == 70 == counts["samples_asked"]


def test_views_are_those_of_the_samples_of_which_the_dataset_answers(tmp_path):
    fakes = Fakes(tmp_path, subjects=35, size=64)
    fakes.table.loc[[0, 1, 4], "pain"] = "yawn"  # the first rows, whose places are numbers of classes too
    (labels, split) = fakes.store.build(labels_node(fakes, views=2), fakes.split)
    found, parts = label_store.LabelStore.of(labels), arrays.read_table(split.file("split.csv"))
    trained = set(parts.loc[parts["part"] == "train", "sample_id"])
    untold = set(fakes.table["sample_id"].iloc[[0, 1, 4]])
    assert untold <= trained
    assert {found.samples.sample_ids[row] for row in found.training} == trained - untold
    assert len(found.views["logits"]) == 2 * (len(trained) - 3)
    assert len(found.samples["logits"]) == len(fakes.table)


@pytest.mark.parametrize("mix", ["none", "cutmix", "mixup"])
def test_every_view_of_a_training_face_has_the_teachers_answer_on_that_very_picture(made, mix):
    found = label_store.LabelStore.of(made.labels_with(views=3, view_seed=4, mix=mix))
    faces, names = arrays.open_inputs(made.inputs), training_ids(made)
    drawer = Views(Plan(4, 3, mix), keyed_random.keys(names), views.DRAWS)
    cached = CachedTargets(found, names, ("logits", "hard"), "cpu")
    index = np.arange(len(names))
    for view in range(3):
        drawn = drawer.draw(index, view)
        shown = index if drawn.partners is None else np.concatenate([index, drawn.partners])
        pictures = torch.from_numpy(faces["rgb"][faces.rows([names[i] for i in shown])])
        expected = teachers_logits(made, views.make(pictures, drawn, spec_of(made)))
        said = cached(Batch(index, drawn, {}), view)
        np.testing.assert_allclose(said["logits"].numpy(), expected, atol=1e-4)
        assert np.array_equal(said["hard"].numpy(), expected.argmax(1))


def test_views_differ_from_one_another_and_from_the_face(made):
    found = label_store.LabelStore.of(made.labels_with(views=3, view_seed=4))
    by_view = found.views["logits"][:].reshape(3, -1, 2)
    plain = found.samples["logits"][found.training]
    rows = [plain, *by_view]
    assert all(np.abs(a - b).max() > 1e-3 for i, a in enumerate(rows) for b in rows[i + 1 :])


def asked_rows(monkeypatch) -> list[int]:
    """The sizes of the batches that any teacher is asked about from now on."""
    forward, rows = models.outputs, []
    monkeypatch.setattr(
        models, "outputs", lambda model, images, kinds: rows.append(len(images)) or forward(model, images, kinds)
    )
    return rows


def test_more_views_ask_for_the_new_ones_alone(made, monkeypatch):
    few = made.labels_with(views=2, view_seed=7)
    rows = asked_rows(monkeypatch)
    more = made.labels_with(views=5, view_seed=7)
    count = len(training_ids(made))
    assert sum(rows) == 3 * count + 1  # and one empty face, from which the answers' shapes are known
    counts = more.summary["counts"]
    assert (counts["views"], counts["views_computed"], counts["views_copied"], counts["samples_asked"]) == (5, 3, 2, 0)
    one, other = label_store.LabelStore.of(few), label_store.LabelStore.of(more)
    assert np.array_equal(other.views["logits"][: 2 * count], one.views["logits"])
    alone = Made(made.fakes.store.root.with_name("alone")).labels_with(views=5, view_seed=7)
    np.testing.assert_allclose(other.views["logits"], label_store.LabelStore.of(alone).views["logits"], atol=1e-5)


@pytest.mark.parametrize(
    "other", [{"view_seed": 8}, {"mix": "cutmix"}, {"views_strength": "strong"}, {"features": "hidden"}]
)
def test_views_of_another_kind_are_not_copied(made, other):
    made.labels_with(views=2, view_seed=7)
    counts = made.labels_with(**{"views": 3, "view_seed": 7} | other).summary["counts"]
    assert (counts["views_computed"], counts["views_copied"], counts["samples_asked"]) == (3, 0, 0)


def test_a_view_of_a_face_takes_few_bytes(made):
    labels = made.labels_with(views=5, view_seed=7)
    rows = 5 * len(training_ids(made))
    assert labels.summary["bytes_per_view"] == 10
    digests, header = 2 * 32 * (rows // 16 + 1), 10240
    assert labels.file("views.h5").stat().st_size <= 10 * rows + digests + header


def test_features_are_kept_in_half_precision(made):
    found = label_store.LabelStore.of(made.labels_with(views=2, features="hidden,map"))
    assert {found.views[name].dtype for name in ("hidden", "map")} == {np.dtype(np.float16)}
    faces, names = arrays.open_inputs(made.inputs), training_ids(made)
    drawn = Views(Plan(0, 2), keyed_random.keys(names), views.DRAWS).draw(np.arange(4), 1)
    pictures = torch.from_numpy(faces["rgb"][faces.rows(names[:4])])
    model, _ = models.load_model(made.teacher)
    expected = models.outputs(model, views.make(pictures, drawn, spec_of(made)), ("logits", "hidden", "map"))
    said = CachedTargets(found, names, ("hidden", "map"), "cpu")(Batch(np.arange(4), drawn, {}), 1)
    for kind in ("hidden", "map"):
        torch.testing.assert_close(said[kind].float(), expected[kind], rtol=2e-3, atol=2e-3)


def test_features_of_the_face_itself_can_be_kept_too(made):
    found = label_store.LabelStore.of(made.labels_with(features="hidden"))
    assert np.array_equal(found.views["logits"], found.samples["logits"][found.training])


def test_a_loss_that_lacks_its_features_names_the_command(made):
    found = label_store.LabelStore.of(made.labels_with(views=2))
    with pytest.raises(ArtifactError, match=r"make teacher-labels TEACHER=swin VIEWS=2 FEATURES=map"):
        CachedTargets(found, training_ids(made), ("map",), "cpu")


def test_a_face_without_views_is_refused(made):
    found = label_store.LabelStore.of(made.labels_with(views=2))
    held_out = sorted(set(found.samples.sample_ids) - set(training_ids(made)))
    with pytest.raises(ArtifactError, match="another split"):
        CachedTargets(found, [*training_ids(made), held_out[0]], ("hard",), "cpu")


def test_cross_fitted_labels_come_from_teachers_that_have_not_seen_the_person(made):
    found = label_store.LabelStore.of(made.labels_with(views=2, folds=3))
    table = made.fakes.table.set_index("sample_id")
    fold = dict(zip(found.samples.sample_ids, found.samples["fold"], strict=True))
    names = training_ids(made)
    by_subject = table.loc[names].groupby("subject_id").groups
    assert all(len({fold[name] for name in group}) == 1 for group in by_subject.values())
    assert {fold[name] for name in names} == {0, 1, 2}
    teachers = made.fakes.store.build(*(teacher_node(made.fakes, folds=3, fold=k) for k in range(3)))
    for k, teacher in enumerate(teachers):
        assert teacher.summary["counts"]["train"] == sum(fold[name] != k for name in names)
    faces = arrays.open_inputs(made.inputs)
    inputs = views.normalise(torch.from_numpy(np.array(faces["rgb"])), spec_of(made))
    said = np.stack([teachers_logits(made, inputs, teacher) for teacher in teachers])
    for row, name in enumerate(found.samples.sample_ids):
        expected = said.mean(0)[row] if fold[name] == ensemble.ALL_FOLDS else said[fold[name], row]
        np.testing.assert_allclose(found.samples["logits"][row], expected, atol=1e-4)
    assert {fold[name] for name in set(fold) - set(names)} == {ensemble.ALL_FOLDS}
    config = LabelsConfig(task=PAIN, views=2, folds=3, device="cpu")
    assert made.verify(made.labels_with(views=2, folds=3), teachers, config, share=0.3) > 16


class Killed(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("after", [0, 1, 4])
def test_a_killed_run_resumes_and_the_bytes_are_the_same(made, tmp_path, monkeypatch, after):
    fakes = Fakes(tmp_path, subjects=35, size=64)
    teacher, labels = nodes(fakes)
    fakes.store.build(teacher)
    asked, write = [], arrays.ColumnWriter.write

    def stopping(self, rows, **arrays):
        if len(asked) == after:
            raise Killed
        asked.append(rows)
        write(self, rows, **arrays)

    with monkeypatch.context() as patched:
        patched.setattr(arrays.ColumnWriter, "write", stopping)
        with pytest.raises(Killed):
            fakes.store.build(labels)
    rows = asked_rows(monkeypatch)
    # Another batch size does not disturb what is half done.
    resumed = replace_batch_size(labels, 20)
    (artifact,) = fakes.store.build(resumed)
    assert sum(rows) == 70 - 16 * after
    assert artifact.file("labels.h5").read_bytes() == made.labels.file("labels.h5").read_bytes()
    assert list(artifact.record["files"]) == ["labels.h5"]


def replace_batch_size(node: Node, batch_size: int) -> Node:
    changed = replace(node, config=replace(node.config, batch_size=batch_size))
    assert changed.fingerprint == node.fingerprint
    return changed


@pytest.mark.parametrize("after", [0, 3, 9])
def test_killed_between_views_a_run_resumes_and_the_bytes_are_the_same(made, monkeypatch, after):
    undisturbed = made.labels_with(views=3, view_seed=11)
    fakes = Fakes(made.fakes.store.root.with_name(f"killed-{after}"), subjects=35, size=64)
    marked, mark = [], arrays.ColumnWriter.mark

    def stopping(self, block):
        if self.path.name == "views.h5":
            if len(marked) == after:
                raise Killed
            marked.append(block)
        mark(self, block)

    node = labels_node(fakes, views=3, view_seed=11)
    with monkeypatch.context() as patched:
        patched.setattr(arrays.ColumnWriter, "mark", stopping)
        with pytest.raises(Killed):
            fakes.store.build(node)
    (artifact,) = fakes.store.build(node)
    assert artifact.file("views.h5").read_bytes() == undisturbed.file("views.h5").read_bytes()


def everything_read(labels: Artifact, made: Made) -> None:
    """What a student and an evaluation read of labels, all of it."""
    store = label_store.open_checked(labels, outputs=CLASSES, inputs=made.inputs)
    cached = CachedTargets(store, training_ids(made), ("logits", "hard", "hidden"), "cpu")
    for view in range(store.attrs["views"]):
        cached(Batch(np.arange(len(training_ids(made))), Drawn(), {}), view)
    for name in store.samples:
        store.samples[name][:]


@pytest.mark.parametrize("name", ["labels.h5", "views.h5"])
def test_no_flipped_byte_of_labels_is_believed(made, name):
    labels = made.labels_with(views=2, view_seed=21, features="hidden")
    everything_read(labels, made)
    copy = rewritten(labels, labels.path.with_name("flipped"))
    content, rng = labels.file(name).read_bytes(), np.random.default_rng(0)
    for at in [0, len(content) - 1, *rng.integers(0, len(content), 60).tolist()]:
        damaged = bytearray(content)
        damaged[at] ^= 4
        (copy.path / name).write_bytes(damaged)
        with pytest.raises(ArtifactError, match=rf"{name}.* rm -r "):
            everything_read(copy, made)
    (copy.path / name).write_bytes(content)
    everything_read(copy, made)


@pytest.mark.parametrize("name", ["labels.h5", "views.h5"])
def test_what_is_damaged_in_a_partial_file_is_asked_again(made, monkeypatch, caplog, name):
    undisturbed = made.labels_with(views=3, view_seed=11)
    fakes = Fakes(made.fakes.store.root.with_name(f"damaged-{name}"), subjects=35, size=64)
    node = labels_node(fakes, views=3, view_seed=11)
    fakes.store.build(node.inputs["teacher"])
    partial = fakes.store.partial(node)
    partial.mkdir()
    for file in ("labels.h5", "views.h5"):
        (partial / file).write_bytes(undisturbed.file(file).read_bytes())
    place = Structure.read(partial / name).columns["logits"]
    with (partial / name).open("r+b") as file:
        file.seek(place.offset + 20 * 8)  # row 20, in block 1
        file.write(b"\x7f" * 8)
    rows = asked_rows(monkeypatch)
    (artifact,) = fakes.store.build(node)
    assert "block 1 is made again, block 1 (rows 16 to 31) of column logits" in caplog.text
    assert sum(rows) in (16, 17)  # and perhaps the empty face that shows the shapes of answers
    for file in ("labels.h5", "views.h5"):
        assert artifact.file(file).read_bytes() == undisturbed.file(file).read_bytes()


def test_verify_asks_the_teacher_again(made):
    assert made.verify(made.labels) == 8
    assert made.verify(made.labels, share=0.5) == 35
    several = made.labels_with(views=3, view_seed=4, mix="cutmix")
    config = LabelsConfig(task=PAIN, views=3, view_seed=4, mix="cutmix", device="cpu")
    assert made.verify(several, config=config) == 16


def changed(made: Made, change) -> Artifact:
    """The labels with one thing changed in a column."""
    return rewritten(made.labels, made.labels.path.with_name("changed"), change)


def test_verify_names_the_row_that_differs(made):
    row = int(label_writer.sample_rows(label_store.LabelStore.of(made.labels).samples.sample_ids, 0.01)[3])

    def spoil(columns):
        columns["logits"][row] += 2.0

    with pytest.raises(ArtifactError, match=rf"1 of 8 labels.* Row {row} "):
        made.verify(changed(made, spoil))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_verify_lets_no_broken_number_pass(made, value):
    def spoil(columns):
        columns["logits"][...] = value

    with pytest.raises(ArtifactError, match="8 of 8"):
        made.verify(changed(made, spoil))


def test_verify_finds_hard_labels_that_do_not_follow_the_logits(made):
    def spoil(columns):
        columns["hard"][...] = 1 - columns["hard"][...]

    with pytest.raises(ArtifactError, match="8 of 8"):
        made.verify(changed(made, spoil))


def test_verify_refuses_another_teacher(made):
    other, _ = nodes(made.fakes, seed=5)
    (other,) = made.fakes.store.build(other)
    with pytest.raises(ArtifactError, match=other.fingerprint) as caught:
        made.verify(made.labels, [other])
    assert made.teacher.fingerprint in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("outputs", '["happy", "sad"]'),
        ("inputs", "0" * 64),
        ("teachers", f'["{"1" * 64}"]'),
        ("reads", '{"rgb": {"size": 56, "mean": [0.1, 0.2, 0.3], "std": [1.0, 2.0, 3.0]}}'),
        ("view_seed", 9),
        ("views", 3),
        ("mix", "mixup"),
        ("mix_probability", 0.5),
        ("views_strength", "strong"),
        ("folds", 7),
    ],
)
def test_a_mismatch_names_both_sides(made, name, value):
    wanted = LabelsConfig(task=PAIN, views=2, view_seed=5)
    labels = made.labels_with(views=2, view_seed=5)
    expected = str(label_store.LabelStore.of(labels).attrs[name])
    relabelled = rewritten(labels, labels.path.with_name("relabelled"), **{name: value})
    with pytest.raises(ArtifactError) as caught:
        label_store.open_checked(relabelled, outputs=CLASSES, inputs=made.inputs, wanted=wanted)
    said = str(caught.value).replace("'", '"')
    assert str(value) in said
    assert expected in said
    assert "make teacher-labels TEACHER=swin VIEWS=2 VIEW_SEED=5" in said


def test_labels_of_another_view_seed_are_refused(made):
    labels = made.labels_with(views=2, view_seed=5)
    with pytest.raises(ArtifactError, match=r"view_seed 5, wanted is 6.*VIEW_SEED=6"):
        label_store.open_checked(
            labels, outputs=CLASSES, inputs=made.inputs, wanted=LabelsConfig(task=PAIN, views=2, view_seed=6)
        )


def test_labels_of_plain_views_are_none_of_strong_ones(made):
    labels = made.labels_with(views=2, view_seed=5)
    wanted = LabelsConfig(task=PAIN, views=2, view_seed=5, views_strength="strong")
    with pytest.raises(ArtifactError, match=r"views_strength plain, wanted is strong.*VIEWS_STRENGTH=strong"):
        label_store.open_checked(labels, outputs=CLASSES, inputs=made.inputs, wanted=wanted)


def test_other_classes_than_wanted_are_an_error(made):
    with pytest.raises(ArtifactError, match="anger"):
        label_store.open_checked(made.labels, outputs=("anger", "joy"), inputs=made.inputs)


def test_rows_to_verify_are_a_fixed_choice():
    names = [str(number) for number in range(1000)]
    rows = label_writer.sample_rows(names, 0.05)
    assert len(rows) == 50
    assert np.array_equal(rows, np.sort(rows))
    assert np.array_equal(rows, label_writer.sample_rows(names, 0.05))
    assert len(label_writer.sample_rows(names[:5], 0.01)) == 5


def test_the_record_says_how_near_bfloat16_is_to_float32(made):
    assert made.labels.summary["float32_agreement"] is None
    labels = made.labels_with(precision="bfloat16")
    agreement = labels.summary["float32_agreement"]
    rows = label_writer.sample_rows(arrays.open_inputs(made.inputs).sample_ids, 64 / 70)
    apart = (
        label_store.LabelStore.of(labels).samples["logits"][rows]
        - label_store.LabelStore.of(made.labels).samples["logits"][rows]
    )
    assert agreement["faces"] == len(rows) == 64
    assert agreement["logits"] == pytest.approx(np.abs(apart).max(), rel=0.01)
    assert 0 < agreement["logits"] < 0.1
    assert agreement["hard"] > 0.9


@pytest.mark.parametrize("damage", [3, 500, -1, "swapped"])
def test_a_damaged_teacher_is_named_when_labels_are_made(damage, tmp_path):
    fakes = Fakes(tmp_path, subjects=35, size=64)

    def untrained(config, work, **inputs):
        model = models.build(NETWORKS["swin"], CLASSES, config.seed)
        card = models.describe(model, NETWORKS["swin"], CLASSES)
        models.save_model(work.path, model, card, work.fingerprint)
        return {}

    node, other = (replace(teacher_node(fakes, seed), run=untrained) for seed in (0, 1))
    teacher, stranger = fakes.store.build(node, other)
    file = teacher.path / "weights.safetensors"
    content = bytearray((stranger.path / file.name if damage == "swapped" else file).read_bytes())
    if damage != "swapped":
        content[damage] ^= 1
    file.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"weights\.safetensors"):
        fakes.store.build(replace(labels_node(fakes), inputs={**fakes.data, "teacher": node}))
