"""Reports on numbers: what their sections say, and headlines that are no share or an error."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, mean_absolute_error, recall_score, roc_auc_score

from pipeline.artifacts import arrays
from pipeline.config import ReportConfig
from pipeline.evaluation import bootstrap, videos
from pipeline.evaluation.bootstrap import Estimate
from pipeline.evaluation.metrics import regress as kind
from pipeline.evaluation.metrics.weighted import Metric
from pipeline.evaluation.question import Question
from pipeline.reporting import (
    aggregated,
    budget,
    cells,
    contents,
    copied,
    effects,
    figures,
    folds,
    losses,
    methods,
    modelcard,
    numeric,
    overlaid,
    page,
    people,
    quality,
    regress,
    regress_figures,
    reproduce,
    tables,
)
from pipeline.reporting.answer import answer
from pipeline.reporting.families import families
from pipeline.reporting.material import Material
from pipeline.reporting.methods import tested as in_order
from pipeline.reporting.runs import gather, held_out
from pipeline.tasks import TASKS
from tests.fakes.regress import NumberFakes
from tests.reporting.conftest import DRAWS, gathered, material_of, visible

pytestmark = pytest.mark.slow

SHARE, ERROR = Metric("F1", "", ""), Metric("NME", "", "", lower_is_better=True)
PLAIN, DISTANCE = Metric("CCC", "", "", percent=False), Metric("MAE", "", "", percent=False, lower_is_better=True)


@pytest.fixture(scope="module")
def number_fakes(tmp_path_factory):
    return NumberFakes(tmp_path_factory.mktemp("numbers"), subjects=80, size=24)


@pytest.fixture(scope="module")
def numbers(number_fakes):
    """The report's material of a task that asks for a number: both teachers, three kinds of students in two seeds."""
    return material_of(number_fakes, gathered(number_fakes, number_fakes.models(seeds=2)))


@pytest.fixture(scope="module")
def text(numbers):
    return visible(page.render(**contents.collect(numbers)))


@pytest.fixture
def of_errors(monkeypatch):
    """The headline CCC taken for an error that is a share: NME."""
    described = kind.metrics
    nme = Metric("NME", "mean distance of the points", "needs a face", lower_is_better=True)
    monkeypatch.setattr(kind, "metrics", lambda question: described(question) | {"ccc": nme})


def with_values(method, centre, width=0.0002, seed=0):
    """The method with these headline values on the test samples and 200 resamples."""
    noise = np.random.default_rng(seed).normal(0, width, 200)
    return dataclasses.replace(
        method, values={**method.values, "ccc": np.full((len(method.runs), 201), centre) + np.r_[0, noise]}
    )


def of_values(material, values, width=0.0002):
    """The methods with a headline value each: teachers, students of both, the student without one."""
    return [with_values(m, v, width, k) for k, (m, v) in enumerate(zip(material.methods, values, strict=True))]


def method(material, title):
    [found] = [one for one in material.methods if one.title == title]
    return found


# ---- how values and differences are written


@pytest.mark.parametrize(
    ("metric", "value", "difference", "amount", "better"),
    [
        (SHARE, "94.6%", "−3.1", "3.1 points", 1),
        (ERROR, "94.56%", "−3.12", "3.12 points", -1),
        (PLAIN, "0.946", "−0.031", "0.031 CCC", 1),
        (DISTANCE, "0.946", "−0.031", "0.031 MAE", -1),
    ],
    ids=["a share", "an error in percent", "a correlation", "a distance"],
)
def test_values_and_differences_are_written_in_the_unit_of_the_metric(metric, value, difference, amount, better):
    assert cells.valued(metric, 0.9456) == value
    assert cells.apart(metric, -0.0312) == cells.signed(-0.0312, metric) == difference
    assert cells.amount(metric, 0.0312) == amount
    assert cells.improvement(metric) == better
    assert cells.signed(-0.00001, metric) == cells.apart(metric, -0.00001) == cells.apart(metric, 0.00001)
    assert "−" not in cells.apart(metric, -0.00001)
    assert str(cells.points(Estimate(np.nan, np.nan, np.nan), metric)) == "—"


