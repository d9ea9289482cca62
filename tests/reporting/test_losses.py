from __future__ import annotations

import numpy as np
import pytest

from pipeline.reporting import effects, losses
from pipeline.reporting.effects import TEACHING
from pipeline.reporting.methods import teacher_of


def group(material, teacher, views):
    """Students of a teacher that differ in their loss alone."""
    return [m for m in material.methods if m.is_taught and (m.teacher, m.recipe.views) == (teacher, views)]


def test_each_table_is_a_teacher_its_student_alone_and_every_loss(leveled):
    section = losses.losses(leveled)
    names = [f"losses-deit-{teacher}-{number}" for teacher in ("resnet", "swin") for number in (1, 2)]
    assert list(section.tables) == names  # with fixed labels, and with six views
    for name, table in section.tables.items():
        teacher = {"resnet": "ResNet", "swin": "Swin"}[name.split("-")[2]]
        assert table.shown["Model"].tolist() == [
            f"{teacher} teacher", "DeiT alone", "+ hard labels", "+ KD", "+ regressor"
        ]  # fmt: skip
        assert table.shown["Loss"].tolist() == ["label", "label", "hard", "soft", "label + hint"]
        assert {"Accuracy", "Macro F1", "MAE", "RMSE", "Quadratic kappa"} <= set(table.shown)
    assert "fixed label" in section.tables[names[0]].caption
    assert "6 views" in section.tables[names[1]].caption
    assert section.words["temperature"] == "4"


def test_a_loss_is_compared_with_the_student_alone(leveled):
    table = losses.losses(leveled).tables["losses-deit-swin-2"]
    [soft] = [m for m in group(leveled, "swin", 6) if m.recipe.loss == "soft"]
    [alone] = [m for m in leveled.methods if m.is_untaught]
    expected = effects.effect(TEACHING, "swin", "none", ((soft, alone),)).estimate
    rows = table.numbers.query("loss == 'soft' and metric == 'balanced_accuracy'")
    assert rows["value_against_alone"].tolist() == [expected.value]
    assert expected.value == pytest.approx(
        soft.estimate("balanced_accuracy").value - alone.estimate("balanced_accuracy").value
    )
    shown = table.shown.set_index("Model")["Against alone"]
    assert shown["+ KD"].value.replace("−", "-") == f"{100 * expected.value:+.1f}"
    assert shown["Swin teacher"] == shown["DeiT alone"] == "—"
    teacher = table.numbers.query("model == 'Swin teacher' and metric == 'mae'").iloc[0]
    assert teacher["value"] == teacher_of(soft, leveled.methods).estimate("mae").value
    assert np.isnan(teacher["value_against_alone"])


def test_without_a_student_alone_nothing_is_compared_with_it(leveled):
    table = losses._table("t", group(leveled, "swin", 1), [m for m in leveled.methods if not m.is_untaught])
    assert table.shown["Model"].tolist()[:2] == ["Swin teacher", "+ hard labels"]
    assert set(table.shown["Against alone"]) == {"—"}


def test_one_loss_is_no_comparison(material):
    assert losses.losses(material) is None


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        ("label:0.75,soft:0.25", "KD"),
        ("label:0.75,cosine:0.25", "cosine"),
        ("label:0.75,hint:0.25", "regressor"),
        ("soft:0.7,hint:0.3", "KD + regressor"),
        ("soft@conv1d,soft@painattn", "KD"),
        ("dist", "dist"),
    ],
)
def test_losses_are_called_as_the_field_calls_them(loss, name):
    assert losses.called(loss) == name
