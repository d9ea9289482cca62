"""Heat maps of test samples: the same for every model, and what lies on muscles."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.artifacts import arrays
from pipeline.artifacts.columns import Columns
from pipeline.config import Architecture
from pipeline.evaluation import explanations, muscles
from pipeline.evaluation.muscles import SIDE
from tests.helpers.explained import EXPRESSION, Explained
from tests.helpers.networks import TINY

BLOCKS = Architecture("cnn4", (("channels", (4, 4, 8, 8)), ("hidden", 8)), 64, "random")


@pytest.fixture(scope="module")
def fakes(tmp_path_factory):
    return Explained(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def made(fakes):
    """Heat maps of two networks, of eight faces each."""
    return fakes.store.build(*(fakes.explanation(fakes.network(1, one)) for one in (BLOCKS, TINY)))


def test_all_models_explain_the_same_test_faces(fakes, made):
    faces = [arrays.read_table(one.file(explanations.FACES)) for one in made]
    assert faces[0]["sample_id"].tolist() == faces[1]["sample_id"].tolist()
    assert len(faces[0]) == 8
    assert set(faces[0]["sample_id"]) <= set(fakes.tested)
    truth = fakes.table.set_index("sample_id")[EXPRESSION.target]
    assert [EXPRESSION.outputs[number] for number in faces[0]["output"]] == truth[faces[0]["sample_id"]].tolist()
    assert faces[0]["true"].all()


def test_the_method_is_the_one_of_the_network(made):
    assert [one.summary["method"] for one in made] == ["grad-cam", "attention-gradient"]
    for one in made:
        empty = arrays.read_table(one.file(explanations.FACES))["empty"].sum()
        assert one.summary["counts"] == {"explained": 8, "empty": empty}


def test_maps_are_kept_beside_their_samples(made):
    faces = arrays.read_table(made[1].file(explanations.FACES))
    stored = Columns(made[1].file(explanations.MAPS), "maps", made[1].fingerprint)
    maps = stored["maps"][stored.rows(faces["sample_id"])].astype(float)
    assert maps.shape == (8, SIDE, SIDE)
    np.testing.assert_allclose(maps.mean((1, 2)), 1, atol=2e-3)


def test_shares_are_of_faces_whose_muscles_moved(fakes, made):
    faces = arrays.read_table(made[1].file(explanations.FACES))
    units = fakes.table.set_index("sample_id").loc[faces["sample_id"], ["au04", "au12"]].to_numpy()
    assert faces["moved"].notna().tolist() == units.any(axis=1).tolist()
    brow = (units[:, 0] > 0) & (units[:, 1] == 0)
    np.testing.assert_allclose(faces["moved"][brow], faces["brow"][brow])
    assert faces[list(muscles.MUSCLES)].notna().all().all()
    assert faces["area_nose"].between(0.01, 0.2).all()


def test_without_points_there_are_maps_and_no_shares(fakes, made, tmp_path):
    plain = Explained(tmp_path)
    plain._keep_points = lambda work: None
    (artifact,) = plain.store.build(plain.explanation(plain.network(1), 3))
    faces = arrays.read_table(artifact.file(explanations.FACES))
    assert list(faces) == ["sample_id", "subject_id", "empty", "output", "true"]
    assert len(faces) == 3


def test_where_no_face_was_found_nothing_is_explained(fakes, tmp_path):
    lost = Explained(tmp_path)
    lost.detected &= False
    (artifact,) = lost.store.build(lost.explanation(lost.network(1)))
    assert len(arrays.read_table(artifact.file(explanations.FACES))) == 0
    assert artifact.summary["counts"] == {"explained": 0, "empty": 0}
