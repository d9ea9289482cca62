"""ONNX files that say themselves what they are: the network, its card, and a seal over both.

The card is the text of ``model.json`` among the file's metadata. The seal is the last entry of that metadata, the
SHA-256 of every byte before it, so that a file which was cut, changed or written by something else is told before
anything parses it. A file may come from anywhere all the same: what it says is bounded and checked as a folder's card
is, nothing beside it is opened, and nothing in it is run but the operators of ONNX.
"""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pipeline.artifacts import cards
from pipeline.artifacts.files import read_regular
from pipeline.errors import ArtifactError, MissingDependencyError
from pipeline.inputs import batches

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx
    from torch import Tensor

SUFFIX = ".onnx"
CARD = "paindistill.card"
SEAL = "paindistill.sha256"
MOST_BYTES = 2**31 - 1  # protobuf has no larger message
DIGITS = 64  # of a SHA-256
OUTPUTS = ("logits", "domain_score")  # the second of networks that know what their training inputs look like
SCORE_IN_WORDS = (
    "how strange an input is to the network: above domain_threshold it is not like the training inputs, and what the "
    "network answers is not to be relied on; of inputs like those about one in a hundred is above it"
)
UNKNOWING = "It was trained before that was kept. Train it anew: make distill"
UNTOLD = "The file was exported before such files held it. Export the model again: make export"
PACKAGES = ("onnx", "onnxruntime", "onnxscript")  # of the extra; who runs a file needs no onnxscript


def needed(*names: str) -> tuple[ModuleType, ...]:
    """Packages of the extra ``export``, imported; ONNX Runtime is told to report nothing of what it does to its makers.

    Raises
    ------
    MissingDependencyError : one is not installed.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when it is imported
    try:
        return tuple(importlib.import_module(name) for name in names)
    except ImportError as error:
        raise MissingDependencyError(
            f"ONNX files need the packages {', '.join(names)}: pip install -e '.[export]' -c constraints.txt"
        ) from error


def content(model: onnx.ModelProto, card: Mapping[str, Any]) -> bytes:
    """An ONNX model as a file has it: with the card, in plain words what it says of itself, and the seal.

    Parameters
    ----------
    model : changed in place: traces of the code that it was made from go, they name folders of this machine.
    card : of the network, with its checksum.

    Raises
    ------
    ValueError : it has more than 2 GB.
    """
    model.doc_string = ""
    del model.metadata_props[:], model.graph.metadata_props[:]
    for one in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        one.doc_string = ""
        del one.metadata_props[:]
    judges = any(one.name == OUTPUTS[1] for one in model.graph.output)
    for key, value in {CARD: cards.text(cards.published(card)), **_in_words(card, judges)}.items():
        model.metadata_props.add(key=key, value=value)
    if model.ByteSize() > MOST_BYTES - 1000:
        raise ValueError(f"it has {model.ByteSize():,} bytes, an ONNX file at most {MOST_BYTES:,}")
    body = model.SerializeToString()
    return body + _seal(hashlib.sha256(body).hexdigest())


def _in_words(card: Mapping[str, Any], judges: bool) -> dict[str, str]:
    """Metadata for people: names, and what is read and answered. Nothing here is read again."""
    task, inputs = card.get("task", {}), card["inputs"]
    shapes = (f"{name}: {', '.join(f'{key} {value}' for key, value in spec.items())}" for name, spec in inputs.items())
    return {
        "task": task.get("name", ""),
        "kind": task.get("kind", ""),
        "outputs": ", ".join(card["classes"]),
        "inputs": "; ".join(shapes),
        "architecture": card["architecture"],
        **({"domain_threshold": "1", "domain_score": SCORE_IN_WORDS} if judges else {}),
    }


def _seal(digest: str) -> bytes:
    """One entry of ``metadata_props`` (field 14 of a model; key and value are fields 1 and 2), which may stand last."""
    key, value = SEAL.encode(), digest.encode()
    entry = bytes((0x0A, len(key))) + key + bytes((0x12, len(value))) + value
    return bytes((0x72, len(entry))) + entry


def card_of(path: Path) -> dict[str, Any]:
    """The card of a file, as ``cards.read`` gives that of a folder.

    Raises
    ------
    ArtifactError : it is no ONNX file that was exported here, is damaged, or says what no network can be.
    MissingDependencyError : onnx is not installed.
    """
    return _read(path)[1]


def _read(path: Path) -> tuple[bytes, dict[str, Any]]:
    """The content of a file and its card, both checked."""
    (onnx,) = needed("onnx")
    try:
        whole = read_regular(path, MOST_BYTES)
        _check_seal(whole)
        model = onnx.ModelProto.FromString(whole)
        _check_alone(model)
        stated = [entry.value for entry in model.metadata_props if entry.key == CARD]
        if len(stated) != 1:
            raise ValueError(f"its metadata have {len(stated)} entries {CARD}, expected one")
        return whole, cards.decoded(stated[0].encode())
    except MemoryError:
        raise
    except Exception as error:  # protobuf raises what is its own
        raise broken(path, error) from error


def _check_seal(whole: bytes) -> None:
    length = len(_seal("0" * DIGITS))
    body, seal = memoryview(whole)[:-length], whole[-length:]
    if seal[:-DIGITS] != _seal("0" * DIGITS)[:-DIGITS]:
        raise ValueError("it does not end as `make export` ends a file")
    if seal != _seal(hashlib.sha256(body).hexdigest()):
        raise ValueError("its SHA-256 is not the one it ends with")


def _check_alone(model: onnx.ModelProto) -> None:
    """Refuse what would have other files opened, and what hides from this look at it."""
    if model.functions or model.training_info:
        raise ValueError("it has functions or training of its own")
    if any(tensor.external_data or tensor.data_location for tensor in _tensors(model.graph)):
        raise ValueError("its weights are in other files")


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Every tensor of a graph and the graphs within it."""
    graphs = [graph]
    while graphs:
        one = graphs.pop()
        yield from one.initializer
        for sparse in one.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        for attribute in (attribute for node in one.node for attribute in node.attribute):
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            graphs += [attribute.g] if attribute.HasField("g") else []
            graphs += attribute.graphs


