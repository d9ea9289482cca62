"""The graph: what reads what, and which change reaches which artifact."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from pipeline import presets
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import topological
from pipeline.config import Architecture, PretrainConfig, fingerprinted, weights_file
from pipeline.errors import ConfigError, WeightsError
from pipeline.tasks import PAIN, TASKS
from stages.graph import Graph, Recipe, Selection, all_stages, upstream
from tests.helpers.presets import NETWORKS, PRESETS, networks

SELECTION = Selection(("resnet", "swin", "none"), ("deit",), (0, 1, 2))


@pytest.fixture
def raw(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"a")
    return RawData(tmp_path)


def graph(raw, preset=PRESETS["smoke"], **versions):
    modules = {
        name: SimpleNamespace(VERSION=versions.get(name, module.VERSION), INPUTS=module.INPUTS, run=None)
        for name, module in all_stages().items()
    }
    return Graph(preset, raw, modules=modules)


def fingerprints(found):
    return {node.slug: node.fingerprint for node in topological([found.report(SELECTION)])}


def changed(one, two):
    before, after = fingerprints(one), fingerprints(two)
    return {slug for slug in before if before[slug] != after[slug]}


def test_a_report_reads_every_model_once(raw):
    slugs = [node.slug for node in topological([graph(raw).report(SELECTION)])]
    assert len(slugs) == len(set(slugs))
    assert {"samples", "inputs", "split", "teacher-swin", "labels-resnet", "student-deit-swin-hard-s2"} <= set(slugs)
    assert {"student-deit-none-s0", "evaluation-teacher-resnet", "evaluation-student-deit-none-s1"} <= set(slugs)
    assert len(slugs) == 3 + 2 * 2 + 9 + 11 + 1


def test_a_split_that_fails_does_so_before_hours_of_alignment(raw):
    slugs = [node.slug for node in topological([graph(raw).report(SELECTION)])]
    assert slugs[:3] == ["samples", "split", "inputs"]


def test_faces_are_independent_of_the_split_and_the_baseline_of_the_labels(raw):
    found = graph(raw)
    assert "split" not in {node.slug for node in topological([found.inputs])}
    assert not {n.slug for n in topological([found.student(Recipe("deit", "none", "label"), 0)])} & {
        "labels-swin",
        "labels-resnet",
    }


def test_a_teachers_change_reaches_its_students_and_no_others(raw):
    base = PRESETS["smoke"]
    other = replace(base, teacher_networks={**NETWORKS, "swin": replace(NETWORKS["swin"], image_size=112)})
    reached = changed(graph(raw), graph(raw, other))
    assert {"teacher-swin", "labels-swin", "student-deit-swin-hard-s0", "evaluation-teacher-swin", "report"} <= reached
    assert not reached & {"samples", "inputs", "split", "teacher-resnet", "labels-resnet", "student-deit-none-s0"}


def test_a_stage_version_reaches_what_depends_on_it(raw):
    assert changed(graph(raw), graph(raw, report=99)) == {"report"}
    assert changed(graph(raw), graph(raw, index=99)) == set(fingerprints(graph(raw)))


def test_devices_and_workers_reach_nothing(raw):
    base = PRESETS["smoke"]
    other = replace(
        base,
        align=replace(base.align, workers=7, device="cuda"),
        teacher_labels=replace(base.teacher_labels, batch_size=1),
        distill=replace(base.distill, device="cuda"),
    )
    assert changed(graph(raw), graph(raw, other)) == set()


def test_any_timm_name_is_exactly_that_model(raw):
    for preset in PRESETS.values():
        assert graph(raw, preset).teacher("resnet50").config.architecture == Architecture("resnet50", weights="hub")


def test_weights_of_the_command_line_win_and_their_content_counts(raw, tmp_path):
    file = tmp_path / "mine.safetensors"
    given = PRESETS["smoke"].changed({"train_teacher": {"weights": str(file)}})
    with pytest.raises(WeightsError, match="WEIGHTS=random"):
        graph(raw, given).teacher("swin")
    file.write_bytes(b"one")
    first = graph(raw, given).teacher("swin").config.architecture
    assert weights_file(first) == file
    file.write_bytes(b"two")
    assert graph(raw, given).teacher("swin").config.architecture.digest != first.digest


def test_a_size_of_pictures_is_refused_where_none_are_read(raw):
    base = PRESETS["smoke"]
    task = replace(PAIN, name="level", teacher_inputs=("signal",), student_inputs=("signal",))
    preset = replace(base, task=task, distill=replace(base.distill, image_size=64))
    with pytest.raises(ConfigError, match=r"IMAGE_SIZE=64 is of pictures, and TASK=level reads signal\. Leave"):
        graph(raw, preset).student(Recipe("deit", "none"), 0)
    graph(raw, replace(base, distill=replace(base.distill, image_size=64))).student(Recipe("deit", "none"), 0)


def test_presets_name_the_papers_models_and_schedule():
    paper = PRESETS["paper"]
    assert networks(paper)["deit"] == Architecture("deit_base_distilled_patch16_224", image_size=256)
    assert networks(paper)["resnet"] == Architecture("resnet50", trained="head")
    assert networks(paper)["swin"] == Architecture("swin_base_patch4_window7_224")
    schedule = fingerprinted(paper.distill)
    expected = {"epochs": 30, "batch_size": 64, "learning_rate": 1e-5, "step_size": 10, "gamma": 0.5, "loss": "hard"}
    assert expected.items() <= schedule.items()
    assert (paper.split.train, paper.split.val) == (0.70, 0.15)


def test_the_baseline_is_there_once_whatever_the_losses_and_folds():
    grid = Selection(("swin", "none"), ("deit",), (0,), ("hard", "soft"), (1, 6), (0, 3))
    recipes = grid.recipes(epochs=6, truth_loss="label")
    assert len(recipes) == len(set(recipes)) == 2 * 2 * 2 + 1
    assert [r for r in recipes if r.teacher == "none"] == [Recipe("deit", "none", "label")]
    # With more epochs than views the baseline, too, sees fewer pictures.
    assert {r.views for r in grid.recipes(epochs=12, truth_loss="label") if r.teacher == "none"} == {1, 6}


def test_equal_sums_of_losses_are_one_recipe():
    grid = Selection(("swin",), ("deit",), (0,), ("soft:0.7,hint:0.3", "hint:0.3+soft:0.7"))
    assert len(grid.recipes(6, "label")) == 1


def test_runs_come_seed_by_seed(raw):
    seeds = [node.config.seed for node in graph(raw).runs(SELECTION)]
    assert seeds == sorted(seeds)


def test_a_loss_asks_for_the_features_it_learns_from(raw):
    found = graph(raw).student(Recipe("deit", "swin", "soft:0.7,hint:0.3", 6), 0)
    assert found.inputs["labels_teacher"].config.features == "map"
    assert found.inputs["labels_teacher"].slug == "labels-swin-v6-map"
    plain = graph(raw).student(Recipe("deit", "swin", "soft", 6), 0)
    assert plain.inputs["labels_teacher"].config.features == ""


def test_cross_fitted_labels_read_every_folds_teacher(raw):
    labels = graph(raw).labels("swin", 1, 3)
    assert [f"teacher_{k}" for k in range(3)] == [name for name in labels.inputs if name.startswith("teacher")]
    assert [labels.inputs[f"teacher_{k}"].config.fold for k in range(3)] == [0, 1, 2]
    assert len({labels.inputs[f"teacher_{k}"].fingerprint for k in range(3)}) == 3


def test_online_the_student_reads_the_teacher_and_no_labels(raw):
    base = PRESETS["smoke"]
    online = replace(base, distill=replace(base.distill, online=True))
    found = graph(raw, online).student(Recipe("deit", "swin", "hard", 2), 0)
    assert "labels_teacher" not in found.inputs
    assert found.inputs["teacher_teacher"].slug == "teacher-swin"
    assert found.fingerprint != graph(raw).student(Recipe("deit", "swin", "hard", 2), 0).fingerprint
    baseline = Recipe("deit", "none", "label")
    assert graph(raw, online).student(baseline, 0).fingerprint == graph(raw).student(baseline, 0).fingerprint


@pytest.mark.parametrize(
    ("recipe", "changes", "message"),
    [
        (Recipe("deit", "swin"), {"mix": "cutmix"}, "VIEWS=2"),
        (Recipe("deit", "swin", views=4), {"augment": False}, "VIEWS=1"),
        (Recipe("deit", "swin", folds=3), {"online": True}, "FOLDS=3"),
    ],
)
def test_what_no_cached_answer_can_be_right_for_is_refused(raw, recipe, changes, message):
    base = PRESETS["smoke"]
    with pytest.raises(ConfigError, match=message):
        graph(raw, replace(base, distill=replace(base.distill, **changes))).student(recipe, 0)


STRONG = {"views_strength": "strong"}


def test_plain_views_have_the_fingerprints_of_before_there_were_others_and_strong_ones_their_own(raw):
    base = PRESETS["smoke"]
    strong = base.changed({stage: STRONG for stage in ("train_teacher", "teacher_labels", "distill")})
    for config in (base.train_teacher, base.teacher_labels, base.distill, PretrainConfig()):
        assert "views_strength" not in fingerprinted(config)
        assert fingerprinted(replace(config, **STRONG)) == fingerprinted(config) | STRONG
    found, plain = graph(raw, strong), graph(raw)
    assert found.teacher("swin").slug == "teacher-swin-strong"
    assert found.labels("swin").slug == "labels-swin"  # of the faces themselves, by a teacher of strong views
    assert found.labels("swin").config == plain.labels("swin").config
    assert found.labels("swin", 2).slug == "labels-swin-v2-strong"
    assert found.student(Recipe("deit", "none", "label"), 0).slug == "student-deit-none-strong-s0"
    lone = PretrainConfig(**STRONG)
    assert plain.pretrained("deit", NETWORKS, lone).inputs["guide"].config.views_strength == "strong"


@pytest.mark.parametrize(
    ("task", "changes", "message"),
    [
        ("skin-conductance", {}, r"VIEWS_STRENGTH=strong breaks the look of pictures, and TASK=skin-conductance reads"),
        ("pain", {"augment": False}, "AUGMENT=false trains on the input itself, VIEWS_STRENGTH=strong is of views"),
    ],
)
def test_where_nothing_has_a_look_strong_views_are_refused(raw, task, changes, message):
    preset = presets.preset(TASKS[task], "smoke")
    strong = preset.changed({"train_teacher": STRONG | changes, "distill": STRONG | changes})
    with pytest.raises(ConfigError, match=message):
        graph(raw, strong).teacher(preset.teachers[0])
    with pytest.raises(ConfigError, match=message):
        graph(raw, strong).student(Recipe(preset.students[0], "none", "label"), 0)


def test_labels_of_the_face_itself_depend_on_no_view_seed(raw):
    base = PRESETS["smoke"]
    other = replace(base, teacher_labels=replace(base.teacher_labels, view_seed=9))
    assert graph(raw).labels("swin").fingerprint == graph(raw, other).labels("swin").fingerprint
    assert graph(raw).labels("swin", 2).fingerprint != graph(raw, other).labels("swin", 2).fingerprint


def test_several_teachers_each_play_the_role_of_their_name(raw):
    found = graph(raw).student(Recipe("deit", "resnet+swin", "soft,hint@swin", 2), 0)
    assert found.inputs["labels_resnet"].slug == "labels-resnet-v2"
    assert found.inputs["labels_swin"].slug == "labels-swin-v2-map"
    assert Selection(("resnet+swin", "swin", "none"), ("deit",), (0,)).real_teachers == ("resnet", "swin")
    with pytest.raises(ConfigError, match=r"speaks of vit, the teachers are resnet, swin"):
        graph(raw).student(Recipe("deit", "resnet+swin", "soft@vit"), 0)


def test_tasks_over_one_dataset_share_what_asks_nothing(raw):
    pain, expression = (graph(raw, presets.preset(task, "smoke")) for task in (PAIN, TASKS["expression"]))
    for name in ("samples", "inputs", "split"):
        assert getattr(pain, name).fingerprint == getattr(expression, name).fingerprint
    assert pain.teacher("swin").fingerprint != expression.teacher("swin").fingerprint
    assert expression.teacher("swin").slug == "expression-teacher-swin"


def test_stages_stand_in_the_order_that_their_inputs_say():
    assert upstream("distill") == ("teacher_labels", "train_teacher", "align", "resize", "split", "window", "index")
    assert set(upstream("report")) == set(all_stages()) - {"report", "pretrain"}


def test_every_recipe_and_its_baseline_come_at_every_budget(raw):
    grid = Selection(("swin", "none"), ("deit",), (0,), ("hard", "soft"), (1, 6), (0, 3), (10.0, 0.0))
    recipes = grid.recipes(epochs=6, truth_loss="label")
    assert len(recipes) == len(set(recipes)) == 2 * (2 * 2 * 2 + 1)
    assert {r.labelled for r in recipes if r.teacher == "none"} == {10.0, 0.0}
    found = graph(raw)
    few, everyone = (found.student(Recipe("deit", "swin", labelled=n), 0) for n in (10, 0))
    assert few.slug == "student-deit-swin-hard-n10-s0"
    assert found.student(Recipe("deit", "none", "label", labelled=0.25), 1).slug == "student-deit-none-n0_25-s1"
    assert few.inputs["labels_teacher"].fingerprint == everyone.inputs["labels_teacher"].fingerprint
    assert few.fingerprint != everyone.fingerprint == found.student(Recipe("deit", "swin"), 0).fingerprint
    assert few.fingerprint == found.student(Recipe("deit", "swin", labelled=10.0), 0).fingerprint


def test_a_report_has_the_compressed_forms_of_one_student_where_they_are_asked_for(raw, monkeypatch):
    asked = PRESETS["smoke"].changed({"report": {"benchmark": True}})
    found = graph(raw, asked).report(SELECTION)
    assert not any(name.startswith("benchmark-") for name in graph(raw).report(SELECTION).inputs)
    assert [name for name in found.inputs if name.startswith("benchmark-")] == ["benchmark-student-deit-resnet-hard-s0"]
    untaught = graph(raw, asked).report(Selection(("none",), ("deit",), (0,)))
    assert "benchmark-student-deit-none-s0" in untaught.inputs
    # Without a package the report says which, and is another one: with the package it is made anew.
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "torch_pruning" else name)
    lacking = graph(raw, asked).report(SELECTION)
    assert lacking.config.lacking == "torch-pruning"
    assert not any(name.startswith("benchmark-") for name in lacking.inputs)
    assert lacking.fingerprint not in (found.fingerprint, graph(raw).report(SELECTION).fingerprint)
    assert not graph(raw, asked.changed({"compress": {"prune": 0.0}})).report(SELECTION).config.lacking


def test_explanations_are_of_tasks_that_show_one_picture_and_where_they_are_asked_for(raw):
    def explained(task, **config):
        made = Graph(presets.preset(TASKS[task], "smoke").changed({"explain_tests": config}), raw)
        return made.explanation(made.teacher("resnet18"))

    assert explained("pain", explained=4).slug == "explanation-teacher-resnet18"
    assert {name for name in TASKS if explained(name, explained=4)} == {"pain", "expression", "intensity"}
    assert explained("pain") is None  # the preset of tests asks for none
    made = Graph(PRESETS["smoke"].changed({"explain_tests": {"explained": 4}}), raw).reported(SELECTION)
    assert "explanation-student-deit-none-s0" in made
