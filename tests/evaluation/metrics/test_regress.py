from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as reference
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from pipeline.evaluation import bootstrap
from pipeline.evaluation.metrics import regress
from pipeline.evaluation.metrics.weighted import among
from pipeline.evaluation.question import Question
from pipeline.tasks import TASKS, Task

QUESTION = Question("regress", ("pspi", "phq"), headline="ccc")
INTENSITY = TASKS["intensity"]
PSPI = Question.of(INTENSITY)
# Shrout & Fleiss 1979, table 2: six targets rated by four judges.
RATINGS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)


def outcome(n: int = 70, seed: int = 0) -> regress.Outcome:
    rng = np.random.default_rng(seed)
    label = rng.normal((4, 100), (2, 15), (n, 2))
    return regress.Outcome(QUESTION, label, 0.7 * label + rng.normal(1, 2, (n, 2)))


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_learn_scipy_and_lin_s_formula_under_any_weights(seed):
    o = outcome(seed=seed)
    weights = np.random.default_rng(seed).integers(0, 4, (4, len(o.label)))
    ours = regress.per_output(o, weights)
    assert set(ours) == set(regress.per_output_metrics(QUESTION))
    for row, w in enumerate(weights):
        for c in range(2):
            true, answer = (np.repeat(values[:, c], w) for values in (o.label, o.value))  # a weight is a count
            shift = (true.mean() - answer.mean()) ** 2
            lin = 2 * np.cov(true, answer, bias=True)[0, 1] / (true.var() + answer.var() + shift)
            errors = {"mae": reference.mean_absolute_error, "rmse": reference.root_mean_squared_error}
            expected = {name: e(o.label[:, c], o.value[:, c], sample_weight=w) for name, e in errors.items()}
            expected |= {"pearson": stats.pearsonr(true, answer).statistic, "ccc": lin}
            expected["icc"] = bootstrap.intraclass(np.stack([true, answer], axis=1)).consistency.value
            for name, value in expected.items():
                assert ours[name][row, c] == pytest.approx(value, rel=1e-10), name
    together = regress.compute(o, weights)
    np.testing.assert_allclose(together["ccc"], ours["ccc"].mean(axis=1))


def test_intraclass_of_the_published_table_and_of_two_of_its_judges():
    """Shrout & Fleiss 1979, table 4: ICC(3,1) is 0.71; of two judges their mean squares give it by hand."""
    assert round(bootstrap.intraclass(RATINGS).consistency.value, 2) == 0.71
    first, second = RATINGS[:, 0], RATINGS[:, 3]
    between, error = (first + second).var(ddof=1) / 2, (first - second).var(ddof=1) / 2
    one = Question("regress", ("rating",), headline="ccc")
    ours = regress.compute(regress.Outcome(one, first[:, None], second[:, None]), np.ones((1, 6)))
    assert ours["icc"][0] == pytest.approx((between - error) / (between + error))


def test_intraclass_from_the_mean_squares_of_an_analysis_of_variance():
    """ICC(3,1) is (between - error) / (between + error) of two raters; statsmodels fits targets and raters."""
    o = outcome(40)
    ratings = np.stack([o.label[:, 0], o.value[:, 0]], axis=1)
    target, rater = np.indices(ratings.shape)
    frame = pd.DataFrame({"rating": ratings.ravel(), "target": target.ravel(), "rater": rater.ravel()})
    table = anova_lm(ols("rating ~ C(target) + C(rater)", frame).fit())
    between, error = table.loc["C(target)", "mean_sq"], table.loc["Residual", "mean_sq"]
    assert regress.per_output(o, np.ones((1, 40)))["icc"][0, 0] == pytest.approx((between - error) / (between + error))


def test_concordance_by_hand():
    """Answers that are all one too high: correlation 1, ICC(3,1) 1, CCC 2·(2/3) / (2/3 + 2/3 + 1)."""
    label = np.array([[1.0], [2.0], [3.0]])
    one = Question("regress", ("level",), headline="ccc")
    values = {k: v[0] for k, v in regress.compute(regress.Outcome(one, label, label + 1), np.ones((1, 3))).items()}
    assert values == pytest.approx({"ccc": 4 / 7, "icc": 1, "pearson": 1, "mae": 1, "rmse": 1})