def test_axes_end_where_a_metric_can_end():
    assert figures.room(SHARE, np.array([0.2, 0.9]), 45) == (45, 101)
    assert figures.room(ERROR, np.array([0.02, 0.2])) == pytest.approx((0, 21))
    assert figures.room(PLAIN, np.array([-0.3, 0.5])) == pytest.approx((-0.32, 1.01))


# ---- a headline that is no share


def test_the_answer_speaks_of_ccc_without_percent(numbers):
    compared = of_values(numbers, (0.8, 0.9, 0.70, 0.76, 0.65))
    said = answer(compared, effects.effects(compared))
    assert said.headline == "Swin transfers better than ResNet"
    assert "reached 0.760 CCC on held-out subjects, students of the ResNet teacher 0.700: " in said.sentences[0]
    assert "a difference of 0.060 (95% interval 0.0" in said.sentences[0]
    text = " ".join(said.sentences)
    assert "without a teacher (0.650), the ResNet teacher added 0.050 CCC (0.0" in text
    assert re.search(r"Its CCC stands 0\.\d{3} below that teacher’s \(−0\.\d{3} to −0\.\d{3}\)", text)
    assert "points" not in text


def test_unsettled_differences_of_ccc_say_what_could_have_been_seen(numbers):
    compared = of_values(numbers, (0.8, 0.9, 0.750, 0.755, 0.65), width=0.015)
    said = answer(compared, effects.effects(compared))
    assert said.headline == "The Swin and ResNet teachers add 0.105 and 0.100 CCC"
    poor = of_values(numbers, (0.8, 0.9, 0.750, 0.755, 0.75), width=0.015)
    said = answer(poor, effects.effects(poor))
    assert re.search(r"could not have shown less than 0\.\d{3} CCC; about .* would show 0\.02$", said.aside)
    assert "0.02 CCC need" in tables.effects(effects.effects(poor)).shown


# ---- a headline that is an error


def test_an_error_that_falls_is_an_improvement(numbers, of_errors):
    compared = of_values(numbers, (0.035, 0.032, 0.0383, 0.0352, 0.0400))
    found = effects.effects(compared)
    [e] = [e for e in found if e.factor == "teacher"]
    assert (e.first, e.gains, e.settled) == ("swin", True, True)
    assert e.estimate.value == pytest.approx(-0.0031)  # the natural sign
    assert e.better == pytest.approx(0.0031)
    assert effects.ranked(found) == ["swin", "resnet"]
    said = answer(compared, found)
    assert said.headline == "Swin transfers better than ResNet"
    assert (
        "of the Swin teacher reached 3.52% NME on held-out subjects, students of the ResNet teacher 3.83%: "
        in (said.sentences[0])
    )
    assert "0.31 percentage points lower NME, which is better (95% interval −0.3" in said.sentences[0]
    assert "(−0.31, −0.31)" in said.sentences[0]
    text = " ".join(said.sentences)
    assert "without a teacher (4.00%), the ResNet teacher lowered NME by 0.17 points (0.1" in text
    assert "the Swin teacher lowered NME by 0.48 points (0.4" in text
    assert re.search(r"Its NME stands 0\.\d\d points above that teacher’s", text)


def test_an_error_that_rises_costs(numbers, of_errors):
    compared = of_values(numbers, (0.035, 0.032, 0.0452, 0.0450, 0.0300), width=0.0008)
    found = effects.effects(compared)
    said = answer(compared, found)
    assert said.headline == "The ResNet and Swin teachers raise NME by 1.52 and 1.50 points"
    assert said.aside == "These data cannot tell which teacher transfers better"
    assert "the Swin teacher raised NME by 1.50 points (" in " ".join(said.sentences)
    assert not any(e.gains for e in found if e.factor == effects.TEACHING)


