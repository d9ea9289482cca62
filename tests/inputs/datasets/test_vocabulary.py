"""Tasks bring the words of their targets."""

from __future__ import annotations

import pytest

from pipeline.errors import DataError
from pipeline.inputs.datasets.vocabulary import check_measure, is_number, is_target, vocabularies
from pipeline.tasks import TASKS, Task


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
    assert not any(is_target(name, words) for name in ("age", "site", "gender", "points68"))


def test_the_bounds_of_a_number_are_those_of_the_task_that_asks_for_it(monkeypatch):
    asked = Task("sadness", "regress", "phq_score", ("phq_score",), bounds=(2.0, 27.0))
    monkeypatch.setitem(TASKS, "sadness", asked)
    for text in ("2", "27.0", "1.4e1"):
        check_measure("phq_score", text)
    for text, shown in (("1.99", "1.99"), ("28.0", "28"), ("-1e9", "-1e\\+09")):
        with pytest.raises(DataError, match=rf"^out of range: phq_score {shown}, expected 2 to 27$"):
            check_measure("phq_score", text)
    check_measure("other_score", "28")


@pytest.mark.parametrize(
    ("text", "number"), [("1", True), ("-1.5e2", True), (".5", True), ("1e10", False), ("nan", False), ("", False)]
)
def test_numbers_are_plain_and_not_too_large(text, number):
    assert is_number(text) == number
