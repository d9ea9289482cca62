"""Training a teacher from artifacts."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from pipeline import models
from pipeline.artifacts.store import Node
from pipeline.errors import DataError, WeightsError
from stages import train_teacher
from tests.fakes.classify import Fakes
from tests.helpers.presets import NETWORKS, SMOKE


@pytest.fixture(scope="module")
def fakes(tmp_path_factory) -> Fakes:
    return Fakes(tmp_path_factory.mktemp("cache"), subjects=40, size=64)


def teacher(fakes: Fakes, family: str = "resnet", **changes) -> Node:
    config = replace(SMOKE.train_teacher, teacher=family, architecture=NETWORKS[family], **changes)
    return Node("train_teacher", f"teacher-{family}", train_teacher.VERSION, config, fakes.data, train_teacher.run)


@pytest.mark.parametrize("family", ["resnet", "swin"])
def test_a_teacher_is_a_folder_that_loads(fakes, family):
    (artifact,) = fakes.store.build(teacher(fakes, family))
    files = {name.split("/")[0] for name in artifact.record["files"]}
    assert files == {"weights.safetensors", "domain.safetensors", "model.json", "history.csv", "tensorboard"}
    model, card = models.load_model(artifact)
    assert card["architecture"] == NETWORKS[family].name
    assert card["inputs_fingerprint"] == fakes.inputs.fingerprint
    assert card["split_fingerprint"] == fakes.split.fingerprint
    assert card["loss"] == "label"
    assert card["learned_from"] == {"dataset": "synpain", "rendered": True}
    gaussians = models.load_domain(artifact, model, card).gaussians
    assert gaussians["features"].width == models.width(model, "hidden")
    assert {"layer0", "look"} <= set(gaussians)
    size = card["inputs"]["rgb"]["size"]
    assert models.logits(model, torch.zeros(1, 3, size, size)).shape == (1, 2)
    history = pd.read_csv(artifact.file("history.csv"))
    assert len(history) == artifact.summary["counts"]["epochs"] == 2
    best = history.loc[history["val_loss"].idxmin()]
    assert card["best_epoch"] == best["epoch"] == artifact.summary["best"]["epoch"]


def test_a_frozen_backbone_is_the_one_it_began_with(fakes):
    (artifact,) = fakes.store.build(teacher(fakes, "resnet"))
    trained = load_file(artifact.file("weights.safetensors"))
    initial = models.build(NETWORKS["resnet"], ["no_pain", "pain"], seed=0).state_dict()
    assert {name for name in trained if not torch.equal(trained[name], initial[name])} == {"fc.weight", "fc.bias"}


def test_the_same_config_gives_the_same_files(fakes, tmp_path):
    again = Fakes(tmp_path, subjects=40, size=64)
    first, second = (f.store.build(teacher(f, "swin"))[0] for f in (fakes, again))
    for name in ("weights.safetensors", "history.csv", "model.json"):
        assert first.file(name).read_bytes() == second.file(name).read_bytes()


def test_weights_that_are_not_there_are_an_error_before_training(fakes):
    missing = replace(NETWORKS["swin"], weights="shipped", label="nothing")
    with pytest.raises(WeightsError, match=r"nothing\.safetensors"):
        fakes.store.build(
            Node(
                "train_teacher",
                "t",
                1,
                replace(SMOKE.train_teacher, architecture=missing),
                fakes.data,
                train_teacher.run,
            )
        )


def test_a_class_nobody_shows_is_an_error(tmp_path):
    fakes = Fakes(tmp_path, subjects=40, size=64)
    fakes.table["pain"] = "no_pain"
    with pytest.raises(DataError, match="No training face is pain"):
        fakes.store.build(teacher(fakes))


def test_the_card_is_plain_json(fakes):
    (artifact,) = fakes.store.build(teacher(fakes, "swin"))
    card = json.loads(artifact.file("model.json").read_text())
    assert card["network"]["options"][0] == ["embed_dim", 24]
    assert card["weights"] == "random"


@pytest.mark.slow
def test_a_network_learns_what_the_faces_show(tmp_path):
    fakes = Fakes(tmp_path, subjects=80, size=64)
    whole = replace(NETWORKS["resnet"], trained="all")
    schedule = {"epochs": 5, "step_size": 5, "learning_rate": 1e-3, "class_weights": "balanced", "precision": "auto"}
    config = replace(SMOKE.train_teacher, architecture=whole, **schedule)
    (artifact,) = fakes.store.build(Node("train_teacher", "teacher", 1, config, fakes.data, train_teacher.run))
    assert artifact.summary["best"]["val_balanced_accuracy"] > 0.9
