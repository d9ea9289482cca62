from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests

from pipeline.evaluation import bootstrap, significance


@pytest.mark.parametrize("replicates", [499, 500, 1999, 2000])
def test_p_and_interval_never_disagree(replicates):
    rng, sides = np.random.default_rng(0), set()
    for trial in range(400):
        rows = np.round(np.r_[0.0, rng.normal(rng.normal(0, 2), 1, replicates)], 1)  # with ties at zero
        rows[1 + rng.integers(replicates, size=trial % 20)] = np.nan
        excludes = bootstrap.interval(rows).excludes_zero
        assert (significance.bootstrap_p(rows) <= 0.05 + 1e-9) == excludes
        sides.add(excludes)
    assert sides == {True, False}


def test_bootstrap_p_by_hand():
    rows = np.r_[0.2, np.full(2, -0.1), 0.0, np.full(96, 0.3)]
    assert significance.bootstrap_p(rows) == pytest.approx(2 * (1 + 3) / 100)
    assert significance.bootstrap_p(-rows) == significance.bootstrap_p(rows)
    assert significance.bootstrap_p(np.zeros(100)) == 1
    assert significance.bootstrap_p(np.r_[0.2, np.full(99, 0.2)]) == pytest.approx(0.02)


@pytest.mark.parametrize("rows", [[np.nan, 1, 2], [0.1, np.nan, np.nan], [0.1]])
def test_bootstrap_p_is_undefined_where_the_difference_is(rows):
    assert np.isnan(significance.bootstrap_p(np.array(rows)))


def test_bootstrap_p_is_even_when_nothing_differs():
    rng = np.random.default_rng(1)
    p = []
    for trial in range(1000):
        difference = np.repeat(rng.normal(size=60), 2) + rng.normal(size=120)
        weights = bootstrap.resamples(np.repeat(np.arange(60), 2), 400, trial)
        p.append(significance.bootstrap_p(weights @ difference / weights.sum(axis=1)))
    # With 60 subjects the percentile interval finds a little more than 1 in 20.
    assert 0.04 <= np.mean(np.array(p) <= 0.05) <= 0.075
    assert np.mean(p) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("seed", range(4))
def test_mcnemar_agrees_with_statsmodels(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.random((2, 80)) < [[0.8], [0.65]]
    table = [[(first & second).sum(), (first & ~second).sum()], [(~first & second).sum(), (~first & ~second).sum()]]
    found = significance.mcnemar(first, second)
    assert (found.first_only, found.second_only) == (table[0][1], table[1][0])
    assert found.p == pytest.approx(reference_mcnemar(table, exact=True).pvalue)


def test_mcnemar_without_a_discordant_face_finds_nothing():
    assert significance.mcnemar(np.array([1, 0]), np.array([1, 0])) == significance.McNemar(0, 0, 1.0)


def two_models(seed: int, subjects: int = 60, per_subject: int = 3):
    """Labels and two models' scores with ties; the faces of a subject are alike."""
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(subjects), per_subject)
    label = rng.integers(0, 2, len(subject))
    common = rng.normal(0, 1, subjects)[subject] + rng.normal(0, 0.5, len(subject))
    scores = [np.round(label * gain + common + rng.normal(0, 0.7, len(subject)), 1) for gain in (1.5, 1.1)]
    return subject, label, scores


def naive_delong(label, scores, subject):
    """Difference of the areas and its variance, from the definitions, pair by pair."""
    parts = []
    for score in scores:
        x, y = score[label == 1], score[label == 0]
        wins = (x[:, None] > y) + 0.5 * (x[:, None] == y)
        parts.append((wins.mean(axis=1), wins.mean(axis=0), wins.mean()))
    theta = parts[0][2] - parts[1][2]
    positive = {s: 0.0 for s in subject}
    negative = dict(positive)
    for value, s in zip(parts[0][0] - parts[1][0] - theta, subject[label == 1], strict=True):
        positive[s] += value
    for value, s in zip(parts[0][1] - parts[1][1] - theta, subject[label == 0], strict=True):
        negative[s] += value
    m, n = (label == 1).sum(), (label == 0).sum()
    with_m, with_n = len(set(subject[label == 1])), len(set(subject[label == 0]))
    s10 = with_m / ((with_m - 1) * m) * sum(v**2 for v in positive.values())
    s01 = with_n / ((with_n - 1) * n) * sum(v**2 for v in negative.values())
    both = len(positive)
    s11 = both / (both - 1) * sum(positive[s] * negative[s] for s in positive)
    return theta, s10 / m + s01 / n + 2 * s11 / (m * n)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_delong_follows_its_definition(seed, grouped):
    subject, label, scores = two_models(seed)
    found = significance.delong(label, *scores, subject if grouped else None)
    theta, variance = naive_delong(label, scores, subject if grouped else np.arange(len(label)))
    assert found.first == pytest.approx(roc_auc_score(label, scores[0]))
    assert found.second == pytest.approx(roc_auc_score(label, scores[1]))
    assert found.difference.value == pytest.approx(theta)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(theta) / variance**0.5))
    assert found.difference.high - theta == pytest.approx(stats.norm.ppf(0.975) * variance**0.5)


