from __future__ import annotations

import jinja2
import pytest

from pipeline.reporting import page
from pipeline.reporting.drawing import inline_svg


def test_a_template_without_its_values_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        page.render(answer=None)


def test_an_svg_becomes_part_of_the_page():
    svg = (
        '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="72pt" height="36pt" viewBox="0 0 72 36">'
        '<metadata>today</metadata><path id="p" style="fill: #1c1c1a"/><use xlink:href="#p"/>'
        '<g clip-path="url(#p)"/></svg>'
    )
    inside = inline_svg(svg, "roc", 'a "b" < c')
    assert inside.startswith("<svg ")
    assert "today" not in inside
    assert 'width="' not in inside
    assert 'viewBox="0 0 72 36"' in inside
    assert 'aria-label="a &quot;b&quot; &lt; c"' in inside
    assert 'id="roc-p" style="fill: var(--ink)"' in inside
    assert 'href="#roc-p"' in inside
    assert "url(#roc-p)" in inside
