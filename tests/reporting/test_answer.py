from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from pipeline.reporting import effects, tables
from pipeline.reporting.answer import Answer, answer
from pipeline.reporting.methods import chosen
from pipeline.reporting.power import about
from pipeline.tasks import PAIN

HEADLINE = PAIN.headline


def said_of(methods) -> Answer:
    return answer(methods, effects.effects(methods))


def with_values(method, values):
    """The method with the given headline values, shape (runs, 1 + replicates)."""
    return dataclasses.replace(method, values={**method.values, HEADLINE: np.asarray(values)})


def renamed(method, **changes):
    """The method as if it had another recipe, in another colour."""
    return dataclasses.replace(method, recipe=dataclasses.replace(method.recipe, **changes))


def spread(center, width, seeds=2, replicates=200, seed=0):
    noise = np.random.default_rng(seed).normal(0, width, replicates)
    return np.full((seeds, 1 + replicates), center) + np.r_[0, noise]


def test_says_which_teacher_is_better_when_the_data_do(compared):
    resnet, swin, from_resnet, from_swin, untaught = compared
    from_resnet = with_values(from_resnet, spread(0.90, 0.001))
    from_swin = with_values(from_swin, spread(0.95, 0.001, seed=1))
    said = said_of([resnet, swin, from_resnet, from_swin, untaught])
    assert said.whole == "Swin transfers better than ResNet"
    assert "a difference of 5.0 percentage points (95% interval 4." in said.sentences[0]
    assert "(5.0, 5.0)" in said.sentences[0]


def test_says_that_the_data_cannot_tell(compared):
    resnet, swin, from_resnet, from_swin, untaught = compared
    from_resnet = with_values(from_resnet, spread(0.94, 0.02))
    from_swin = with_values(from_swin, spread(0.95, 0.02, seed=1))
    methods = [resnet, swin, from_resnet, from_swin, with_values(untaught, spread(0.93, 0.02, seed=2))]
    said = said_of(methods)
    e = effects.between(effects.effects(methods), "swin", "resnet")
    smallest, needed = f"{100 * e.smallest:.1f}", e.needed
    assert said.headline == "These data cannot tell which teacher transfers better"
    assert said.aside == (
        f"18 subjects could not have shown less than {smallest} points; about {about(needed.subjects)} with "
        f"{about(needed.seeds)} seeds would show 2"
    )
    assert said.whole == f"{said.headline}. {said.aside}."
    assert "The interval includes zero" in said.sentences[0]
    assert "−" in said.sentences[0]
    assert f"With 18 subjects and 2 seeds, a true difference of {smallest} points" in said.sentences[1]
    assert "Of the variance, 100% comes from subjects, 0% from seeds, 0% from seeds that " in said.sentences[1]


def test_what_is_settled_comes_before_what_is_not(compared):
    resnet, swin, from_resnet, from_swin, untaught = compared
    taught = [with_values(from_resnet, spread(0.94, 0.02)), with_values(from_swin, spread(0.95, 0.02, seed=1))]
    poor = with_values(untaught, spread(0.70, 0.02, seed=2))
    said = said_of([resnet, swin, *taught, poor])
    assert said.headline == "The Swin and ResNet teachers add 25.0 and 24.0 points"
    assert said.aside == "These data cannot tell which teacher transfers better"
    good = with_values(untaught, spread(0.995, 0.0005, seed=2))
    pair = [with_values(from_resnet, spread(0.90, 0.02)), with_values(from_swin, spread(0.94, 0.03, seed=1))]
    assert said_of([resnet, swin, *pair, good]).headline == "The ResNet teacher costs 9.5 points"
    alone = said_of([swin, taught[1], poor])
    assert alone.headline == "The Swin teacher adds 25.0 points"
    assert alone.aside == "No answer yet: the question needs students of two teachers"


def with_few_labels(compared, untaught_few=0.60):
    """Students of both teachers and of none that know all labels, and the same that know those of 10 subjects."""
    resnet, swin, *students = compared
    values = {"resnet": (0.94, 0.80), "swin": (0.95, 0.81), "none": (0.945, untaught_few)}
    all_labels = [with_values(m, spread(values[m.teacher][0], 0.02, seed=k)) for k, m in enumerate(students)]
    few = [
        renamed(with_values(m, spread(values[m.teacher][1], 0.02, seed=9 + k)), labelled=10.0)
        for k, m in enumerate(students)
    ]
    return [resnet, swin, *all_labels, *few]


