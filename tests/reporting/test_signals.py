"""Windows as recorded and as prepared: every peak is drawn, and the table says what was done."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import WindowConfig, as_dict
from pipeline.reporting import checklist, contents, page, signals
from pipeline.tasks import TASKS
from tests.fakes.classify import Fakes
from tests.reporting.conftest import gathered, material_of


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The report's material of windows of signals."""
    fakes = Fakes(tmp_path_factory.mktemp("windows"), subjects=120, size=32, task=TASKS["skin-conductance"])
    return material_of(fakes, gathered(fakes, fakes.models(seeds=1)))


def test_ten_windows_are_drawn_with_what_they_are_and_whose(made):
    section = signals.windows(made)
    assert len(section.figures) == 10
    assert list(section.figures)[:2] == ["windows-gsr-1", "windows-gsr-2"]
    labels = made.everyone.set_index("sample_id")
    name = made.samples.file("samples.csv").read_text().splitlines()[1].partition(",")[0]
    level = made.task.outputs[int(labels.loc[name, "label"])]
    assert f"{level}, {labels.loc[name, 'subject_id']}" in section.figures["windows-gsr-1"].alt


def test_the_page_shows_them_and_speaks_of_windows(made):
    html = page.render(**contents.collect(made))
    assert html.count("as recorded and as prepared") == 10
    assert "Windows: recorded and prepared" in html
    assert "88" in html
    reported = checklist.table(checklist.facts(made), rendered=True).numbers.set_index("Item")
    assert "scaled by the subject’s own mean and deviation" in reported.loc["7", "Reported"]
    assert reported.loc["7", "Section"] == "Windows"
    text = " ".join(reported["Reported"])
    assert not any(word in text for word in ("pixels", "flip", "found", "{"))


def test_of_pictures_there_is_no_such_section(material):
    assert signals.windows(material) is None
    assert checklist.table(checklist.facts(material), True).numbers.set_index("Item").loc["7", "Section"] == "Detection"


def test_the_table_says_what_was_done_by_which_rule(made):
    config = as_dict(WindowConfig(smooth_window=1, outliers=0.0))
    inputs = replace(made.inputs, record=made.inputs.record | {"config": config})
    plain, other = (signals.preparation(one).shown.set_index("Step") for one in (made.inputs, inputs))
    assert plain.loc["Outliers clipped"].tolist() == ["20", "at 3 standard deviations of the window, on both sides"]
    assert plain.loc["Smoothed"].tolist() == ["240", "Savitzky-Golay, 5 steps, order 2"]
    assert other.loc["Smoothed"].tolist() == ["0", "not at all"]
    assert other.loc["Outliers clipped", "Rule"] == "none is an outlier"
    assert signals.in_words(inputs).startswith("Gaps interpolated, scaled")
    numbers = signals.preparation(made.inputs).numbers.set_index("Step")
    assert numbers.loc["Gaps interpolated", "Share"] == 3 / 240


def test_a_line_of_many_steps_keeps_its_peaks_and_its_gaps():
    times, values = np.arange(2816) / 512, np.sin(np.arange(2816) / 300)
    values[1000], values[1001] = 50, -50
    values[2000:2100] = np.nan
    short_times, short = signals.thinned(times, values)
    assert len(short) <= 2 * signals.BINS
    assert (np.nanmax(short), np.nanmin(short)) == (50, -50)
    assert (np.diff(short_times) > 0).all()
    assert np.isnan(short[(short_times > 2020 / 512) & (short_times < 2080 / 512)]).all()
    same = signals.thinned(times[:100], values[:100])
    assert np.array_equal(same[1], values[:100])


@pytest.mark.parametrize("values", [np.full(50, np.nan), np.full(50, 3.0), np.zeros(50)])
def test_a_window_that_is_flat_or_empty_can_be_drawn(values):
    line = np.arange(50) / 10, values
    assert signals.panel("a", "b", "gsr", line, line, 1.0).png