def test_undefined_is_nan():
    o = outcome()
    constant = regress.Outcome(QUESTION, o.label, np.full_like(o.label, 3.1))
    values = regress.compute(constant, np.ones((1, 70)))
    assert np.isnan(values["pearson"][0])
    assert values["ccc"][0] == pytest.approx(0, abs=1e-12)
    alike = regress.Outcome(QUESTION, np.full((5, 2), 0.1), np.full((5, 2), 0.3))
    undefined = {name for name, v in regress.compute(alike, np.ones((1, 5))).items() if np.isnan(v[0])}
    assert undefined == {"ccc", "icc", "pearson"}
    nothing = regress.compute(among(o, np.zeros(70, bool)), np.ones((2, 0)))
    assert all(np.isnan(v).all() for v in nothing.values())
    assert regress.metrics(QUESTION)["ccc"].undefined == "needs samples of different values"


def test_columns_are_read_as_they_were_written():
    task = Task("intensity", "regress", "pspi", ("intensity",))
    labels = regress.label_columns(pd.DataFrame({"pspi": ["3", "", "x", "0.5"]}), task)
    np.testing.assert_array_equal(labels["label_intensity"], [3, np.nan, np.nan, 0.5])
    one = Question.of(task)
    values = np.array([[2.5], [0.5]], np.float32)
    o = regress.outcome(regress.prediction_columns(labels.dropna(), values, one, values + 1), one)
    assert o.value.tolist() == [[2.5], [0.5]]
    assert (o.teacher_value - o.value == 1).all()
    assert regress.compute(o, np.ones((1, 2)))["mae"][0] == pytest.approx(0.25)


def intensities(n: int = 300, seed: int = 0) -> regress.Outcome:
    """Mostly no pain, as in life, and answers that are somewhat right."""
    rng = np.random.default_rng(seed)
    label = np.where(rng.random((n, 1)) < 0.6, 0, rng.integers(0, 17, (n, 1))).astype(float)
    return regress.Outcome(PSPI, label, np.clip(label + rng.normal(0.5, 2, (n, 1)), 0, 16))


def test_shares_become_units_within_the_bounds():
    phq = Question.of(INTENSITY.about("phq_score", "-3,27"))
    raw = np.array([[0], [0.5], [1], [-0.2], [1.3], [np.nan]], np.float32)
    table = pd.DataFrame({"label_phq_score": np.zeros(6)})
    frame = regress.prediction_columns(table, raw, phq, 1 - raw)
    np.testing.assert_allclose(frame["value_phq_score"], [-3, 12, 27, -3, 27, np.nan])
    np.testing.assert_allclose(frame["teacher_value_phq_score"], [27, 12, -3, 27, -3, np.nan])
    assert frame["value_phq_score"].dtype == np.float32
    assert "points of the scale from -3 to 27" in regress.metrics(phq)["mae"].meaning


def test_a_number_outside_the_bounds_is_no_answer():
    labels = regress.label_columns(pd.DataFrame({"pspi": [0, 16, 16.5, -1, np.nan]}), INTENSITY)
    np.testing.assert_array_equal(labels["label_pspi"], [0, 16, np.nan, np.nan, np.nan])


def test_levels_by_hand():
    assert regress.levels(PSPI) == ("0", "0–4", "4–8", "8–12", "12–16")
    values = np.array([0, 0.01, 3.99, 4, 7.9, 8, 12, 15.9, 16])
    assert regress.level_of(values, PSPI).tolist() == [0, 1, 1, 2, 2, 3, 4, 4, 4]
    assert regress.levels(Question.of(INTENSITY.about("x", "1,7"))) == ("1", "1–2.5", "2.5–4", "4–5.5", "5.5–7")
    assert regress.levels(QUESTION) == ()
    label, value = np.array([[0.0], [0], [2], [6]]), np.array([[1.0], [2], [2.5], [2]])
    weights = np.array([[1, 1, 1, 1], [3, 1, 0, 2]])
    maes = regress.mae_by_level(regress.Outcome(PSPI, label, value), weights)
    assert list(maes) == list(regress.levels(PSPI))
    np.testing.assert_allclose(maes["0"], [1.5, 1.25])
    np.testing.assert_allclose(maes["0–4"], [0.5, np.nan])
    np.testing.assert_allclose(maes["4–8"], [4, 4])
    assert np.isnan(maes["12–16"]).all()


