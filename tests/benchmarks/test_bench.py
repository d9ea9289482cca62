"""The benchmarks' ways of timing, and the form of the table that the README shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import loops, measure, pictures, table
from tests.benchmarks.measure import Figure, alone, figure, interleaved
from tests.helpers.presets import NETWORKS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIGURES = [
    Figure("align", "one process a core", 61.25, "faces/s", 6.1, "plain loop", 10.04, "≥ 8×", True),
    Figure("gather", "one process", 48_200.0, "images/s", wanted="≥ 50000", reached=False),
    Figure("distill", "batch 32", 104.4, "images/s", 80.3, "float32", 1.3),
]


def test_ways_take_turns_and_the_first_turn_does_not_count():
    calls = []

    def way(name: str, count: int, seconds: float):
        return lambda: (calls.append(name), (count, seconds))[1]

    rates = interleaved({"a": way("a", 10, 2.0), "b": way("b", 10, 5.0)}, rounds=2)
    assert calls == ["a", "b"] * 3
    assert rates == {"a": [5.0, 5.0], "b": [2.0, 2.0]}


def test_the_ratio_is_the_median_over_the_rounds():
    found = figure("s", "w", {"ours": [10.0, 20.0, 30.0], "theirs": [10.0, 5.0, 15.0]}, "theirs", "x/s", least=2.5)
    assert (found.ours, found.other, found.ratio) == (20, 10, 2)  # of the ratios 1, 4 and 2
    assert (found.wanted, found.reached) == ("≥ 2.5×", False)


@pytest.mark.parametrize(("bound", "reached"), [({"most": 3}, True), ({"most": 1}, False), ({"least": 2}, True)])
def test_a_figure_alone_keeps_its_bound_or_not(bound, reached):
    assert alone("s", "w", 2.0, "s", **bound).reached is reached


def test_the_table_says_what_was_measured_and_whether_it_is_enough():
    rows = table.markdown({"processor": "a chip", "cores": "2"}, FIGURES).splitlines()
    assert rows[0] == "| stage | what | here | beside it | ratio | wanted |"
    assert rows[2] == "| align | one process a core | 61.2 faces/s | 6.1, plain loop | 10.04× | ≥ 8× ✓ |"
    assert rows[3] == "| gather | one process | 48,200 images/s | – | – | ≥ 50000 ✗ |"
    assert rows[4] == "| distill | batch 32 | 104 images/s | 80.3, float32 | 1.30× | – |"
    assert rows[-1] == "Measured on: processor a chip, cores 2."


def test_what_is_written_is_read(tmp_path):
    table.write(tmp_path / "bench.json", {"cores": "2"}, FIGURES)
    assert table.read(tmp_path / "bench.json") == ({"cores": "2"}, FIGURES)
    assert (tmp_path / "bench.md").read_text(encoding="utf-8") == table.markdown({"cores": "2"}, FIGURES)
    assert json.loads((tmp_path / "bench.json").read_text())["figures"][0]["ratio"] == 10.04


def test_the_table_replaces_the_one_before_it():
    readme = f"above\n{table.START}\nold\n{table.END}\nbelow\n"
    once = table.insert(readme, "new\n")
    assert once == f"above\n{table.START}\nnew\n{table.END}\nbelow\n"
    assert table.insert(once, "new\n") == once
    with pytest.raises(ValueError, match="lacks the marks"):
        table.insert("no marks", "new\n")


@pytest.mark.skipif(table.START not in README, reason="the README shows no figures yet")
def test_the_readme_has_the_tables_form():
    lines = README.partition(table.START)[2].partition(table.END)[0].strip().splitlines()
    assert lines[0] == f"| {' | '.join(table.HEADER)} |"
    rows = [line for line in lines if line.startswith("|")]
    assert {line.count(" | ") for line in rows} == {len(table.HEADER) - 1}
    assert len(rows) > 10
    assert lines[-1].startswith("Measured on: processor ")


def test_the_machine_is_described():
    machine = measure.machine()
    assert int(machine["cores"]) == len(os.sched_getaffinity(0))
    assert machine["bfloat16"] in ("in hardware", "emulated")
    assert all(machine.values())
    assert measure.memory_mb()["pss"] >= measure.memory_mb()["anonymous"] * 0.9 > 10


def test_copies_of_pictures_are_other_files_of_other_people(tmp_path, synpain):
    source = synpain(tmp_path / "few", 2)
    made = sorted(pictures.multiplied(source, tmp_path / "many", 5).iterdir())
    assert len({file.read_bytes() for file in made}) == len(made) == 5
    assert len({pictures.parse(file.name).subject_id for file in made}) == 5


def test_every_way_does_all_of_its_work(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "SCRATCH", tmp_path)
    with loops.noise(32) as samples:
        teacher = loops.ensemble(NETWORKS["swin"], "cpu", "auto")
        labelling = loops.Labelling(teacher, samples, 16, views=2)
        ways = (labelling.samples, labelling.views, labelling.bare, labelling.bare_with_view)
        assert [way() for way in ways] == [32, 64, 32, 32]
        with loops.cached(teacher, samples, 16) as cached:
            for teachers in (None, cached, loops.online(teacher)):
                training = loops.Training(NETWORKS["deit"], samples, 16, teachers=teachers)
                count, seconds = training.ours()
                assert count == training.resident(True)() == training.resident(False)() == 32
                assert seconds > 0


@pytest.mark.slow
def test_without_a_gpu_its_benchmark_says_so():
    code = "import torch; torch.cuda.is_available = lambda: False; from tests.benchmarks.gpu import main; main()"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "skipped" in shown.stdout
