"""Compressed forms of a student: files that predict runs, a training that a kill does not lose, a table of it all."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from pipeline.artifacts import arrays
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import Node
from pipeline.config import Architecture, EvaluateConfig, fingerprinted
from pipeline.errors import ArtifactError, ConfigError, MissingDependencyError
from pipeline.presets import preset
from pipeline.serving import engines, onnx_file, place
from pipeline.serving.compressing import Forms
from pipeline.serving.formats import Trained
from pipeline.serving_config import BenchmarkConfig, CompressConfig
from pipeline.tasks import PAIN, TASKS
from pipeline.training import supervised
from stages import benchmark, compress, evaluate
from stages.cli import cli
from stages.graph import Graph, Recipe
from tests.fakes.classify import Fakes
from tests.helpers.students import labels, student

ONNX = ["float32.onnx", "int8.onnx", "pruned.onnx", "pruned-int8.onnx"]
BLOCKS = Architecture("cnn4", (("channels", (16, 16, 32, 32)), ("hidden", 16)), 32, "random")


@pytest.fixture(scope="module")
def fakes(tmp_path_factory) -> Fakes:
    return Fakes(tmp_path_factory.mktemp("cache"), subjects=40, size=32)


def small(fakes) -> Node:
    """A student of a teacher."""
    node = student(fakes, epochs=2)
    return replace(node, config=replace(node.config, architecture=BLOCKS))


def compressed(fakes, **changes) -> Node:
    """Its compressed forms."""
    model = small(fakes)
    config = CompressConfig(
        prune=0.5, calibration=32, harm=1.0, trained=replace(model.config, epochs=1, checkpoint_s=0.0)
    )
    inputs = {**fakes.data, "model": model, "labels_teacher": labels(fakes)}
    return Node("compress", "compressed", compress.VERSION, replace(config, **changes), inputs, compress.run)


@pytest.fixture(scope="module")
def killed(fakes) -> SimpleNamespace:
    """Forms that were killed after the training, made again, and how often the network was trained in all."""
    with pytest.MonkeyPatch.context() as patch:
        taught = []
        step = supervised.loop._Run.train_epoch
        patch.setattr(supervised.loop._Run, "train_epoch", lambda *given: taught.append(1) or step(*given))
        fakes.store.build(small(fakes), labels(fakes))
        taught.clear()
        patch.setattr(Forms, "add", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fakes.store.build(compressed(fakes))
        patch.undo()
        patch.setattr(supervised.loop._Run, "train_epoch", lambda *given: taught.append(1) or step(*given))
        (artifact,) = fakes.store.build(compressed(fakes))
    return SimpleNamespace(artifact=artifact, epochs=len(taught))


@pytest.fixture(scope="module")
def forms(killed):
    return killed.artifact


@pytest.fixture(scope="module")
def faces(fakes):
    return np.array(arrays.open_inputs(fakes.store.build(fakes.inputs)[0])["rgb"][:16])


def whole_inputs(model, faces):
    """Pictures as the network reads them."""
    return Trained.load(model).made({"rgb": faces})


@pytest.mark.slow
def test_a_killed_run_does_not_train_again(killed):
    assert killed.epochs == 1
    assert "checkpoint.pt" not in killed.artifact.record["files"]


def test_every_file_is_run_by_the_code_of_predict_and_says_what_was_done(forms, fakes, faces):
    (model,) = fakes.store.build(small(fakes))
    whole = engines.load(model, "cpu")
    inputs = whole_inputs(model, faces)
    expected, _ = whole.read(inputs)
    told = {}
    for name in ONNX:
        engine = engines.load(forms.file(name), "cpu")
        answers, scores = engine.read(inputs)
        assert answers.shape == expected.shape
        assert scores.shape == (16,)
        assert engine.unflagged == ""
        told[name] = engine.card.get("compressed", {})
        if name == "float32.onnx":
            np.testing.assert_allclose(answers, expected, atol=1e-4)
    assert told.pop("float32.onnx") == {}
    assert {card["parent"] for card in told.values()} == {model.fingerprint}
    assert told["pruned.onnx"]["pruned_channels"] == 0.5
    assert told["pruned.onnx"].keys() == {"parent", "pruned_channels", "pruned_parameters"}
    assert told["pruned-int8.onnx"].keys() == told["pruned.onnx"].keys() | told["int8.onnx"].keys()
    assert told["int8.onnx"]["int8_operators"] == 6
    assert told["int8.onnx"]["reduce_range"] is False


def test_a_pruned_network_is_run_by_torch_alone(forms, fakes, faces):
    (model,) = fakes.store.build(small(fakes))
    inputs = whole_inputs(model, faces)
    program = torch.export.load(forms.file("pruned.pt2")).module()
    with torch.no_grad():
        answers = program(inputs).numpy()
    np.testing.assert_allclose(answers, engines.load(forms.file("pruned.onnx"), "cpu").read(inputs)[0], atol=1e-4)


def test_int8_calls_validation_inputs_strange_as_seldom_as_it_should(forms, fakes):
    split = arrays.read_table(fakes.store.build(fakes.split)[0].file("split.csv"))
    columns = arrays.open_inputs(fakes.store.build(fakes.inputs)[0])
    val = split.loc[split["part"] == "val", "sample_id"]
    (model,) = fakes.store.build(small(fakes))
    inputs = whole_inputs(model, columns["rgb"][columns.rows(val)])
    for name in ONNX:
        scores = engines.load(forms.file(name), "cpu").read(inputs)[1]
        assert (scores > 1).sum() == 0, name


def test_the_table_says_what_each_file_is(forms):
    rows = {row["format"]: row for row in json.loads(forms.file("compress.json").read_text())["files"]}
    assert [rows[name]["file"] for name in ("float32", "int8", "pruned", "pruned-int8")] == ONNX
    assert rows["pruned"]["parameters"] < rows["float32"]["parameters"] == rows["int8"]["parameters"]
    assert rows["pruned"]["gflops"] == rows["pruned-int8"]["gflops"] < rows["int8"]["gflops"]
    assert all(
        rows[name]["megabytes"] == round(forms.file(rows[name]["file"]).stat().st_size / 1e6, 3) for name in rows
    )
    assert compress.told(rows["pruned-int8"]).startswith("pruned-int8.onnx: 0.")
    assert "without 50% of the channels and 7" in compress.told(rows["pruned-int8"])
    assert "6 operators in int8, 0 left out" in compress.told(rows["int8"])


def test_a_folder_of_forms_is_no_model_but_each_of_its_files_is(forms):
    with pytest.raises(
        ArtifactError, match=r"each a file of its own\. Give one of its files, float32\.onnx, int8.*MODEL="
    ):
        place.awaited(forms.path, engines.EXPORTED)
    with pytest.raises(ArtifactError, match="Give what they were made of"):
        place.awaited(forms.path)


def test_the_benchmark_compares_every_form_with_the_network(forms, fakes):
    model = small(fakes)
    inputs = {**fakes.data, "model": model}
    measured = EvaluateConfig(task=PAIN, replicates=20)
    evaluation = Node("evaluate", "evaluation", 1, measured, inputs, evaluate.run)
    read = {"inputs": fakes.inputs, "model": model, "evaluation": evaluation, "compressed": compressed(fakes)}
    config = BenchmarkConfig(task=PAIN, replicates=20, timing_s=1e-3)
    node = Node("benchmark", "benchmark", benchmark.VERSION, config, read, benchmark.run)
    artifact, evaluated = fakes.store.build(node, evaluation)
    told = json.loads(artifact.file("benchmark.json").read_text())
    rows = {row["format"]: row for row in told["rows"]}
    assert list(rows) == ["torch float32", "float32", "int8", "pruned", "pruned-int8"]
    reached = json.loads(evaluated.file("metrics.json").read_text())["metrics"]["balanced_accuracy"]["value"]
    assert rows["torch float32"]["metric"]["value"] == pytest.approx(reached)
    assert [rows["float32"]["difference"][name] for name in ("value", "low", "high")] == [0, 0, 0]
    assert rows["float32"]["agreement"] == 1.0
    assert "difference" not in rows["torch float32"]
    for row in rows.values():
        assert min(row["latency_ms"].values()) > 0
        if "difference" in row:
            change = row["metric"]["value"] - rows["torch float32"]["metric"]["value"]
            assert row["difference"]["value"] == pytest.approx(change)
    lines = benchmark.table(artifact).splitlines()
    assert len(lines) == 2 + len(rows) + len(told["slower"]) + bool(told["busy"])
    assert lines[1].split()[:2] == ["format", "params,"]


def graph(tmp_path, task=PAIN, **changes):
    changed = preset(task, "smoke").changed(changes)
    (tmp_path / "a.jpg").write_bytes(b"a")
    return Graph(changed, RawData(tmp_path))


def test_a_student_learns_again_from_the_labels_that_it_learned_from(tmp_path):
    node = graph(tmp_path).student(Recipe("deit", "swin", "soft", views=2), 0)
    forms = graph(tmp_path).compressed(node)
    assert forms.inputs["labels_teacher"].folder_name == node.inputs["labels_teacher"].folder_name
    relearns = forms.config.trained
    assert (relearns.loss, relearns.views, relearns.epochs) == ("soft", 2, node.config.epochs)


def test_online_and_teachers_learn_again_from_caches_alone(tmp_path):
    made = graph(tmp_path, distill={"online": True})
    forms = made.compressed(made.student(Recipe("deit", "swin", "soft"), 0))
    assert not forms.config.trained.online
    assert forms.inputs["labels_teacher"].folder_name == made.labels("swin").folder_name
    teacher = made.compressed(made.teacher("swin"))
    assert teacher.inputs["labels_teacher"].folder_name == made.labels("swin").folder_name
    assert teacher.config.trained.loss == "soft"
    assert teacher.config.trained.architecture == made.teacher("swin").config.architecture


def test_what_no_form_is_trained_by_is_no_part_of_it(tmp_path):
    made = {rate: graph(tmp_path, compress={"prune": 0.0, "finetune_rate": rate}) for rate in (0.0, 1e-3)}
    nodes = [one.compressed(one.student(Recipe("deit", "none", "label"), 0)) for one in made.values()]
    assert nodes[0].fingerprint == nodes[1].fingerprint
    assert nodes[0].config.trained is None
    assert fingerprinted(nodes[0].config)["prune"] == 0
    one = graph(tmp_path, compress={"int8": False, "prune": 0.0})
    teacher = one.teacher("swin")
    with pytest.raises(ConfigError, match="INT8=0 PRUNE=0 leaves nothing"):
        one.compressed(teacher)


def test_a_network_that_cannot_be_pruned_is_refused_before_its_inputs_are_made(tmp_path):
    arguments = ["compress", "--preset", "smoke", "--task", "fire-smoke", "--role", "teacher", "--teacher", "resnet"]
    result = CliRunner().invoke(cli, [*arguments, "--cache", str(tmp_path)])
    assert isinstance(result.exception, ConfigError)
    assert "dual:test_resnet cannot be pruned" in str(result.exception)
    assert not list(tmp_path.glob("*/inputs*"))


def test_a_missing_package_is_said_before_anything_is_made(tmp_path, monkeypatch):
    def missing(*names):
        raise MissingDependencyError("pip install -e '.[export]'")

    monkeypatch.setattr(onnx_file, "needed", missing)
    result = CliRunner().invoke(cli, ["compress", "--preset", "smoke", "--cache", str(tmp_path)])
    assert isinstance(result.exception, MissingDependencyError)
    assert not list(tmp_path.glob("*/samples*"))


def test_every_task_has_what_a_benchmark_asks():
    for task in TASKS.values():
        assert preset(task, "demo").benchmark.task == task
        assert preset(task, "demo").report.benchmark
        assert not preset(task, "smoke").report.benchmark
