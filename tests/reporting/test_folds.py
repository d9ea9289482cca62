"""Runs of several outer folds: their answers together, each fold by itself, and what the page says of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, roc_auc_score

from pipeline.artifacts import arrays
from pipeline.config import ReportConfig
from pipeline.errors import ArtifactError
from pipeline.evaluation import bootstrap
from pipeline.reporting import checklist, common, effects, figures, folds, methods, people, quality, tables
from pipeline.reporting.material import Material
from pipeline.reporting.runs import gather, row
from tests.fakes.classify import Fakes
from tests.reporting.conftest import DRAWS

CV = 5


@pytest.fixture(scope="module")
def folded(tmp_path_factory):
    return Fakes(tmp_path_factory.mktemp("folds"), subjects=120, size=32)


@pytest.fixture(scope="module")
def parts(folded):
    """For each fold its fakes and, by the name that a report gives them, its models and evaluations."""
    made = {}
    for one in folded.of_folds(CV):
        nodes = {name: node for name, node in one.reported(one.models(seeds=2)).items() if "labels" not in name}
        made[one] = dict(zip(nodes, one.store.build(*nodes.values()), strict=True))
    return made


@pytest.fixture(scope="module")
def splits(folded, parts):
    return folded.store.build(*(one.split for one in parts))


@pytest.fixture(scope="module")
def crossed_runs(parts, splits):
    return gather({name: artifact for made in parts.values() for name, artifact in made.items()}, splits)


@pytest.fixture(scope="module")
def material(folded, crossed_runs, splits, parts):
    samples, inputs = folded.store.build(folded.samples, folded.inputs)
    caches = folded.store.build(*(one.labels(name) for one in parts for name in ("resnet", "swin")))
    models = [artifact for made in parts.values() for artifact in made.values()]
    compared = methods.compare(crossed_runs, **DRAWS)
    return Material(ReportConfig(**DRAWS), compared, crossed_runs, samples, inputs, splits, models, caches)


def together(parts, slug, part="test"):
    """The rows of one part of a model's predictions, of all folds, read from its files."""
    frames = []
    for one, made in parts.items():
        artifact = made[f"evaluation-{slug}{one.split.config.suffix}"]
        frames.append(arrays.read_table(artifact.file("predictions.csv")).query("part == @part"))
    return pd.concat(frames)


def test_a_run_has_every_sample_once_as_the_network_of_its_fold_answers(crossed_runs, parts, folded):
    assert len(crossed_runs) == 8
    [run] = [run for run in crossed_runs if run.recipe.teacher == "swin" and run.recipe.student and run.seed == 1]
    assert [trained.fold for trained in run.folds] == list(range(CV))
    assert sorted(run.predictions["sample_id"]) == sorted(folded.table["sample_id"])
    assert sorted(run.validation["sample_id"]) == sorted(folded.table["sample_id"])
    expected = together(parts, "student-deit-swin-hard-s1").set_index("sample_id")["prob_pain"]
    found = run.predictions.set_index("sample_id")["prob_pain"]
    pd.testing.assert_series_equal(found.sort_index(), expected.sort_index())


def test_metrics_are_those_of_all_answers_together(material, parts):
    method = next(m for m in material.methods if m.title == "DeiT ← Swin")
    values = [together(parts, f"student-deit-swin-hard-s{seed}") for seed in range(2)]
    balanced = np.mean([balanced_accuracy_score(v["label"], v["predicted"]) for v in values])
    assert method.estimate("balanced_accuracy").value == pytest.approx(balanced)
    area = np.mean([roc_auc_score(v["label"], v["prob_pain"]) for v in values])
    assert method.estimate("roc_auc").value == pytest.approx(area)
    validation = [together(parts, f"student-deit-swin-hard-s{seed}", "val") for seed in range(2)]
    reached = np.mean([balanced_accuracy_score(v["label"], v["predicted"]) for v in validation])
    assert method.validation[0] == pytest.approx(reached)
    losses = [one.best["val_loss"] for run in method.runs for one in run.folds]
    assert method.validation[1] == pytest.approx(-np.mean(losses))


def test_intervals_draw_subjects_over_all_folds(material, folded):
    assert material.weights.shape == (201, len(folded.table))
    assert material.test == {"samples": 240, "subjects": 120}
    run = material.runs[0]
    weights = bootstrap.resamples(methods.tested(run)["subject_id"].to_numpy(), 200, 0)
    np.testing.assert_array_equal(material.weights, weights)


