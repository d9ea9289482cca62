"""The forms of a synthetic set: what its files hold, how they are made, and what its summary counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pipeline.config import SynthesizeConfig
from pipeline.synth import PAINTER_VERSION, RENDERER_VERSION, SIMULATOR_VERSION
from pipeline.synth.fire_smoke import FRAMES_TABLE, HEIGHT, frames_table, save_frames
from pipeline.synth.fire_smoke import Plan as plan_frame
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
    make : (plan, config, path) writes the file, and those beside it, and returns its rows of truth.csv.
    version : raised when the same seed gives other files.
    packages : those that make them, named in the recipe.
    unit : what a file holds, in the plural.
    region, counted : the rows of truth.csv that the summary counts, and by which columns.
    height, quality : of pictures unless told otherwise, in pixels and of the JPEG file; 0 where there are none.
    beside : a plan's further files, relative to the set, written before its `file`.
    tables : what else is written of the truth: a file's name, and what makes its table of that of truth.csv.
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
    beside: Callable[..., tuple[str, ...]] = lambda what: ()
    tables: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]] = field(default_factory=dict)


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


def _frames(what, config: SynthesizeConfig, path: Path) -> list[dict]:
    return [save_frames(what, path, config.height, config.quality)]


RENDERERS = ("anny", "vtk", "numpy", "scipy", "pillow")
SIMULATORS = ("neurokit2", "numpy", "scipy")
PAINTERS = ("numpy", "scipy", "pillow")
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
    "fire-smoke": Form(
        plan_frame,
        _frames,
        PAINTER_VERSION,
        PAINTERS,
        "frames",
        "full",
        ("fire", "smoke", "daylight", "country"),
        height=HEIGHT,
        quality=80,
        beside=lambda what: (what.infrared,),
        tables={FRAMES_TABLE: frames_table},
    ),
}