def test_the_table_and_figure_of_effects_say_which_way_is_better(numbers, of_errors):
    found = effects.effects(of_values(numbers, (0.035, 0.032, 0.0383, 0.0352, 0.0370)))
    table = tables.effects(found)
    by_choice = table.shown.set_index("Choice")
    assert by_choice.loc["Swin instead of ResNet", "Settled"] == "yes, better"
    assert by_choice.loc["ResNet instead of no teacher", "Settled"] == "yes, worse"
    assert str(by_choice.loc["Swin instead of no teacher", "Difference"]).startswith("−0.18 [")
    assert table.numbers["improves"].tolist() == [True, False, True]
    assert table.caption.startswith("Differences of NME in percentage points (lower is better)")
    assert "0.2 points need" in table.shown
    drawn = figures.effects(found)
    assert "Difference of NME, percentage points" in drawn.svg
    assert "(lower is better)" in drawn.svg
    assert "Swin instead of ResNet −0.31" in drawn.alt


def test_validation_prefers_the_lower_error(numbers, of_errors):
    reached = {"resnet": 0.041, "swin": 0.036}
    compared = [dataclasses.replace(m) for m in numbers.methods]
    for one in compared:
        vars(one)["validation"] = (reached.get(one.teacher, 0.05), -0.1)
    assert methods.favourite(compared).teacher == "swin"
    assert compared[0].merit == (-0.041, -0.1)
    vars(compared[3])["validation"] = (0.06, -0.1)
    assert methods.favourite(compared).teacher == "resnet"
    shown = tables.students(compared).shown.set_index("Model")
    assert shown.loc["DeiT ← ResNet", "Validation"] == "4.10"


def test_a_gap_of_errors_is_closed_from_above(numbers, of_errors):
    compared = of_values(numbers, (0.035, 0.032, 0.0383, 0.0352, 0.0400))
    table = quality.transferred(compared, compared, numbers.weights)
    values = table.numbers.query("model == 'DeiT ← Swin'").set_index("figure")["value"]
    assert values["gap"] == pytest.approx(-0.008)
    assert values["gain"] == pytest.approx(-0.0048)
    assert values["closed"] == pytest.approx(0.6)
    assert values["kept"] == pytest.approx(0.032 / 0.0352)
    assert "below zero" in quality.definitions(numbers.task)["Gap closed, %"]
    assert {"Gain, points", "Gap, points"} <= set(table.shown)


def test_the_worth_of_labels_is_read_where_an_error_has_fallen(numbers, of_errors):
    alone = [
        dataclasses.replace(
            with_values(numbers.methods[4], value, seed=9),
            recipe=dataclasses.replace(numbers.methods[4].recipe, labelled=labelled),
        )
        for labelled, value in ((10.0, 0.08), (0.0, 0.04))
    ]
    few = with_values(numbers.methods[3], 0.06, seed=9)
    few = dataclasses.replace(few, recipe=dataclasses.replace(few.recipe, labelled=10.0))
    for one, subjects in zip((*alone, few), (10, 40, 10), strict=True):
        runs = [dataclasses.replace(run) for run in one.runs]
        for run in runs:
            count = {"labelled_subjects": subjects}
            record = {**run.model.record, "summary": {**run.model.summary, "counts": count}}
            model = dataclasses.replace(run.model, record=record)
            object.__setattr__(run, "folds", (dataclasses.replace(run.folds[0], model=model),))
        object.__setattr__(one, "runs", tuple(runs))
    [found] = budget.budgets([*alone, few])
    assert found.worth.value == pytest.approx(20)  # half way from 8 to 4, over the logarithm of 10 to 40
    [sentence] = budget.sentences([found])
    assert "reaches 6.00% NME, what 20 subjects’ labels give alone" in sentence
    assert "that is 2.00 points lower, which is better (−2.0" in sentence
    drawn = budget.figures.curves([alone], alone)
    assert "NME, % (lower is better)" in drawn.svg


def test_the_best_group_is_the_one_of_the_lowest_error(numbers, monkeypatch):
    monkeypatch.setattr(kind, "GROUPED", "mae")
    one = numbers.shown[:1]
    divided = people.divide(one, numbers.weights)
    within, gaps = people.within(one, divided), people.gaps(one, divided)
    assert within.caption.startswith("MAE (lower is better) within groups of test subjects, 95% intervals")
    test = held_out(one[0].runs[0].predictions)
    errors = (test["value_pspi"] - test["label_pspi"]).abs().groupby(test["gender"]).mean()
    row = gaps.numbers.query("attribute == 'gender'").iloc[0]
    assert (row["best"], row["worst"]) == (errors.idxmin(), errors.idxmax())
    assert row["value"] == pytest.approx(errors.min() - errors.max())
    assert "a gap is negative by choice" in gaps.caption
    assert f"{errors['Man']:.3f}" in str(within.shown.set_index("Group").loc["gender: Man"].iloc[-1])


