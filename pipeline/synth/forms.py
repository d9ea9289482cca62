"""The forms of a synthetic set: what its files hold, how they are made, and what its summary counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import SynthesizeConfig
from pipeline.synth import RENDERER_VERSION, SIMULATOR_VERSION
from pipeline.synth.pairs import plan as plan_pair
from pipeline.synth.pairs import render_pair
from pipeline.synth.scene import studio
from pipeline.synth.sessions import Plan as plan_window
from pipeline.synth.sessions import save_window, simulate
from pipeline.synth.singles import plan as plan_single
from pipeline.synth.singles import render_single
from pipeline.synth.truth import save_picture


@dataclass(frozen=True)
class Form:
    """One form of set.

    Attributes
    ----------
    plan : (seed, number) to what that file holds, with its `file` relative to the set.
    make : (plan, config, path) writes the file and returns its rows of truth.csv.
    version : raised when the same seed gives other files.
    packages : those that make them, named in the recipe.
    unit : what a file holds, in the plural.
    region, counted : the rows of truth.csv that the summary counts, and by which columns.
    height, quality : of pictures unless told otherwise, in pixels and of the JPEG file; 0 where there are none.
    """

    plan: Callable
    make: Callable[..., list[dict]]
    version: int
    packages: tuple[str, ...]
    unit: str
    region: str
    counted: tuple[str, ...]
    height: int = 0
    quality: int = 0


def _pair(what, config: SynthesizeConfig, path: Path) -> list[dict]:
    picture, rows = render_pair(studio(), what, config.height)
    save_picture(picture, path, config.quality)
    return rows


def _single(what, config: SynthesizeConfig, path: Path) -> list[dict]:
    picture, rows = render_single(studio(), what, config.height)
    save_picture(picture, path, config.quality)
    return rows


def _window(what, config: SynthesizeConfig, path: Path) -> list[dict]:
    values, row = simulate(what)
    save_window(values, path)
    return [row]


RENDERERS = ("anny", "vtk", "numpy", "scipy", "pillow")
SIMULATORS = ("neurokit2", "numpy", "scipy")
PEOPLE = ("gender", "age_group", "ethnicity", "expression")
FORMS: Mapping[str, Form] = {
    "pairs": Form(
        plan_pair, _pair, RENDERER_VERSION, RENDERERS, "pairs", "right", ("label", *PEOPLE), height=360, quality=85
    ),
    "expression": Form(
        plan_single, _single, RENDERER_VERSION, RENDERERS, "faces", "full", PEOPLE, height=224, quality=80
    ),
    "skin-conductance": Form(
        plan_window, _window, SIMULATOR_VERSION, SIMULATORS, "windows", "full", ("level", "sex", "responds")
    ),
}
