"""Networks of RGB and infrared pictures: exactly the described design, and any network of timm twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from pipeline import models
from pipeline.artifacts import cards
from pipeline.config import Architecture
from pipeline.errors import ArtifactError, ConfigError, WeightsError
from pipeline.inputs import batches
from pipeline.models import core, dual, families, lora, weights
from pipeline.models.heads import NetworkWithHeads, _heads
from pipeline.tasks import objective
from pipeline.training.loop import training_mode
from tests.helpers.networks import FINGERPRINT

pytestmark = pytest.mark.slow

CLASSES = ["fire", "smoke"]
KINDS = ("logits", "hidden", "map")
NARROW = (("embed_dim", 48), ("num_heads", 3))
DESIGNED = {
    "resnet": Architecture("dual_resnet152", (("layers", (1, 1, 1, 1)),), 64, "random"),
    "efficientnet": Architecture("dual_efficientnet_b0", (), 64, "random"),  # of the fixture below
    "vit": Architecture("dual_vit_b16", NARROW, 32, "random"),
    "swin": Architecture(
        "dual_swin_t", (("embed_dim", 24), ("depths", (1, 2, 2, 1)), ("num_heads", (1, 2, 4, 8))), 64, "random"
    ),
}
LATE = {
    "late resnet": Architecture("dual:resnet10t", (("drop_rate", 0.5),), 64, "random"),
    "late deit": Architecture("dual:deit_tiny_distilled_patch16_224", (("depth", 2), *NARROW), 32, "random"),
}
NETWORKS = DESIGNED | LATE
EACH = pytest.mark.parametrize("architecture", NETWORKS.values(), ids=list(NETWORKS))
saving = pytest.mark.skipif("ir" not in batches.MODALITIES, reason="infrared pictures are not prepared yet")


@pytest.fixture(autouse=True)
def small_efficientnet(monkeypatch):
    """The design of B7 with a backbone of the same blocks that fits a test."""
    small = dual.DESIGNS["dual_efficientnet_b7"]._replace(backbone="tf_efficientnet_b0")
    monkeypatch.setitem(dual.DESIGNS, "dual_efficientnet_b0", small)


def pictures(architecture: Architecture, batch: int = 2, seed: int = 1) -> dict[str, Tensor]:
    generator, size = torch.Generator().manual_seed(seed), architecture.image_size
    return {
        "rgb": torch.randn(batch, 3, size, size, generator=generator),
        "ir": torch.randn(batch, 1, size, size, generator=generator),
    }


def backbone(architecture: Architecture, seed: int = 5, classes: int = 7) -> nn.Module:
    """The network that both branches are, with a classifier."""
    options = tuple((name, value) for name, value in architecture.options if name != "drop_rate")
    single = replace(architecture, name=dual.backbone(architecture.name), options=options, weights="random")
    return models.build(single, [str(number) for number in range(classes)], seed)


def save(state: dict[str, Tensor], file: Path) -> str:
    """Write a state dict; convolutions' weights may have their channels last."""
    save_file({name: t.contiguous() for name, t in state.items()}, file)
    return str(file)


def counts(model: nn.Module) -> tuple[int, int]:
    return sum(p.numel() for p in model.parameters()), sum(p.numel() for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("name", "total", "trained", "hidden", "map_"),
    [
        ("dual_resnet152", 103_426_178, 98_295_810, 2048, (2048, 7, 7)),
        ("dual_efficientnet_b7", 126_756_002, 102_116_338, 2560, (2560, 7, 7)),
        ("dual_vit_b16", 86_544_386, 42_835_970, 1536, (768, 14, 14)),
        ("dual_swin_t", 28_790_846, 26_399_162, 768, (768, 7, 7)),
    ],
)
def test_the_described_networks_have_exactly_so_many_parameters(name, total, trained, hidden, map_):
    architecture = Architecture(name, weights="random")
    with torch.device("meta"):
        model = models.build(architecture, CLASSES)
        found = models.outputs(model, {"rgb": torch.zeros(1, 3, 224, 224), "ir": torch.zeros(1, 1, 224, 224)}, KINDS)
    assert counts(model) == (total, trained)
    card = models.describe(model, architecture, CLASSES)
    assert (card["parameters"], card["trained_parameters"]) == (total, trained)
    assert f"{total:,}" in dual.__doc__
    assert f"{trained:,}" in dual.__doc__
    assert {kind: t.shape[1:] for kind, t in found.items()} == {"logits": (2,), "hidden": (hidden,), "map": map_}


