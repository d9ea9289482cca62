from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from pipeline.reporting import (
    contents,
    curves,
    frames,
    losses,
    multilabel,
    overlaid,
    page,
    people,
    quality,
    reproduce,
    thresholds,
)
from pipeline.reporting.families import families
from pipeline.reporting.methods import tested as in_order
from pipeline.reporting.runs import held_out
from tests.fakes.multilabel import BLOCKS, ORIGINAL, FrameFakes
from tests.reporting.conftest import gathered, material_of, visible


@pytest.fixture(scope="module")
def text(labelled):
    return visible(page.render(**contents.collect(labelled)))


def test_the_page_speaks_of_clips_and_not_of_people(text):
    assert "intervals over" in text.lower()
    assert "held-out clips" in text
    before = text[: text.index("Checklist for a")]
    assert not re.search(r"\b(subjects?|people|person|patients?|faces?|anybody)\b", before)


def test_every_table_and_figure_has_a_name_of_its_own(labelled, sections):
    made = sections(labelled)
    for kind in ("tables", "figures"):
        names = [name for section in made for name in getattr(section, kind)]
        assert len(names) == len(set(names))
    anchors = [section.anchor for section in made]
    assert len(anchors) == len(set(anchors))


def test_nothing_shown_is_not_a_number(text):
    assert "nan" not in text.lower().split()


def test_smoke_comes_first_and_its_figures_are_those_of_the_predictions(labelled):
    tables = multilabel.by_label(labelled).tables
    assert list(tables) == ["label-smoke", "label-fire"]
    numbers = tables["label-smoke"].numbers.set_index(["model", "metric"])["value"]
    frame = in_order(labelled.shown[0].runs[0])
    title = labelled.shown[0].title
    assert numbers[title, "f1"] == pytest.approx(f1_score(frame["label_smoke"], frame["predicted_smoke"]))
    assert numbers[title, "roc_auc"] == pytest.approx(roc_auc_score(frame["label_smoke"], frame["prob_smoke"]))
    last = tables["label-smoke"].shown.iloc[-1]
    always = f1_score(frame["label_smoke"], np.ones(len(frame)))
    assert (last["Model"], str(last["F1"])) == ("Called on every frame", f"{100 * always:.1f}")


def test_thresholds_change_what_is_called_and_are_those_of_each_network(labelled):
    method = labelled.favourite
    table = thresholds.table([method], labelled.weights)
    numbers = table.numbers.set_index(["thresholds", "metric", "label"])["value"]
    expected = []
    for run in method.runs:
        cut, frame = run.folds[0].thresholds["thresholds"]["fire"]["value"], in_order(run)
        expected.append(f1_score(frame["label_fire"], frame["prob_fire"] > cut))
    assert numbers["tuned", "f1", "fire"] == pytest.approx(np.mean(expected))
    assert numbers["one half", "macro_f1", ""] == pytest.approx(method.estimate("macro_f1").value)
    assert numbers["tuned", "macro_f1", ""] != pytest.approx(method.estimate("macro_f1").value)


def test_training_curves_are_means_in_bands(labelled):
    method = labelled.favourite
    histories = [one.history for run in method.runs for one in run.folds]
    values = overlaid.means(method, "val_macro_f1")
    by_hand = np.stack([history["val_macro_f1"] for history in histories])
    np.testing.assert_allclose(values["mean"], by_hand.mean(axis=0))
    np.testing.assert_allclose(values["max"], by_hand.max(axis=0))
    assert (values["count"] == len(histories)).all()


def test_trainings_that_ended_early_leave_the_mean_to_the_others(labelled):
    method = labelled.favourite
    run = method.runs[0]
    [one] = run.folds
    short = dataclasses.replace(run, folds=(dataclasses.replace(one, history=one.history.head(3)),))
    values = overlaid.means(dataclasses.replace(method, runs=(short, *method.runs[1:])), "val_loss")
    assert values["count"].tolist() == [2] * 3 + [1] * (len(one.history) - 3)


def test_curves_of_a_label_are_named_with_its_area(labelled):
    group = next(iter(families(labelled.shown).values()))
    drawn = curves.roc(group, "Smoke, ResNet", labelled.task.outputs.index("smoke"))
    frame = in_order(group[0].runs[0])
    assert f"AUC {roc_auc_score(frame['label_smoke'], frame['prob_smoke']):.3f}" in drawn.alt


def test_wrong_frames_are_missed_or_called_and_come_worst_first(labelled):
    method = labelled.favourite
    groups = frames.wrong_frames(method, 12)
    assert groups
    for heading, rows in groups:
        name = heading.split()[0].lower()
        there = 1 if " missed: " in heading else 0
        assert (rows[f"label_{name}"] == there).all()
        assert (rows[f"predicted_{name}"] != there).all()
        assert rows["truth"].tolist() == sorted(rows["truth"])
        every = method.samples.query(f"label_{name} == {there}")
        wrong = int((every[f"predicted_{name}"] != there).sum())
        assert heading.endswith(f": {wrong} of {len(every)}")
    assert [heading.split()[0] for heading, _ in groups] == sorted((h.split()[0] for h, _ in groups), reverse=True)


