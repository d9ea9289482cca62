"""Figures of tests that draw many and look at what is in them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from matplotlib.figure import Figure

COARSE_DPI = 40


@contextmanager
def drafts() -> Iterator[None]:
    """Save figures that are neither laid out nor fine, which takes a third of the time.

    Nothing of ours runs meanwhile, so that coverage, which would watch each line of matplotlib, need not look on.
    """
    save = Figure.savefig

    def saved(figure: Figure, file, **given) -> None:
        figure.set_layout_engine("none")
        watching = sys.gettrace()
        sys.settrace(None)
        try:
            save(figure, file, **given | {"dpi": COARSE_DPI})
        finally:
            sys.settrace(watching)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", saved)
        yield
