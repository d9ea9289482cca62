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


def test_samples_hold_the_mean_probability(compared):
    taught = by_title(compared)["DeiT ← Swin"]
    sample = taught.samples["sample_id"].iloc[-1]
    each = [run.predictions.set_index("sample_id")["prob_pain"][sample] for run in taught.runs]
    row = taught.samples.set_index("sample_id").loc[sample]
    assert row["prob_pain"] == pytest.approx(np.mean(each))
    assert row["predicted"] == (row["prob_pain"] > row["prob_no_pain"])


def test_equal_networks_cost_the_same_whoever_taught_them(compared):
    costs = {title: method.cost for title, method in by_title(compared).items()}
    assert costs["DeiT ← Swin"] is costs["DeiT ← ResNet"] is costs["DeiT, no teacher"]
    assert costs["DeiT ← Swin"]["latency_ms"] == min(run.cost["latency_ms"] for run in compared[2].runs)
    assert costs["Swin teacher"]["parameters"] != costs["DeiT ← Swin"]["parameters"]


def test_a_title_tells_what_the_compared_recipes_differ_in(swept):
    titles = [method.title for method in swept]
    assert len(set(titles)) == len(titles) == 17
    assert {"DeiT ← Swin, soft, 6 views", "DeiT ← ResNet, hard, fixed label, 5 folds"} < set(titles)
    assert titles[-1] == "DeiT, no teacher"
    alike = methods.compare(
        [run for method in swept for run in method.runs if run.recipe.views == 6], replicates=1, confidence=0.95, seed=0
    )
    assert "DeiT ← Swin, label + hint" in [method.title for method in alike]  # all have six views: nothing to tell


def test_the_page_shows_each_teachers_best_on_validation(swept):
    shown = methods.chosen(swept)
    assert [method.kind for method in shown] == [
        "ResNet teacher", "Swin teacher", "DeiT ← ResNet", "DeiT ← Swin", "DeiT, no teacher"
    ]  # fmt: skip
    for method in shown[2:4]:
        rivals = [m.validation for m in swept if m.is_taught and m.teacher == method.teacher]
        assert method.validation == max(rivals)
    assert methods.favourite(swept) in shown[2:4]


def test_the_untaught_student_stands_for_all_losses_and_views(swept):
    untaught = swept[-1]
    assert all(methods.baseline(m, swept) is untaught for m in swept if m.is_taught)
    assert methods.baseline(swept[3], swept[:-1]) is None
