"""The shipped expression set is what its truth says, small, balanced, and made by the recipe beside it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.config import DEMO_SEEDS, DEMO_SETS, SynthesizeConfig
from pipeline.synth import RENDERER_VERSION
from pipeline.synth.expressions import ACTION_UNITS
from pipeline.synth.forms import FORMS
from pipeline.synth.identity import identity_seed, identity_seeds
from pipeline.synth.singles import CLASSES, plan, render_single

FOLDER = DEMO_SETS / "expression"
N = 420
FORM = FORMS["expression"]


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "truth.csv")


def test_every_picture_has_one_row_and_lies_in_the_folder_of_its_class(truth):
    pictures = {str(path.relative_to(FOLDER)) for path in FOLDER.glob("*/*.jpg")}
    assert len(truth) == len(pictures) == N
    assert set(truth.file) == pictures
    assert (truth.file.str.split("/").str[0] == truth.expression).all()
    assert set(truth.region) == {"full"}


def test_the_set_fits_its_size():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 5_000_000
    assert not list(FOLDER.rglob("*.partial*"))


def test_the_recipe_makes_these_files(truth):
    recipe = json.loads((FOLDER / "synthesize.json").read_text())
    assert recipe["renderer"] == RENDERER_VERSION
    assert recipe["config"] == {
        "form": "expression",
        "n": N,
        "seed": DEMO_SEEDS["expression"],
        "height": FORM.height,
        "quality": FORM.quality,
    }
    assert recipe["counts"]["faces"] == N
    assert list(truth.file) == [plan(DEMO_SEEDS["expression"], number).file for number in range(N)]


def test_truth_is_complete(truth):
    assert truth.notna().all(axis=None)
    columns = ["file", "region", "subject_id", "expression", "gender", "age_group", "age", "ethnicity"]
    columns += [f"au{unit:02d}" for unit in ACTION_UNITS] + ["asymmetry", "pspi", "yaw_deg", "pitch_deg", "roll_deg"]
    columns += [f"l{n}_{k}_{axis}" for n in (5, 68) for k in range(n) for axis in "xy"]
    assert list(truth.columns) == columns


def test_classes_hold_every_group_alike(truth):
    assert dict(truth.expression.value_counts()) == dict.fromkeys(CLASSES, N // len(CLASSES))
    for column in ("gender", "age_group", "ethnicity"):
        table = pd.crosstab(truth[column], truth.expression).to_numpy()
        assert table.min() == table.max(), column


def test_nobody_is_in_another_shipped_set_or_was_seen_in_pretraining():
    people = {identity_seed(DEMO_SEEDS["expression"], plan(DEMO_SEEDS["expression"], k).identity) for k in range(N)}
    assert people.isdisjoint(identity_seeds(DEMO_SEEDS["pain"], SynthesizeConfig.n))
    assert people.isdisjoint(identity_seeds(1000, 2_400))


def test_pspi_is_the_sum_of_its_units(truth):
    au = {unit: truth[f"au{unit:02d}"] for unit in ACTION_UNITS}
    expected = au[4] + np.maximum(au[6], au[7]) + np.maximum(au[9], au[10]) + au[43]
    assert np.allclose(truth.pspi, expected, atol=2e-3)


def test_pose_does_not_tell_the_class(truth):
    for column in ("yaw_deg", "pitch_deg", "roll_deg"):
        for name in CLASSES:
            own, rest = (truth[column][mask] for mask in (truth.expression == name, truth.expression != name))
            error = np.sqrt(own.var() / len(own) + rest.var() / len(rest))
            assert abs(own.mean() - rest.mean()) < 3.5 * error, (column, name)


def test_faces_lie_inside_their_pictures_and_are_large_enough(truth):
    points = truth.filter(regex=r"^l(5|68)_\d+_[xy]$").to_numpy()
    assert points.min() > 0
    assert points.max() < FORM.height
    chin_to_brows = truth.l68_8_y - truth.filter(regex=r"^l68_(19|24)_y$").min(axis=1)
    assert chin_to_brows.min() > 70


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 211, 419])
def test_a_picture_can_be_made_again(truth, number):
    pytest.importorskip("anny", reason="anny (extra synth) is not installed")
    pytest.importorskip("vtkmodules", reason="VTK (extra synth) is not installed")
    from pipeline.errors import MissingDependencyError
    from pipeline.synth.scene import studio

    try:
        picture, rows = render_single(studio(), plan(DEMO_SEEDS["expression"], number), FORM.height)
    except MissingDependencyError as error:
        pytest.skip(str(error))
    assert rows[0] == pytest.approx(truth.iloc[number].to_dict(), abs=0.06)
    with Image.open(FOLDER / rows[0]["file"]) as shipped:
        assert shipped.format == "JPEG"
        assert shipped.size == picture.shape[1::-1]
        assert np.abs(np.asarray(shipped, int) - picture).mean() < 3  # JPEG's loss, and another machine's rounding