def test_delong_of_independent_faces_is_the_textbook_covariance():
    _, label, scores = two_models(7)
    place = []
    for score in scores:
        wins = (score[label == 1][:, None] > score[label == 0]) + 0.5 * (
            score[label == 1][:, None] == score[label == 0]
        )
        place.append((wins.mean(axis=1), wins.mean(axis=0)))
    s10, s01 = (np.cov(place[0][k], place[1][k]) for k in (0, 1))
    covariance = s10 / (label == 1).sum() + s01 / (label == 0).sum()
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    found = significance.delong(label, *scores)
    assert found.difference.high - found.difference.low == pytest.approx(2 * stats.norm.ppf(0.975) * variance**0.5)


def test_showing_every_face_twice_says_nothing_new():
    _, label, scores = two_models(3, per_subject=1)
    once = significance.delong(label, *scores)
    twice = significance.delong(*(np.repeat(a, 2) for a in (label, *scores)), subject_ids=np.repeat(np.arange(60), 2))
    assert twice.difference.low == pytest.approx(once.difference.low)
    assert twice.p == pytest.approx(once.p)
    assert significance.delong(*(np.repeat(a, 2) for a in (label, *scores))).p < once.p


@pytest.mark.slow
def test_delong_of_subjects_agrees_with_resampled_subjects():
    subject, label, scores = two_models(1, subjects=400)
    found = significance.delong(label, *scores, subject)
    weights = bootstrap.resamples(subject, 400, 0)[1:]
    resampled = [roc_auc_score(label, scores[0], sample_weight=w) - roc_auc_score(label, scores[1], sample_weight=w)
                 for w in weights]  # fmt: skip
    error = (found.difference.high - found.difference.value) / stats.norm.ppf(0.975)
    assert error == pytest.approx(np.std(resampled), rel=0.1)


def test_delong_says_when_it_cannot_tell():
    score = np.arange(4.0)
    same = significance.delong(np.array([0, 0, 1, 1]), score, score)
    assert (same.difference.value, same.p) == (0, 1)
    one_class = significance.delong(np.ones(4, int), score, -score)
    assert np.isnan([one_class.first, one_class.difference.value, one_class.p]).all()
    one_subject = significance.delong(np.array([0, 0, 1, 1]), score, -score, np.zeros(4))
    assert (one_subject.first, one_subject.second) == (1, 0)
    no_variance = significance.delong(np.array([0, 0, 1, 1]), score, -score)
    for found in (one_class, one_subject, no_variance):
        assert found.difference.reason
        assert np.isnan([found.p, found.difference.low]).all()


@pytest.mark.parametrize("seed", range(5))
def test_holm_agrees_with_statsmodels(seed):
    p = np.random.default_rng(seed).random(7) ** 3
    np.testing.assert_allclose(significance.holm(p), multipletests(p, method="holm")[1])


def test_holm_leaves_out_what_was_not_tested():
    np.testing.assert_allclose(significance.holm([0.04, np.nan, 0.01, 0.03]), [0.06, np.nan, 0.03, 0.06])
    assert np.isnan(significance.holm([np.nan])).all()
    assert significance.holm([]).shape == (0,)
    assert significance.holm([0.9, 0.8]).max() == 1


def enumerated(differences):
    """The two-sided p-value over all signs of the ranks, one by one."""
    ranks = stats.rankdata(np.abs(differences))
    sums = np.array([ranks[list(signs)].sum() for signs in product([False, True], repeat=len(ranks))])
    seen = ranks[np.array(differences) > 0].sum()
    return min(1.0, 2 * min((sums <= seen + 1e-9).mean(), (sums >= seen - 1e-9).mean()))


@pytest.mark.parametrize("differences", [
    [0.1, 0.25, -0.05, 0.3, 0.2], [0.1, 0.1, 0.1, -0.1, 0.2, 0.2, 0.3], [0.1 + 0.2, 0.3, -0.3, 0.5, 0.7, 0.9]
])  # fmt: skip
def test_wilcoxon_is_exact_with_and_without_ties(differences):
    found = significance.wilcoxon(np.array(differences))
    assert found.p == pytest.approx(enumerated(np.round(differences, 12)))
    assert found.p >= found.smallest


def test_wilcoxon_reaches_its_smallest_p():
    for seeds in range(1, 9):
        found = significance.wilcoxon(np.linspace(0.1, 0.2, seeds))
        assert found.p == pytest.approx(found.smallest)
        assert (found.smallest < 0.05) == (seeds > 5)


def test_wilcoxon_without_differences():
    assert significance.wilcoxon(np.zeros(3)).p == 1
    dropped = significance.wilcoxon(np.array([0.0, 0.1, 0.2, 0.3]))
    assert (dropped.p, dropped.smallest) == (pytest.approx(0.25), 0.125)
    for undefined in (np.array([]), np.array([0.1, np.nan])):
        assert np.isnan(significance.wilcoxon(undefined).p)
        assert significance.wilcoxon(undefined).reason


@pytest.mark.slow
def test_wilcoxon_gives_the_same_answer_again():
    many = np.round(np.random.default_rng(0).normal(0.3, 1, 13), 1)
    assert significance.wilcoxon(many) == significance.wilcoxon(many)
