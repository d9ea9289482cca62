"""Random numbers as functions of a key."""

from __future__ import annotations

import numpy as np

from pipeline.inputs import keyed_random


def test_the_finaliser_is_splitmix64():
    # The first outputs of the reference implementation (Vigna, splitmix64.c) for seed 1234567.
    gamma = 0x9E3779B97F4A7C15
    states = np.array([(1234567 + gamma * step) % 2**64 for step in (1, 2, 3)], dtype=np.uint64)
    with np.errstate(over="ignore"):
        found = keyed_random.mix(states).tolist()
    assert found == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_numbers_are_uniform_and_independent():
    draws = keyed_random.uniform(
        7, np.arange(20_000, dtype=np.uint64)[:, None], 3, np.arange(8, dtype=np.uint64)[None, :]
    )
    assert draws.min() >= 0
    assert draws.max() < 1
    counts = np.stack([np.histogram(draws[:, slot], bins=20, range=(0, 1))[0] for slot in range(8)])
    chi_squared = ((counts - 1000) ** 2 / 1000).sum(axis=1)
    assert (chi_squared < 43.8).all()  # 99.9% quantile of chi-squared with 19 degrees of freedom
    correlation = np.corrcoef(draws.T) - np.eye(8)
    assert np.abs(correlation).max() < 4 / np.sqrt(20_000)
    neighbours = np.corrcoef(draws[:-1, 0], draws[1:, 0])[0, 1]
    assert abs(neighbours) < 4 / np.sqrt(20_000)


def test_every_part_of_the_key_matters_and_so_does_their_order():
    found = {
        int(keyed_random.hashed(*key)[0]) for key in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (0, 1, 3), (0, 1), (0, 0, 1)]
    }
    assert len(found) == 6


def test_names_give_the_same_keys_on_every_machine():
    assert keyed_random.keys(["a/1.jpg#left", "é.png#full"]).tolist() == [1970252871539347720, 12750028253491714214]


def test_permutation_visits_everything_once_and_depends_on_the_key():
    orders = [keyed_random.permutation(500, 0, epoch) for epoch in range(3)]
    assert all(np.array_equal(np.sort(order), np.arange(500)) for order in orders)
    assert not np.array_equal(orders[0], orders[1])
    assert np.array_equal(orders[2], keyed_random.permutation(500, 0, 2))
