"""Counter-based random numbers: pure functions of a key, equal on every machine and in any order of asking.

A stream of a stateful generator depends on everything that was drawn before. Here the n-th number of a key is a hash of
the key and n, so that views and orders need no storage and a resumed run needs no replay. The hash is the finaliser of
SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators", figure 15), applied once for
each part of the key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

_GAMMA = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio, odd: every step of the counter is a new state


def mix(state: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser: a bijection of uint64 whose output bits each depend on every input bit."""
    z = np.asarray(state, np.uint64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def hashed(*parts: int | np.ndarray) -> np.ndarray:
    """One uint64 for a key of several parts (integers or uint64 arrays that broadcast together); order matters."""
    with np.errstate(over="ignore"):
        state = np.zeros(1, np.uint64)
        for part in parts:
            state = mix((state ^ _uint64(part)) + _GAMMA)
        return state


def uniform(*parts: int | np.ndarray) -> np.ndarray:
    """Float64 in [0, 1) with 53 random bits, for a key of several parts."""
    return (hashed(*parts) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def permutation(n: int, *parts: int) -> np.ndarray:
    """A random order of ``range(n)``, int64, for a key."""
    return np.argsort(hashed(*parts, np.arange(n, dtype=np.uint64)), kind="stable")


def keys(names: Iterable[str]) -> np.ndarray:
    """A uint64 for each name (the first 8 bytes of BLAKE2b), to use names as parts of keys."""
    digests = [hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def order(names: Iterable[str]) -> np.ndarray:
    """Places of names, int64, shape (N,), in an order that depends on nothing but each name."""
    return np.argsort(hashed(keys(names)), kind="stable")


def _uint64(part: int | np.ndarray) -> np.ndarray:
    if isinstance(part, np.ndarray):
        return part.astype(np.uint64, copy=False)
    return np.array([int(part) % 2**64], dtype=np.uint64)