def test_levels_add_up_to_the_error_of_all():
    o = intensities()
    weights = bootstrap.resamples(np.arange(300) // 3, 10, seed=0)
    level = regress.level_of(o.label, PSPI)[:, 0]
    shares = weights @ np.eye(5)[level] / weights.sum(axis=1, keepdims=True)
    by_level = np.stack(list(regress.mae_by_level(o, weights).values()), axis=1)
    np.testing.assert_allclose((shares * by_level).sum(axis=1), regress.compute(o, weights, ("mae",))["mae"])


@pytest.mark.parametrize("cut", [*INTENSITY.cuts, 4.5])
def test_a_cut_agrees_with_scikit_learn_under_any_weights(cut):
    o = intensities()
    weights = np.random.default_rng(1).integers(0, 4, (3, 300))
    ours = regress.at_cut(o, cut, weights)
    assert list(ours) == list(regress.cut_metrics(PSPI, cut))
    positive, value = o.label[:, 0] >= cut, o.value[:, 0]
    called = value >= cut
    for row, w in enumerate(weights):
        expected = {
            "balanced_accuracy": reference.balanced_accuracy_score(positive, called, sample_weight=w),
            "sensitivity": reference.recall_score(positive, called, sample_weight=w),
            "specificity": reference.recall_score(~positive, ~called, sample_weight=w),
            "f1": reference.f1_score(positive, called, sample_weight=w),
            "roc_auc": reference.roc_auc_score(positive, value, sample_weight=w),
        }
        assert set(expected) == set(ours)
        for name, figure in expected.items():
            assert ours[name][row] == pytest.approx(figure, abs=1e-12), name


def test_a_value_at_the_cut_has_reached_it():
    o = regress.Outcome(PSPI, np.array([[1.0], [0.9], [1]]), np.array([[1.0], [1], [0.99]]))
    values = {name: v[0] for name, v in regress.at_cut(o, 1.0, np.ones((1, 3))).items()}
    assert values == pytest.approx(
        {"balanced_accuracy": 0.25, "sensitivity": 0.5, "specificity": 0, "f1": 0.5, "roc_auc": 0.25}
    )


def test_a_bootstrap_weight_is_the_same_as_the_sample_repeated():
    o = intensities()
    weights = bootstrap.resamples(np.arange(300) // 3, 8, seed=0)
    every, cuts = regress.compute(o, weights), regress.at_cut(o, 2.0, weights)
    for row, w in enumerate(weights):
        again = among(o, np.repeat(np.arange(300), w.astype(int)))
        ones = np.ones((1, len(again.label)))
        for name, value in regress.compute(again, ones).items():
            assert every[name][row] == pytest.approx(value[0], rel=1e-10)
        for name, value in regress.at_cut(again, 2.0, ones).items():
            assert cuts[name][row] == pytest.approx(value[0], rel=1e-10)


def test_what_stands_beside_the_metrics_can_be_written():
    label = np.array([[0.0], [0], [2], [3]])
    extras = regress.extras(regress.Outcome(PSPI, label, label + 1))
    extras = json.loads(json.dumps(extras, allow_nan=False))
    assert extras["levels"]["0"] == {"samples": 2, "mae": 1}
    assert extras["levels"]["12–16"] == {"samples": 0, "mae": None}
    assert {cut: figures["samples"] for cut, figures in extras["cuts"].items()} == {"1": 2, "2": 2, "3": 1, "4": 0}
    assert extras["cuts"]["4"]["sensitivity"] is None
    assert extras["cuts"]["1"]["roc_auc"] == 1
    assert regress.extras(outcome()) == {"levels": {}, "cuts": {}}


def test_a_correlation_stays_within_its_bounds_whatever_rounding_does():
    question = Question("regress", ("pspi",), bounds=(0.0, 16.0))
    rng = np.random.default_rng(0)
    for _ in range(200):
        label = rng.uniform(0, 16, (7, 1))
        exact = regress.Outcome(question, label, label * 0.3 + 0.1)
        assert abs(regress.compute(exact, np.ones((1, 7)))["pearson"][0]) <= 1