# ---- sections


def test_the_page_speaks_of_numbers_and_not_of_classes(text):
    before = text[: text.index("Checklist for a")]
    assert "Said against true" in before
    assert not re.search(r"\b(class(es)?|probabilit(y|ies)|McNemar|logits?)\b", before)
    assert "nan" not in text.lower().split()
    assert "PSPI, a number from 0 to 16" in text
    assert "predictions.csv of every evaluation: the number" in text


def test_every_table_and_figure_has_a_name_of_its_own(numbers, sections):
    made = sections(numbers)
    for form in ("tables", "figures"):
        names = [name for section in made for name in getattr(section, form)]
        assert len(names) == len(set(names))
    anchors = [section.anchor for section in made]
    assert len(anchors) == len(set(anchors))


def test_figures_of_the_headline_are_not_in_percent(numbers):
    drawn = figures.comparison(numbers.methods)
    assert "CCC on held-out subjects" in drawn.svg
    assert "%" not in drawn.svg[drawn.svg.index("<g") :].replace("100%", "")
    assert f"DeiT ← Swin {method(numbers, 'DeiT ← Swin').estimate('ccc').value:.3f}" in drawn.alt
    assert drawn.alt.startswith("CCC: ")
    for group in families(numbers.shown).values():
        assert re.search(
            r"at the end ResNet teacher 0\.\d{3}|at the end Swin teacher 0\.\d{3}",
            (overlaid.training(group, "one").alt),
        )


def test_samples_hold_the_mean_of_the_seeds_numbers(numbers):
    one = method(numbers, "DeiT ← Swin")
    expected = np.mean([in_order(run)["value_pspi"] for run in one.runs], axis=0)
    np.testing.assert_allclose(one.samples.sort_values("sample_id")["value_pspi"], expected)


def test_the_comparison_is_that_of_the_predictions(numbers):
    frame = in_order(method(numbers, "Swin teacher").runs[0])
    true, said = frame["label_pspi"], frame["value_pspi"]
    expected = 2 * np.cov(true, said, ddof=0)[0, 1] / (true.var(ddof=0) + said.var(ddof=0) + (true - said).mean() ** 2)
    table = tables.comparison(numbers.methods, numbers.shown)
    values = table.numbers.query("model == 'Swin teacher'").set_index("metric")["value"]
    assert values["ccc"] == pytest.approx(expected)
    assert values["mae"] == pytest.approx(mean_absolute_error(true, said))
    assert str(table.shown.set_index("Model").loc["Swin teacher", "CCC"]).startswith(f"{expected:.3f} [")
    assert "Lower is better: MAE and RMSE." in table.caption
    assert "percent" not in table.caption


def test_what_is_said_is_compared_with_what_is_true_bin_by_bin(numbers):
    one = method(numbers, "Swin teacher")
    section = regress.against(numbers)
    frame = in_order(one.runs[0])
    rows = section.tables["said-and-true"].numbers.query("model == 'Swin teacher'").set_index("from")
    inside = frame["label_pspi"].between(2, 4, inclusive="left")
    [line] = rows.query("`from` == 2").to_dict("records")
    assert (line["to"], line["samples"]) == (4, inside.sum())
    assert line["value"] == pytest.approx(frame.loc[inside, "value_pspi"].mean())
    assert line["true"] == pytest.approx(frame.loc[inside, "label_pspi"].mean())
    assert rows["samples"].sum() == len(frame)
    values = section.tables["agreement"].numbers.query("model == 'Swin teacher'").set_index("figure")["value"]
    assert values["slope"] == pytest.approx(np.polyfit(frame["label_pspi"], frame["value_pspi"], 1)[0])
    assert values["bias"] == pytest.approx((frame["value_pspi"] - frame["label_pspi"]).mean())
    assert values["spread"] == pytest.approx(frame["value_pspi"].std() / frame["label_pspi"].std())
    assert "against-teacher-swin" in section.figures


