from __future__ import annotations

import json
import re

import pytest

from pipeline.artifacts import arrays
from pipeline.reporting import modelcard

NAMES = ("student-deit-swin-soft-v6-s1", "student-deit-swin-hard-f5-s0", "student-deit-none-s0", "teacher-swin")


@pytest.fixture(scope="module")
def facts(fakes, sweep):
    """What the records of some models say, by slug."""
    split = arrays.read_table(fakes.store.build(fakes.split)[0].file("split.csv"))
    chosen = [run for run in sweep if run.model.slug in NAMES]
    return {
        run.model.slug: (
            run,
            modelcard.facts(run.model.config, run.model.fingerprint, "synpain", split, run.folds[0].best),
        )
        for run in chosen
    }


def sections(text):
    return {part.split("\n", 1)[0]: part for part in text.split("## ")[1:]}


def test_a_student_without_scores(facts):
    run, known = facts[NAMES[0]]
    text = modelcard.render(run.card, known)
    assert text.startswith("# DeiT student taught by Swin, seed 1\n")
    found = sections(text)
    assert "Not for: diagnosis" in found["Use"]
    assert "| Training | 84 | 168 |" in found["Data"]
    assert "- Loss: soft, temperature 4\n" in found["Training"]
    assert "for 6 seeded views of each face, cached" in found["Training"]
    assert f"Kept: epoch {run.folds[0].best['epoch']:.0f}," in found["Training"]
    assert f"{100 * run.folds[0].best['val_balanced_accuracy']:.1f}%" in found["Training"]
    assert run.model.fingerprint in found["Training"]
    assert "Measured after training: `make evaluate`" in found["Performance"]
    assert "Groups of people" not in found
    assert "not clinical evidence" in found["Limits and ethics"]


def test_what_it_has_not_seen_and_how_it_tells(facts):
    run, known = facts[NAMES[0]]
    fakes_alone = sections(modelcard.render(run.card, known))["What it has not seen"]
    assert "- It cannot tell what is unlike its training faces.\n" in fakes_alone
    card = {**run.card, "domain": {"sha256": "0" * 64}, "learned_from": {"dataset": "synpain", "rendered": True}}
    scores = {"domain": {"val": {"samples": 36, "flagged": 0}, "test": {"samples": 36, "flagged": 2}}}
    told = sections(modelcard.render(card, known, scores))["What it has not seen"]
    assert "- Learned from: faces that a program or a model made, none of them photographed\n" in told
    assert f"set on the {known['parts']['val']['samples']} validation faces" in told
    assert "- Flagged: 0 of 36 validation faces\n- Flagged: 2 of 36 test faces\n" in told
    card["learned_from"] = {"dataset": "unbc"}
    told = sections(modelcard.render(card, known))["What it has not seen"]
    assert "- Learned from: faces of the form unbc, which does not say how they were taken\n" in told
    assert "- Flagged" not in told


@pytest.mark.parametrize(
    ("name", "title", "said"),
    [
        (NAMES[1], "DeiT student taught by Swin, seed 0", "from 5 teachers that had not seen the subject"),
        (NAMES[2], "DeiT student without a teacher, seed 0", "Teacher: none"),
        (NAMES[3], "Swin teacher, seed 0", "Teacher: none"),
    ],
)
def test_other_models(facts, name, title, said):
    run, known = facts[name]
    text = modelcard.render(run.card, known)
    assert text.startswith(f"# {title}\n")
    assert said in text
    assert ("Loss:" in text) == ("taught" in title)


def test_scores_with_intervals_groups_and_calibration(facts):
    run, known = facts[NAMES[0]]
    test = json.loads(run.evaluation.file("metrics.json").read_text())
    group = {
        "attribute": "age_group",
        "group": "Old",
        "subjects": 9,
        "samples": 18,
        "value": 0.5,
        "low": 0.25,
        "high": 1,
    }
    lost = {**group, "group": "Young", "value": None, "low": None, "high": None}
    scores = {"test": test, "calibration": run.folds[0].calibration, "groups": [group, lost]}
    found = sections(modelcard.render(run.card, known, scores))
    e = test["metrics"]["balanced_accuracy"]
    row = f"| Balanced accuracy | {100 * e['value']:.1f}% | {100 * e['low']:.1f} to {100 * e['high']:.1f} |"
    assert row in found["Performance"]
    assert f"| temperature, fitted on validation subjects | {run.folds[0].temperature:.3f} | |" in found["Performance"]
    assert "| age group: Old | 9 | 50.0% | 25.0 to 100.0 |" in found["Groups of people"]
    assert "| age group: Young | 9 | — | — |" in found["Groups of people"]


def test_a_metric_without_a_value_is_left_out(facts):
    run, known = facts[NAMES[2]]
    test = json.loads(run.evaluation.file("metrics.json").read_text())
    text = modelcard.render(run.card, known, {"test": test, "calibration": None})
    assert "Agreement" not in text
    assert "nan" not in text.lower()


def test_photographs_are_not_called_synthetic(facts):
    run, known = facts[NAMES[0]]
    assert "Synthetic" not in modelcard.render(run.card, {**known, "dataset": "folders"})


def test_the_card_follows_the_task(seven):
    run = seven.runs[-1]
    split = arrays.read_table(seven.splits[0].file("split.csv"))
    known = modelcard.facts(run.model.config, run.model.fingerprint, "folders", split, run.folds[0].best)
    test = json.loads(run.evaluation.file("metrics.json").read_text())
    text = modelcard.render(run.card, known, {"test": test, "calibration": run.folds[0].calibration})
    assert "seven facial expressions" in text
    assert "- Output: anger, disgust, fear, happiness, neutral, sadness, surprise; probabilities" in text
    assert f"| Macro F1 | {100 * test['metrics']['macro_f1']['value']:.1f}% |" in text
    assert "calibration slope" not in text
    assert not re.search(r"\bpain\b", text)


def test_a_card_tells_how_many_labels_were_known(facts):
    run, known = facts[NAMES[0]]
    config = known["config"] | {"labelled": 10.0}
    card = run.card | {"labelled_subjects": 10, "labelled_samples": 20}
    text = modelcard.render(card, known | {"config": config})
    assert "- True labels known: those of 10 training subjects (20 faces), chosen by the seed; the teacher" in text
    untaught = modelcard.render(card, known | {"config": config | {"teacher": "none"}})
    assert "chosen by the seed\n" in untaught
    assert "True labels known" not in modelcard.render(card, known)
