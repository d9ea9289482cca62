"""Figures of tests that draw many and look at what is in them."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image


def _no_picture() -> bytes:
    """A PNG of one pixel."""
    file = io.BytesIO()
    Image.new("L", (1, 1)).save(file, "PNG")
    return file.getvalue()


NO_PICTURE = _no_picture()


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