def test_bins_hold_every_sample_once():
    truth = np.array([0, 0.5, 2, 15.9, 16, 0])
    made = list(regress_figures.bins(truth, TASKS["intensity"]))
    assert [(low, high, inside.sum()) for low, high, inside in made] == [(0, 0, 2), (0, 2, 1), (2, 4, 1), (14, 16, 2)]


def test_every_level_has_its_error(numbers):
    table = regress.by_level(numbers).tables["number-levels"]
    frame = in_order(method(numbers, "Swin teacher").runs[0])
    for title, inside in (("0", frame["label_pspi"] == 0), ("4–8", frame["label_pspi"].between(4, 8, "left"))):
        [row] = table.numbers.query(f"model == 'Swin teacher' and level == '{title}'").to_dict("records")
        assert row["samples"] == inside.sum()
        expected = mean_absolute_error(frame.loc[inside, "label_pspi"], frame.loc[inside, "value_pspi"])
        assert row["value"] == pytest.approx(expected)
    assert table.shown.columns.tolist() == ["Model", "at 0", "0–4", "4–8", "8–12", "12–16"]
    assert table.shown.loc[0, "at 0"] == str((frame["label_pspi"] == 0).sum())


def test_cuts_make_a_yes_or_no_of_the_number(numbers):
    section = regress.cuts(numbers)
    assert list(section.tables) == ["cut-1", "cut-2", "cut-3", "cut-4"]
    frame = in_order(method(numbers, "Swin teacher").runs[0])
    true, said = frame["label_pspi"] >= 2, frame["value_pspi"] >= 2
    values = section.tables["cut-2"].numbers.query("model == 'Swin teacher'").set_index("metric")
    assert values.loc["balanced_accuracy", "value"] == pytest.approx(balanced_accuracy_score(true, said))
    assert values.loc["specificity", "value"] == pytest.approx(recall_score(~true, ~said))
    assert values.loc["roc_auc", "value"] == pytest.approx(roc_auc_score(true, frame["value_pspi"]))
    assert values["low"].notna().all()
    assert section.tables["cut-2"].caption.startswith(f"PSPI of 2 or more: {true.sum()} of {len(true)} test faces")
    runs = [dataclasses.replace(run) for run in numbers.runs]
    for run in runs:
        vars(run)["task"] = dataclasses.replace(run.task, cuts=())
    assert regress.cuts(dataclasses.replace(numbers, runs=runs)) is None


def test_videos_are_measured_as_a_whole_where_there_are_any(numbers):
    table = regress.videos(numbers).tables["videos"]
    frame = in_order(method(numbers, "Swin teacher").runs[0])
    means = frame.groupby("sequence")[["label_pspi", "value_pspi"]].mean()
    [row] = table.numbers.query("model == 'Swin teacher' and aggregation == 'mean' and metric == 'mae'").to_dict(
        "records"
    )
    assert row["videos"] == len(means)
    assert row["value"] == pytest.approx(mean_absolute_error(means["label_pspi"], means["value_pspi"]))
    assert set(table.numbers["aggregation"]) == set(videos.AGGREGATIONS)
    runs = [dataclasses.replace(run, predictions=run.predictions.drop(columns="sequence")) for run in numbers.runs]
    assert regress.videos(dataclasses.replace(numbers, runs=runs)) is None


def test_guessing_says_one_number_learned_in_training(numbers):
    table = regress.guesses(numbers).tables["guesses"]
    train = numbers.everyone.query("part == 'train'")["label_pspi"]
    test = held_out(numbers.everyone)["label_pspi"]
    values = table.numbers.set_index(["guess", "metric"])["value"][f"Always the median ({train.median():.2f})"]
    assert values["mae"] == pytest.approx((test - train.median()).abs().mean())
    assert values["ccc"] == pytest.approx(0)
    values = table.numbers.set_index(["guess", "metric"])["value"][f"Always the mean ({train.mean():.2f})"]
    assert values["rmse"] == pytest.approx(np.sqrt(((test - train.mean()) ** 2).mean()))
    assert table.shown["Guess"].iloc[-1] == numbers.favourite.title


