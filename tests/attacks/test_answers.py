"""The short form of the attacks on points and numbers, which need no finished cache."""

from __future__ import annotations

import pytest

from pipeline.tasks import TASKS
from tests.attacks import answers
from tests.attacks.arena import arena
from tests.attacks.conftest import SEED
from tests.attacks.world import Reference

SHORT = 6


@pytest.mark.parametrize("number", range(SHORT))
def test_a_damaged_answer_is_named_and_no_other_is_lost(number, server, tmp_path):
    reference = Reference(TASKS["landmarks"], tmp_path, tmp_path, {}, number)
    with arena(reference, server, tmp_path, SEED, "answers", number) as own:
        answers.attack(own)
    assert own.count
    assert not own.findings
