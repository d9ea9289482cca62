from __future__ import annotations

import pytest

from pipeline.reporting.recipes import Recipe, level, parts, varying

PLAIN = Recipe("deit", "swin", "hard")


def test_a_recipe_is_read_from_a_config():
    config = {"student": "deit", "teacher": "swin", "loss": "soft", "views": 6, "folds": 5, "mix": "cutmix"}
    assert Recipe.of(config | {"online": True}, False) == Recipe("deit", "swin", "soft", 6, 5, "cutmix", True)
    assert Recipe.of({"teacher": "swin", "folds": 0}, True) == Recipe("", "swin")
    strong = {"views_strength": "strong"}
    assert Recipe.of(config | strong, False) == Recipe("deit", "swin", "soft", 6, 5, "cutmix", **strong)
    assert Recipe.of({"teacher": "swin"} | strong, True) == Recipe("", "swin", **strong)


def test_without_a_teacher_nothing_is_said_of_answers():
    config = {"student": "deit", "teacher": "none", "loss": "soft", "views": 3, "folds": 5, "mix": "mixup"}
    assert Recipe.of(config, False) == Recipe("deit", "none", "label", 3, mix="mixup")


def test_labels_are_known_with_a_teacher_and_without():
    for teacher, loss in (("swin", "soft"), ("none", "label")):
        config = {"student": "deit", "teacher": teacher, "loss": "soft", "labelled": 10.0}
        assert Recipe.of(config, False) == Recipe("deit", teacher, loss, labelled=10.0)


def test_missing_labels_are_told_even_of_one_budget_alone():
    few, everyone = Recipe("deit", "swin", "hard", labelled=10.0), PLAIN
    assert varying([few]) == {"labelled"}
    assert parts(few, varying([few])) == ("10 labelled",)
    assert [parts(one, varying([few, everyone])) for one in (few, everyone)] == [("10 labelled",), ("all labelled",)]
    assert varying([everyone]) == frozenset()


def test_only_what_differs_is_told():
    grid = [PLAIN, Recipe("deit", "swin", "soft:0.7,hint:0.3", 6), Recipe("deit", "none", "label")]
    fields = varying(grid)
    assert fields == {"loss", "views"}
    told = [parts(recipe, fields) for recipe in grid]
    assert told == [("hard", "fixed label"), ("0.7 soft + 0.3 hint", "6 views"), ()]
    assert varying([PLAIN, Recipe("deit", "none", "label")]) == frozenset()


def test_what_a_recipe_leaves_out_is_not_told():
    fields = ("folds", "mix", "views_strength", "online")
    assert parts(PLAIN, fields) == ()
    assert parts(Recipe("deit", "swin", "hard", 1, 5, "cutmix", True), fields) == ("5 folds", "cutmix", "online")
    assert parts(Recipe("deit", "none", "label", 3), ("views",)) == ("3 views",)


@pytest.mark.parametrize(
    ("factor", "value", "said"),
    [
        ("teacher", "none", "no teacher"),
        ("teacher", "resnet", "ResNet"),
        ("views", 1, "fixed label"),
        ("folds", 0, "one teacher"),
        ("mix", "none", "unmixed"),
        ("views_strength", "strong", "strong views"),
        ("online", False, "cached"),
        ("labelled", 0.0, "all labelled"),
        ("labelled", 10.0, "10 labelled"),
        ("labelled", 0.25, "25% labelled"),
    ],
)
def test_levels_in_words(factor, value, said):
    assert level(factor, value) == said


def test_the_order_is_teachers_students_baseline():
    recipes = [Recipe("deit", "none", "label"), PLAIN, Recipe("", "swin"), Recipe("deit", "resnet", "hard", 6)]
    found = sorted(recipes, key=lambda recipe: recipe.order)
    assert [(r.student, r.teacher) for r in found] == [
        ("", "swin"),
        ("deit", "resnet"),
        ("deit", "swin"),
        ("deit", "none"),
    ]
