from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as reference

from pipeline.evaluation import bootstrap
from pipeline.evaluation.metrics import regress
from pipeline.evaluation.metrics.weighted import among
from pipeline.evaluation.question import Question
from pipeline.tasks import Task

QUESTION = Question("regress", ("pspi", "phq"), headline="ccc")
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