def test_seeds_are_drawn_for_all_folds_at_once(material):
    [e] = [e for e in material.effects if e.factor == "teacher"]
    first, second = e.pairs[0]
    draws = bootstrap.seed_draws((0, 1), 200)
    rows = [bootstrap.over_seeds(m.values["balanced_accuracy"], draws) for m in (first, second)]
    assert e.estimate == bootstrap.interval(rows[0] - rows[1], 0.95)
    assert len(e.per_seed) == 2


def test_every_folds_logits_are_divided_by_its_own_temperature(material):
    method = next(m for m in material.methods if m.title == "DeiT ← Swin")
    run = method.runs[0]
    assert len(set(run.temperatures.values())) == CV
    samples = methods.tested(run)
    for fold, temperature in run.temperatures.items():
        mine = samples["fold"] == fold
        np.testing.assert_allclose(run.logits(samples, scaled=True)[mine] * temperature, run.logits(samples)[mine])
    table = quality.calibrated(material.shown, material.weights)
    numbers = table.numbers.query("model == 'DeiT ← Swin'").set_index(["when", "figure"])["value"]
    expected = [brier_score_loss(r.predictions["label"], r.predictions["prob_pain"]) for r in method.runs]
    assert numbers["before", "brier"] == pytest.approx(np.mean(expected))
    assert numbers["", "temperature"] == pytest.approx(np.mean([list(r.temperatures.values()) for r in method.runs]))
    assert "own temperature" in table.caption


def test_a_fold_without_a_temperature_leaves_no_figures_after_it_and_the_caption_counts_it(material):
    method = next(m for m in material.methods if m.title == "DeiT ← Swin")
    first, *others = method.runs[0].folds
    none = dataclasses.replace(first, calibration=first.calibration | {"temperature": {"value": None}})
    run = dataclasses.replace(method.runs[0], folds=(none, *others))
    table = quality.calibrated([dataclasses.replace(method, runs=(run,))], material.weights)
    assert str(table.shown["ECE, after"][0]) == "—"
    assert str(table.shown["ECE"][0]) != "—"
    assert "1 networks have none that is best" in table.caption


def test_the_table_of_folds_holds_each_networks_own_figures(material, parts):
    section = folds.folds(material)
    numbers = section.tables["folds"].numbers.query("model == 'DeiT ← Swin' and metric == 'balanced_accuracy'")
    for fold, (one, made) in enumerate(parts.items()):
        values = []
        for seed in range(2):
            artifact = made[f"evaluation-student-deit-swin-hard-s{seed}{one.split.config.suffix}"]
            test = arrays.read_table(artifact.file("predictions.csv")).query("part == 'test'")
            values.append(balanced_accuracy_score(test["label"], test["predicted"]))
        assert numbers.set_index("fold")["value"][fold] == pytest.approx(np.mean(values))
    shown = section.tables["folds"].shown
    assert shown["Fold"].tolist() == ["1", "2", "3", "4", "5", "All", "SD of folds"]
    assert shown["Test subjects"].tolist()[:6] == ["24"] * 5 + ["120"]
    ranked = section.tables["fold-rankings"].numbers.query("model == 'DeiT ← Swin' and metric == 'roc_auc'")
    own = section.tables["folds"].numbers.query("model == 'DeiT ← Swin' and metric == 'roc_auc'")["value"]
    assert ranked["mean_of_folds"].item() == pytest.approx(own.mean())
    assert ranked["one_list"].item() != pytest.approx(own.mean(), abs=1e-6)


def test_where_networks_are_ranked_in_one_list_it_is_said(material, compared):
    said = r"ROC-AUC.*scores of 5 networks.*ranked in one list"
    [e] = [e for e in material.effects if e.factor == "teacher"]
    captions = [
        tables.comparison(material.methods, material.shown).caption,
        tables.students(material.methods).caption,
        quality.opinions(e).caption,
    ]
    for caption in captions:
        assert pd.Series(caption).str.contains(said).all()
    assert "one list" not in tables.comparison(compared, compared).caption


def test_one_split_has_no_folds_to_show(compared, material):
    assert folds.folds(dataclasses.replace(material, splits=material.splits[:1])) is None
    assert all(method.folds == 1 for method in compared)


def test_parts_are_counted_fold_by_fold(material):
    table = folds.data(material).numbers
    assert table["Fold"].tolist() == [1, 2, 3, 4, 5]
    assert table["Test subjects"].tolist() == table["Validation subjects"].tolist() == [24] * 5
    assert table["Training subjects"].tolist() == [72] * 5
    assert table["Pain"].sum() == (material.everyone["label"] == 1).sum()
    assert people.people(material.everyone).numbers["subjects"].sum() % 120 == 0
    said = checklist.facts(material)
    assert said["divided"].startswith("5 outer folds: each is the test part once")
    assert said["divided"].endswith("nobody is in two parts")


