from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation.bootstrap import Estimate
from pipeline.reporting import cells, effects, tables
from pipeline.reporting.methods import chosen
from pipeline.reporting.runs import described
from pipeline.tasks import PAIN


def test_the_comparison_holds_every_metric_of_every_method(compared):
    table = tables.comparison(compared, compared)
    assert table.shown["Model"].tolist() == [method.title for method in compared]
    assert len(table.numbers) == len(compared) * len(described(PAIN))
    row = table.numbers.query("model == 'DeiT ← Swin' and metric == 'roc_auc'").iloc[0]
    assert row["value"] == compared[3].estimate("roc_auc").value
    shown = table.shown.set_index("Model")["ROC-AUC"]["DeiT ← Swin"]
    assert shown.value == f"{100 * row['value']:.1f}"
    assert str(table.shown.set_index("Model")["Agreement"]["Swin teacher"]) == "—"


def test_a_perfect_score_is_not_taken_for_certainty(compared):
    perfect = [replace(m, values={**m.values, "precision": np.ones_like(m.values["precision"])}) for m in compared]
    assert "rule of three" in tables.comparison(perfect, perfect).caption
    flawed = [replace(m, values={k: np.minimum(v, 0.99) for k, v in m.values.items()}) for m in compared]
    assert "rule of three" not in tables.comparison(flawed, flawed).caption


def test_a_network_is_named_exactly(compared):
    table = tables.networks(compared).shown.set_index("Model")
    swin = table.loc["Swin teacher"]
    assert swin["Network"] == "swin_tiny_patch4_window7_224 with embed_dim=48, depths=2-2-6-2"
    assert swin["Weights"] == "shipped: small-swin"
    assert table.loc["ResNet teacher", "Trained"] == "head\u00a0only"
    assert table.loc["DeiT student", "Runs"] == "6"  # one network, three methods


def test_a_long_list_of_failures_is_cut_on_the_page_only(runs):
    samples = replace(
        runs[0].model, record={"stage": "index", "summary": {"skipped": [{"file": "a", "reason": "b"}] * 99}}
    )
    table = tables.skipped([samples])
    assert len(table.shown) == tables.MOST_SKIPPED < len(table.numbers) == 99
    assert "of 99" in table.caption


def test_cells():
    assert str(cells.percent(Estimate(0.9123, 0.85, 0.96), 0.013)) == "91.2 [85.0–96.0] ±1.3"
    assert str(cells.percent(Estimate(np.nan, np.nan, np.nan))) == "—"
    assert str(cells.points(Estimate(-0.012, -0.03, 0.01))) == "−1.2 [−3.0 to +1.0]"
    assert str(cells.points(Estimate(-0.012, np.nan, np.nan))) == "−1.2"
    assert cells.signed(-0.0001) == "0.0"


def test_many_methods_are_in_the_file_and_some_on_the_page(swept):
    table = tables.comparison(swept, chosen(swept))
    assert len(table.shown) == 5
    assert table.numbers["model"].nunique() == 17
    assert "Of 17 models" in table.caption
    every = tables.students(swept)
    assert every.shown["Model"].tolist() == [m.title for m in swept if not m.is_teacher]
    assert every.numbers["val_balanced_accuracy"].iloc[0] == pytest.approx(swept[2].validation[0])


def test_effects_say_what_two_seeds_cannot(swept):
    table = tables.effects(effects.effects(swept))
    row = table.numbers.query("factor == 'views'").iloc[0]
    [e] = [e for e in effects.effects(swept) if e.factor == "views"]
    assert (row["value"], row["p_holm"], row["recipes"]) == (e.estimate.value, e.adjusted, 6)
    assert "6 views instead of fixed label" in table.shown["Choice"].tolist()
    assert "p over seeds" not in table.shown
    assert "with 2 its smallest possible p-value is 0.5" in table.caption
    assert tables.effects([]) is None


