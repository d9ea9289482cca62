"""The section on heat maps: shares on muscles, agreement with teachers, and faces with the maps over them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.artifacts.columns import Columns
from pipeline.evaluation.muscles import SIDE
from pipeline.reporting import explained, overlays, page
from tests.fakes.explained import MOVED, explanation
from tests.fakes.regress import NumberFakes
from tests.reporting.conftest import gathered, material_of, visible


def with_maps(fakes, material, models, **options):
    """The material with heat maps of some models."""
    return replace(material, explanations=fakes.store.build(*(explanation(fakes, m, **options) for m in models)))


@pytest.fixture(scope="module")
def mapped(fakes, material):
    return with_maps(fakes, material, fakes.models(seeds=2))


@pytest.fixture(scope="module")
def section(mapped):
    return explained.heat_maps(mapped)


def shown(section, material):
    """The words of the section alone: a page takes long to make."""
    template = page.environment(autoescape=True).get_template(f"{section.anchor}.html")
    parts = {"tables": section.tables, "figures": section.figures, "words": section.words, "task": material.task}
    return visible(template.render(**parts))


def estimates(table, title):
    """What a table's numbers say of a model, by measure."""
    return table.numbers[table.numbers["model"] == title].set_index("measure")["value"]


def test_without_explanations_there_is_no_section(material):
    assert explained.heat_maps(material) is None


def test_shares_stand_beside_the_area_and_what_lies_there_without_looking(section, mapped):
    table = section.tables["on-muscles"]
    assert table.shown["Model"].tolist() == [method.title for method in mapped.shown]
    shares = {method.title: estimates(table, method.title) for method in mapped.shown}
    for method in mapped.shown:
        values = shares[method.title]
        assert values["area"] == pytest.approx(0.25)
        assert values["more"] == pytest.approx(values["share"] - values["elsewhere"])
        if method.is_taught:
            teacher = next(m for m in mapped.shown if m.is_teacher and m.teacher == method.teacher)
            assert values["than_teacher"] == pytest.approx(values["share"] - shares[teacher.title]["share"])
        else:
            assert "than_teacher" not in values


def test_a_share_is_that_of_the_maps_on_the_faces(section, fakes):
    (artifact,) = fakes.store.build(explanation(fakes, fakes.model("swin")))
    stored = Columns(artifact.file("maps.h5"), "maps", artifact.fingerprint)
    true = explained.read_table(artifact.file("faces.csv"))["true"].to_numpy()
    maps = stored["maps"][:].astype(float)[true]
    expected = (maps[:, MOVED, MOVED].sum((1, 2)) / maps.sum((1, 2))).mean()
    assert estimates(section.tables["on-muscles"], "Swin teacher")["share"] == pytest.approx(expected, abs=1e-4)


def test_shares_are_of_faces_that_show_what_is_explained(section, fakes):
    pain = fakes.table.loc[fakes.table["pain"] == "pain", "sample_id"]
    explained_faces = explanation(fakes, fakes.model("swin"))
    faces = explained.read_table(fakes.store.build(explained_faces)[0].file("faces.csv"))["sample_id"]
    assert set(section.tables["on-muscles"].numbers["faces"]) == {int(faces.isin(pain).sum())}


def test_students_of_a_teacher_agree_with_its_maps_more_than_others(section, mapped):
    table = section.tables["map-agreement"]
    students = [method for method in mapped.shown if method.is_taught]
    assert table.shown["Student"].tolist() == [method.title for method in students]
    for method in students:
        values = estimates(table, method.title)
        assert values["same"] > 0.95
        assert values["elsewhere"] < 0.5
        assert values["untaught"] < 0.5
        assert values["more_than_untaught"] == pytest.approx(values["same"] - values["untaught"])


def test_faces_are_those_of_the_largest_and_the_least_error(section, mapped):
    rows, method = section.words, mapped.favourite
    assert len(rows["wrong"]) == len(rows["right"]) == overlays.MOST
    titles = [title for title, _, _ in rows["wrong"][0].maps]
    assert titles[1] == method.title
    assert len(titles) == 3  # its teacher, itself, and the student without one
    worst, best = (float(rows[which][0].maps[1][2].rpartition(" ")[2]) for which in ("wrong", "right"))
    truth = {"pain": 1.0, "no pain": 0.0, "no pain, expressive": 0.0}
    errors = [abs(truth[row.truth] - p) for row, p in ((rows["wrong"][0], worst), (rows["right"][0], best))]
    assert errors[0] > errors[1]


def test_it_says_what_maps_do_not_show(section, mapped):
    text = shown(section, mapped)
    assert "Heat maps of 12 test faces" in text
    assert "speak for pain (by attention-gradient, grad-cam)" in text
    assert "right for the right reason" in text
    assert "Of 2 taught students, 2 agree more with the teacher’s maps" in text
    muscles = section.tables["on-muscles"].numbers.query("measure == 'more'")
    assert f"With {(muscles['low'] > 0).sum()} of 5 models, more of a map" in text


def test_without_muscles_there_is_no_table_of_them(fakes, material):
    plain = with_maps(fakes, material, fakes.models(seeds=2), explained=10, muscles=False)
    section = explained.heat_maps(plain)
    assert list(section.tables) == ["map-agreement"]
    assert "the first table" not in shown(section, plain)


def test_of_seven_classes_the_true_one_is_explained(seven_fakes, seven):
    material = with_maps(seven_fakes, seven, seven_fakes.models(seeds=2))
    section = explained.heat_maps(material)
    row = section.words["wrong"][0]
    assert row.maps[0][2].startswith(f"p({row.truth}) ")
    assert "its true class" in shown(section, material)


def test_an_overlay_is_strongest_where_the_map_is_hottest():
    image, heat = np.full((64, 64, 3), 100, np.uint8), np.zeros((SIDE, SIDE))
    heat[:4, :4] = 2.0
    over = overlays.overlay(image, heat)
    assert np.array_equal(over[40:], image[40:])
    assert np.abs(over[:6, :6].astype(int) - (0.4 * 100 + 0.6 * np.array([253, 231, 37]))).max() <= 1
    assert np.array_equal(overlays.overlay(image, np.ones((SIDE, SIDE))), image)


def test_of_numbers_it_is_what_makes_them_larger(tmp_path):
    fakes = NumberFakes(tmp_path, subjects=60, size=24)
    models = fakes.models(seeds=1)
    material = with_maps(fakes, material_of(fakes, gathered(fakes, models)), models)
    section = explained.heat_maps(material)
    assert "speak for a larger pspi" in shown(section, material)
    answers = {which: section.words[which] for which in ("wrong", "right")}
    errors = {
        which: [abs(float(row.truth.split()[-1]) - float(row.maps[1][2])) for row in rows]
        for which, rows in answers.items()
    }
    assert min(errors["wrong"]) > max(errors["right"])


def test_a_method_that_is_not_wholly_explained_is_left_out(fakes, mapped):
    fewer = replace(mapped, explanations=mapped.explanations[1:])  # without the first teacher
    table = explained.heat_maps(fewer).tables["on-muscles"]
    assert set(table.shown["Model"]) == {method.title for method in mapped.shown} - {"ResNet teacher"}
