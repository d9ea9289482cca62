"""The report's label budget: like budgets are compared, the curve is read, and doubt is told."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from pipeline.reporting import budget, contents, effects, methods, page
from pipeline.reporting.answer import answer
from pipeline.tasks import PAIN
from tests.reporting.conftest import DRAWS, gathered, material_of

HEADLINE = PAIN.headline
BUDGETS = (10, 40, 0)


@pytest.fixture(scope="module")
def runs_of_budgets(fakes):
    return gathered(fakes, fakes.budget(seeds=2, budgets=BUDGETS))


@pytest.fixture(scope="module")
def several(runs_of_budgets):
    return methods.compare(runs_of_budgets, **DRAWS)


def changed(several, values):
    """The methods with steady headline values by (teacher, labelled), each replicate a little off."""
    noise = np.r_[0, np.random.default_rng(0).normal(0, 0.002, DRAWS["replicates"])]

    def one(method):
        value = values.get((method.teacher, method.recipe.labelled))
        if method.is_teacher or value is None:
            return method
        return dataclasses.replace(method, values={**method.values, HEADLINE: np.full((2, 1), value) + noise})

    return [one(method) for method in several]


STEADY = {
    **{("none", 10): 0.5, ("none", 40): 0.7, ("none", 0): 0.8},
    **{("swin", 10): 0.75, ("swin", 40): 0.9, ("swin", 0): 0.9},
    **{("resnet", 10): 0.4, ("resnet", 40): 0.6, ("resnet", 0): 0.8},
}


def test_a_student_is_compared_with_the_one_that_knows_the_same_labels(several):
    for method in several:
        if method.is_taught:
            untaught = methods.baseline(method, several)
            assert untaught.is_untaught
            assert untaught.recipe.labelled == method.recipe.labelled
    alone = [m for m in several if not (m.is_untaught and m.recipe.labelled == 10)]
    assert all(methods.baseline(m, alone) is None for m in alone if m.is_taught and m.recipe.labelled == 10)
    for e in effects.effects(several):
        differ = {a.recipe.labelled == b.recipe.labelled for a, b in e.pairs}
        assert differ == {e.factor != "labelled"}, e.factor


def test_more_labels_are_an_effect_against_all(several):
    found = [e for e in effects.effects(several) if e.factor == "labelled"]
    assert {(e.first, e.second, len(e.pairs)) for e in found} == {(10, 0, 2), (40, 0, 2)}
    assert all(m.is_taught for e in found for pair in e.pairs for m in pair)
    assert found[0].names == ("10 labelled", "all labelled")


def test_the_page_shows_those_that_know_most_labels(several):
    shown = methods.chosen(several)
    assert [m.recipe.labelled for m in shown if not m.is_teacher] == [0, 0, 0]
    assert methods.favourite(several).recipe.labelled == 0
    fewer = [m for m in several if m.is_teacher or m.recipe.labelled]
    assert {m.recipe.labelled for m in methods.chosen(fewer) if not m.is_teacher} == {40}
    assert methods.favourite(fewer).recipe.labelled == 40


def test_titles_tell_the_budget_and_none_is_twice(several):
    titles = [m.title for m in several]
    assert len(set(titles)) == len(titles)
    assert {"DeiT ← Swin, 10 labelled", "DeiT, no teacher, 10 labelled", "DeiT, no teacher, all labelled"} < set(titles)
    only = methods.compare([r for m in several for r in m.runs if m.recipe.labelled == 10], **DRAWS)
    assert all(m.title.endswith("10 labelled") for m in only)


def test_what_answers_are_worth_by_hand(several):
    found = {(b.taught.teacher, b.taught.recipe.labelled): b for b in budget.budgets(changed(several, STEADY))}
    assert len(found) == 6
    every = next(b.subjects for b in found.values() if not b.taught.recipe.labelled)
    worth = found["swin", 10].worth
    assert worth.value == pytest.approx(math.sqrt(40 * every), rel=1e-3)  # halfway from 0.7 to 0.8
    assert worth.low == pytest.approx(worth.value)  # the noise is common to all
    assert found["swin", 40].worth.value == math.inf
    assert found["resnet", 10].worth.value == 0
    assert found["resnet", 40].worth.value == pytest.approx(20, rel=1e-3)
    assert found["swin", 10].gain.estimate.value == pytest.approx(0.25)


def test_the_sentences(several):
    texts = budget.sentences(budget.budgets(changed(several, STEADY)))
    assert len(texts) == 4  # where all labels are known there is nothing to be worth
    swin = next(text for text in texts if "With 10 labelled subjects and the Swin" in text)
    many = next(m.labelled_subjects for m in several if m.is_untaught and not m.recipe.labelled)
    assert f"reaches 75.0% balanced accuracy, what {math.sqrt(40 * many):.0f} subjects’ labels give alone" in swin
    assert "that is +25.0 points (+25.0 to +25.0)." in swin
    assert any(f"more than all {many:.0f} subjects’ labels give alone" in text for text in texts)
    assert any("less than 10 subjects’ labels give alone" in text for text in texts)
    brief = answer(changed(several, STEADY), effects.effects(several)).sentences
    assert sum("With 10 labelled subjects and the " in text for text in brief) == 1
    assert not any("With 40 labelled subjects and the " in text for text in brief)


def test_where_the_data_cannot_tell_it_is_said(several):
    values = changed(several, STEADY)
    wide = np.r_[0, np.random.default_rng(1).normal(0, 0.5, DRAWS["replicates"])]
    place = next(i for i, m in enumerate(values) if (m.teacher, m.recipe.labelled) == ("swin", 10) and m.is_taught)
    values[place] = dataclasses.replace(values[place], values={HEADLINE: np.full((2, 1), 0.6) + wide})
    [text] = [t for t in budget.sentences(budget.budgets(values)) if "With 10 labelled subjects and the Swin" in t]
    assert "fewer than 10 to more than all" in text
    assert "so these data cannot tell" in text
    assert "which may be chance" in text


def test_of_a_curve_without_all_labels_more_is_not_all(several):
    fewer = [m for m in changed(several, STEADY) if m.is_teacher or m.recipe.labelled]
    texts = budget.sentences(budget.budgets(fewer))
    assert any("more than 40 subjects’ labels give alone" in text for text in texts)
    assert not any("all" in text.split("labels give")[0] for text in texts)


def test_without_a_curve_there_is_no_sentence(several, compared):
    assert budget.budgets(compared) == []
    assert budget.in_brief(compared) == ""
    taught = [m for m in several if not m.is_untaught]
    found = budget.budgets(taught)
    assert len(found) == 6
    assert all(b.gain is None and b.worth is None for b in found)
    assert budget.sentences(found) == []
    one = [m for m in several if m.is_teacher or m.recipe.labelled == 10]
    assert budget.sentences(budget.budgets(one)) == []


def test_of_several_recipes_the_one_with_most_budgets_and_the_best_validation_stands(several):
    def other(method, validation):
        made = dataclasses.replace(method, recipe=dataclasses.replace(method.recipe, loss="soft"))
        vars(made)["validation"] = (validation, 0.0)
        return made

    taught = [m for m in several if m.is_taught and m.teacher == "swin"]
    for validation, loss in ((1.0, "soft"), (0.0, "hard")):
        more = [*several, *(other(m, validation) for m in taught)]
        assert {b.taught.recipe.loss for b in budget.budgets(more) if b.taught.teacher == "swin"} == {loss}
    more = [*several, other(taught[0], 1.0)]  # at one budget alone
    assert {b.taught.recipe.loss for b in budget.budgets(more) if b.taught.teacher == "swin"} == {"hard"}


def test_the_section_has_a_figure_a_table_and_says_what_is_not_counted(fakes, runs_of_budgets, material):
    found = material_of(fakes, runs_of_budgets)
    section = budget.known_labels(found)
    assert list(section.figures) == ["budget-deit"]
    table = section.tables["budget"]
    assert len(table.shown) == len(table.numbers) == 9
    numbers = table.numbers.set_index("model")
    assert math.isnan(numbers.loc["DeiT, no teacher, 10 labelled", "worth"])
    assert numbers.loc["DeiT ← Swin, 10 labelled", "labelled_subjects"] == 10
    assert table.shown["Labelled subjects"].tolist()[-1].endswith(" (all)")
    text = page.render(**contents.collect(found))
    assert "Two things are not counted as labels here" in text
    assert "10, 40 and" in text
    assert budget.known_labels(material) is None


def test_one_budget_alone_has_a_table_and_no_figure(fakes, runs_of_budgets):
    found = material_of(fakes, [run for run in runs_of_budgets if run.is_teacher or run.recipe.labelled == 10])
    section = budget.known_labels(found)
    assert not section.figures
    assert len(section.tables["budget"].shown) == 3
    assert "A curve takes several numbers of labelled subjects" in page.render(**contents.collect(found))


def test_two_students_have_a_figure_each(fakes, runs_of_budgets):
    found = material_of(fakes, runs_of_budgets)
    others = [
        dataclasses.replace(m, recipe=dataclasses.replace(m.recipe, student="vit")) for m in found.methods if m.student
    ]
    both = dataclasses.replace(found, methods=[*found.methods, *others])
    assert list(budget.known_labels(both).figures) == ["budget-deit", "budget-vit"]
