from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from pipeline.reporting import methods
from pipeline.reporting.runs import held_out


def by_title(compared):
    return {method.title: method for method in compared}


def test_runs_that_differ_by_seed_are_one_method_in_a_fixed_order(runs, compared):
    titles = ["ResNet teacher", "Swin teacher", "DeiT ← ResNet", "DeiT ← Swin", "DeiT, no teacher"]
    assert [method.title for method in compared] == titles
    assert [len(method.runs) for method in compared] == [1, 1, 2, 2, 2]
    backwards = methods.compare(runs[::-1], replicates=200, confidence=0.95, seed=0)
    for one, other in zip(compared, backwards, strict=True):
        assert one.title == other.title
        np.testing.assert_array_equal(one.values["roc_auc"], other.values["roc_auc"])


def test_a_teacher_and_its_students_share_a_colour(compared):
    color = {title: method.color for title, method in by_title(compared).items()}
    assert color["Swin teacher"] == color["DeiT ← Swin"] != color["ResNet teacher"] == color["DeiT ← ResNet"]
    assert color["DeiT, no teacher"] == 0


def test_the_mean_over_seeds_is_the_mean_of_scikit_learns_values(compared):
    for method in compared:
        values = [
            balanced_accuracy_score(test["label"], test["predicted"])
            for test in (held_out(run.predictions) for run in method.runs)
        ]
        assert method.estimate("balanced_accuracy").value == pytest.approx(np.mean(values))
    taught = by_title(compared)["DeiT ← Swin"]
    assert taught.spread("accuracy") == pytest.approx(np.std(taught.values["accuracy"][:, 0], ddof=1))


def test_differences_are_paired_and_seen_from_the_better_student(compared):
    found = methods.differences(compared)
    titles = [(d.first.title, d.second.title) for d in found]
    assert titles[0] == ("DeiT ← Swin", "DeiT ← ResNet")
    assert ("DeiT ← Swin", "Swin teacher") in titles
    assert ("DeiT ← ResNet", "DeiT, no teacher") in titles
    for d in found:
        first, second = d.first.estimate("balanced_accuracy"), d.second.estimate("balanced_accuracy")
        assert d.estimate.value == pytest.approx(first.value - second.value)
    assert np.mean(found[0].per_seed) == pytest.approx(found[0].estimate.value)
    student, teacher = found[-1].first, found[-1].second  # a teacher has one run: every seed is compared with it
    own = student.values["balanced_accuracy"][:, 0] - teacher.values["balanced_accuracy"][0, 0]
    assert found[-1].per_seed == pytest.approx(tuple(own))


@pytest.mark.parametrize(
    ("low", "high", "per_seed", "settled"),
    [
        (0.01, 0.05, (0.02, 0.04), True),
        (-0.01, 0.05, (0.02, 0.04), False),
        (0.01, 0.05, (-0.02, 0.08), False),
        (0.01, 0.05, (), True),
        (-0.05, -0.01, (-0.03, -0.03), True),
    ],
)
def test_settled_takes_the_interval_and_every_seed(compared, low, high, per_seed, settled):
    estimate = methods.statistics.Estimate((low + high) / 2, low, high)
    assert methods.Difference(compared[0], compared[1], estimate, per_seed).settled is settled


def test_faces_hold_the_mean_probability(compared):
    taught = by_title(compared)["DeiT ← Swin"]
    sample = taught.faces["sample_id"].iloc[-1]
    each = [run.predictions.set_index("sample_id")["prob_pain"][sample] for run in taught.runs]
    assert taught.faces.set_index("sample_id")["prob"][sample] == pytest.approx(np.mean(each))


def test_equal_networks_cost_the_same_whoever_taught_them(compared):
    costs = {title: method.cost for title, method in by_title(compared).items()}
    assert costs["DeiT ← Swin"] is costs["DeiT ← ResNet"] is costs["DeiT, no teacher"]
    assert costs["DeiT ← Swin"]["latency_ms"] == min(run.cost["latency_ms"] for run in compared[2].runs)
    assert costs["Swin teacher"]["parameters"] != costs["DeiT ← Swin"]["parameters"]
