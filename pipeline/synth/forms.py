"""The forms of a rendered set: what its pictures show, how large they are, and what its summary counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.synth.pairs import plan as plan_pair
from pipeline.synth.pairs import render_pair
from pipeline.synth.singles import plan as plan_single
from pipeline.synth.singles import render_single


@dataclass(frozen=True)
class Form:
    """One form of set.

    Attributes
    ----------
    plan : (seed, number) to what that picture shows, with its `file` relative to the set.
    render : (studio, plan, height) to the uint8 picture and its rows of truth.csv.
    height, quality : of the pictures unless told otherwise, in pixels and of the JPEG file.
    unit : what a picture holds, in the plural.
    region, counted : the rows of truth.csv that the summary counts, and by which columns.
    """

    plan: Callable
    render: Callable
    height: int
    quality: int
    unit: str
    region: str
    counted: tuple[str, ...]


PEOPLE = ("gender", "age_group", "ethnicity", "expression")
FORMS: Mapping[str, Form] = {
    "pairs": Form(plan_pair, render_pair, 360, 85, "pairs", "right", ("label", *PEOPLE)),
    "expression": Form(plan_single, render_single, 224, 80, "faces", "full", PEOPLE),
}
