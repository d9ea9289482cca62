from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pipeline.reporting import common, contents, page

pytestmark = pytest.mark.slow


def visible(html):
    """The words of a page, without its figures, pictures and settings."""
    html = re.sub(r"<style>.*?</style>|data:image[^\"]+|<dl class=\"configs\">.*?</dl>", "", html, flags=re.DOTALL)
    return re.sub(r"<[^>]+>", " ", html)


def test_the_words_are_the_tasks(seven):
    text = visible(page.render(**contents.collect(seven)))
    assert "seven facial expressions" in text
    assert not re.search(r"\bpain\b", text)
    assert " taken for " in text
    runs = [replace(run) for run in seven.runs]
    for run in runs:
        vars(run)["task"] = replace(run.task, sample="frame", samples="frames")
    methods = [replace(m, runs=tuple(r for r in runs if r.recipe == m.recipe)) for m in seven.methods]
    text = visible(page.render(**contents.collect(replace(seven, runs=runs, methods=methods))))
    assert "test frames" in text
    assert not re.search(r"test faces", text)


def test_every_table_and_figure_has_a_name_of_its_own(material, seven, leveled, sections):
    for one in (material, seven, leveled):
        made = sections(one)
        for kind in ("tables", "figures"):
            names = [name for section in made for name in getattr(section, kind)]
            assert len(names) == len(set(names))
        anchors = [section.anchor for section in made]
        assert len(anchors) == len(set(anchors))


def test_levels_and_losses_have_their_sections_in_the_page(leveled):
    text = visible(page.render(**contents.collect(leveled)))
    assert "Losses side by side" in text
    assert "Levels: said and true" in text
    assert "Always " in text
    assert not re.search(r"test (faces|pictures)", text)


def test_without_a_detector_what_was_skipped_is_still_told(seven):
    runs = [replace(run, predictions=run.predictions.drop(columns="detected")) for run in seven.runs]
    section = common.detection(replace(seven, runs=runs))
    assert section.title == "What could not be used"
    assert list(section.tables) == ["skipped"]
