"""The page: one HTML file that needs nothing beside it, and the other texts that templates give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from pipeline.reporting.cells import Cell, lowered, words
from pipeline.reporting.units import said

TEMPLATE = Path(__file__).parent / "template"


def render(**content: Any) -> str:
    """Fill the page's template; a name that it lacks is an error, not a gap."""
    style = (TEMPLATE / "page.css").read_text(encoding="utf-8")
    text = environment(autoescape=True).get_template("page.html").render(style=Markup(style), **content)
    return said(text, content["task"])


def environment(autoescape: bool) -> jinja2.Environment:
    """Where templates are found, and what they can use."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not autoescape,
    )
    made.tests["cell"] = lambda value: isinstance(value, Cell)
    made.filters |= {"raw": Markup, "words": words, "lowered": lowered}
    return made
