"""Tasks bring the words of their targets."""

from __future__ import annotations

import pytest

from pipeline.inputs.datasets.vocabulary import is_target, vocabularies
from pipeline.tasks import Task


@pytest.mark.parametrize(
    ("target", "text", "word"),
    [
        ("pain", "No-Pain", "no_pain"),
        ("pain", "1", "pain"),
        ("pain", "neutral", "no_pain"),
        ("pain", "happy", None),
        ("expression", "HAPPY", "happiness"),
        ("expression", "neutral", "neutral"),
        ("expression", "pain", None),
    ],
)
def test_a_word_means_a_class_of_its_target(target, text, word):
    assert vocabularies()[target].word(text) == word


def test_a_new_task_brings_its_words_and_one_of_levels_none():
    asked = Task("gaze", "classify", "gaze", ("away", "straight"), aliases=(("Looks away", "away"),))
    levels = Task("turned", "classify", "yaw_deg", ("no", "yes"), levels=((0, "no"), (20, "yes")))
    words = vocabularies([asked, levels])
    assert list(words) == ["gaze"]
    assert words["gaze"].word("looks_AWAY") == "away"
    assert words["gaze"].text == "away or looksaway; straight"


def test_columns_that_are_targets():
    words = vocabularies()
    assert all(is_target(name, words) for name in ("pain", "expression", "pspi", "au04", "yaw_deg"))
    assert not any(is_target(name, words) for name in ("age", "site", "gender"))
