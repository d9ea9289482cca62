"""Hundreds of damaged files of signals: each is read, repaired by a rule that is named, or refused with its reason."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.inputs.signals import files
from tests.helpers import recordings
from tests.helpers.recordings import RATE_HZ, STEPS, Damage

TEXTS, PACKED = list(recordings.damages()), list(recordings.packed_damages())


def kinds(reasons) -> set[str]:
    return {reason.partition(":")[0] for reason in reasons}


def come_of(path, region: str) -> files.Recording | str:
    """A recording that is fit for use, or the reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            recording = files.read(path, region)
            files.check(recording)
        except DataError as error:
            return str(error)
    return recording


def test_there_are_more_than_two_hundred():
    refused = [damage for damage in TEXTS + PACKED if damage.kind]
    assert len(refused) > 200
    assert len({damage.data for damage in TEXTS}) > 0.85 * len(TEXTS)


@pytest.mark.parametrize("damage", TEXTS + PACKED, ids=lambda damage: damage.what.replace(" ", "_"))
def test_each_is_read_repaired_by_a_named_rule_or_refused_with_its_reason(damage: Damage, tmp_path):
    path = recordings.write(tmp_path / "071000_m_20-BL1-000_bio.csv", damage.data)
    result = come_of(path, "1" if damage in PACKED else files.FULL)
    if damage.kind and not damage.repaired:
        assert isinstance(result, str), result
        assert result.partition(":")[0] == damage.kind, result
        assert len(result) < 400
        assert result.isprintable()
        return
    assert isinstance(result, files.Recording), result
    assert kinds(result.repairs) - {"gaps"} == {damage.kind} - {"", "gaps"}, result.repairs
    assert ("gaps" in kinds(result.repairs)) == (damage.kind == "gaps" or result.missing > 0)
    assert result.rate_hz == RATE_HZ
    assert result.values.shape[1] == 1
    assert STEPS / 2 <= len(result.values) <= STEPS


@pytest.mark.parametrize("seed", range(60))
def test_a_file_with_any_bytes_changed_is_never_more_than_read_or_refused(tmp_path, seed):
    rng = np.random.default_rng(seed)
    whole = TEXTS[0].data if seed % 2 else PACKED[0].data
    data = bytearray(whole)
    for place in rng.integers(0, len(data), int(rng.integers(1, 40))):
        data[place] = rng.integers(256)
    path = recordings.write(tmp_path / "a.csv", bytes(data[: int(rng.integers(len(data) // 2, len(data) + 1))]))
    result = come_of(path, files.FULL if seed % 2 else "1")
    if isinstance(result, str):
        assert ": " in result
        assert "\n" not in result
    else:
        assert np.isfinite(result.values).any()
        assert 1 <= result.rate_hz <= 20_000


def test_a_bomb_takes_no_more_memory_than_its_bound(tmp_path):
    bombs = [damage for damage in TEXTS + PACKED if damage.what in ("gzip bomb", "a bomb", "a shape of terabytes")]
    for number, bomb in enumerate(bombs):
        path = recordings.write(tmp_path / f"{number}.csv", bomb.data)
        tracemalloc.start()
        assert isinstance(come_of(path, "0"), str)
        assert isinstance(come_of(path, files.FULL), str)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2.5 * 2**26