def test_effects_say_what_they_could_have_shown(swept):
    found = effects.effects(swept)
    table = tables.effects(found)
    for row, line, e in zip(table.numbers.itertuples(), table.shown.to_dict("records"), found, strict=True):
        assert (row.subjects, row.seeds) == (18, 2)
        assert row.smallest_difference == e.smallest == pytest.approx(e.error.smallest(e.alpha))
        assert math.hypot(row.se_subjects, row.se_seeds, row.se_both) == pytest.approx(row.se)
        assert (row.needed_subjects, row.needed_seeds) == (e.needed.subjects, e.needed.seeds)
        assert line["Smallest with 80% power"] == f"{100 * e.smallest:.1f}"
        assert line["2 points need"].endswith(" seeds")
        parts = [float(part) for part in line["Subjects / seeds / both, %"].split(" / ")]
        assert parts[1] == pytest.approx(100 * (row.se_seeds / row.se) ** 2, abs=0.5)
        assert sum(parts) == pytest.approx(100, abs=1)
    assert "so many in place of 18 subjects and 2 seeds" in table.caption
    assert "From 18 subjects both are rough." in table.caption


def test_one_seed_and_no_interval_leave_dashes(compared):
    students = [replace(m, runs=m.runs[:1], values={n: v[:1] for n, v in m.values.items()}) for m in compared[2:]]
    table = tables.effects(effects.effects(students))
    assert "Subjects / seeds / both, %" not in table.shown  # no row has it
    assert table.numbers["se_seeds"].isna().all()
    assert table.numbers["needed_seeds"].isna().all()
    assert table.shown["2 points need"].str.endswith(" subjects").all()
    assert "One seed says nothing of others" in table.caption
    alone = [
        replace(m, values={n: np.c_[v[:, :1], np.full_like(v[:, 1:], np.nan)] for n, v in m.values.items()})
        for m in students
    ]
    table = tables.effects(effects.effects(alone))
    assert set(table.shown["Smallest with 80% power"]) == set(table.shown["2 points need"]) == {"—"}
    assert table.numbers["smallest_difference"].isna().all()
    assert "power" not in table.caption


def test_six_seeds_are_enough_for_a_test_over_seeds(swept):
    found = effects.effects(swept)[:2]
    agreed = replace(found[0], per_seed={seed: 0.01 + 0.001 * seed for seed in range(6)})
    table = tables.effects([agreed, found[1]])
    assert table.shown["p over seeds"].tolist() == ["0.031", "—"]
    assert "with 2 its" in table.caption
    assert "seeds: with" not in tables.effects([agreed]).caption


def test_labels_say_how_often_the_teachers_differ_from_the_truth(fakes):
    caches = [fakes.store.build(fakes.labels("swin", views, folds))[0] for views, folds in ((1, 0), (6, 0), (1, 5))]
    table = tables.labels(caches, PAIN)
    counts = caches[2].summary["counts"]
    assert table.numbers["train_disagrees"].tolist()[2] == counts["train_disagrees"]
    share = 100 * counts["train_disagrees"] / counts["train"]
    assert table.shown["Differ, training faces"][2].endswith(f"({share:.1f}%)")
    assert table.shown["Views computed"].tolist() == ["0", "6", "0"]
    assert table.shown["Labels"].tolist() == ["Swin, fixed label", "Swin, 6 views", "Swin, fixed label, 5 folds"]
    assert tables.labels([], PAIN) is None


def test_latex_is_escaped(tmp_path):
    frame = pd.DataFrame({"Model & co": ["a_b ← c", "5%"], "Value": [cells.Cell("−1.0", "−2.0 to +0.1"), "—"]})
    cells.Table("t", "100% of it", frame, frame.astype(str)).save(tmp_path)
    tex = (tmp_path / "t.tex").read_text()
    assert r"a\_b $\leftarrow$ c & $-$1.0 [$-$2.0 to +0.1] \\" in tex
    assert r"\caption{100\% of it}" in tex
    assert r"Model \& co & Value" in tex
    assert pd.read_csv(tmp_path / "t.csv").shape == (2, 2)