def test_what_is_frozen_is_what_came_first():
    model = models.build(DESIGNED["resnet"], CLASSES)
    frozen = {name.split(".")[1] for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen == {"conv1", "bn1", "layer1", "layer2"}
    whole = models.build(replace(DESIGNED["resnet"], options=(("layers", (1, 1, 1, 1)), ("frozen", False))), CLASSES)
    assert counts(whole) == (counts(model)[0],) * 2


@EACH
def test_a_head_alone_is_trained_where_that_is_asked(architecture):
    model = models.build(replace(architecture, trained="head"), CLASSES)
    assert counts(model)[1] == 2 * (models.width(model, "hidden") + 1)


@EACH
def test_features_are_what_the_classifier_reads(architecture):
    model, batch = models.build(architecture, CLASSES), pictures(architecture)
    found = models.outputs(model.train(), batch, KINDS)
    assert torch.equal(found["logits"], models.logits(model, batch))
    torch.testing.assert_close(found["logits"], model.classifier(found["hidden"]))
    assert found["hidden"].shape == (2, models.width(model, "hidden"))
    assert found["map"].shape[:2] == (2, models.width(model, "map"))
    assert found["map"].ndim == 4
    for kind, expected in found.items():
        assert torch.equal(models.outputs(model, batch, [kind])[kind], expected)


@pytest.mark.parametrize("name", ["resnet", "efficientnet", "swin"])
def test_branch_and_trunk_are_the_whole_backbone(name, tmp_path):
    """Where the fusion passes one branch alone, the features are those of timm's network."""
    architecture, batch = DESIGNED[name], pictures(DESIGNED[name])
    single = backbone(architecture).eval()
    file = save(single.state_dict(), tmp_path / "w.safetensors")
    model = models.build(replace(architecture, weights=file), CLASSES)
    model.fuse = _First(-1 if name == "swin" else 1)
    found = models.outputs(model, batch, ("hidden", "map"))
    expected = models.outputs(single, batch["rgb"], ("hidden", "map"))
    torch.testing.assert_close(found["hidden"], expected["hidden"])
    if name != "efficientnet":  # timm's map is before its last convolution
        torch.testing.assert_close(found["map"], expected["map"])


class _First(nn.Module):
    def __init__(self, axis: int):
        super().__init__()
        self.axis = axis

    def forward(self, joined: Tensor) -> Tensor:
        return joined.chunk(2, self.axis)[0]


def test_tokens_of_both_by_hand():
    model, batch = models.build(DESIGNED["vit"], CLASSES).eval(), pictures(DESIGNED["vit"])
    tokens = []
    for branch, one in ((model.rgb, batch["rgb"]), (model.ir, batch["ir"].repeat(1, 3, 1, 1))):
        embedding = branch.patch_embed.proj
        patches = F.conv2d(one, embedding.weight, embedding.bias, stride=16).flatten(2).transpose(1, 2)  # (B, 4, 48)
        tokens += [torch.cat([branch.cls_token.expand(2, -1, -1), patches], dim=1) + branch.pos_embed]
    read = model.trunk.norm(model.trunk.blocks(torch.cat(tokens, dim=1)))
    hidden = torch.cat([read[:, 0], read[:, 5]], dim=1)
    torch.testing.assert_close(models.outputs(model, batch, ["hidden"])["hidden"], hidden)


@EACH
def test_tokens_in_training_are_those_of_a_plain_step(architecture):
    model, batch = models.build(architecture, CLASSES), pictures(architecture)
    training_mode(model)
    answers = []
    for kinds in (("tokens",), ("tokens", "hidden", "map")):
        with torch.random.fork_rng():
            torch.manual_seed(2)  # of dropout
            answers.append(models.observe(model, batch, kinds)["tokens"][0])
    assert torch.equal(*answers)


@pytest.mark.parametrize("name", ["efficientnet", "late resnet"])
def test_dropout_falls_once_and_after_the_features(name):
    model, batch = models.build(NETWORKS[name], CLASSES), pictures(NETWORKS[name])
    assert model.dropout.p == 0.5
    model.eval().dropout.train()
    hidden = models.observe(model, batch, ["hidden"])["hidden"]
    assert torch.equal(hidden, models.outputs(model, batch, ["hidden"])["hidden"])
    assert {module.p for module in model.modules() if isinstance(module, nn.Dropout)} <= {0, 0.5}
    assert getattr(model.rgb, "drop_rate", 0) == 0


@EACH
def test_both_kinds_of_picture_are_read(architecture):
    model, batch = models.build(architecture, CLASSES), pictures(architecture)
    other, plain = pictures(architecture, seed=2), models.logits(model, batch)
    for modality in ("rgb", "ir"):
        assert not torch.equal(models.logits(model, batch | {modality: other[modality]}), plain)


@EACH
def test_all_that_is_trained_gets_gradients(architecture):
    model, batch = models.build(architecture, CLASSES), pictures(architecture)
    training_mode(model)
    model(batch).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
        assert parameter.grad is None or torch.isfinite(parameter.grad).all()


@pytest.mark.parametrize("name", ["resnet", "efficientnet"])
def test_statistics_of_what_is_frozen_stay(name):
    model, batch = models.build(DESIGNED[name], CLASSES), pictures(DESIGNED[name])
    before = {name: t.clone() for name, t in model.named_buffers()}
    training_mode(model)
    model(batch)
    moved = {name for name, t in model.named_buffers() if not torch.equal(t, before[name])}
    owners = {name: model.get_submodule(name.rpartition(".")[0]) for name in before}
    frozen = {name for name, owner in owners.items() if not any(p.requires_grad for p in owner.parameters())}
    assert frozen
    assert moved == before.keys() - frozen


def test_the_map_lies_on_the_rgb_picture():
    architecture = replace(DESIGNED["vit"], image_size=64)
    model, batch = models.build(architecture, CLASSES), pictures(architecture, batch=1)
    changed = {**batch, "rgb": batch["rgb"].clone()}
    changed["rgb"][..., :16, -16:] += 3
    before, after = (models.outputs(model, one, ["map"])["map"] for one in (batch, changed))
    moved = (after - before).square().sum((0, 1))
    assert moved.flatten().argmax() == 3  # of 4 x 4 cells, the right one of the first row
    assert moved[0, 3] > 100 * moved.flatten().sort().values[-2]


def test_pooled_maps_of_residual_networks_are_their_features():
    architecture = LATE["late resnet"]
    found = models.outputs(models.build(architecture, CLASSES), pictures(architecture), ("hidden", "map"))
    torch.testing.assert_close(found["map"].mean((2, 3)), found["hidden"])


def fits(model: nn.Module, state: dict[str, Tensor], stem: str) -> None:
    """Both branches and the trunk hold a backbone's weights, the infrared stem their mean over the channels."""
    for name, tensor in model.state_dict().items():
        part, _, of_timm = name.partition(".")
        if part in ("rgb", "ir", "trunk") and of_timm in state:
            expected = state[of_timm]
            if part == "ir" and of_timm == f"{stem}.weight":
                expected = expected.mean(1, keepdim=True).expand_as(expected)
            assert torch.equal(tensor, expected), name
        else:
            assert part in ("fuse", "classifier"), name


STEMS = {
    "resnet": "conv1",
    "efficientnet": "conv_stem",
    "vit": "patch_embed.proj",
    "swin": "patch_embed.proj",
    "late resnet": "conv1.0",
    "late deit": "patch_embed.proj",
}


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_of_one_network_of_pictures_are_both_branches(name, tmp_path):
    architecture = NETWORKS[name]
    state = backbone(architecture).state_dict()
    file = save(state, tmp_path / "w.safetensors")
    before = torch.get_rng_state()
    model = models.build(replace(architecture, weights=file), CLASSES, seed=7)
    assert torch.equal(torch.get_rng_state(), before)  # the caller's generator was left alone
    fits(model, state, STEMS[name])
    fresh = models.build(architecture, CLASSES, seed=7).state_dict()
    new = [key for key in fresh if key.startswith(("fuse", "classifier"))]
    assert all(torch.equal(model.state_dict()[key], fresh[key]) for key in new)


def test_a_grey_picture_gives_both_branches_the_same(tmp_path):
    architecture = LATE["late resnet"]
    file = save(backbone(architecture).state_dict(), tmp_path / "w.safetensors")
    model = models.build(replace(architecture, weights=file), CLASSES)
    grey = pictures(architecture)["ir"]
    found = models.outputs(model, {"rgb": grey.expand(-1, 3, -1, -1), "ir": grey}, ["hidden"])["hidden"]
    rgb, ir = found.chunk(2, dim=1)
    torch.testing.assert_close(rgb, ir)


@pytest.mark.parametrize("name", ["resnet", "vit", "late resnet"])
def test_a_hub_has_weights_of_the_backbone(name, monkeypatch):
    architecture, made, asked = replace(NETWORKS[name], weights="hub"), families.create, []
    state = backbone(architecture).state_dict()

    def create(single: Architecture, classes: int, pretrained: bool) -> nn.Module:
        model = made(single, classes, False)
        if pretrained:
            asked.append(single.name)
            model.load_state_dict(state, strict=False)
        return model

    monkeypatch.setattr(families, "create", create)
    monkeypatch.setattr(weights, "_reachable", lambda address: False)
    model = models.build(architecture, CLASSES)
    fits(model, state, STEMS[name])
    assert asked == [dual.backbone(architecture.name)]
    assert f"timm/{asked[0]}." in models.describe(model, architecture, CLASSES)["weights"]


def test_a_hub_without_weights_is_one_error_that_names_the_backbone(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(weights, "_reachable", lambda address: False)
    with pytest.raises(WeightsError, match=r"The pretrained weights of test_vit\.r160_in1k cannot be had"):
        models.build(Architecture("dual:test_vit.r160_in1k", image_size=160), CLASSES)


@EACH
def test_weights_of_a_whole_network_are_taken_without_its_classifier(architecture, tmp_path):
    source = models.build(architecture, ["a", "b", "c"], seed=5)
    state = source.state_dict()
    file = save(state, tmp_path / "w.safetensors")
    model = models.build(replace(architecture, weights=file), CLASSES, seed=7).state_dict()
    assert model.keys() == state.keys()
    assert all(torch.equal(model[name], t) for name, t in state.items() if not name.startswith("classifier"))
    assert model["classifier.weight"].shape[0] == 2


@pytest.mark.parametrize("whole", [False, True])
def test_positions_are_resampled_to_another_input_size(whole, tmp_path):
    architecture = DESIGNED["vit"]
    source = models.build(architecture, CLASSES, seed=5) if whole else backbone(architecture)
    file = save(source.state_dict(), tmp_path / "w.safetensors")
    larger = replace(architecture, image_size=64, weights=file)
    model = models.build(larger, CLASSES)
    for branch in ("rgb", "ir"):
        before = (getattr(source, branch) if whole else source).pos_embed
        after = getattr(model, branch).pos_embed
        assert after.shape == (1, 17, 48)
        assert torch.equal(after[:, 0], before[:, 0])


@pytest.mark.parametrize("whole", [False, True])
def test_weights_that_do_not_fit_are_named(whole, tmp_path):
    architecture = DESIGNED["vit"]
    source = models.build(architecture, CLASSES) if whole else backbone(architecture)
    prefix = "trunk." if whole else ""
    state = source.state_dict() | {f"{prefix}norm.weight": torch.zeros(5), "extra": torch.zeros(1)}
    del state["rgb.cls_token" if whole else "cls_token"]
    file = save(state, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError) as caught:
        models.build(replace(architecture, weights=file), CLASSES)
    said = str(caught.value)
    assert "missing (such as" in said
    assert "cls_token" in said
    assert "unknown (such as" in said
    assert "trunk.norm.weight is (5,), expected (48,)" in said


def test_weights_of_another_backbone_are_refused(tmp_path):
    file = save(backbone(DESIGNED["swin"]).state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="does not fit"):
        models.build(replace(DESIGNED["resnet"], weights=file), CLASSES)


def test_the_seed_alone_decides_the_new_weights():
    first, second, other = (models.build(DESIGNED["resnet"], CLASSES, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["fuse.0.weight"], other["fuse.0.weight"])
    assert not torch.equal(first["rgb.conv1.weight"], first["ir.conv1.weight"])


@saving
@EACH
def test_saved_and_loaded_is_the_same(architecture, tmp_path):
    model = models.build(architecture, CLASSES, seed=1)
    models.save_model(tmp_path, model, models.describe(model, architecture, CLASSES), FINGERPRINT)
    loaded, card = models.load_model(tmp_path)
    batch = pictures(architecture)
    assert torch.equal(models.logits(loaded, batch), models.logits(model, batch))
    assert list(card["inputs"]) == ["rgb", "ir"]
    assert card["parameters"] == counts(model)[0]


@saving
def test_a_card_of_another_network_is_refused(tmp_path):
    architecture = DESIGNED["resnet"]
    model = models.build(architecture, CLASSES)
    models.save_model(tmp_path, model, models.describe(model, architecture, CLASSES), FINGERPRINT)
    card = cards.read(tmp_path)
    network = card["network"] | {"options": [["layers", [1, 1, 2, 1]]]}
    (tmp_path / cards.CARD).write_text(cards.text(card | {"network": network}))
    with pytest.raises(ArtifactError, match="does not fit the network"):
        models.load_model(tmp_path)


def test_low_rank_matrices_stand_beside_the_shared_attention():
    pytest.importorskip("peft")
    model = models.build(replace(DESIGNED["vit"], trained="lora:2"), CLASSES)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert all(lora.is_adapter(name) or name.startswith("classifier.") for name in trained)
    assert any(name.startswith("trunk.") for name in trained)
    lora.merge(model)
    assert model.state_dict().keys() == models.build(DESIGNED["vit"], CLASSES).state_dict().keys()


def test_each_kind_of_picture_is_read_with_its_own_scale():
    architecture = replace(DESIGNED["vit"], image_size=64)
    timms = {"size": 64, "mean": (0.5,) * 3, "std": (0.5,) * 3}
    shapes = {"rgb": (64, 64, 3), "ir": (64, 64, 1)}
    for given in (None, shapes):
        assert models.reads(architecture, given) == {"rgb": timms, "ir": {"size": 64, "mean": (0.5,), "std": (0.25,)}}
    found = models.reads(architecture, shapes, {"ir": {"mean": [0.3], "std": [0.1]}})
    assert found == {"rgb": timms, "ir": {"size": 64, "mean": (0.3,), "std": (0.1,)}}
    measured = {"mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6)}
    found = models.reads(Architecture("resnet18", image_size=64), shapes, {"rgb": measured, "ir": measured})
    assert found == {"rgb": {"size": 64} | measured}


def test_a_network_of_both_needs_both():
    with pytest.raises(ConfigError, match=r"dual_vit_b16 reads rgb, ir, and the prepared inputs are rgb\. Choose one"):
        models.reads(DESIGNED["vit"], {"rgb": (64, 64, 3)})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dual:resnet1O", r"no network named resnet1O\. Did you mean dual:resnet1"),
        ("dual_resnet15", "Did you mean dual_resnet152"),
        ("dual:", r"no network named .*dual:<timm's name>"),
        ("dual:zzz1", r"no network named zzz1\. timm\.list_models\(\) lists them"),
        ("dual:dual_swin_t", "no network named dual_swin_t"),
    ],
)
def test_an_unknown_network_is_named_with_its_neighbours(name, message):
    with pytest.raises(ConfigError, match=message):
        core.check_name(name)
    assert all(core.check_name(known) is None for known in (*dual.NAMES, "dual:resnet18", "dual:resnet18.a1_in1k"))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("dual_vit_b16", (("depth", 3), *NARROW), "shared or frozen"),
        ("dual:resnet10t", (("windows", 7),), r"\{'windows': 7\}"),
        ("dual_swin_t", (("drop_rate", 2.0),), "between 0 and 1"),
    ],
)
def test_options_that_a_network_does_not_have_are_named(name, options, message):
    with pytest.raises(ConfigError, match=rf"{name} cannot be built for 32 px .*{message}"):
        models.build(Architecture(name, options, 32, "random"), CLASSES)


def test_a_projection_leads_to_the_teachers_features():
    student, shapes = models.build(Architecture("cnn4", weights="random"), CLASSES), {"teacher/hidden": (1536,)}
    heads = _heads(student, [objective.Term("features", 1.0)], shapes)
    assert {name: tuple(head.weight.shape) for name, head in heads.items()} == {"teacher/features": (1536, 256)}


def test_a_network_of_both_learns_with_heads_beside_it():
    architecture = DESIGNED["swin"]
    found = NetworkWithHeads(models.build(architecture, CLASSES), objective.parse("rkd"), {"teacher/hidden": (5,)})
    outputs = found(pictures(architecture))
    assert outputs.tokens[0].shape == (2, 2)
    assert outputs.hidden.shape == (2, 192)
