from __future__ import annotations

import base64
import copy
import io

import jinja2
import numpy as np
import pytest
from PIL import Image

from pipeline.reporting import page
from pipeline.reporting.drawing import inline_svg


def test_faces_are_right_or_wrong_by_the_mean_over_seeds(compared):
    method = compared[2]
    right, wrong = page.choose_faces(method, count=6, seed=0)
    assert ((wrong["prob"] > 0.5) != (wrong["label"] == 1)).all()
    assert ((right["prob"] > 0.5) == (right["label"] == 1)).all()
    errors = (wrong["prob"] - wrong["label"]).abs()
    assert errors.is_monotonic_decreasing
    assert right["label"].sum() == 3
    assert right["sample_id"].tolist() == page.choose_faces(method, count=6, seed=0)[0]["sample_id"].tolist()


def test_a_method_without_errors_has_no_wrong_faces(compared):
    method = copy.copy(compared[2])
    vars(method)["faces"] = method.faces.assign(prob=0.9 * method.faces["label"])
    right, wrong = page.choose_faces(method, count=6, seed=0)
    assert (len(right), len(wrong)) == (6, 0)


def test_a_picture_becomes_part_of_the_page():
    image = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    kind, data = page.data_uri(image).split(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (216, 216)


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
