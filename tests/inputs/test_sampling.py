"""The order of the samples: each once, or strata alike, and a function of seed and epoch alone."""

from __future__ import annotations

import numpy as np

from pipeline.inputs.sampling import epoch_order

STRATA = np.array([0] * 900 + [1] * 90 + [2] * 10)


def test_shuffled_every_sample_comes_once():
    assert np.array_equal(np.sort(epoch_order(3, 1, 50)), np.arange(50))


def test_balanced_strata_come_alike_and_their_samples_alike():
    order = np.concatenate([epoch_order(3, epoch, 1000, STRATA) for epoch in range(60)])
    shares = np.bincount(STRATA[order]) / len(order)
    assert np.abs(shares - 1 / 3).max() < 0.01
    rare = np.bincount(order, minlength=1000)[990:]
    assert rare.min() > 0.8 * rare.mean()
    assert set(order) == set(range(1000))  # nothing is never drawn


def test_it_depends_on_seed_and_epoch_alone():
    for strata in (None, STRATA[:50] * 0 + np.arange(50) % 3):
        first = epoch_order(1, 2, 50, strata)
        assert np.array_equal(first, epoch_order(1, 2, 50, strata))
        assert not np.array_equal(first, epoch_order(1, 3, 50, strata))
        assert not np.array_equal(first, epoch_order(2, 2, 50, strata))


def test_strata_with_any_names_and_one_stratum():
    names = np.array([7, 7, 7, 100])
    draws = np.concatenate([epoch_order(0, epoch, 4, names) for epoch in range(500)])
    assert abs((draws == 3).mean() - 0.5) < 0.05
    assert set(epoch_order(0, 0, 30, np.zeros(30, int))) <= set(range(30))


def test_samples_of_an_unknown_stratum_come_as_often_as_the_others():
    strata = np.array([-1] * 500 + [0] * 90 + [1] * 10)
    order = np.concatenate([epoch_order(3, epoch, 600, strata) for epoch in range(100)])
    often = np.bincount(order, minlength=600) / 100
    assert abs(often[:500].mean() - 1) < 0.02
    assert abs(often[500:590].sum() - 50) < 2
    assert abs(often[590:].sum() - 50) < 2
