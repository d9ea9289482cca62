from __future__ import annotations

from dataclasses import replace

from pipeline.reporting import contents


def test_each_student_of_each_teacher_has_its_family(compared):
    other = [replace(m, recipe=replace(m.recipe, student="vit")) for m in compared if not m.is_teacher]
    found = contents.families([*compared, *other])
    assert list(found) == ["DeiT ← ResNet", "vit ← ResNet", "DeiT ← Swin", "vit ← Swin"]
    assert [m.title for m in found["vit ← Swin"]] == ["Swin teacher", "vit ← Swin", "vit, no teacher"]
    assert list(contents.families(compared)) == ["ResNet", "Swin"]


def test_models_without_teachers_or_students_have_families_too(compared):
    assert list(contents.families(compared[:1])) == ["ResNet"]
    assert contents.families(compared[4:]) == {}
