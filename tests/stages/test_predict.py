"""Pictures in, a table and annotated copies out, for any task's classes, numbers or points."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.artifacts import arrays, cards
from pipeline.artifacts.store import Artifact
from pipeline.config import AlignConfig, DistillConfig, as_dict
from pipeline.errors import ArtifactError, ConfigError, DataError
from pipeline.inputs.datasets import pts
from pipeline.serving.answers import STRANGENESS
from pipeline.serving.predictor import Predictor
from pipeline.tasks import PAIN, TASKS
from stages import distill, predict
from stages.cli import Session, cli
from tests.helpers import records
from tests.helpers.groups import running, wait_until
from tests.helpers.locks import HOLD
from tests.helpers.networks import saved
from tests.serving import answering

PLACE = ["file", "half", "face", "x0", "y0", "x1", "y1", "detection_probability"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("model"), PAIN, AlignConfig(face_size=64))


@pytest.fixture(scope="module")
def portrait():
    """A photograph of one person, uint8, shape (256, 256, 3)."""
    data = pytest.importorskip("skimage.data")
    return data.astronaut()[:256, 96:352]


def predicted(model, source, tmp_path):
    out = predict.run(source, model, tmp_path / "out", "cpu")
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


def test_a_folder_that_is_no_model(portrait, tmp_path):
    Image.fromarray(portrait).save(tmp_path / "one.png")
    with pytest.raises(ArtifactError, match="no whole model"):
        predicted(tmp_path, tmp_path / "one.png", tmp_path)


def test_seven_classes_have_seven_columns_and_the_largest_is_the_class(portrait, tmp_path):
    task = TASKS["expression"]
    model = saved(tmp_path / "model", task, AlignConfig(face_size=64))
    Image.fromarray(portrait).save(tmp_path / "one.png")
    table = predicted(model, tmp_path / "one.png", tmp_path)
    columns = [f"prob_{name}" for name in task.outputs]
    assert list(table.columns) == [*PLACE, "class", *columns, *STRANGENESS, "reason"]
    assert table[columns].sum(axis=1).to_numpy() == pytest.approx(1)
    assert table["class"][0] == task.outputs[table[columns].to_numpy()[0].argmax()]


def test_where_nobody_looks_for_faces_the_picture_is_one(portrait, tmp_path):
    model = saved(tmp_path / "model", PAIN, AlignConfig(face_size=64, align="none"))
    Image.fromarray(portrait).save(tmp_path / "one.png")
    [row] = predicted(model, tmp_path / "one.png", tmp_path).to_dict("records")
    assert [row[name] for name in ("x0", "y0", "x1", "y1")] == [0, 0, 256, 256]
    assert np.isnan(row["detection_probability"])
    assert row["class"] in PAIN.outputs


def test_a_number_is_one_column_and_on_the_copy(portrait, tmp_path, caplog):
    caplog.set_level("INFO")
    model = answering.of_faces(tmp_path / "model", answering.PSPI, [0.2])
    Image.fromarray(portrait).save(tmp_path / "one.png")
    table = predicted(model, tmp_path / "one.png", tmp_path)
    assert list(table.columns) == [*PLACE, "value_pspi", *STRANGENESS, "reason"]
    assert table["value_pspi"].tolist() == [pytest.approx(3.2)]
    assert "1 faces in 1 pictures, 0 without a prediction" in caplog.text
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"predictions.csv", "annotated"}


@pytest.fixture
def pointing(tmp_path):
    """A network that says of any face that its points are at the middle of what it was shown and near a corner."""
    return answering.of_faces(tmp_path / "model", answering.points(2), [0.0, 0.0, 0.4, -0.45])


def points_of(out: Path) -> dict[str, np.ndarray]:
    """By name the points of every file."""
    files = [path for path in (out / "points").rglob("*") if path.is_file()]
    return {path.relative_to(out / "points").as_posix(): pts.read(path.read_text()) for path in files}


def test_points_are_columns_and_files(pointing, portrait, tmp_path):
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for name in ("deep/a.png", "a.jpg", "a.png"):
        Image.fromarray(portrait).save(folder / name)
    Image.fromarray(np.concatenate([portrait, portrait[:, ::-1]], axis=1)).save(folder / "pair.png")
    Image.new("RGB", (200, 200), "grey").save(folder / "grey.png")
    table = predicted(pointing, folder, tmp_path)
    columns = ["p0_x", "p0_y", "p1_x", "p1_y"]
    assert list(table.columns) == [*PLACE, *columns, *STRANGENESS, "reason"]
    assert table["file"].tolist() == ["a.jpg", "a.png", "deep/a.png", "grey.png", "pair.png", "pair.png"]
    assert table["reason"].fillna("").tolist() == ["", "", "", "no face found", "", ""]
    found = table.dropna(subset="p0_x")
    files = points_of(tmp_path / "out")
    names = ["a.jpg.pts", "a.png.pts", "deep/a.png.pts", "pair.png-1.pts", "pair.png-2.pts"]
    assert sorted(files) == names
    for name, row in zip(names, found[columns].to_numpy(), strict=True):
        np.testing.assert_allclose(files[name].ravel(), row, atol=0.006)  # each was rounded
    assert (found["p0_x"].between(found["x0"], found["x1"]) & found["p0_y"].between(found["y0"], found["y1"])).all()
    left, right = found["p1_x"].to_numpy()[-2:]
    assert left < 256 < right
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"predictions.csv", "annotated", "points"}


def test_points_in_a_table_have_a_hundredth_of_a_pixel(pointing, portrait, tmp_path):
    Image.fromarray(portrait).save(tmp_path / "one.png")
    out = predict.run(tmp_path / "one.png", pointing, tmp_path / "out", "cpu")
    with out.open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert all(len(row[name].partition(".")[2]) <= 2 for name in ("p0_x", "p0_y", "p1_x", "p1_y"))


def test_points_whose_file_cannot_be_written_or_has_an_odd_name_are_still_rows(pointing, portrait, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.png", f"{'x' * 251}.png"):
        Image.fromarray(portrait).save(folder / name)
    (tmp_path / "out" / "points" / "a.png.pts").mkdir(parents=True)
    table = predicted(pointing, folder, tmp_path)
    assert table["p0_x"].notna().all()
    long = next(name for name in points_of(tmp_path / "out") if name.startswith("x"))
    refused, plain, odd = table["reason"].fillna("")
    assert (refused, plain) == ("no points file: Is a directory", "")
    assert odd.startswith("annotated copy: xxx")
    assert odd.endswith(f"; points file: {long}")


def test_pictures_among_the_points_are_refused(pointing, portrait, tmp_path):
    (tmp_path / "out" / "points").mkdir(parents=True)
    Image.fromarray(portrait).save(tmp_path / "out" / "points" / "one.png")
    with pytest.raises(DataError, match="lies among the results"):
        predicted(pointing, tmp_path / "out" / "points" / "one.png", tmp_path)


def test_odd_names_and_kinds_of_files_are_rows_and_cost_no_other_row(model, portrait, tmp_path):
    source = tmp_path / "in"
    (source / "folder.jpg").mkdir(parents=True)
    names = ["face.jpg", 'a\rb\nc,d"e.png', os.fsdecode(b"not utf-8 \xff.jpg"), f"{'x' * 251}.png", "face", "..jpg"]
    content = io.BytesIO()
    Image.fromarray(portrait).save(content, "PNG")
    for name in names:
        (source / name).write_bytes(content.getvalue())
    (source / "broken.jpg").write_bytes(b"not a picture")
    (source / "itself.png").symlink_to("itself.png")
    os.mkfifo(source / "pipe.png")
    out = predict.run(source, model, tmp_path / "out", "cpu")
    with out.open(newline="", encoding="utf-8") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    predicted = {"face.jpg", r'a\x0db\x0ac,d"e.png', r"not utf-8 \xff.jpg", f"{'x' * 251}.png", "..jpg"}
    assert {name for name, row in rows.items() if row["class"]} == predicted
    assert {name: row["reason"].partition(":")[0] for name, row in rows.items() if row["reason"]} == {
        f"{'x' * 251}.png": "annotated copy",
        "broken.jpg": "unreadable",
        "folder.jpg": "not a file",
        "itself.png": "unreadable",
        "pipe.png": "not a file",
    }
    copies = {path.name for path in (tmp_path / "out" / "annotated").iterdir()}
    assert len(copies) == len(predicted)
    assert rows[f"{'x' * 251}.png"]["reason"].partition(": ")[2] in copies
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"predictions.csv", "annotated"}


@pytest.fixture
def three(tmp_path):
    """Three pictures without a face."""
    for name in "abc":
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.new("RGB", (64, 64), "grey").save(tmp_path / "in" / f"{name}.png")
    return tmp_path / "in"


def test_what_was_predicted_before_an_error_is_on_disk(model, three, tmp_path, monkeypatch):
    faces = Predictor.faces

    def failing(predictor, path):
        if path.name == "c.png":
            raise RuntimeError("a bug")
        return faces(predictor, path)

    monkeypatch.setattr(Predictor, "faces", failing)
    with pytest.raises(RuntimeError, match="a bug"):
        predicted(model, three, tmp_path)
    table = arrays.read_table(tmp_path / "out" / "predictions.csv")
    assert table["file"].tolist() == ["a.png", "b.png"]
    assert table["reason"].tolist() == ["no face found"] * 2


def test_a_picture_that_vanishes_is_a_row(model, three, tmp_path, monkeypatch):
    faces = Predictor.faces

    def removing(predictor, path):
        (three / "b.png").unlink(missing_ok=True)
        return faces(predictor, path)

    monkeypatch.setattr(Predictor, "faces", removing)
    table = predicted(model, three, tmp_path)
    assert table["reason"].tolist() == ["no face found", "missing: there is no such file", "no face found"]


def test_a_copy_that_cannot_be_written_costs_no_row(model, three, tmp_path):
    (tmp_path / "out" / "annotated" / "b.png.jpg").mkdir(parents=True)
    reasons = predicted(model, three, tmp_path)["reason"].tolist()
    assert reasons == ["no face found", "no face found; no annotated copy: Is a directory", "no face found"]


def test_a_full_disk_ends_it_and_leaves_the_rows_so_far(model, three, tmp_path, monkeypatch):
    write = Path.write_bytes

    def full(path, content):
        if (tmp_path / "out" / "annotated" / "a.png.jpg").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(path))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        predicted(model, three, tmp_path)
    assert arrays.read_table(tmp_path / "out" / "predictions.csv")["file"].tolist() == ["a.png"]


def test_pictures_among_the_results_are_refused(model, three, tmp_path):
    for source, out in ((three, three), (three, tmp_path), (three / "a.png", tmp_path / "results")):
        if source.is_file():
            (tmp_path / "results").mkdir()
            (tmp_path / "results" / "annotated").symlink_to(three)
        with pytest.raises(DataError, match="lies among the results"):
            predict.run(source, model, out, "cpu")
    assert predicted(model, three, three)["file"].tolist() == ["a.png", "b.png", "c.png"]
    assert predicted(model, three, three)["file"].tolist() == ["a.png", "b.png", "c.png"]


NO_MODELS = {
    "a file": (Path.touch, "is no folder"),
    "a pipe": (os.mkfifo, "is no folder"),
    "nothing": (lambda path: None, "is not there"),
    "an empty folder": (Path.mkdir, "model"),
    "an unfinished one": (lambda path: path.with_name(f"{path.name}.partial").mkdir(), "has not been finished"),
}


@pytest.mark.parametrize("kind", NO_MODELS)
def test_what_is_no_model_is_one_line(kind, three, tmp_path):
    make, reason = NO_MODELS[kind]
    make(tmp_path / "student")
    with pytest.raises(ArtifactError, match=reason) as told:
        predict.run(three, tmp_path / "student", tmp_path / "out", "cpu")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "out").exists()


def test_an_unfinished_folder_itself_is_no_model(model, three, tmp_path):
    shutil.copytree(model, tmp_path / "student.partial")
    with pytest.raises(ArtifactError, match="has not been finished"):
        predict.run(three, tmp_path / "student.partial", tmp_path / "out", "cpu")


def test_a_model_that_is_being_made_is_waited_for(model, three, tmp_path, caplog):
    student = tmp_path / "cache" / "student-deit-swin-s0-00000001"
    shutil.copytree(model, tmp_path / "cache" / "student-deit-swin-s0-00000001.partial")
    lock = tmp_path / "cache" / ".locks" / f"{student.name}.lock"
    with running("-c", HOLD, lock, stdout=subprocess.PIPE) as maker, ThreadPoolExecutor() as threads:
        assert maker.stdout.readline()
        waiting = threads.submit(predict.run, three, student, tmp_path / "out", "cpu")
        wait_until(lambda: "is being made by process" in caplog.text or waiting.done())
        student.with_name(f"{student.name}.partial").rename(student)
        maker.kill()
        assert len(arrays.read_table(waiting.result())) == 3


def test_a_student_that_is_being_finished_is_not_taken(tmp_path):
    student(tmp_path / "set" / "student-deit-swin-s0-00000001.partial", "2026-03-01")
    assert predict.newest_student(tmp_path, PAIN, distill.VERSION) is None


def student(folder, made, task=PAIN, teacher="swin", version=distill.VERSION):
    """A finished student as the store leaves it."""
    identity = {"stage": "distill", "version": version}
    saved(folder, task, AlignConfig(face_size=64), fingerprint=records.fingerprint(**identity))
    config = as_dict(DistillConfig(task=task, teacher=teacher))
    records.write(folder, config=config, made=made, **identity)
    return folder


def test_the_newest_student_of_the_task_is_taken_one_with_a_teacher_first(tmp_path):
    def newest(where=tmp_path, task=PAIN):
        return predict.newest_student(where, task, distill.VERSION)

    assert newest() is None
    alone = student(tmp_path / "one" / "student-deit-none-s0-00000001", "2026-03-01", teacher="none")
    assert newest() == alone
    old = student(tmp_path / "one" / "student-deit-swin-s0-00000002", "2026-01-01")
    assert newest() == old
    new = student(tmp_path / "two" / "student-deit-swin-s0-00000003", "2026-02-01")
    assert newest() == new
    assert newest(tmp_path / "one") == old
    other = student(tmp_path / "two" / "expression-student-vit-swin-00000004", "2026-05-01", TASKS["expression"])
    assert (newest(), newest(task=TASKS["expression"])) == (new, other)
    two = TASKS["expression"].outputs[:2]
    assert newest(task=replace(TASKS["expression"], outputs=two)) is None  # of other classes


def test_a_student_of_another_range_is_not_taken(tmp_path):
    ours = student(tmp_path / "set" / "intensity-student-deit-none-s0-00000001", "2026-03-01", answering.PSPI)
    assert predict.newest_student(tmp_path, answering.PSPI, distill.VERSION) == ours
    assert predict.newest_student(tmp_path, replace(answering.PSPI, bounds=(0.0, 10.0)), distill.VERSION) is None


def test_a_student_that_is_damaged_or_out_of_date_is_not_taken(tmp_path):
    good = student(tmp_path / "set" / "student-a-00000001", "2026-01-01")
    student(tmp_path / "set" / "student-b-00000002", "2026-02-01", version=distill.VERSION - 1)
    damaged = student(tmp_path / "set" / "student-c-00000003", "2026-03-01")
    (damaged / "weights.safetensors").write_bytes(b"cut short")
    earlier = student(tmp_path / "set" / "student-d-00000004", "2026-04-01")
    card = json.loads((earlier / "model.json").read_text())
    text = cards.text(card | {"prepare": card["prepare"] | {"version": 1}})
    (earlier / "model.json").write_text(text)
    records.rewrite(earlier, files=records.described(earlier))
    assert predict.newest_student(tmp_path, PAIN, distill.VERSION) == good


def invoke(*arguments):
    return CliRunner().invoke(cli, ["--quiet", "predict", *map(str, arguments)])


def test_the_help_shows_what_predict_needs_and_no_training():
    options = {name for parameter in cli.commands["predict"].params for name in parameter.opts}
    needed = {"--input", "--out", "--model", "--device", "--force", "--format", "--annotate", "--resume"}
    videos = {"--stride", "--start", "--end", "--detect-every", "--smooth"}
    question = {"--task", "--levels", "--labels", "--target", "--range", "--points"}
    assert options == needed | videos | question | {"--preset", "--cache", "--data"}


def test_a_model_needs_no_cache_and_no_dataset(model, portrait, tmp_path):
    Image.fromarray(portrait).save(tmp_path / "one.png")
    cache = tmp_path / "cache"
    shown = invoke("--input", tmp_path / "one.png", "--model", model, "--out", tmp_path / "out", "--cache", cache)
    assert shown.exit_code == 0, repr(shown.exception)
    assert len(arrays.read_table(Path(shown.output.strip()))) == 1
    assert not cache.exists()


def test_the_cache_gives_the_student_and_data_narrows_it(portrait, tmp_path, caplog):
    Image.fromarray(portrait).save(tmp_path / "one.png")
    (tmp_path / "one").mkdir()
    cache = tmp_path / "cache"
    old = student(cache / "one" / "student-deit-swin-s0-00000001", "2026-01-01")
    new = student(cache / "two" / "student-deit-swin-s0-00000002", "2026-02-01")
    common = ["--input", tmp_path / "one.png", "--out", tmp_path / "out", "--cache", cache]
    for more, expected in (([], new), (["--data", tmp_path / "one"], old)):
        caplog.clear()
        with caplog.at_level("INFO"):
            shown = invoke(*common, *more)
        assert shown.exit_code == 0, repr(shown.exception)
        assert f"predict: {expected}" in caplog.text


def test_without_a_student_of_the_task_the_presets_first_is_made(portrait, tmp_path, monkeypatch):
    Image.fromarray(portrait).save(tmp_path / "one.png")
    student(tmp_path / "cache" / "one" / "student-deit-swin-s0-00000001", "2026-01-01", TASKS["expression"])
    built = []

    def build(session, *nodes):
        built.extend(node.slug for node in nodes)
        folder = saved(tmp_path / "made", session.preset.task, AlignConfig(face_size=64))
        return [Artifact(folder, {})]

    monkeypatch.setattr(Session, "build", build)
    common = ["--input", tmp_path / "one.png", "--out", tmp_path / "out", "--cache", tmp_path / "cache"]
    shown = invoke(*common, "--preset", "smoke")
    assert shown.exit_code == 0, repr(shown.exception)
    assert built == ["student-deit-resnet-hard-s0"]


def test_an_unknown_task_is_one_line(portrait, tmp_path):
    Image.fromarray(portrait).save(tmp_path / "one.png")
    shown = invoke("--input", tmp_path / "one.png", "--task", "weather", "--cache", tmp_path)
    assert isinstance(shown.exception, ConfigError)
    assert "TASK=weather is no task" in str(shown.exception)
