"""The pretrain stage on a few drawn pictures: it runs, it resumes nothing it should not, and its export is loaded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline import models
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import ArtifactStore
from pipeline.config import PretrainConfig
from stages import pretrain
from stages.graph import Graph
from tests.helpers.presets import NETWORKS, PRESETS

CONFIG = PretrainConfig(epochs=2, batch_size=4, precision="float32", device="cpu", views_strength="strong")


@pytest.fixture(scope="module")
def folder(synpain, tmp_path_factory):
    """Six pictures of SynPAIN's form and a truth.csv whose landmarks are plausible places."""
    folder = synpain(tmp_path_factory.mktemp("pretrain") / "raw", 6)
    rng = np.random.default_rng(0)
    rows = [
        {"file": path.name, "region": region, "au04": rng.uniform(0, 5), "au12": rng.uniform(0, 5)}
        | {"age": rng.uniform(20, 80), "gender": "Man", "ethnicity": "Asian"}
        | {f"l68_{n}_{axis}": rng.uniform(80, 240) for n in range(68) for axis in "xy"}
        for path in sorted(folder.glob("*.jpg"))
        for region in ("left", "right")
    ]
    pd.DataFrame(rows).to_csv(folder / "truth.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def built(folder, tmp_path_factory):
    smoke = PRESETS["smoke"]
    labelled = {name: replace(a, label=f"tiny-{name}") for name, a in NETWORKS.items()}
    preset = replace(
        smoke,
        index=replace(smoke.index, data=str(folder), dataset="synpain"),
        align=replace(smoke.align, data=str(folder), workers=1, device="cpu"),
    )
    graph = Graph(preset, RawData(folder))
    store = ArtifactStore(tmp_path_factory.mktemp("pretrain") / "cache")
    nodes = [graph.pretrained(family, labelled, CONFIG) for family in ("resnet", "deit")]
    return dict(zip(("resnet", "deit"), store.build(*nodes), strict=True))


def test_scores_are_of_identities_that_were_not_trained_on(built):
    counts = built["deit"].summary["counts"]
    assert counts["identities"] == 6
    assert counts["held_out_faces"] == 4
    assert set(built["deit"].summary["scores"]) >= {"mean_correlation", "nme", "au04", "au12"}


def test_the_transformer_is_led_by_the_convolutional_network(built):
    assert set(built["deit"].record["inputs"]) - set(built["resnet"].record["inputs"]) == {"guide"}
    assert built["deit"].record["inputs"]["guide"] == built["resnet"].fingerprint


@pytest.mark.parametrize("family", ["resnet", "deit"])
def test_the_export_is_half_precision_without_outputs_and_starts_a_network(family, built, tmp_path):
    file = pretrain.export(built[family], tmp_path)
    assert file.name == f"tiny-{family}-strong.safetensors"  # beside that of plain views
    architecture = replace(NETWORKS[family], weights=str(file))
    model = models.build(architecture, ["no_pain", "pain"])
    taught, _ = models.load_model(built[family])
    heads = models.output_layers(model)
    compared = 0
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not name.startswith(heads):
            torch.testing.assert_close(tensor, taught.state_dict()[name].half().float())
            compared += 1
    assert compared > 10
    card = file.with_suffix(".md").read_text()
    assert "Nobody real was seen" in card
    assert "none of them in the demo set" in card
    assert "| views | strong |" in card
