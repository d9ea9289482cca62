"""The graph: what reads what, and which change reaches which artifact."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from pipeline.artifacts import topological
from pipeline.config import PRESETS, Architecture, fingerprinted, weights_file
from pipeline.errors import WeightsError
from pipeline.graph import Graph, Selection
from pipeline.raw import RawData

STAGES = ("index", "align", "split", "train_teacher", "teacher_labels", "distill", "evaluate", "report")
SELECTION = Selection(("resnet", "swin", "none"), ("deit",), (0, 1, 2))


@pytest.fixture
def raw(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"a")
    return RawData(tmp_path)


def graph(raw, preset=PRESETS["smoke"], **versions):
    stages = {name: SimpleNamespace(VERSION=versions.get(name, 1), run=None) for name in STAGES}
    return Graph(preset, raw, stages)


def fingerprints(found):
    return {node.slug: node.fingerprint for node in topological([found.report(SELECTION)])}


def changed(one, two):
    before, after = fingerprints(one), fingerprints(two)
    return {slug for slug in before if before[slug] != after[slug]}


def test_a_report_reads_every_model_once(raw):
    slugs = [node.slug for node in topological([graph(raw).report(SELECTION)])]
    assert len(slugs) == len(set(slugs))
    assert {"samples", "faces", "split", "teacher-swin", "labels-resnet", "student-deit-swin-hard-s2"} <= set(slugs)
    assert {"student-deit-none-s0", "evaluation-teacher-resnet", "evaluation-student-deit-none-s1"} <= set(slugs)
    assert len(slugs) == 3 + 2 * 2 + 9 + 11 + 1


def test_a_split_that_fails_does_so_before_hours_of_alignment(raw):
    slugs = [node.slug for node in topological([graph(raw).report(SELECTION)])]
    assert slugs[:3] == ["samples", "split", "faces"]


def test_faces_are_independent_of_the_split_and_the_baseline_of_the_labels(raw):
    found = graph(raw)
    assert "split" not in {node.slug for node in topological([found.faces])}
    assert not {n.slug for n in topological([found.student("deit", "none", 0)])} & {"labels-swin", "labels-resnet"}


def test_a_teachers_change_reaches_its_students_and_no_others(raw):
    base = PRESETS["smoke"]
    other = replace(base, families={**base.families, "swin": replace(base.families["swin"], image_size=112)})
    reached = changed(graph(raw), graph(raw, other))
    assert {"teacher-swin", "labels-swin", "student-deit-swin-hard-s0", "evaluation-teacher-swin", "report"} <= reached
    assert not reached & {"samples", "faces", "split", "teacher-resnet", "labels-resnet", "student-deit-none-s0"}


def test_a_stage_version_reaches_what_depends_on_it(raw):
    assert changed(graph(raw), graph(raw, report=2)) == {"report"}
    assert changed(graph(raw), graph(raw, index=2)) == set(fingerprints(graph(raw)))


def test_devices_and_workers_reach_nothing(raw):
    base = PRESETS["smoke"]
    other = replace(
        base,
        align=replace(base.align, workers=7, device="cuda"),
        labels=replace(base.labels, batch_size=1),
        distill=replace(base.distill, device="cuda"),
    )
    assert changed(graph(raw), graph(raw, other)) == set()


def test_any_timm_name_is_exactly_that_model(raw):
    for preset in PRESETS.values():
        assert graph(raw, preset).architecture("resnet50", preset.teacher) == Architecture("resnet50", weights="hub")


def test_weights_of_the_command_line_win_and_their_content_counts(raw, tmp_path):
    file = tmp_path / "mine.safetensors"
    with pytest.raises(WeightsError, match="WEIGHTS=random"):
        graph(raw).architecture("swin", replace(PRESETS["smoke"].teacher, weights=str(file)))
    file.write_bytes(b"one")
    config = replace(PRESETS["smoke"].teacher, weights=str(file))
    first = graph(raw).architecture("swin", config)
    assert weights_file(first) == file
    file.write_bytes(b"two")
    assert graph(raw).architecture("swin", config).digest != first.digest


def test_presets_name_the_papers_models_and_schedule():
    paper = PRESETS["paper"]
    assert paper.families["deit"] == Architecture("deit_base_distilled_patch16_224", image_size=256)
    assert paper.families["resnet"] == Architecture("resnet50", trained="head")
    assert paper.families["swin"] == Architecture("swin_base_patch4_window7_224")
    schedule = fingerprinted(paper.distill)
    expected = {"epochs": 30, "batch_size": 64, "learning_rate": 1e-5, "step_size": 10, "gamma": 0.5, "loss": "hard"}
    assert expected.items() <= schedule.items()
    assert (paper.split.train, paper.split.val) == (0.70, 0.15)