def options(threads: int = 0) -> Any:
    """How ONNX Runtime runs a network: silently, each operator on so many threads; 0: as many as torch has.

    Raises
    ------
    MissingDependencyError : onnxruntime is not installed.
    """
    (runtime,) = needed("onnxruntime")
    made = runtime.SessionOptions()
    made.log_severity_level = 4
    made.intra_op_num_threads, made.inter_op_num_threads = threads or torch.get_num_threads(), 1
    return made


class OnnxEngine:
    """The network of an exported file, run by ONNX Runtime on the CPU.

    Parameters
    ----------
    path : of the file.
    threads : as of ``options``.

    Attributes
    ----------
    card : of the network.
    device : where its inputs lie.
    module : as of ``engines.Engine``.

    Raises
    ------
    ArtifactError : as ``card_of``, or it has no such network as its card says.
    MissingDependencyError : onnx or onnxruntime is not installed.
    """

    device, module = "cpu", None

    def __init__(self, path: Path, threads: int = 0):
        (runtime,) = needed("onnxruntime")
        whole, self.card = _read(path)
        self._path, specs = path, batches.specs(self.card)
        try:
            self._session = runtime.InferenceSession(whole, options(threads), providers=["CPUExecutionProvider"])
            names = [one.name for one in self._session.get_inputs()]
            if names != list(specs):
                raise ValueError(f"it reads {', '.join(names)}, its card says {', '.join(specs)}")
            self._outputs = tuple(one.name for one in self._session.get_outputs())
            if self._outputs not in (OUTPUTS[:1], OUTPUTS):
                raise ValueError(
                    f"it gives {', '.join(self._outputs)}, expected {OUTPUTS[0]}, or {' and '.join(OUTPUTS)}"
                )
            self._run(batches.blank(specs, self.device).make(specs))
        except MemoryError:
            raise
        except Exception as error:  # whatever a hostile graph leads the runtime to
            raise broken(path, error) from error

    @property
    def unflagged(self) -> str:
        """Why it cannot tell what is unlike its training inputs, as of ``engines.Engine``."""
        if self._outputs == OUTPUTS:
            return ""
        return UNTOLD if "domain" in self.card else UNKNOWING

    def read(self, inputs: Tensor | Mapping[str, Tensor]) -> tuple[np.ndarray, np.ndarray | None]:
        """Raw outputs of a batch, and how strange its inputs are, as of ``engines.Engine``.

        Parameters
        ----------
        inputs : as ``models.logits`` takes them, on the CPU.

        Raises
        ------
        ArtifactError : the network fails on them, which it did not on one.
        """
        try:
            return self._run(inputs)
        except Exception as error:
            raise broken(self._path, error) from error

    def _run(self, inputs: Tensor | Mapping[str, Tensor]) -> tuple[np.ndarray, np.ndarray | None]:
        tensors = inputs if not torch.is_tensor(inputs) else {next(iter(self.card["inputs"])): inputs}
        given = {name: tensor.contiguous().numpy() for name, tensor in tensors.items()}
        logits, *scores = self._session.run(None, given)
        rows = len(next(iter(given.values())))
        for answers, shape in zip((logits, *scores), ((rows, len(self.card["classes"])), (rows,)), strict=False):
            if not (isinstance(answers, np.ndarray) and answers.dtype == np.float32 and answers.shape == shape):
                raise ValueError(f"its answers are no float32 of shape {shape}")
        return logits, scores[0] if scores else None


def broken(path: Path, reason: Exception) -> ArtifactError:
    """The error for a file from which no network can be read."""
    words = " ".join(str(reason).split())[:500] or type(reason).__name__
    return ArtifactError(
        f"{path} is no whole exported model: {words}. Give an ONNX file as `make export` left it, or export the model "
        "again: make export MODEL=cache/<dataset>/student-… FORMAT=onnx"
    )