def test_teaching_is_judged_for_each_number_of_labels(compared):
    methods = with_few_labels(compared)
    found = effects.effects(methods)
    teaching = {(e.first, e.labelled): e for e in found if e.factor == effects.TEACHING}
    assert teaching.keys() == {("resnet", 0), ("resnet", 10), ("swin", 0), ("swin", 10)}
    assert all(len(e.pairs) == 1 and e.tests == 4 for e in teaching.values())
    assert teaching["swin", 10].estimate.value == pytest.approx(0.21)
    assert teaching["swin", 0].estimate.value == pytest.approx(0.005)
    assert teaching["swin", 10].settled
    assert not teaching["swin", 0].settled
    said = answer(methods, found)
    assert said.headline == "With 10 labelled subjects, the Swin and ResNet teachers add 21.0 and 20.0 points"
    assert said.aside == "These data cannot tell which teacher transfers better"
    text = " ".join(said.sentences)
    assert "Against the DeiT student without a teacher (94.5%), the ResNet teacher cost 0.5 points (" in text
    assert (
        "With 10 labelled subjects, against the DeiT student without a teacher (60.0%), the ResNet teacher added"
        in text
    )
    table = tables.effects(found)
    assert "Swin instead of no teacher, 10 labelled" in table.shown["Choice"].tolist()
    assert set(table.numbers.query("factor == 'teaching'")["labelled"]) == {0, 10}


def test_what_labels_change_leads_where_teaching_is_not_settled(compared):
    methods = [m for m in with_few_labels(compared) if not m.is_untaught]
    said = said_of(methods)
    assert re.fullmatch(
        r"With 10 labelled instead of all labelled subjects, students lose 14\.\d points", said.headline
    )
    assert said.aside == "These data cannot tell which teacher transfers better"


def test_a_difference_that_would_have_been_seen_is_said_to_be_small(compared):
    resnet, swin, from_resnet, from_swin, untaught = compared
    near = [with_values(m, spread(0.95 + 0.0001 * k, 0.002, seed=k)) for k, m in enumerate((from_resnet, from_swin))]
    said = said_of([resnet, swin, *near, with_values(untaught, spread(0.95, 0.002, seed=2))])
    assert re.fullmatch(r"18 subjects could not have shown less than 0\.\d points", said.aside)
    assert " would need " not in said.sentences[1]


def test_one_seed_claims_nothing_of_other_seeds(compared):
    single = [
        dataclasses.replace(m, runs=m.runs[:1], values={HEADLINE: spread(v, 0.02, seeds=1, seed=k)})
        for k, (m, v) in enumerate(zip(compared, (0.9, 0.9, 0.94, 0.95, 0.945), strict=True))
    ]
    comparisons = effects.effects(single)
    said = answer(single, comparisons)
    assert re.search(r"; about [\d,]+ would show 2$", said.aside)
    assert "With 18 subjects and 1 seed, " in said.sentences[1]
    assert "(what other seeds would change is not in this)." in said.sentences[1]
    assert "nan" not in " ".join((said.whole, *said.sentences))


def test_models_that_never_differ_claim_no_power(compared):
    same = [with_values(m, np.full_like(m.values[HEADLINE], 0.9)) for m in compared]
    said = said_of(same)
    assert said.whole == "These data cannot tell which teacher transfers better"
    assert "true difference" not in " ".join(said.sentences)
    assert "nan" not in " ".join(said.sentences)


def test_seeds_that_disagree_settle_nothing(compared):
    resnet, swin, from_resnet, from_swin, untaught = compared
    from_resnet = with_values(from_resnet, spread(0.90, 0.001))
    values = spread(0.95, 0.001, seed=1)
    values[0] += 0.06
    values[1] -= 0.06
    said = said_of([resnet, swin, from_resnet, with_values(from_swin, values), untaught])
    assert said.headline == "These data cannot tell which teacher transfers better"
    assert said.aside.startswith("18 subjects could not have shown less than 16.")
    assert "The interval includes zero" in said.sentences[0]  # it knows of other seeds


def test_with_one_teacher_there_is_nothing_to_compare(compared):
    said = said_of([compared[1], compared[3]])
    assert said.headline == "No answer yet: the question needs students of two teachers"
    assert "this report has 1" in said.sentences[0]


