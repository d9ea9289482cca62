"""The part of an exported file that judges its inputs: found in the graph, and set anew by other inputs."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from pipeline import models
from pipeline.config import AlignConfig
from pipeline.models import domain
from pipeline.serving import onnx_domain, onnx_file
from pipeline.serving.formats import Trained
from pipeline.tasks import PAIN
from stages import export
from tests.helpers.domains import knowing, pictures
from tests.helpers.networks import saved


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A network and its file."""
    folder = tmp_path_factory.mktemp("model")
    model = knowing(saved(folder / "model", PAIN, AlignConfig(face_size=64)), pictures(100), pictures(40, 1))
    export.run(model, ["onnx"], folder / "out")
    return Trained.load(model), onnx.load(folder / "out" / "model.onnx")


def asked(model: onnx.ModelProto, inputs) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"rgb": inputs.numpy()})


@pytest.mark.slow
def test_the_nodes_of_the_score_alone_are_named_and_found_whatever_they_are_called(exported):
    _, model = exported
    names = onnx_domain.nodes(model)
    assert len(names) == len(set(names)) > 10
    assert all(name.startswith("strangeness/") for name in names)
    assert not [
        node.name for node in model.graph.node if node.name.startswith("strangeness/") and node.name not in names
    ]
    assert {"Conv", "Log", "Exp"} <= {name.partition("/")[2].partition("_")[0] for name in names}
    alone, renamed = onnx.ModelProto(), onnx.ModelProto()
    alone.CopyFrom(model)
    kept = [node for node in model.graph.node if node.name not in names]
    del alone.graph.node[:], alone.graph.output[1:]
    alone.graph.node.extend(kept)
    onnx.checker.check_model(alone)  # the logits need none of them
    renamed.CopyFrom(model)
    for number, node in enumerate(renamed.graph.node):
        node.name = str(number)
    assert len(onnx_domain.nodes(renamed)) == len(names)
    assert onnx_domain.nodes(alone) == []


def test_weights_and_threshold_are_set_anew_as_training_sets_them(exported):
    trained, model = exported
    inputs = [trained.made({"rgb": pictures(30, seed)}) for seed in (5, 6)]
    again = onnx_domain.recalibrated(model, [{"rgb": one.numpy()} for one in inputs])
    strangeness, network = trained.judged.strangeness, trained.network
    with torch.no_grad():
        distances = [
            strangeness.distances(strangeness.respects(one, models.observe(network, one, ("hidden", "layers"))))
            for one in inputs
        ]
    weights, threshold = domain.calibration(torch.cat(distances).numpy())
    for one, of_one in zip(inputs, distances, strict=True):
        logits, scores = asked(again, one)
        np.testing.assert_allclose(scores, np.exp(np.log(of_one.numpy()) @ weights) / threshold, rtol=1e-4)
        np.testing.assert_array_equal(logits, asked(model, one)[0])
    assert max(asked(again, one)[1].max() for one in inputs) == pytest.approx(1, abs=1e-3)  # the strangest of 60


def test_a_file_of_version_0_7_has_one_output_and_says_what_to_do(exported, tmp_path):
    trained, model = exported
    old = onnx.ModelProto()
    old.CopyFrom(model)
    del old.graph.output[1:]
    (tmp_path / "model.onnx").write_bytes(onnx_file.content(old, trained.card))
    engine = onnx_file.OnnxEngine(tmp_path / "model.onnx")
    assert "Export the model again: make export" in engine.unflagged
    assert engine.read(trained.made({"rgb": pictures(2)}))[1] is None


def test_the_metadata_say_what_the_score_is(exported):
    stated = {entry.key: entry.value for entry in exported[1].metadata_props}
    assert stated["domain_threshold"] == "1"
    assert "above domain_threshold it is not like the training inputs" in stated["domain_score"]
