"""Int8: convolutions and matrix products of an ONNX network in whole numbers of 8 bits, but for the few that suffer.

Static quantisation of ONNX Runtime, with Q and DQ nodes, weights by channel, activations by the range that calibration
inputs span. Which operators are left out is measured, not listed. The harm of quantising some is the mean square by
which outputs move, as a share of their variance over the same inputs. Where all of them together do more harm than is
allowed, each is quantised alone; from the most harmful on they are left out, twice as many in each round, until the
others together do no more harm than that, or a quarter is out.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import ConfigError
from pipeline.serving import onnx_domain, onnx_file

if TYPE_CHECKING:
    import onnx

OPERATORS = ("Conv", "MatMul", "Gemm")
MOST_GROUPS = 48  # that are measured one by one; of more operators some neighbours go together
MOST_LEFT_OUT = 0.25  # of the operators
BATCH = 16  # inputs that are calibrated with, and measured with, at once

Feed = Mapping[str, np.ndarray]  # inputs by name, as a session takes them


@dataclass(frozen=True)
class Quantised:
    """A network in int8, and what was measured on the way.

    Parameters
    ----------
    model : without a card.
    operators : how many there were to be quantised.
    left_out : names of those that were not, the most harmful first.
    harm : of all others together: mean square by which outputs move, as a share of their variance.
    harm_of_all : the same with none left out.
    """

    model: onnx.ModelProto
    operators: int
    left_out: tuple[str, ...]
    harm: float
    harm_of_all: float


def quantised(path: Path, calibration: Feed, asked: Feed, allowed: float, reduce_range: bool = False) -> Quantised:
    """An ONNX file in int8.

    Parameters
    ----------
    path : of a float32 network; it stays as it is.
    calibration, asked : inputs by name, to span activations' ranges with, and to measure harm with; two of each at
        least.
    allowed : harm of all that is quantised, as a share of the variance of the outputs.
    reduce_range : weights of 7 bits, for processors whose sums of products of 8 bits overflow.

    Raises
    ------
    ConfigError : it has no such operators.
    MissingDependencyError : onnx or onnxruntime is not installed.
    """
    with tempfile.TemporaryDirectory() as folder, _quietly():
        made = _Quantiser(path, Path(folder), calibration, asked, reduce_range)
        if not made.names:
            raise ConfigError(f"{path.name} has none of {', '.join(OPERATORS)}, which int8 is for. Give INT8=0")
        model = made.without(())
        of_all = harm = made.harm(model)
        left_out: list[str] = []
        if harm > allowed:
            harmful = made.harmful()
            for count in _rounds(MOST_LEFT_OUT * len(made.names)):
                left_out = harmful[:count]
                model = made.without(left_out)
                if (harm := made.harm(model)) <= allowed:
                    break
        return Quantised(model, len(made.names), tuple(left_out), harm, of_all)


def _rounds(most: float) -> Iterator[int]:
    """1, 2, 4 … up to the most."""
    count = 1
    while count <= most:
        yield count
        count *= 2


class _Quantiser:
    """One network's operators, ranges and outputs, as its int8 forms are tried out.

    Parameters
    ----------
    folder : where files go meanwhile.
    """

    def __init__(self, path: Path, folder: Path, calibration: Feed, asked: Feed, reduce_range: bool):
        onnx, _ = onnx_file.needed("onnx", "onnxruntime")
        from onnxruntime.quantization.shape_inference import quant_pre_process

        self._prepared, self._made, self._ranges = folder / "float32.onnx", folder / "int8.onnx", folder / "ranges.json"
        self._calibration, self._asked = calibration, asked
        self._reduce_range = reduce_range
        quant_pre_process(path, self._prepared, skip_symbolic_shape=True)
        model = onnx.load(self._prepared)
        exact = set(onnx_domain.nodes(model))  # how strange an input is stays in float32
        self.names = [node.name for node in model.graph.node if node.op_type in OPERATORS and node.name not in exact]
        self._expected = self._answers(self._prepared.read_bytes())

    def harmful(self) -> list[str]:
        """The operators, the most harmful first; neighbours that are measured together stay together."""
        size = -(-len(self.names) // MOST_GROUPS)
        groups = [self.names[start : start + size] for start in range(0, len(self.names), size)]
        harms = [self.harm(self._only(group)) for group in groups]
        return [name for number in np.argsort(harms, kind="stable")[::-1] for name in groups[number]]

    def without(self, names: Sequence[str]) -> onnx.ModelProto:
        """The network in int8 but for some operators."""
        return self._only([name for name in self.names if name not in names])

    def harm(self, model: onnx.ModelProto) -> float:
        """The mean square by which outputs move, as a share of their variance."""
        moved = self._answers(model.SerializeToString()) - self._expected
        return float((moved**2).sum() / max(self._expected.var(axis=0).sum() * len(moved), np.finfo(float).tiny))

    def _only(self, names: Sequence[str]) -> onnx.ModelProto:
        """The network with some operators alone in int8."""
        import onnx
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

        quantize_static(
            self._prepared,
            self._made,
            _Reader(self._calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(OPERATORS),
            nodes_to_quantize=list(names),
            per_channel=True,
            reduce_range=self._reduce_range,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            calibration_cache_path=self._ranges,  # the same for all: written by the first, read by the others
        )
        return _score_in_float(onnx.load(self._made))

    def _answers(self, model: bytes) -> np.ndarray:
        """Outputs, float64, shape (N, C)."""
        (runtime,) = onnx_file.needed("onnxruntime")
        session = runtime.InferenceSession(model, onnx_file.options(), providers=["CPUExecutionProvider"])
        parts = [session.run([onnx_file.OUTPUTS[0]], feed)[0] for feed in batches(self._asked)]
        return np.concatenate(parts).astype(np.float64)


class _Reader:
    """Calibration inputs, batch by batch, as ONNX Runtime asks for them."""

    def __init__(self, feed: Feed):
        self._feeds = batches(feed)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch, None after the last."""
        return next(self._feeds, None)


def batches(feed: Feed) -> Iterator[dict[str, np.ndarray]]:
    """Inputs by name, some at a time."""
    rows = len(next(iter(feed.values())))
    for start in range(0, rows, BATCH):
        yield {name: values[start : start + BATCH] for name, values in feed.items()}


def _score_in_float(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model whose score reads what was before Q and DQ, which the quantiser puts before every reader of a tensor."""
    makers = {name: node for node in model.graph.node for name in node.output}
    exact = set(onnx_domain.nodes(model))
    for node in (node for node in model.graph.node if node.name in exact):
        for place, name in enumerate(node.input):
            maker = makers.get(name)
            if maker is not None and maker.op_type == "DequantizeLinear":
                before = makers.get(maker.input[0])
                if before is not None and before.op_type == "QuantizeLinear":
                    node.input[place] = before.input[0]
    return model


@contextmanager
def _quietly() -> Iterator[None]:
    """While the block runs, ONNX Runtime's quantiser says nothing of each step, which it does by the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
