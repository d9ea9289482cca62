"""Pictures or a sample in, a table and overlays out: which parts an answer rests on."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.artifacts import arrays
from pipeline.config import AlignConfig, ResizeConfig, WindowConfig
from pipeline.errors import ConfigError, DataError
from pipeline.evaluation import muscles
from pipeline.serving.explainer import LEAST_SIDE
from pipeline.serving_config import ExplainConfig
from pipeline.tasks import PAIN, TASKS
from stages import explain
from stages.cli import cli
from tests.helpers.explained import EXPRESSION, Explained
from tests.helpers.networks import saved, saved_of_frames, saved_of_signals
from tests.serving import answering

WHOLE = AlignConfig(face_size=64, align="none")  # nobody looks for faces


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("model"), PAIN, WHOLE)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, photograph):
    folder = tmp_path_factory.mktemp("in")
    Image.fromarray(photograph[:256, 96:352]).save(folder / "face.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache with its samples, and the folder of a network in it."""
    fakes = Explained(tmp_path_factory.mktemp("cache"))
    return fakes, fakes.store.build(fakes.network())[0].path


def explained(source, model, out, **options):
    return arrays.read_table(explain.run(source, "", model, out, "cpu", ExplainConfig(**options)))


def test_a_face_has_a_row_and_an_overlay(model, pictures, tmp_path, caplog):
    caplog.set_level("INFO")
    table = explained(pictures, model, tmp_path)
    broken, face = table.to_dict("records")
    assert broken["file"] == "broken.jpg"
    assert broken["reason"].startswith("unreadable")
    assert (face["file"], face["half"], face["face"]) == ("face.png", "full", 1)
    assert face["output"] in PAIN.outputs
    assert face["value"] > 0.5  # of two classes the one that is called
    assert face["method"] == "attention-gradient"
    overlay = Image.open(tmp_path / face["overlay"])
    assert overlay.width == 2 * LEAST_SIDE
    assert overlay.height > LEAST_SIDE
    assert "1 faces in 2 pictures explained" in caplog.text


def test_all_methods_stand_side_by_side(model, pictures, tmp_path):
    table = explained(pictures / "face.png", model, tmp_path, method="all", output="no_pain")
    assert table["method"].tolist() == ["rollout", "attention-gradient", "occlusion"]
    assert set(table["output"]) == {"no_pain"}
    assert table["overlay"].nunique() == 1
    assert Image.open(tmp_path / table["overlay"][0]).width == 4 * LEAST_SIDE


def test_frames_are_explained_as_they_are(pictures, tmp_path):
    model = saved_of_frames(tmp_path / "model", TASKS["fire-smoke"], ResizeConfig(frame_size=32))
    (row,) = explained(pictures / "face.png", model, tmp_path / "out").to_dict("records")
    assert row["output"] in TASKS["fire-smoke"].outputs
    assert row["method"] == "grad-cam"


@pytest.mark.parametrize(("output", "name"), [("", "all points"), ("p1", "p1")])
def test_of_points_it_is_how_far_they_move(output, name, pictures, tmp_path):
    model = saved(tmp_path / "model", answering.points(2), WHOLE)
    (row,) = explained(pictures / "face.png", model, tmp_path / "out", output=output).to_dict("records")
    assert (row["output"], row["method"]) == (name, "occlusion")
    assert np.isnan(row["value"])


def test_a_number_is_told_in_its_units(pictures, tmp_path):
    model = answering.of_faces(tmp_path / "model", answering.PSPI, [0.25], WHOLE)
    (row,) = explained(pictures / "face.png", model, tmp_path / "out").to_dict("records")
    assert row["output"] == "pspi"
    assert row["value"] == pytest.approx(4)


def test_a_sample_of_the_cache_says_what_lies_on_muscles(cache, tmp_path):
    fakes, model = cache
    sample = fakes.table.loc[fakes.table["au04"].gt(0) & fakes.table["au12"].eq(0), "sample_id"].iloc[0]
    (row,) = arrays.read_table(explain.run(None, sample, model, tmp_path, "cpu")).to_dict("records")
    assert row["sample_id"] == sample
    assert row["output"] in EXPRESSION.outputs
    assert all(0 < row[f"area_{part}"] < 0.3 for part in muscles.MUSCLES)
    assert row["moved"] == pytest.approx(row["brow"])
    assert (tmp_path / row["overlay"]).is_file()


def test_a_sample_that_is_not_there_is_told_with_those_near(cache, tmp_path):
    fakes, model = cache
    sample = fakes.table["sample_id"][3]
    with pytest.raises(DataError, match=f"There is no sample SAMPLE={sample}x .* Did you mean .*{sample}"):
        explain.run(None, f"{sample}x", model, tmp_path, "cpu")


def test_a_model_outside_a_cache_has_no_samples(model, tmp_path):
    with pytest.raises(ConfigError, match="Give a model of a cache"):
        explain.run(None, "one", model, tmp_path, "cpu")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "grad-cam"}, "METHOD=grad-cam does not fit .* METHOD=rollout or attention-gradient or occlusion"),
        ({"output": "joy"}, "OUTPUT=joy is none of what the model answers. Choose one: no_pain, pain"),
    ],
)
def test_what_does_not_fit_is_one_line(options, message, model, pictures, tmp_path):
    with pytest.raises(ConfigError, match=message):
        explained(pictures, model, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_signals_are_not_explained(pictures, tmp_path):
    model = saved_of_signals(tmp_path / "model", TASKS["skin-conductance"], WindowConfig(), 25.6, 141)
    with pytest.raises(ConfigError, match=r"reads signal; explain explains pictures of one camera"):
        explained(pictures, model, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"reads signal; `explain` explains pictures of one camera"):
        explain.run(None, "one", model, tmp_path / "out", "cpu")


def test_videos_are_not_explained(model, tmp_path):
    (tmp_path / "visit.mp4").write_bytes(b"")
    with pytest.raises(DataError, match=r"holds videos or cameras, visit\.mp4; pictures are explained"):
        explained(tmp_path, model, tmp_path / "out")


def test_results_are_not_explained(model, pictures, tmp_path):
    explained(pictures / "face.png", model, tmp_path)
    with pytest.raises(DataError, match="lies among the results"):
        explained(tmp_path / "overlays" / "face.png.png", model, tmp_path)


@pytest.mark.parametrize("given", [[], ["--input", "a.png", "--sample", "a"]])
def test_either_pictures_or_a_sample_is_given(given, tmp_path):
    error = CliRunner().invoke(cli, ["explain", *given, "--out", str(tmp_path)]).exception
    assert isinstance(error, ConfigError)
    assert "give either INPUT=" in str(error)


def test_the_command_says_where_the_table_is(model, pictures, tmp_path):
    given = {"--input": pictures / "face.png", "--model": model, "--out": tmp_path, "--device": "cpu"}
    done = CliRunner().invoke(cli, ["explain", *(str(part) for pair in given.items() for part in pair)])
    assert done.output.strip().endswith("explain.csv")
    assert done.exit_code == 0
