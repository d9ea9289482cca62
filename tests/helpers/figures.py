"""Figures of tests that draw many and look at what is in them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image

from tests.helpers.encoding import encoded

NO_PICTURE = encoded(Image.new("L", (1, 1)), "PNG")


@contextmanager
def drafts() -> Iterator[None]:
    """Draw figures once, as SVG and without a layout; as PNG they are one pixel. Whole ones are drawn four times.

    Nothing of ours runs meanwhile, so that coverage, which would watch each line of matplotlib, need not look on.
    """

    def saved(figure: Figure, file, format: str, **given) -> None:
        if format == "png":
            file.write(NO_PICTURE)
            return
        figure.set_layout_engine("none")
        watching = sys.gettrace()
        sys.settrace(None)
        try:
            FigureCanvasSVG(figure).print_svg(file, metadata=given["metadata"])
        finally:
            sys.settrace(watching)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", saved)
        yield
