from __future__ import annotations

import re

import pytest

from pipeline.reporting import checklist
from pipeline.reporting.page import TEMPLATE

CONTENT = {
    "demo": False,
    "dataset": "folders",
    "classes": ["no_pain", "pain"],
    "test": {"subjects": 12},
    "confidence": "95%",
    "replicates": 2000,
}


@pytest.fixture
def facts(compared):
    return checklist.facts(CONTENT, compared[0].runs[0].predictions, compared, {"balanced", "none"})


def test_every_item_of_the_statement_is_there_once(facts):
    numbers = checklist.table(facts, rendered=False).numbers["Item"].tolist()
    assert len(numbers) == len(set(numbers)) == 52
    assert list(dict.fromkeys(int(number.rstrip("abcdefg")) for number in numbers)) == list(range(1, 28))


def test_answers_hold_values_of_the_records(facts, compared):
    found = checklist.table(facts, rendered=False).numbers.set_index("Item")["Reported"]
    faces = compared[0].runs[0].predictions
    assert found["5a"] == f"folders: {faces['subject_id'].nunique()} subjects, {len(faces)} faces"
    test = faces[faces["part"] == "test"]
    assert f"test {test['subject_id'].nunique()} subjects, {len(test)} faces" in found["12a"]
    assert "resnet10t" in found["12c"]
    assert "2,000 resamples" in found["12e"]
    assert found["13"].startswith("Class weights: balanced and none")


def test_what_only_the_author_knows_is_left_to_the_author(facts):
    real, rendered = (
        checklist.table(facts, rendered=rendered).numbers.set_index("Item")["Reported"] for rendered in (False, True)
    )
    assert real["17"] == real["18a"] == checklist.AUTHOR
    assert rendered["17"] == checklist.RENDERED
    assert rendered["18a"] == checklist.AUTHOR


def test_every_section_is_one_of_the_page(facts):
    links = re.findall(r'<a href="#\w+">([^<]+)</a>', (TEMPLATE / "page.html").read_text(encoding="utf-8"))
    named = set(checklist.table(facts, rendered=False).numbers["Section"]) - {"", "Top"}
    assert {name for name in named if not any(link.startswith(name) for link in links)} == set()
