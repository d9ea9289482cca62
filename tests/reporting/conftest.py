from __future__ import annotations

import re

import pytest

from pipeline.config import ReportConfig
from pipeline.reporting import contents, methods
from pipeline.reporting import sections as all_sections
from pipeline.reporting.material import Material
from pipeline.reporting.runs import gather
from pipeline.tasks import TASKS
from tests.fakes.classify import Fakes
from tests.fakes.multilabel import FrameFakes
from tests.helpers.figures import drafts

DRAWS = {"replicates": 200, "confidence": 0.95, "seed": 0}


def gathered(fakes, models, leaky=False):
    """The runs of fake models, of a split that leaks where it is said."""
    inputs = {f"model-{model.slug}": fakes.store.build(model)[0] for model in models}
    inputs |= {f"evaluation-{model.slug}": fakes.store.build(fakes.evaluation(model))[0] for model in models}
    return gather(inputs, fakes.store.build(fakes.split) if leaky else ())


def material_of(fakes, runs, **config):
    """What a report over these runs is made of."""
    config = ReportConfig(**DRAWS, **config)
    samples, inputs, *splits = fakes.store.build(fakes.samples, fakes.inputs, fakes.split)
    models = [artifact for run in runs for one in run.folds for artifact in (one.model, one.evaluation)]
    return Material(config, methods.compare(runs, **DRAWS), runs, samples, inputs, splits, models, [])


def visible(html):
    """The words of a page, without its figures, pictures and settings."""
    unread = r"<style>.*?</style>|data:image[^\"]+|<dl class=\"configs\">.*?</dl>|<svg.*?</svg>|tables/[\w-]+"
    html = re.sub(unread, "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"<code>.*?</code>", "", html)))


@pytest.fixture(scope="package", autouse=True)
def drafted():
    """Figures here are drafts: hundreds are drawn. Those of whole reports elsewhere are laid out and fine."""
    with drafts():
        yield


@pytest.fixture(scope="package", autouse=True)
def sections():
    """All sections of a material, made once, whether a test or a page asks for them."""
    made = {}

    def of(material):
        if id(material) not in made:
            made[id(material)] = material, all_sections.sections(material)
        return made[id(material)][1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contents, "sections", of)
        yield of


@pytest.fixture(scope="package")
def fakes(tmp_path_factory):
    return Fakes(tmp_path_factory.mktemp("cache"), subjects=120, size=32)


@pytest.fixture(scope="package")
def runs(fakes):
    """Two teachers, and three kinds of students in two seeds each."""
    return gathered(fakes, fakes.models(seeds=2))


@pytest.fixture(scope="package")
def compared(runs):
    return methods.compare(runs, **DRAWS)


@pytest.fixture(scope="package")
def material(fakes, runs):
    return material_of(fakes, runs)


@pytest.fixture(scope="package")
def sweep(fakes):
    """Two teachers, seven recipes of each, and the student without a teacher, in two seeds each."""
    return gathered(fakes, fakes.sweep(seeds=2))


@pytest.fixture(scope="package")
def swept(sweep):
    return methods.compare(sweep, **DRAWS)


@pytest.fixture(scope="package")
def seven_fakes(tmp_path_factory):
    return Fakes(tmp_path_factory.mktemp("seven"), subjects=160, size=32, task=TASKS["expression"])


@pytest.fixture(scope="package")
def seven(seven_fakes):
    """The report's material of a task of seven classes: the same models."""
    return material_of(seven_fakes, gathered(seven_fakes, seven_fakes.models(seeds=2)))


@pytest.fixture(scope="package")
def leveled(tmp_path_factory):
    """The report's material of a task of five levels: three losses of each of two teachers, fixed labels and views."""
    task = TASKS["skin-conductance"]
    fakes = Fakes(tmp_path_factory.mktemp("levels"), subjects=160, size=32, task=task)
    return material_of(fakes, gathered(fakes, fakes.sweep(seeds=2)))


@pytest.fixture(scope="package")
def frame_fakes(tmp_path_factory):
    return FrameFakes(tmp_path_factory.mktemp("frames"), clips=60, size=24)


@pytest.fixture(scope="package")
def labelled(frame_fakes):
    """The report's material of a task of two labels: a privileged teacher, its twin, two budgets, two seeds."""
    return material_of(frame_fakes, gathered(frame_fakes, frame_fakes.budget(seeds=2)))
