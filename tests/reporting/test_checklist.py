from __future__ import annotations

import pytest

from pipeline.reporting import checklist


@pytest.fixture
def facts(material):
    return checklist.facts(material)


def test_every_item_of_the_statement_is_there_once(facts):
    numbers = checklist.table(facts, rendered=False).numbers["Item"].tolist()
    assert len(numbers) == len(set(numbers)) == 52
    assert list(dict.fromkeys(int(number.rstrip("abcdefg")) for number in numbers)) == list(range(1, 28))


def test_answers_hold_values_of_the_records(facts, material):
    reported = checklist.table(facts, rendered=False).numbers.set_index("Item")["Reported"]
    faces = material.everyone
    assert reported["5a"] == f"the shipped demo set: {faces['subject_id'].nunique()} subjects, {len(faces)} faces"
    test = faces[faces["part"] == "test"]
    assert f"test {test['subject_id'].nunique()} subjects, {len(test)} faces" in reported["12a"]
    assert "resnet10t" in reported["12c"]
    assert "200 resamples" in reported["12e"]
    assert reported["13"].startswith("Class weights: none; balanced accuracy")
    assert reported["15"].startswith("Probability of pain")


def test_answers_follow_the_task(seven):
    reported = checklist.table(checklist.facts(seven), rendered=False).numbers.set_index("Item")["Reported"]
    assert "anger, disgust, fear, happiness, neutral, sadness and surprise" in reported["8a"]
    assert reported["15"].startswith("Probability of each class")
    assert "street, studio" in reported["16"]
    assert not reported.str.contains("pain").any()


def test_what_only_the_author_knows_is_left_to_the_author(facts):
    real, rendered = (
        checklist.table(facts, rendered=rendered).numbers.set_index("Item")["Reported"] for rendered in (False, True)
    )
    assert real["17"] == real["18a"] == checklist.AUTHOR
    assert rendered["17"] == facts["rendered"]
    assert rendered["18a"] == checklist.AUTHOR


def test_every_section_is_one_of_the_page(facts, material, sections):
    links = [section.link for section in sections(material)]
    named = set(checklist.table(facts, rendered=False).numbers["Section"]) - {"", "Top"}
    assert {name for name in named if not any(link.startswith(name) for link in links)} == set()
