"""The compressed forms of one network: files that load without timm and without us, and what each of them is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.numpy import save as save_arrays
from safetensors.torch import save
from torch import nn

from pipeline.artifacts.arrays import Columns
from pipeline.inputs import batches
from pipeline.models import cost
from pipeline.models import domain as domains
from pipeline.models.domain import Domain
from pipeline.models.pruning import Pruned
from pipeline.serving import int8, onnx_domain, onnx_file, writing
from pipeline.serving.formats import FORMATS, Trained
from pipeline.serving.place import COMPRESSED

SEED = 0  # of the inputs that are drawn
COMPARED, MOST_VALIDATION = 64, 2000  # inputs that every file is asked, and that thresholds are set by
REMEDY = "The network has no such form; compress another one: STUDENT="


@dataclass
class Forms:
    """The forms of one network as they are written, one after the other.

    Parameters
    ----------
    folder : where the files go.
    fingerprint : of the artifact that they make.
    calibration : raw training inputs by modality, that int8 takes its ranges from.
    val : raw validation inputs by modality, by which int8 learns anew what is strange to it; harm and likeness are
        measured by the first ``COMPARED``.

    Attributes
    ----------
    rows : what ``compress.json`` says of each file.
    """

    folder: Path
    fingerprint: str
    calibration: Mapping[str, np.ndarray]
    val: Mapping[str, np.ndarray]
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def asked(self) -> dict[str, np.ndarray]:
        """The inputs that every file is asked."""
        return {name: values[:COMPARED] for name, values in self.val.items()}

    def add(self, name: str, trained: Trained) -> None:
        """Write a network in float32 as ``<name>.onnx``, and compare.

        Raises
        ------
        ArtifactError : the file does not answer as the network does.
        """
        path = self.folder / f"{name}{onnx_file.SUFFIX}"
        alike = self._written(trained, "onnx", path)
        self._note(name, path, trained, {"largest_difference": alike})

    def add_program(self, name: str, trained: Trained) -> None:
        """Write a network as ``<name>.pt2``, for torch alone, and compare.

        Raises
        ------
        ArtifactError : as ``add``.
        """
        self._written(trained, "pt2", self.folder / f"{name}.pt2")

    def add_int8(self, name: str, of: str, trained: Trained, allowed: float, reduce_range: bool) -> None:
        """Write ``<name>.onnx``, an int8 form of ``<of>.onnx``.

        Parameters
        ----------
        trained : the network that ``<of>.onnx`` is.
        allowed, reduce_range : as of ``int8.quantised``.
        """
        path = self.folder / f"{name}{onnx_file.SUFFIX}"
        feeds = (_feed(trained, raw) for raw in (self.calibration, self.asked))
        made = int8.quantised(self.folder / f"{of}{onnx_file.SUFFIX}", *feeds, allowed, reduce_range)
        facts = {
            "int8_operators": made.operators - len(made.left_out),
            "left_out": list(made.left_out),
            "harm": made.harm,
            "reduce_range": reduce_range,
        }
        model = (
            onnx_domain.recalibrated(made.model, int8.batches(_feed(trained, self.val)))
            if trained.domain
            else made.model
        )
        path.write_bytes(onnx_file.content(model, self.card(trained.card, facts)))
        self._note(name, path, trained, facts | {"harm_of_all": made.harm_of_all})

    def pruned(self, network: nn.Module, card: Mapping[str, Any], took: Pruned, domain: Domain | None) -> Trained:
        """A pruned network with its card and what its training inputs look like to it now."""
        tensors = {name: t.detach().cpu().contiguous() for name, t in network.state_dict().items()}
        count = sum(parameter.numel() for parameter in network.parameters())
        entries = {
            **{key: value for key, value in card.items() if key != "domain"},
            "sha256": hashlib.sha256(save(tensors)).hexdigest(),
            "parameters": count,
            "trained_parameters": count,
        }
        facts = {"pruned_channels": took.channels, "pruned_parameters": took.parameters}
        if domain:
            entries["domain"] = {"sha256": hashlib.sha256(save_arrays(domains.arrays_of(domain))).hexdigest()}
        return Trained(network.requires_grad_(False).eval(), self.card(entries, facts), domain)

    def card(self, card: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
        """The card of what was made of a network: whose it was, and what was done to it."""
        before = card.get("compressed", {"parent": card["fingerprint"]})
        return {**card, "fingerprint": self.fingerprint, "compressed": {**before, **facts}}

    def save(self, told: Mapping[str, Any]) -> None:
        """Write ``compress.json``: what is told of all files, and of each."""
        text = json.dumps({**told, "files": self.rows}, indent=1, ensure_ascii=False, allow_nan=False)
        (self.folder / COMPRESSED).write_text(text + "\n", encoding="utf-8")

    def _written(self, trained: Trained, form: str, path: Path) -> float:
        asked = [trained.made(raw) for raw in int8.batches(self.asked)]
        expected = [trained.run(inputs) for inputs in asked]
        return writing.written(trained, FORMATS[form], path, asked, expected, REMEDY).difference

    def _note(self, name: str, path: Path, trained: Trained, facts: Mapping[str, Any]) -> None:
        done = {key: value for key, value in trained.card.get("compressed", {}).items() if key.startswith("pruned")}
        blank = batches.blank(batches.specs(trained.card), "cpu").make(batches.specs(trained.card))
        row = {
            "format": name,
            "file": path.name,
            "megabytes": round(path.stat().st_size / 1e6, 3),
            "parameters": trained.card["parameters"],
            "gflops": round(cost.count_flops(trained.network, blank) / 1e9, 6),
        }
        self.rows.append(row | done | dict(facts))


def drawn(columns: Columns, split: pd.DataFrame, part: str, modalities: Sequence[str], most: int) -> dict[str, Any]:
    """Raw inputs of a part by modality, of many always the same ones.

    Parameters
    ----------
    columns : the prepared inputs.
    split : rows of split.csv.
    most : how many.
    """
    names = split.loc[split["part"] == part, "sample_id"]
    rows = columns.rows(names[names.isin(columns.sample_ids)])
    rows = np.random.default_rng(SEED).permutation(rows)[:most]
    return {name: columns[name][rows] for name in modalities}


def _feed(trained: Trained, raw: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Inputs as a session takes them, by name."""
    made = trained.made(raw)
    tensors = {trained.reads[0]: made} if torch.is_tensor(made) else made
    return {name: tensor.contiguous().numpy() for name, tensor in tensors.items()}
