from __future__ import annotations

import pytest

from pipeline.errors import ArtifactError
from pipeline.reporting.runs import gather
from tests.fake_artifacts import Fakes


def test_a_run_knows_its_method(runs):
    methods = {run.model.slug: run.method for run in runs}
    assert methods["teacher-swin"] == (False, "", "swin", "")
    assert (
        methods["student-deit-swin-hard-s0"] == methods["student-deit-swin-hard-s1"] == (True, "deit", "swin", "hard")
    )


def test_models_tested_on_different_faces_are_not_compared(tmp_path):
    inputs = {}
    for subjects in (40, 80):
        fakes = Fakes(tmp_path / str(subjects), subjects=subjects, size=8)
        model = fakes.model("swin" if subjects == 40 else "resnet")
        inputs[f"model-{model.slug}"] = fakes.store.build(model)[0]
        inputs[f"evaluation-{model.slug}"] = fakes.store.build(fakes.evaluation(model))[0]
    with pytest.raises(ArtifactError, match=r"has 24 test faces, .* has 12, 12 of them the same"):
        gather(inputs)
