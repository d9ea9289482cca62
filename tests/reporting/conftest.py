from __future__ import annotations

import pytest

from pipeline.reporting import methods
from pipeline.reporting.runs import gather
from tests.fake_artifacts import Fakes


@pytest.fixture(scope="package")
def runs(tmp_path_factory):
    """Two teachers, and three kinds of students in two seeds each."""
    fakes = Fakes(tmp_path_factory.mktemp("cache"), subjects=120, size=32)
    models = fakes.models(seeds=2)
    inputs = {f"model-{model.slug}": fakes.store.build(model)[0] for model in models}
    inputs |= {f"evaluation-{model.slug}": fakes.store.build(fakes.evaluation(model))[0] for model in models}
    return gather(inputs)


@pytest.fixture(scope="package")
def compared(runs):
    return methods.compare(runs, replicates=200, confidence=0.95, seed=0)
