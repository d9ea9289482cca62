from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, recall_score, roc_auc_score

from pipeline.reporting import classify, people
from pipeline.reporting.methods import per_output
from pipeline.reporting.runs import held_out
from pipeline.reporting.sections import SECTIONS


def test_each_student_of_each_teacher_has_its_family(compared):
    other = [replace(m, recipe=replace(m.recipe, student="vit")) for m in compared if not m.is_teacher]
    families = classify.families([*compared, *other])
    assert list(families) == ["DeiT ← ResNet", "ViT ← ResNet", "DeiT ← Swin", "ViT ← Swin"]
    assert [m.title for m in families["ViT ← Swin"]] == ["Swin teacher", "ViT ← Swin", "ViT, no teacher"]
    assert list(classify.families(compared)) == ["ResNet", "Swin"]


def test_models_without_teachers_or_students_have_families_too(compared):
    assert list(classify.families(compared[:1])) == ["ResNet"]
    assert classify.families(compared[4:]) == {}


def test_two_classes_and_seven_share_their_sections_but_for_what_they_have(material, seven, sections):
    two, more = ([section.anchor for section in sections(m)] for m in (material, seven))
    assert [anchor for anchor in more if anchor not in ("classes", "sources")] == two
    # No cached labels, no missing ones, one loss, no levels, no folds, no windows, no compressed forms, no heat maps.
    assert len(more) == len(SECTIONS["classify"]) - 8


def test_every_class_has_its_row_with_scikit_learns_values(seven):
    section = classify.classes(seven)
    table, method = section.tables["per-class"], seven.favourite
    assert table.shown["Class"].tolist() == list(seven.task.outputs)
    tests = [held_out(run.predictions) for run in method.runs]
    counts = tests[0]["label"].value_counts().sort_index()
    assert table.shown["Support"].tolist() == [str(count) for count in counts]
    numbers = table.numbers[table.numbers["model"] == method.title].set_index(["metric", "class"])["value"]
    for metric, score in (("recall", recall_score), ("f1", f1_score)):
        each = np.mean([score(test["label"], test["predicted"], average=None) for test in tests], axis=0)
        assert numbers[metric].tolist() == pytest.approx(each)
    assert table.numbers["model"].nunique() == len(seven.shown)


def test_areas_of_seven_classes_are_each_against_the_rest(seven):
    method = seven.favourite
    areas = per_output(method, np.ones((1, seven.test["samples"])))["roc_auc"][:, 0]
    for run, values in zip(method.runs, areas, strict=True):
        test = held_out(run.predictions)
        expected = [
            roc_auc_score(test["label"] == c, test[f"prob_{name}"]) for c, name in enumerate(seven.task.outputs)
        ]
        assert values == pytest.approx(expected)


def test_curves_are_by_family_for_two_classes_and_by_student_for_more(material, seven):
    assert set(classify.curves(material).figures) == {
        "roc-resnet", "roc-swin", "precision-recall-resnet", "precision-recall-swin"
    }  # fmt: skip
    assert set(classify.curves(seven).figures) == {
        f"{curve}-student-deit-{teacher}" for curve in ("roc", "precision-recall") for teacher in ("resnet", "swin")
    }
    alone = replace(seven, methods=[seven.methods[0]])
    assert set(classify.curves(alone).figures) == {"roc-teacher-resnet", "precision-recall-teacher-resnet"}


def test_a_confusion_matrix_names_every_class(seven):
    figure = classify.confusion(seven).figures["confusion-teacher-swin"]
    assert all(f">{name}<" in figure.svg for name in seven.task.outputs)
    assert all(f"% of {name}" in figure.alt for name in seven.task.outputs)


def test_sources_are_measured_apart_and_one_that_nobody_saw_is_told(seven):
    table = people.sources(seven.shown, seven.weights)
    frame = held_out(seven.methods[1].runs[0].predictions)
    row = table.numbers.query("model == 'Swin teacher' and source == 'street'").iloc[0]
    inside = frame[frame["source"] == "street"]
    assert row["value"] == pytest.approx(balanced_accuracy_score(inside["label"], inside["predicted"]))
    assert row["test"] == len(inside)
    assert people.unseen(seven.everyone) == []
    untrained = seven.everyone[(seven.everyone["source"] != "street") | (seven.everyone["part"] != "train")]
    assert people.unseen(untrained) == ["street"]


def test_pictures_whose_people_nobody_names_are_told_apart():
    faces = pd.DataFrame({"sample_id": ["pain/a.png#full", "b.png#full"], "subject_id": ["pain/a.png", "b.png"]})
    assert classify.unnamed(faces)
    assert not classify.unnamed(faces.assign(subject_id=["1", "2"]))
