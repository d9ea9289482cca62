"""A teacher's cached answers: complete, checked, resumed, and what the teacher really says."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch

from pipeline import labelling, models, stores, views
from pipeline.artifacts import Artifact, Node
from pipeline.config import SMOKE, LabelsConfig
from pipeline.errors import ArtifactError
from stages import teacher_labels, train_teacher
from tests.fake_artifacts import Fakes

CLASSES = ("no_pain", "pain")


def nodes(fakes: Fakes, seed: int = 0, batch_size: int = 16) -> tuple[Node, Node]:
    config = replace(SMOKE.teacher, architecture=SMOKE.families["swin"], seed=seed, epochs=1)
    teacher = Node("train_teacher", f"teacher-{seed}", 1, config, fakes.data, train_teacher.run)
    inputs = {**fakes.data, "teacher": teacher}
    labels = Node(
        "teacher_labels", f"labels-{seed}", 1, LabelsConfig(batch_size=batch_size), inputs, teacher_labels.run
    )
    return teacher, labels


class Made:
    """The artifacts of one small run."""

    def __init__(self, root):
        self.fakes = Fakes(root, subjects=35, size=64)
        self.teacher, self.labels = self.fakes.store.build(*nodes(self.fakes))
        self.faces, self.samples = self.fakes.store.build(self.fakes.faces, self.fakes.samples)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    return Made(tmp_path_factory.mktemp("cache"))


def test_every_face_has_the_teachers_answer(made):
    answers, faces = stores.open_labels(made.labels), stores.open_faces(made.faces)
    assert answers.sample_ids == faces.sample_ids
    assert answers["logits"].shape == (70, 1, 2)
    assert (answers["logits"].dtype, answers["hard"].dtype) == (np.float32, np.int64)
    model, card = models.load_model(made.teacher.path)
    spec = models.InputSpec(**card["input"])
    images = torch.from_numpy(np.array(faces["images"]))
    with torch.inference_mode():
        expected = model(views.normalise(images, spec)).numpy()
    np.testing.assert_allclose(answers["logits"][:, 0], expected, atol=1e-4)
    assert np.array_equal(answers["hard"][:, 0], expected.argmax(1))


def test_the_file_says_what_it_was_made_for(made):
    answers = stores.open_labels(made.labels)
    assert answers.json("classes") == list(CLASSES)
    assert answers.attrs["teacher"] == "swin_tiny_patch4_window7_224"
    assert answers.attrs["teacher_fingerprint"] == made.teacher.fingerprint
    assert answers.attrs["faces_fingerprint"] == made.faces.fingerprint
    assert (answers.attrs["image_size"], answers.attrs["views"], answers.attrs["view_seed"]) == (56, 1, 0)
    assert answers.json("mean") == [0.485, 0.456, 0.406]


def test_counts_say_how_often_the_teacher_disagrees_with_the_truth(made):
    answers, counts = stores.open_labels(made.labels), made.labels.summary["counts"]
    truth = stores.read_table(made.samples.file("samples.csv"))["label"].to_numpy()
    wrong = (answers["hard"][:, 0] != truth).sum()
    assert wrong == sum(counts[f"{part}_disagrees"] for part in ("train", "val", "test"))
    assert counts["faces"] == 70 == counts["no_pain"] + counts["pain"]


class Killed(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("after", [0, 1, 4])
def test_a_killed_run_resumes_and_the_bytes_are_the_same(made, tmp_path, monkeypatch, after):
    fakes = Fakes(tmp_path, subjects=35, size=64)
    teacher, labels = nodes(fakes)
    fakes.store.build(teacher)
    asked, write = [], stores.ColumnWriter.write

    def stopping(self, rows, **arrays):
        if len(asked) == after:
            raise Killed
        asked.append(rows)
        write(self, rows, **arrays)

    with monkeypatch.context() as patched:
        patched.setattr(stores.ColumnWriter, "write", stopping)
        with pytest.raises(Killed):
            fakes.store.build(labels)
    forward, rows = models.logits, []
    monkeypatch.setattr(models, "logits", lambda model, images: rows.append(len(images)) or forward(model, images))
    # Another batch size does not disturb what is half done.
    resumed = replace_batch_size(labels, 20)
    (artifact,) = fakes.store.build(resumed)
    assert sum(rows) == 70 - 16 * after
    assert artifact.file("labels.h5").read_bytes() == made.labels.file("labels.h5").read_bytes()
    assert "labels.h5.done" not in artifact.record["files"]


def replace_batch_size(node: Node, batch_size: int) -> Node:
    changed = replace(node, config=replace(node.config, batch_size=batch_size))
    assert changed.fingerprint == node.fingerprint
    return changed


def test_verify_asks_the_teacher_again(made):
    assert teacher_labels.verify(made.labels, made.teacher, made.faces, device="cpu") == 8
    assert teacher_labels.verify(made.labels, made.teacher, made.faces, share=0.5, device="cpu") == 35


def changed(made: Made, change) -> Artifact:
    """The labels with one thing changed in the file, and the record told so."""
    folder = made.labels.path.with_name("changed")
    folder.mkdir(exist_ok=True)
    path = folder / "labels.h5"
    path.write_bytes(made.labels.file("labels.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        change(file)
    record = made.labels.record | {"files": {"labels.h5": {"bytes": path.stat().st_size, "sha256": ""}}}
    return Artifact(folder, record)


def test_verify_names_the_row_that_differs(made):
    row = int(labelling.sample_rows(stores.open_labels(made.labels).sample_ids, 0.01)[3])

    def spoil(file):
        file["logits"][row] += 2.0

    with pytest.raises(ArtifactError, match=rf"1 of 8 answers.* Row {row} "):
        teacher_labels.verify(changed(made, spoil), made.teacher, made.faces, device="cpu")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_verify_lets_no_broken_number_pass(made, value):
    def spoil(file):
        file["logits"][...] = value

    with pytest.raises(ArtifactError, match="8 of 8"):
        teacher_labels.verify(changed(made, spoil), made.teacher, made.faces, device="cpu")


def test_verify_finds_hard_labels_that_do_not_follow_the_logits(made):
    def spoil(file):
        file["hard"][...] = 1 - file["hard"][...]

    with pytest.raises(ArtifactError, match="8 of 8"):
        teacher_labels.verify(changed(made, spoil), made.teacher, made.faces, device="cpu")


def test_verify_refuses_another_teacher(made):
    other, _ = nodes(made.fakes, seed=5)
    (other,) = made.fakes.store.build(other)
    with pytest.raises(ArtifactError, match=other.fingerprint) as caught:
        teacher_labels.verify(made.labels, other, made.faces, device="cpu")
    assert made.teacher.fingerprint in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("classes", '["happy", "sad"]'),
        ("faces_fingerprint", "0" * 64),
        ("teacher_fingerprint", "1" * 64),
        ("view_seed", 9),
    ],
)
def test_a_mismatch_names_both_sides(made, name, value):
    def relabel(file):
        file.attrs[name] = value

    expected = str(stores.open_labels(made.labels).attrs[name])
    with pytest.raises(ArtifactError) as caught:
        labelling.open_checked(changed(made, relabel), classes=CLASSES, faces=made.faces)
    assert str(value) in str(caught.value)
    assert expected in str(caught.value)
    assert "make teacher-labels" in str(caught.value)


def test_other_classes_than_wanted_are_an_error(made):
    with pytest.raises(ArtifactError, match="anger"):
        labelling.open_checked(made.labels, classes=("anger", "joy"), faces=made.faces)


def test_rows_to_verify_are_a_fixed_choice():
    names = [str(number) for number in range(1000)]
    rows = labelling.sample_rows(names, 0.05)
    assert len(rows) == 50
    assert np.array_equal(rows, np.sort(rows))
    assert np.array_equal(rows, labelling.sample_rows(names, 0.05))
    assert len(labelling.sample_rows(names[:5], 0.01)) == 5
