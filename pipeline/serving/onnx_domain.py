"""The part of an ONNX graph that says how strange an input is: which nodes it is, and its threshold set anew.

A network that was changed within its file (quantised, for one) has other features, and another share of inputs like the
training inputs is beyond the threshold, until it is set again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from pipeline.models import domain
from pipeline.serving.onnx_file import OUTPUTS, needed

if TYPE_CHECKING:
    import onnx

SCOPE = "strangeness"  # how the names of its nodes begin, and before the dot of its tensors
WEIGHTS, THRESHOLD = f"{SCOPE}.weights", f"{SCOPE}.threshold"  # how the names of two tensors end


def name_nodes(model: onnx.ModelProto) -> None:
    """Give the nodes of this part names that say so, in place."""
    for number, node in enumerate(_own(model.graph)):
        node.name = f"{SCOPE}/{node.op_type}_{number}"


def nodes(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes that the score alone depends on; none where there is no score.

    They are found by what they lead to: a model whose nodes were renamed or fused has them, too.
    """
    return [node.name for node in _own(model.graph)]


def recalibrated(model: onnx.ModelProto, batches: Iterable[Mapping[str, np.ndarray]]) -> onnx.ModelProto:
    """A copy of a model that has a score, its weights and its threshold set by some inputs as training sets them.

    Parameters
    ----------
    batches : inputs that the network has not learned from, such as those of validation: by modality, as it reads them.

    Raises
    ------
    MissingDependencyError : onnxruntime is not installed.
    """
    onnx, runtime = needed("onnx", "onnxruntime")
    measuring, changed = onnx.ModelProto(), onnx.ModelProto()
    measuring.CopyFrom(model)
    changed.CopyFrom(model)
    weights, threshold = (_tensor(changed.graph, name) for name in (WEIGHTS, THRESHOLD))
    (weighted,) = (node for node in model.graph.node if weights.name in node.input)
    (logarithms,) = (name for name in weighted.input if name != weights.name)
    del measuring.graph.output[:]
    measuring.graph.output.append(onnx.helper.make_tensor_value_info(logarithms, onnx.TensorProto.FLOAT, None))
    session = runtime.InferenceSession(measuring.SerializeToString(), providers=["CPUExecutionProvider"])
    found = np.concatenate([session.run(None, dict(batch))[0] for batch in batches])
    for tensor, values in zip((weights, threshold), domain.calibration(np.exp(found)), strict=True):
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    return changed


def _tensor(graph: onnx.GraphProto, ending: str) -> onnx.TensorProto:
    """The tensor of a graph whose name ends so."""
    (tensor,) = (one for one in graph.initializer if one.name.endswith(ending))
    return tensor


def _own(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes that lead to the score and to no other output."""
    others = _leading_to(graph, {one.name for one in graph.output} - {OUTPUTS[1]})
    score = _leading_to(graph, {one.name for one in graph.output} & {OUTPUTS[1]})
    return [node for number, node in enumerate(graph.node) if number in score - others]


def _leading_to(graph: onnx.GraphProto, tensors: set[str]) -> set[int]:
    """Places of the nodes on which some tensors depend; a graph has its nodes in the order in which they run."""
    needed, found = set(tensors), set()
    for number, node in reversed(list(enumerate(graph.node))):
        if needed & set(node.output):
            found.add(number)
            needed |= set(node.input)
    return found
