from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.metrics import METRICS
from pipeline.reporting import cells, tables
from pipeline.reporting.runs import held_out
from pipeline.statistics import Estimate


def test_the_comparison_holds_every_metric_of_every_method(compared):
    table = tables.comparison(compared)
    assert table.shown["Model"].tolist() == [method.title for method in compared]
    assert len(table.numbers) == len(compared) * len(METRICS)
    row = table.numbers.query("model == 'DeiT ← Swin' and metric == 'roc_auc'").iloc[0]
    assert row["value"] == compared[3].estimate("roc_auc").value
    shown = table.shown.set_index("Model")["ROC-AUC"]["DeiT ← Swin"]
    assert shown.value == f"{100 * row['value']:.1f}"
    assert str(table.shown.set_index("Model")["Agreement"]["Swin teacher"]) == "—"


def test_a_perfect_score_is_not_taken_for_certainty(compared):
    perfect = [replace(m, values={**m.values, "precision": np.ones_like(m.values["precision"])}) for m in compared]
    assert "rule of three" in tables.comparison(perfect).caption
    flawed = [replace(m, values={k: np.minimum(v, 0.99) for k, v in m.values.items()}) for m in compared]
    assert "rule of three" not in tables.comparison(flawed).caption


def test_a_network_is_named_exactly(compared):
    table = tables.networks(compared).shown.set_index("Model")
    swin = table.loc["Swin teacher"]
    assert swin["Network"] == "swin_tiny_patch4_window7_224 with embed_dim=48, depths=2-2-6-2"
    assert swin["Weights"] == "shipped: small-swin"
    assert table.loc["ResNet teacher", "Trained"] == "head\u00a0only"
    assert table.loc["DeiT ← Swin", "Seeds"] == "0,\u00a01"


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


def test_groups_are_measured_within(compared):
    table = tables.groups(compared, replicates=50, seed=0)
    women = held_out(compared[1].runs[0].predictions).query("gender == 'Woman'")
    recall = women.query("label == 1")["predicted"].mean()
    specificity = 1 - women.query("label == 0")["predicted"].mean()
    row = table.numbers.query("model == 'Swin teacher' and attribute == 'gender' and group == 'Woman'").iloc[0]
    assert row["value"] == pytest.approx((recall + specificity) / 2)
    assert "age" not in set(table.numbers["attribute"])  # years, not groups


def test_data_counts(compared):
    faces = compared[0].runs[0].predictions
    table = tables.data(faces, ["no_pain", "pain"]).numbers.set_index("Part")
    assert table["Faces"].sum() == len(faces) == 240
    assert table.loc["test", "Subjects"] == faces.query("part == 'test'")["subject_id"].nunique()
    assert table["Pain"].sum() == faces["label"].sum()
    columns = ["Pain", "No pain, neutral", "No pain, expressive"]
    assert (table[columns].sum(axis=1) == table["Faces"]).all()


def test_latex_is_escaped(tmp_path):
    frame = pd.DataFrame({"Model & co": ["a_b ← c", "5%"], "Value": [cells.Cell("−1.0", "−2.0 to +0.1"), "—"]})
    cells.Table("t", "100% of it", frame, frame.astype(str)).save(tmp_path)
    tex = (tmp_path / "t.tex").read_text()
    assert r"a\_b $\leftarrow$ c & $-$1.0 [$-$2.0 to +0.1] \\" in tex
    assert r"\caption{100\% of it}" in tex
    assert r"Model \& co & Value" in tex
    assert pd.read_csv(tmp_path / "t.csv").shape == (2, 2)