def test_data_say_how_the_number_is_distributed(numbers):
    section = regress.data(numbers)
    table = section.tables["data"].numbers.set_index("Part")
    train = numbers.everyone.query("part == 'train'")["label_pspi"]
    assert table.loc["train", "Mean"] == f"{train.mean():.2f}"
    assert table.loc["train", "SD"] == f"{train.std():.2f}"
    assert table.loc["train", "At 0"] == (train == 0).sum()
    assert table.loc["train", "12–16"] == (train >= 12).sum()
    assert f"training {len(train)}, mean {train.mean():.2f}" in section.figures["distribution-pspi"].alt


def test_extremes_are_worst_in_both_directions_and_best_on_every_level(numbers):
    too_high, too_low, nearest = regress.extremes(numbers.favourite, 8)
    samples = numbers.favourite.samples
    error = samples["value_pspi"] - samples["label_pspi"]
    assert too_high["error"].tolist() == sorted(error[error > 0], reverse=True)[:4]
    assert too_low["error"].tolist() == sorted(error[error < 0])[:4]
    levels = kind.level_of(nearest["label_pspi"].to_numpy(), Question.of(numbers.task))
    assert set(levels) == set(kind.level_of(samples["label_pspi"].to_numpy(), Question.of(numbers.task)))
    for level, size in zip(levels, nearest["size"], strict=True):
        every = error.abs()[kind.level_of(samples["label_pspi"].to_numpy(), Question.of(numbers.task)) == level]
        assert size <= every.nsmallest(2).max()
    [first, *_] = regress.shown(numbers, too_high)
    row = too_high.iloc[0]
    assert (first.truth, first.lines[0]) == (f"PSPI {row['label_pspi']:g}", f"said {row['value_pspi']:.2f}")
    assert all(one.empty for one in regress.extremes(numbers.favourite, 0))


def test_students_are_like_their_teachers_in_numbers_and_in_errors(numbers):
    one = method(numbers, "DeiT ← Swin")
    table = quality.transferred(numbers.methods, [one], numbers.weights)
    values = table.numbers.query("model == 'DeiT ← Swin'").set_index("figure")["value"]
    shared = []
    for run in one.runs:
        frame = in_order(run)
        said, taught = (frame[name] - frame["label_pspi"] for name in ("value_pspi", "teacher_value_pspi"))
        shared.append(stats.pearsonr(said, taught).statistic)
    assert values["shared_errors"] == pytest.approx(np.mean(shared))
    assert {"Gain", "Gap", "Errors shared, r", "Seeds agree, ICC"} <= set(table.shown)
    ratings = np.stack([in_order(run)["value_pspi"] for run in one.runs], axis=1)
    assert values["seeds_icc"] == pytest.approx(bootstrap.intraclass(ratings).agreement.value)
    assert set(quality.definitions(numbers.task)) == set(table.shown) - {"Model"}
    alone = copied.COPIED["regress"].measure(one, None, numbers.weights)
    assert np.isnan(alone["untaught_shared_errors"].value)


def test_second_opinions_rank_the_subjects_errors(numbers):
    [e] = [e for e in numbers.effects if e.factor == "teacher"]
    assert quality.second_tests(numbers.task) == ("Wilcoxon",)
    table = quality.opinions(e)
    first, second = e.pairs[0]
    means = []
    for one in (first, second):
        frame = in_order(one.runs[0])
        means.append((frame["value_pspi"] - frame["label_pspi"]).abs().groupby(frame["subject_id"]).mean())
    row = table.numbers.iloc[0]
    assert row["p_wilcoxon_subjects"] == pytest.approx(stats.wilcoxon(means[0] - means[1]).pvalue)
    assert row["first_error"] == pytest.approx(means[0].mean())
    assert "each subject once" in table.caption


def test_labels_say_how_far_the_teachers_are_from_the_truth(number_fakes, numbers):
    caches = [number_fakes.store.build(number_fakes.labels("swin", 1, folds))[0] for folds in (0, 5)]
    table = tables.labels(caches, numbers.task)
    assert table.shown["MAE, training faces"].tolist() == ["0.310", "0.700"]
    assert table.numbers["test_error"].tolist() == [0.87, 0.87]
    assert "hard label" not in table.caption


