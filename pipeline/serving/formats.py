"""The forms in which a trained network leaves: how each is written, which networks fit it, and how it is run again."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from pipeline import models
from pipeline.artifacts.store import Artifact
from pipeline.inputs import batches
from pipeline.inputs.views.plan import Drawn
from pipeline.models.domain import Domain
from pipeline.models.strangeness import Judged
from pipeline.serving import onnx_domain, onnx_file

BATCH = "batch"  # the name of the axis that may have any length
TRACED = 2  # samples in the batch that a network is traced with; one would be taken for a constant
TALKATIVE = ("onnxscript", "onnx_ir", "timm")  # loggers that tell each step of theirs

Inputs = Tensor | Mapping[str, Tensor]
# Of a batch as ``models.logits`` takes it: float32, shape (B, C), and how strange its inputs are, float32, shape (B,),
# where the form says it.
Run = Callable[[Inputs], tuple[np.ndarray, np.ndarray | None]]


@dataclass(frozen=True)
class Trained:
    """A trained network on the CPU, with what there is to say of it.

    Parameters
    ----------
    network : in evaluation mode.
    card : of the network.
    domain : what its training inputs look like to it; None where that is not known.
    """

    network: nn.Module
    card: dict[str, Any]
    domain: Domain | None = None

    @classmethod
    def load(cls, model: Artifact | Path) -> Trained:
        """Read the folder of a teacher or a student; raises ArtifactError as ``models.load_model`` does."""
        network, card = models.load_model(model)
        return cls(network.requires_grad_(False), card, models.load_domain(model, network, card))

    @cached_property
    def judged(self) -> nn.Module:
        """The network with the score of its inputs as a second output, where its domain is known."""
        if self.domain is None:
            return self.network
        return Judged(self.network, self.domain, batches.specs(self.card)).eval()

    @property
    def reads(self) -> tuple[str, ...]:
        """The modalities of its inputs."""
        return tuple(self.card["inputs"])

    def made(self, raw: Mapping[str, np.ndarray]) -> Inputs:
        """What it reads, of raw inputs by modality, as the columns of ``inputs.h5`` hold them."""
        tensors = {name: torch.from_numpy(values) for name, values in raw.items()}
        rows = len(next(iter(raw.values())))
        return batches.Batch(np.arange(rows), Drawn(), tensors).make(batches.specs(self.card))

    def noise(self, rows: int, seed: int = 0) -> dict[str, np.ndarray]:
        """Raw inputs of noise, by modality: always the same."""
        blank = batches.blank(batches.specs(self.card), "cpu").raw
        random = np.random.default_rng(seed)
        return {name: _noise(random, rows, one) for name, one in blank.items()}

    def run(self, inputs: Inputs) -> tuple[np.ndarray, np.ndarray | None]:
        """Its raw outputs, and how strange the inputs are, as of ``Run``."""
        if self.domain is None:
            return models.logits(self.network, inputs).numpy(), None
        with torch.inference_mode():
            logits, scores = self.judged(inputs)
        return logits.numpy(), scores.numpy()


def _noise(random: np.random.Generator, rows: int, like: Tensor) -> np.ndarray:
    shape = (rows, *like.shape[1:])
    if like.dtype == torch.uint8:
        return random.integers(0, 256, shape, np.uint8)
    return random.standard_normal(shape, np.float32)


class Format(NamedTuple):
    """A form of files.

    Attributes
    ----------
    file : its name in the folder of the results; of ``timm`` that of a folder.
    packages : that must be there, of the extra ``export``.
    fault : of a network: why it has no such form, or empty.
    write : of a network, to a path.
    load : of a path: what runs what was written.
    """

    file: str
    packages: tuple[str, ...]
    fault: Callable[[Trained], str]
    write: Callable[[Trained, Path], None]
    load: Callable[[Path], Run]


class _Arguments(nn.Module):
    """A network of several modalities that takes each as an argument, as files do."""

    def __init__(self, network: nn.Module, names: tuple[str, ...]):
        super().__init__()
        self.network, self.names = network, names

    def forward(self, *tensors: Tensor) -> Any:
        """What the network gives."""
        return self.network(dict(zip(self.names, tensors, strict=True)))


@contextmanager
def _quietly() -> Iterator[None]:
    """While the block runs, libraries say nothing of what is usual for them; what is made is compared anyway."""
    loggers = [logging.getLogger(name) for name in TALKATIVE]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _arguments(inputs: Inputs) -> tuple[Tensor, ...]:
    return (inputs,) if torch.is_tensor(inputs) else tuple(inputs.values())


def _program(trained: Trained, network: nn.Module) -> tuple[nn.Module, tuple[Tensor, ...], tuple]:
    """A network as tracers take it, its example inputs, and which of their axes have any length."""
    example = _arguments(trained.made(trained.noise(TRACED)))
    dynamic = tuple({0: torch.export.Dim(BATCH)} for _ in example)
    if len(example) == 1:
        return network, example, dynamic
    return _Arguments(network, trained.reads).eval(), example, (dynamic,)


def _write_onnx(trained: Trained, path: Path) -> None:
    network, example, dynamic = _program(trained, trained.judged)
    with _quietly():
        made = torch.onnx.export(
            network,
            example,
            input_names=list(trained.reads),
            output_names=list(onnx_file.OUTPUTS[: 2 if trained.domain else 1]),
            dynamic_shapes=dynamic,
            external_data=False,
            dynamo=True,
            verbose=False,
        )
    model = made.model_proto  # another one each time that it is asked for
    onnx_domain.name_nodes(model)
    path.write_bytes(onnx_file.content(model, trained.card))


def _load_onnx(path: Path) -> Run:
    return onnx_file.OnnxEngine(path).read


def _write_pt2(trained: Trained, path: Path) -> None:
    network, example, dynamic = _program(trained, trained.network)
    with _quietly():
        program = torch.export.export(network, example, dynamic_shapes=dynamic)
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)  # names folders of this machine
        torch.export.save(program, path)


def _load_pt2(path: Path) -> Run:
    with _quietly():
        return _running(torch.export.load(path).module())


def _write_torchscript(trained: Trained, path: Path) -> None:
    network, example, _ = _program(trained, trained.network)
    with _quietly():  # that it is deprecated, the command's help says
        traced = torch.jit.trace(network, example, check_trace=False)
        torch.jit.save(traced, path)


def _load_torchscript(path: Path) -> Run:
    with _quietly():
        return _running(torch.jit.load(path, map_location="cpu"))


def _running(network: Callable[..., Tensor]) -> Run:
    def run(inputs: Inputs) -> tuple[np.ndarray, None]:
        with torch.no_grad():
            return network(*_arguments(inputs)).float().numpy(), None

    return run


def _no_timms(trained: Trained) -> str:
    name = trained.card["architecture"]
    return "" if timm.is_model(name) else f"timm has no network {name}"


def _write_timm(trained: Trained, path: Path) -> None:
    """A folder for ``timm.create_model("local-dir:…", pretrained=True)``: config.json and model.safetensors."""
    card, network = trained.card, trained.network
    own = timm.get_pretrained_cfg(card["architecture"])
    rgb = card["inputs"]["rgb"]
    options = dict(card["network"]["options"])
    if own.fixed_input_size:  # only such a network is told its size, as where it is built
        options = {"img_size": rgb["size"], **options}
    config = {
        "architecture": card["architecture"].partition(".")[0],
        "num_classes": len(card["classes"]),
        "num_features": network.num_features,
        "pretrained_cfg": {
            "input_size": [3, rgb["size"], rgb["size"]],
            "fixed_input_size": own.fixed_input_size,
            "mean": list(rgb["mean"]),
            "std": list(rgb["std"]),
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "num_classes": len(card["classes"]),
            "first_conv": own.first_conv,
            "classifier": own.classifier,
        },
        "label_names": card["classes"],
        "model_args": options,
    }
    path.mkdir()
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    (path / "config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _load_timm(path: Path) -> Run:
    with _quietly():
        return _running(timm.create_model(f"local-dir:{os.fspath(path)}", pretrained=True).eval())


def _every(_: Trained) -> str:
    return ""


FORMATS = {
    "onnx": Format(f"model{onnx_file.SUFFIX}", onnx_file.PACKAGES, _every, _write_onnx, _load_onnx),
    "timm": Format("timm", (), _no_timms, _write_timm, _load_timm),
    "torchscript": Format("model.torchscript", (), _every, _write_torchscript, _load_torchscript),
    "pt2": Format("model.pt2", (), _every, _write_pt2, _load_pt2),
}