def test_right_frames_show_every_set_of_labels_in_both_modalities(labelled):
    _, right = frames.examples(labelled)
    assert {pair.truth for pair in right} == {"neither", "fire", "smoke", "fire and smoke"}
    assert all(pair.lines[0] == f"called {pair.truth}" for pair in right)
    assert all(list(pair.uris) == ["RGB", "infrared"] for pair in right)


def test_groups_are_compared_by_what_has_a_value_in_each(labelled):
    divided = people.divide(labelled.shown[:1], labelled.weights)
    table = people.within(labelled.shown[:1], divided)
    assert table.caption.startswith("Exact match within groups")
    assert table.numbers["value"].notna().all()
    test = held_out(labelled.shown[0].runs[0].predictions).query("segment == 'flight 1'")
    right = (test["label_fire"] == test["predicted_fire"]) & (test["label_smoke"] == test["predicted_smoke"])
    row = table.numbers.query("group == 'flight 1'").iloc[0]
    assert row["value"] == pytest.approx(right.mean())


def test_data_says_how_frames_were_grouped(tmp_path, labelled):
    data = multilabel.data(labelled)
    assert data.words["grouping"] == "The dataset says which frames are of one clip."
    table = data.tables["data"].numbers.set_index("Part")
    everyone = labelled.everyone
    assert table.loc["test", "Smoke"] == everyone.query("part == 'test'")["label_smoke"].sum()
    blocked = FrameFakes(tmp_path, clips=2, size=8, grouping=BLOCKS)
    [samples] = blocked.store.build(blocked.samples)
    words = multilabel.grouped(samples.summary["grouping"], labelled.task)
    assert "blocks of 30 consecutive frames" in words
    assert "The 10 frames between two blocks were left out" in words
    assert "Nothing was left out" in multilabel.grouped(BLOCKS | {"gap": 0}, labelled.task)


def test_agreement_counts_labels(labelled):
    method = next(m for m in labelled.methods if m.title == "CNN4 ← ResNet, all labelled")
    table = quality.transferred(labelled.methods, [method], labelled.weights)
    numbers = table.numbers.query("model == @method.title").set_index("figure")["value"]
    names = labelled.task.outputs
    same, wrong = [], []
    for run in method.runs:
        frame = in_order(run)
        label, called, taught = (
            frame[[f"{column}_{name}" for name in names]].to_numpy()
            for column in ("label", "predicted", "teacher_predicted")
        )
        same.append(called == taught)
        wrong.append(taught != label)
    assert numbers["agreement"] == pytest.approx(np.mean(same))
    assert numbers["on_errors"] == pytest.approx(np.mean(same, axis=0)[wrong[0]].mean())
    assert numbers["teacher_errors"] == wrong[0].sum()
    assert "labels that the teacher got wrong" in quality.definitions(labelled.task)["Errors repeated, %"]


def test_second_opinions_count_frames_with_all_labels_right(labelled):
    [e] = [e for e in labelled.effects if e.factor == "teacher"]
    table = quality.opinions(e)
    assert quality.second_tests(labelled.task) == ("McNemar",)
    first, second = max(e.pairs, key=lambda pair: tuple(np.add(pair[0].validation, pair[1].validation)))
    right = []
    for method in (first, second):
        frame = in_order(method.runs[0])
        right.append(
            (frame["label_fire"] == frame["predicted_fire"]) & (frame["label_smoke"] == frame["predicted_smoke"])
        )
    assert table.numbers["first_only"][0] == (right[0] & ~right[1]).sum()


def test_the_losses_that_were_compared_are_explained(frame_fakes):
    swept = material_of(frame_fakes, gathered(frame_fakes, frame_fakes.sweep(seeds=1)))
    section = losses.losses(swept)
    assert "(features)" in section.words["taken"]
    assert "(relation)" in section.words["taken"]
    assert "cosine" not in section.words["taken"]
    assert len(section.tables["losses-cnn4-resnet"].shown) == 2 + len(ORIGINAL)


def test_a_leak_is_marked_where_the_data_are(tmp_path):
    fakes = FrameFakes(tmp_path, clips=20, size=8).leaky()
    material = material_of(fakes, gathered(fakes, fakes.models(seeds=1, teachers=("resnet",)), leaky=True))
    assert material.leaks
    assert material.methods[0].tested_on == "held-out frames of clips whose other frames were learned from"
    drawn = {"task": material.task, "leaks": True, "unit": "clip", "words": multilabel.data(material).words}
    text = (
        page.environment(autoescape=True)
        .get_template("frames.html")
        .render(**drawn, tables=multilabel.data(material).tables)
    )
    assert "This split leaks" in text
    assert "the clip is the unit of splitting" not in text


def test_other_labels_are_named_in_the_command(labelled):
    task = dataclasses.replace(labelled.task, outputs=("smoke", "person"))
    assert reproduce._levels(task) == ["LABELS=smoke,person"]
    assert reproduce._levels(labelled.task) == []