def test_losses_are_compared_without_a_temperature(number_fakes):
    swept = material_of(number_fakes, gathered(number_fakes, number_fakes.sweep(seeds=1)))
    section = losses.losses(swept)
    assert section.words["temperature"] == ""
    assert "the number that it gives (KD)" in section.words["taken"]
    table = section.tables["losses-deit-swin-1"]
    assert "in percentage points" not in table.caption
    assert {"CCC", "MAE", "RMSE"} <= set(table.shown)
    assert re.fullmatch(r"[+−]0\.\d{3} \[.*\]", str(table.shown["Against alone"].iloc[-1]))


def test_all_values_are_in_the_aggregated_file(numbers):
    entry = aggregated.entry(method(numbers, "DeiT ← Swin"))
    assert entry["metrics"]["ccc"]["values"] == pytest.approx(entry["metrics"]["ccc_pspi"]["values"])
    assert entry["metrics"]["mae"]["mean"] == pytest.approx(method(numbers, "DeiT ← Swin").estimate("mae").value)


def test_the_model_card_is_about_a_number(number_fakes, numbers):
    [run] = [run for run in numbers.runs if run.recipe.teacher == "swin" and run.recipe.student and run.seed == 0]
    split = arrays.read_table(number_fakes.store.build(number_fakes.split)[0].file("split.csv"))
    facts = modelcard.facts(run.model.config, run.model.fingerprint, "unbc", split, run.folds[0].best)
    metrics = {"metrics": {"ccc": {"value": 0.5, "low": 0.4, "high": 0.6}}}
    scores = {"test": {"samples": 9, "subjects": 3, "confidence": 0.95} | metrics}
    scores["groups"] = [{"attribute": "gender", "group": "Man", "subjects": 3, "value": 0.5, "low": 0.4, "high": 0.6}]
    text = modelcard.render(run.card, facts, scores)
    assert "- Output: pspi, a number from 0 to 16;" in text
    assert f"CCC {run.reached:.3f}\n" in text
    assert "temperature" not in text
    assert "| CCC | 0.500 | 0.400 to 0.600 |" in text
    assert "| gender: Man | 3 | 0.500 | 0.400 to 0.600 |" in text


def test_another_number_is_named_in_the_command(numbers):
    task = TASKS["intensity"]
    assert reproduce.OUTPUTS["regress"](task) == []
    assert reproduce.OUTPUTS["regress"](task.about(None, "0,10")) == ["RANGE=0,10"]
    assert reproduce.OUTPUTS["regress"](task.about("phq_score", "0,27")) == ["TARGET=phq_score", "RANGE=0,27"]
    assert reproduce.OUTPUTS["points"](TASKS["landmarks"].pointed(98)) == ["POINTS=98"]
    assert numeric.asked("phq_score") == "PHQ score"


def test_folds_of_numbers_are_told_one_by_one(number_fakes):
    every, splits, models = {}, [], []
    for one in number_fakes.of_folds(3):
        splits += one.store.build(one.split)
        nodes = {n: node for n, node in one.reported(one.models(seeds=1)).items() if "labels" not in n}
        every |= dict(zip(nodes, one.store.build(*nodes.values()), strict=True))
    runs = gather(every, splits)
    samples, inputs = number_fakes.store.build(number_fakes.samples, number_fakes.inputs)
    material = Material(
        ReportConfig(**DRAWS), methods.compare(runs, **DRAWS), runs, samples, inputs, splits, models, []
    )
    table = folds.data(material).numbers
    tested = held_out(material.everyone).groupby("fold")["label_pspi"]
    assert table["Mean"].tolist() == [f"{mean:.2f}" for mean in tested.mean()]
    assert ", values of its test part;" in folds.data(material).caption
    assert "percent" not in folds.table(material, folds.scores(material)).caption
    guesses = regress.guesses(material).tables["guesses"].numbers
    constant = [material.everyone.query("fold != @fold")["label_pspi"].mean() for fold in range(3)]
    expected = np.mean(
        np.abs(material.everyone["label_pspi"] - material.everyone["fold"].map(dict(enumerate(constant))))
    )
    assert guesses[guesses["guess"].str.startswith("Always the mean") & (guesses["metric"] == "mae")][
        "value"
    ].item() == (pytest.approx(expected))