def test_labels_of_all_folds_are_one_row_with_their_sums(material):
    table = tables.labels(material.caches, material.task)
    assert len(table.shown) == 2
    assert len(table.numbers) == 2 * CV
    assert table.shown["Faces"].tolist() == ["1200", "1200"]
    wrong, of = (table.numbers.query("teacher == 'swin'")[name].sum() for name in ("test_disagrees", "test"))
    assert table.shown["test"][1] == f"{wrong} of {of} ({100 * wrong / of:.1f}%)"
    assert "Sums over the 5 outer folds" in table.caption


def test_settings_are_written_once_for_all_folds(material):
    section = common.reproduce(material)
    names = [name for name, _ in section.words["configs"]]
    assert len(names) == len(set(names)) == 1 + 2 + 1 + 2 + 2 * 8
    assert section.words["commands"][0].split()[:2] == ["make", "report"]
    assert "CV=5" in section.words["commands"][0]
    assert not [change for change in section.words["changes"] if change.startswith("split: cv")]


def test_a_row_speaks_of_all_folds(crossed_runs):
    [run] = [run for run in crossed_runs if run.recipe.teacher == "none" and run.seed == 0]
    line = row(run)
    assert line["outer_folds"] == CV
    assert line["folder"].split() == [one.model.path.name for one in run.folds]
    assert line["best_epoch"] == pytest.approx(np.mean([one.best["epoch"] for one in run.folds]))
    assert line["seconds"] == pytest.approx(sum(one.model.record["duration_s"] for one in run.folds), abs=1e-3)


def test_training_curves_draw_every_network_and_of_many_some(material):
    method = next(m for m in material.methods if m.title == "DeiT ← Swin")
    assert len(figures.trained(method)) == 2 * CV
    many = dataclasses.replace(method, runs=method.runs * 9)
    assert len(figures.trained(many)) == figures.MOST_LINES
    assert len({one.model.path for one in figures.trained(many)}) > CV
    assert figures.training(method, 2.0).svg.count("<path") > 6 * CV


def test_a_run_that_lacks_a_fold_is_not_compared(parts, splits):
    some = {name: artifact for made in parts.values() for name, artifact in made.items()}
    lost = "student-deit-none-s0-cv5-3"
    left = {name: artifact for name, artifact in some.items() if not name.endswith(lost)}
    with pytest.raises(ArtifactError, match=r"has 192 test faces, .* has 240"):
        gather(left, splits)


def test_folds_that_test_somebody_twice_are_refused(folded, parts, splits):
    other = Fakes(folded.store.root, subjects=120, size=32).of_folds(3)[0]
    model = other.model("deit", "none", 0)
    mixed = {name: artifact for made in parts.values() for name, artifact in made.items() if "none-s0" in name}
    mixed |= {f"model-{model.slug}": other.store.build(model)[0]}
    mixed |= {f"evaluation-{model.slug}": other.store.build(other.evaluation(model))[0]}
    with pytest.raises(ArtifactError, match=r"5 other folds tested 84 samples twice"):
        gather(mixed, splits)


def test_a_leak_is_in_the_words_of_figures_and_answers(material):
    runs = [dataclasses.replace(run, leaks=True) for run in material.runs]
    compared = methods.compare(runs, **DRAWS)
    leaky = dataclasses.replace(material, runs=runs, methods=compared)
    assert leaky.leaks
    assert not material.leaks
    assert "people whose other faces were learned from" in compared[0].tested_on
    assert "seen people (a leak)" in figures.comparison(compared).svg
    assert "a leak, shown on purpose" in checklist.facts(leaky)["divided"]


def test_effects_are_the_same_whatever_the_order_of_the_folds(parts, splits, material):
    turned = {n: a for made in reversed(parts.values()) for n, a in made.items()}
    again = effects.effects(methods.compare(gather(turned, splits), **DRAWS))
    assert [e.estimate for e in again] == [e.estimate for e in material.effects]


def test_power_counts_everybody_once(material):
    everybody = material.runs[0].predictions.query("part == 'test'")["subject_id"].nunique()
    assert everybody == material.everyone["subject_id"].nunique()
    for e in material.effects:
        assert (e.error.subjects, e.error.seeds) == (everybody, 2)
        assert e.needed is not None
    table = tables.effects(material.effects)
    assert f"in place of {everybody} subjects and 2 seeds" in table.caption
