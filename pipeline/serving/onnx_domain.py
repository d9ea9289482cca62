"""The part of an ONNX graph that says how strange an input is: which nodes it is, and its thresholds set anew.

A network that was changed within its file (quantised, for one) has other features, and another share of inputs like the
training inputs is beyond the thresholds, until these are set again.
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
THRESHOLDS = f"{SCOPE}.thresholds"  # how the name of the tensor ends, float32, shape (R,), by respect


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
    """A copy of a model that has a score, its thresholds set by some inputs as training sets them.

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
    (thresholds,) = (tensor for tensor in changed.graph.initializer if tensor.name.endswith(THRESHOLDS))
    (divided,) = (node for node in model.graph.node if thresholds.name in node.input)
    del measuring.graph.output[:]
    measuring.graph.output.append(onnx.helper.make_tensor_value_info(divided.input[0], onnx.TensorProto.FLOAT, None))
    session = runtime.InferenceSession(measuring.SerializeToString(), providers=["CPUExecutionProvider"])
    distances = np.concatenate([session.run(None, dict(batch))[0] for batch in batches])
    values = domain.thresholds(distances).astype(np.float32)
    thresholds.CopyFrom(onnx.numpy_helper.from_array(values, thresholds.name))
    return changed


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
