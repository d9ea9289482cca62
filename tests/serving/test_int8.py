"""Int8 of one small network: what is quantised, what is left out, and by which measure."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from pipeline.config import AlignConfig, Architecture
from pipeline.errors import ConfigError
from pipeline.serving import int8, onnx_domain, onnx_file
from pipeline.serving.formats import FORMATS, Trained
from pipeline.tasks import PAIN
from tests.helpers import domains
from tests.helpers.networks import saved

NETWORK = Architecture("cnn4", (("channels", (8, 8, 16, 16)), ("hidden", 8)), 32, "random")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = saved(
        tmp_path_factory.mktemp("model"), PAIN, AlignConfig(face_size=32, align="none"), architecture=NETWORK
    )
    domains.knowing(folder, domains.pictures(48, 1, 32), domains.pictures(48, 2, 32))
    return Trained.load(folder)


@pytest.fixture(scope="module")
def path(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "float32.onnx"
    FORMATS["onnx"].write(trained, path)
    return path


@pytest.fixture(scope="module")
def feeds(trained):
    return [{"rgb": trained.made({"rgb": domains.pictures(32, seed, 32)}).numpy()} for seed in (3, 4)]


def operators(model, kind):
    return [node for node in model.graph.node if node.op_type == kind]


def given(model, node):
    """The operators that give a node its inputs."""
    makers = {name: one.op_type for one in model.graph.node for name in one.output}
    return {makers.get(name) for name in node.input}


def answers(model, feed):
    (runtime,) = onnx_file.needed("onnxruntime")
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run([onnx_file.OUTPUTS[0]], feed)[0]


@pytest.mark.slow
def test_all_operators_of_the_answers_are_quantised_and_none_of_the_score(path, feeds, trained):
    made = int8.quantised(path, *feeds, allowed=1.0)
    assert (made.operators, made.left_out, made.harm) == (6, (), made.harm_of_all)
    exact = set(onnx_domain.nodes(made.model))
    assert exact
    weighted = [n for kind in int8.OPERATORS for n in operators(made.model, kind)]
    assert {given(made.model, n) == {"DequantizeLinear"} for n in weighted if n.name not in exact} == {True}
    assert not any("DequantizeLinear" in given(made.model, n) for n in weighted if n.name in exact)
    expected = trained.run(torch.from_numpy(feeds[1]["rgb"]))[0]
    moved = answers(made.model, feeds[1]) - expected
    assert made.harm == pytest.approx((moved**2).sum() / (expected.var(axis=0).sum() * len(moved)), rel=0.05)


def test_thresholds_are_set_anew_for_the_network_that_it_is_then(path, feeds, trained):
    model = onnx_domain.recalibrated(int8.quantised(path, *feeds, allowed=1.0).model, [feeds[1]])
    (runtime,) = onnx_file.needed("onnxruntime")
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    score = session.run([onnx_file.OUTPUTS[1]], feeds[1])[0]
    assert (score > 1).mean() <= 0.01
    assert score.max() > 0.9


def test_the_most_harmful_are_left_out_until_the_rest_does_no_more_than_is_allowed(path, feeds, monkeypatch):
    harms = {}

    class Told(int8._Quantiser):
        def harm(self, model):
            quantised = [n for n in self.names if "DequantizeLinear" in given(model, by_name(model)[n])]
            harms[tuple(quantised)] = {6: 0.5, 5: 0.02}.get(len(quantised), 0.1 + (quantised[0] == self.names[2]))
            return harms[tuple(quantised)]

    def by_name(model):
        return {node.name: node for node in model.graph.node}

    monkeypatch.setattr(int8, "_Quantiser", Told)
    made = int8.quantised(path, *feeds, allowed=0.05)
    first = max((names for names in harms if len(names) == 1), key=harms.get)
    assert made.left_out == first
    assert (made.harm_of_all, made.harm) == (0.5, 0.02)
    assert len(harms) == 1 + 6 + 1
    stricter = int8.quantised(path, *feeds, allowed=0.01)
    assert stricter.left_out == first  # a quarter of six operators is one: no more are left out
    assert stricter.harm == 0.02


def test_what_has_no_operators_for_it_is_refused(tmp_path):
    node = onnx.helper.make_node("Relu", ["rgb"], ["logits"])
    value = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["b", 2]) for n in ("rgb", "logits")]
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "plain", value[:1], value[1:]),
        opset_imports=[onnx.helper.make_opsetid("", 20)],
        ir_version=10,
    )
    onnx.save(model, tmp_path / "plain.onnx")
    feed = {"rgb": np.ones((2, 2), np.float32)}
    with pytest.raises(ConfigError, match=r"plain\.onnx has none of Conv, MatMul, Gemm.*INT8=0"):
        int8.quantised(tmp_path / "plain.onnx", feed, feed, 1.0)
