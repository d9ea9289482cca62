from __future__ import annotations

import pytest

from pipeline.reporting import methods
from pipeline.reporting.runs import gather
from tests.fakes.classify import Fakes


def gathered(fakes, models):
    """The runs of fake models."""
    inputs = {f"model-{model.slug}": fakes.store.build(model)[0] for model in models}
    inputs |= {f"evaluation-{model.slug}": fakes.store.build(fakes.evaluation(model))[0] for model in models}
    return gather(inputs)


@pytest.fixture(scope="package")
def fakes(tmp_path_factory):
    return Fakes(tmp_path_factory.mktemp("cache"), subjects=120, size=32)


@pytest.fixture(scope="package")
def runs(fakes):
    """Two teachers, and three kinds of students in two seeds each."""
    return gathered(fakes, fakes.models(seeds=2))


@pytest.fixture(scope="package")
def compared(runs):
    return methods.compare(runs, replicates=200, confidence=0.95, seed=0)


@pytest.fixture(scope="package")
def sweep(fakes):
    """Two teachers, seven recipes of each, and the student without a teacher, in two seeds each."""
    return gathered(fakes, fakes.sweep(seeds=2))


@pytest.fixture(scope="package")
def swept(sweep):
    return methods.compare(sweep, replicates=200, confidence=0.95, seed=0)
