"""Networks: built exactly as asked, saved and loaded without loss."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline import config as configuration
from pipeline import models
from pipeline.artifacts import cards
from pipeline.config import Architecture
from pipeline.errors import ArtifactError, ConfigError, WeightsError
from pipeline.models import core, weights
from tests.helpers.networks import FINGERPRINT
from tests.helpers.presets import NETWORKS, PAPER, networks

CLASSES = ["no_pain", "pain"]
RESNET, SWIN, DEIT = (NETWORKS[name] for name in ("resnet", "swin", "deit"))
VIT = Architecture(
    "vit_tiny_patch16_224", (("embed_dim", 48), ("depth", 1), ("num_heads", 3)), image_size=32, weights="random"
)


def images(architecture: Architecture, batch: int = 2) -> torch.Tensor:
    size = architecture.image_size
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("architecture", [RESNET, SWIN, DEIT, VIT], ids=lambda a: a.name)
def test_every_family_gives_logits(architecture):
    model = models.build(architecture, CLASSES)
    found = models.logits(model, images(architecture))
    assert found.shape == (2, 2)
    assert found.dtype == torch.float32


def test_the_paper_preset_names_exactly_these_networks():
    found = {name: (a.name, a.image_size, a.trained, a.weights) for name, a in networks(PAPER).items()}
    assert found == {
        "resnet": ("resnet50", 224, "head", "hub"),
        "swin": ("swin_base_patch4_window7_224", 224, "all", "hub"),
        "deit": ("deit_base_distilled_patch16_224", 256, "all", "hub"),
    }


def test_a_distilled_deit_gives_both_tokens_in_training_and_their_mean_in_use():
    model = models.build(DEIT, CLASSES).train()
    tokens = model(images(DEIT))
    assert isinstance(tokens, tuple)
    assert [token.shape for token in tokens] == [(2, 2), (2, 2)]
    torch.testing.assert_close(models.logits(model, images(DEIT)), (tokens[0] + tokens[1]).detach() / 2)


def test_other_distilled_networks_give_both_tokens_too():
    pit = Architecture("pit_ti_distilled_224", weights="random")
    assert isinstance(models.build(pit, CLASSES).train()(images(pit)), tuple)


def test_the_seed_alone_decides_the_new_weights():
    torch.manual_seed(99)
    first, second, other = (models.build(DEIT, CLASSES, seed).state_dict() for seed in (3, 3, 4))
    after = torch.rand(1)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])
    torch.manual_seed(99)
    assert torch.equal(torch.rand(1), after)  # the caller's generator was left alone


@pytest.mark.parametrize(("architecture", "head"), [(RESNET, "fc"), (replace(SWIN, trained="head"), "head.fc")])
def test_a_frozen_backbone_trains_its_classifier_alone(architecture, head):
    model = models.build(architecture, CLASSES)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {f"{head}.weight", f"{head}.bias"}
    card = models.describe(model, architecture, CLASSES)
    assert card["trained_parameters"] == 2 * (model.num_features + 1)


@pytest.mark.parametrize("architecture", [RESNET, SWIN, DEIT], ids=lambda a: a.name)
def test_saved_and_loaded_is_the_same(architecture, tmp_path):
    model = models.build(architecture, CLASSES, seed=1)
    models.save_model(tmp_path, model, models.describe(model, architecture, CLASSES) | {"seed": 1}, FINGERPRINT)
    loaded, card = models.load_model(tmp_path)
    assert not loaded.training
    assert torch.equal(models.logits(loaded, images(architecture)), models.logits(model, images(architecture)))
    assert (card["architecture"], card["classes"], card["seed"]) == (architecture.name, CLASSES, 1)
    assert models.InputSpec(**card["inputs"]["rgb"]).size == architecture.image_size
    assert card["weights"] == "random"
    assert card["parameters"] == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("damage", ["truncated", "no card", "no weights", "other network"])
def test_a_damaged_model_is_named(tmp_path, damage):
    model = models.build(DEIT, CLASSES)
    card = models.describe(model, DEIT, CLASSES)
    models.save_model(tmp_path, model, card, FINGERPRINT)
    file = tmp_path / "weights.safetensors"
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:-100])
    elif damage == "no card":
        (tmp_path / "model.json").unlink()
    elif damage == "no weights":
        file.unlink()
    else:
        card = cards.read(tmp_path)
        card["network"]["options"][1][1] = 3
        (tmp_path / "model.json").write_text(cards.text(card))
    with pytest.raises(ArtifactError, match="holds no whole model"):
        models.load_model(tmp_path)


def test_shipped_half_precision_weights_become_the_backbone(tmp_path, monkeypatch):
    monkeypatch.setattr(configuration, "SHIPPED_WEIGHTS", tmp_path)
    trained = models.build(DEIT, ["a", "b", "c"], seed=5).state_dict()
    backbone = {name: t.half() for name, t in trained.items() if not name.startswith("head")}
    save_file(backbone, tmp_path / "small.safetensors")
    shipped = replace(DEIT, weights="shipped", label="small")
    model = models.build(shipped, CLASSES, seed=7)
    state = model.state_dict()
    assert all(torch.equal(state[name], t.float()) for name, t in backbone.items())
    assert all(t.dtype == torch.float32 for t in state.values())
    assert torch.equal(model.head.weight, models.build(DEIT, CLASSES, seed=7).head.weight)


def test_weights_of_a_trained_model_are_taken_without_its_classifier(tmp_path):
    source = models.build(DEIT, CLASSES, seed=5)
    models.save_model(tmp_path, source, models.describe(source, DEIT, CLASSES), FINGERPRINT)
    for path in (tmp_path, tmp_path / "weights.safetensors"):
        model = models.build(replace(DEIT, weights=str(path)), CLASSES, seed=7)
        assert torch.equal(model.norm.weight, source.norm.weight)
        assert torch.equal(model.cls_token, source.cls_token)
        assert not torch.equal(model.head.weight, source.head.weight)


def test_positions_are_resampled_to_another_input_size(tmp_path):
    source = models.build(DEIT, CLASSES, seed=5)
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    larger = replace(DEIT, image_size=96, weights=str(tmp_path / "w.safetensors"))
    model = models.build(larger, CLASSES)
    assert model.pos_embed.shape == (1, 36 + 2, 48)
    assert torch.equal(model.pos_embed[:, :2], source.pos_embed[:, :2])


def test_weights_that_do_not_fit_are_named(tmp_path):
    state = models.build(DEIT, CLASSES).state_dict()
    state["extra"] = torch.zeros(1)
    state["norm.weight"] = torch.zeros(5)
    del state["cls_token"]
    file = tmp_path / "w.safetensors"
    save_file(state, file)
    with pytest.raises(WeightsError) as caught:
        models.build(replace(DEIT, weights=str(file)), CLASSES)
    said = str(caught.value)
    assert str(file) in said
    assert "1 missing (such as cls_token)" in said
    assert "1 unknown (such as extra)" in said
    assert "norm.weight is (5,), expected (48,)" in said


@pytest.mark.parametrize("content", [None, b"not weights"])
def test_a_missing_or_broken_file_is_named(tmp_path, content):
    file = tmp_path / "w.safetensors"
    if content:
        file.write_bytes(content)
    with pytest.raises(WeightsError, match="WEIGHTS=random"):
        models.build(replace(DEIT, weights=str(file)), CLASSES)


def test_an_unreachable_hub_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(weights, "_reachable", lambda address: False)
    with pytest.raises(WeightsError) as caught:
        models.build(Architecture("test_vit.r160_in1k", image_size=160), CLASSES)
    said = str(caught.value)
    assert "\n" not in said
    assert all(
        choice in said for choice in ("test_vit", "WEIGHTS=<file", "WEIGHTS=random", "PRESET=demo", " TEACHER_WEIGHTS=")
    )


def test_the_hub_is_asked_only_where_an_answer_comes(monkeypatch):
    from huggingface_hub import constants

    for reachable in (True, False):
        monkeypatch.setattr(weights, "_reachable", lambda address, reachable=reachable: reachable)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        with weights.hub("x"):
            assert constants.HF_HUB_OFFLINE is not reachable
        assert constants.HF_HUB_OFFLINE is False


def test_an_address_that_nobody_answers_is_unreachable():
    assert not weights._reachable("http://127.0.0.1:9")


def test_an_unknown_network_is_named_with_its_neighbours():
    with pytest.raises(ConfigError, match="resnet50"):
        models.build(Architecture("resnet5O", weights="random"), CLASSES)
    with pytest.raises(ConfigError, match=r"no network named DeiT\. Did you mean deit"):
        core.check_name("DeiT", ("swin", "deit"))


def test_names_of_families_are_offered_beside_timms():
    with pytest.raises(ConfigError, match=r"Did you mean my_family"):
        core.check_name("my_famly", ("my_family", "swin"))
    with pytest.raises(ConfigError) as caught:
        core.check_name("my_famly")
    assert "my_family" not in str(caught.value)
    assert core.check_name("resnet50", ("my_family",)) is None


def test_options_that_a_network_does_not_have_are_named():
    with pytest.raises(ConfigError, match=r"test_resnet .* \{'windows': 7\}"):
        models.build(replace(RESNET, options=(("windows", 7),)), CLASSES)


def test_input_follows_timms_weights():
    assert models.input_spec(replace(RESNET, name="resnet10t")).mean == (0.485, 0.456, 0.406)
    assert models.input_spec(VIT) == models.InputSpec(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_weights_are_written_whole(tmp_path):
    model = models.build(RESNET, CLASSES)
    models.save_model(tmp_path, model, models.describe(model, RESNET, CLASSES), FINGERPRINT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "weights.safetensors"]
    assert load_file(tmp_path / "weights.safetensors").keys() == model.state_dict().keys()