def test_two_students_of_one_teacher_are_one_teacher(compared):
    other = renamed(compared[3], student="vit")
    said = said_of([compared[1], compared[3], other])
    assert "this report has 1." in said.sentences[0]


def test_each_student_is_compared_with_itself_untaught(compared):
    others = [renamed(method, student="vit") for method in compared[2:]]
    others[2] = with_values(others[2], np.full_like(others[2].values[HEADLINE], 0.625))
    own = np.mean([compared[3].mean(HEADLINE) - compared[4].mean(HEADLINE), others[1].mean(HEADLINE) - 0.625], axis=0)
    [found] = [e for e in effects.effects([*compared, *others]) if (e.factor, e.first) == ("teaching", "swin")]
    assert found.estimate.value == pytest.approx(own[0])
    assert "Against students without a teacher" in " ".join(said_of([*compared, *others]).sentences)
    assert "Against the DeiT student without a teacher (" in " ".join(said_of(compared).sentences)


def test_many_recipes_are_averaged_and_said_to_be(swept):
    said = said_of(swept)
    assert said.sentences[0].startswith("Over the 7 recipes that both teachers have, DeiT students of the ")
    text = " ".join(said.sentences)
    assert re.search(
        r"One fixed label for each face (cost|gained) [\d.]+ points \(.*\) against answers for 6 views\.", text
    )
    assert re.search(r"Against the labels of one teacher, cross-fitting over 5 folds (gained|cost) ", text)


def test_the_student_in_the_text_was_chosen_on_validation(swept):
    def worst_on_test(method):
        return with_values(method, np.zeros_like(method.values[HEADLINE])) if method is best else method

    best = max((m for m in chosen(swept) if m.is_taught), key=lambda m: m.validation)
    methods = [worst_on_test(method) for method in swept]
    assert best.phrase in " ".join(said_of(methods).sentences).replace("The DeiT", "the DeiT")


def test_a_correction_that_takes_the_certainty_is_named(compared):
    teachers = {"a": 0.95, "b": 0.93, "c": 0.93}
    students = [
        renamed(with_values(compared[3], spread(value, 0.0055, seed=seed)), teacher=name)
        for seed, (name, value) in enumerate(teachers.items())
    ]
    found = effects.effects(students)
    first = effects.between(found, *effects.ranked(found)[:2])
    assert first.estimate.excludes_zero
    assert not first.settled
    said = answer(students, found)
    assert said.headline == "These data cannot tell which teacher transfers best"
    assert said.aside.startswith("18 subjects could not have shown less than ")
    assert first.smallest > first.estimate.value  # the correction makes the smallest difference larger too
    assert "The interval excludes zero, but not after the correction" in said.sentences[0]
    assert said.sentences[1].startswith("Students of the a teacher stood ")


def test_the_best_of_three_is_named_over_those_it_beats(compared):
    students = [
        renamed(with_values(compared[3], spread(value, 0.001, seed=seed)), teacher=name)
        for seed, (name, value) in enumerate({"a": 0.95, "b": 0.90, "c": 0.85}.items())
    ]
    assert said_of(students).headline == "a transfers better than b and c"


def test_teachers_without_a_common_recipe_are_not_compared(swept):
    apart = [m for m in swept if (m.teacher, m.recipe.loss) in (("swin", "soft"), ("resnet", "hard"))]
    said = said_of(apart)
    assert said.headline == "No answer yet: the question needs students of two teachers that share a recipe"


def test_one_test_subject_settles_nothing(compared):
    values = [np.c_[[0.5, 0.5], np.full((2, 9), np.nan)], np.c_[[1.0, 1.0], np.full((2, 9), np.nan)]] * 2
    methods = [with_values(method, v) for method, v in zip(compared[:4], values, strict=True)]
    said = said_of(methods)
    assert said.headline == "Too few test subjects to tell which teacher transfers better"
    assert "no interval" in said.sentences[0]
    assert "nan" not in " ".join(said.sentences)


def test_teachers_alone_and_undefined_metrics_are_no_crash(compared):
    assert "this report has none" in said_of(compared[:2]).sentences[0]
    undefined = [with_values(method, np.full_like(method.values[HEADLINE], np.nan)) for method in compared]
    said = said_of(undefined)
    assert said.headline == "The test faces cannot answer the question"
    assert "needs faces of both classes" in said.sentences[0]
    assert "nan" not in " ".join(said.sentences)
