"""Networks of points: heat maps over any network of timm, whose means are places in the picture."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from pipeline import models
from pipeline.artifacts import cards
from pipeline.config import Architecture
from pipeline.errors import ArtifactError, ConfigError, WeightsError
from pipeline.models import core, cost, families, heat, lora, weights
from pipeline.models.heads import NetworkWithHeads
from pipeline.models.heat_network import HeatHead, as_map, mean_places, spread
from pipeline.tasks import objective
from pipeline.training.loop import training_mode
from tests.helpers.networks import FINGERPRINT

pytestmark = pytest.mark.slow

CLASSES = [f"p{number}_{axis}" for number in range(5) for axis in "xy"]
POINTS = len(CLASSES) // 2
KINDS = ("logits", "hidden", "map")
NARROW = (("embed_dim", 48), ("depth", 2), ("num_heads", 3))
LIGHT = (("channels", 16),)
SWIN = (("embed_dim", 24), ("depths", (1, 2, 2, 1)), ("num_heads", (1, 2, 4, 8)))
NETWORKS = {
    "resnet": Architecture("heat:resnet10t", LIGHT, 64, "random"),
    "mobilenet": Architecture("heat:mobilenetv2_035", (), 64, "random"),
    "efficientnet": Architecture("heat:test_efficientnet", (*LIGHT, ("drop_path_rate", 0.2)), 64, "random"),
    "deit": Architecture("heat:deit_tiny_distilled_patch16_224", (*NARROW, *LIGHT), 64, "random"),
    "vit": Architecture("heat:vit_tiny_patch16_224", (*NARROW, *LIGHT), 32, "random"),
    "swin": Architecture("heat:swin_tiny_patch4_window7_224", (*SWIN, *LIGHT, ("drop_rate", 0.5)), 64, "random"),
    "convnext": Architecture("heat:convnext_atto", (*LIGHT, ("stride", 8)), 64, "random"),
    "ours": Architecture("heat:cnn4", (("channels", 16), ("margin", 0)), 64, "random"),
}
EACH = pytest.mark.parametrize("architecture", NETWORKS.values(), ids=list(NETWORKS))


def pictures(architecture: Architecture, batch: int = 2, seed: int = 1) -> Tensor:
    size = architecture.image_size
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(seed))


def plain(architecture: Architecture, seed: int = 5) -> nn.Module:
    """The network below the heat maps, with a classifier."""
    options = tuple(pair for pair in architecture.options if pair[0] not in heat.Options.__dataclass_fields__)
    single = replace(architecture, name=heat.backbone(architecture.name), options=options, weights="random")
    return models.build(single, ["a", "b", "c"], seed)


def save(state: dict[str, Tensor], file) -> str:
    """Write a state dict; convolutions' weights may have their channels last."""
    save_file({name: t.contiguous() for name, t in state.items()}, file)
    return str(file)


def spot(row: int, column: int, rows: int, columns: int) -> Tensor:
    """A heat map with all of its heat in one cell."""
    made = torch.zeros(rows, columns)
    made[row, column] = 1
    return made


@pytest.mark.parametrize("margin", [0, 1, 2])
def test_heat_in_one_cell_gives_the_cells_centre(margin):
    rows, columns = 4 + 2 * margin, 8 + 2 * margin
    maps = torch.stack([spot(i, j, rows, columns) for i in range(rows) for j in range(columns)])
    x = (torch.arange(columns) - margin + 0.5) / 8 - 0.5
    y = (torch.arange(rows) - margin + 0.5) / 4 - 0.5
    expected = torch.stack([x.repeat(rows), y.repeat_interleave(columns)], dim=1)
    torch.testing.assert_close(mean_places(maps[None], margin), expected.flatten()[None])


def test_places_between_cells_by_hand():
    heat_map = 0.25 * spot(0, 1, 2, 4) + 0.75 * spot(1, 2, 2, 4)
    x, y = 0.25 * (1.5 / 4) + 0.75 * (2.5 / 4) - 0.5, 0.25 * (0.5 / 2) + 0.75 * (1.5 / 2) - 0.5
    other = torch.full((2, 4), 1 / 8)
    found = mean_places(torch.stack([heat_map, other])[None])
    torch.testing.assert_close(found, torch.tensor([[x, y, 0.0, 0.0]]))


def test_an_edge_is_half_way_between_cells_on_both_sides_of_it():
    for margin in (1, 2):
        cells = 4 + 2 * margin
        corner = sum(spot(i, j, cells, cells) for i in (margin - 1, margin) for j in (-margin - 1, -margin)) / 4
        torch.testing.assert_close(mean_places(corner[None, None], margin), torch.tensor([[0.5, -0.5]]))


@pytest.mark.parametrize(("size", "new"), [((4, 4), (7, 7)), ((7, 5), (14, 10)), ((3, 4), (3, 9)), ((1, 1), (2, 2))])
def test_maps_are_spread_as_torch_does_it(size, new):
    maps = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    expected = F.interpolate(maps, new, mode="bilinear", align_corners=False)
    torch.testing.assert_close(spread(maps, new), expected)


def test_final_features_of_every_form_are_a_map():
    last, expected = torch.zeros(2, 7, 2, 3), torch.arange(2.0 * 5 * 2 * 3).view(2, 5, 2, 3)
    cells = expected.flatten(2).mT  # (B, n, D)
    with_tokens = torch.cat([torch.full((2, 2, 5), -1.0), cells], dim=1)  # of the class and of distillation
    for features in (expected, expected.permute(0, 2, 3, 1), cells, with_tokens):
        assert torch.equal(as_map(features, last), expected)
    for features in ((cells, with_tokens), cells[:, 1:], torch.zeros(2, 5, 1, 1), torch.zeros(2, 5)):
        assert as_map(features, last) is last


@pytest.mark.parametrize(
    ("sides", "most", "levels", "doublings"),
    [
        ([56, 28, 14, 7, 4], 28, [1, 2, 3, 4], 0),
        ([56, 28, 14, 7, 4], 14, [2, 3, 4], 0),
        ([56, 28, 14, 7, 4], 56, [0, 1, 2, 3, 4], 0),
        ([7, 7, 7], 28, [2], 2),
        ([7, 7, 7], 27, [2], 1),
        ([14, 14, 7, 7], 28, [1, 3], 1),
        ([7, 4, 2], 2, [2], 0),
        ([7, 4], 2, [1], 0),  # the last is read, however fine
    ],
)
def test_maps_are_read_from_the_last_to_the_finest_that_is_asked_for(sides, most, levels, doublings):
    assert heat.plan([(side, side) for side in sides], most) == (levels, doublings)


@EACH
def test_answers_are_the_means_of_the_maps(architecture):
    model, batch = models.build(architecture, CLASSES), pictures(architecture)
    found = models.outputs(model.train(), batch, KINDS)
    options = heat.Options(**{k: v for k, v in architecture.options if k in heat.Options.__dataclass_fields__})
    cells = architecture.image_size // options.stride + 2 * options.margin
    assert found["map"].shape == (2, POINTS, cells, cells)
    assert found["logits"].shape == (2, 2 * POINTS)
    assert found["hidden"].shape == (2, models.width(model, "hidden"))
    assert models.width(model, "map") == POINTS
    torch.testing.assert_close(found["map"].sum((2, 3)), torch.ones(2, POINTS))
    assert torch.equal(found["logits"], mean_places(found["map"], options.margin))
    for kind, expected in found.items():
        assert torch.equal(models.outputs(model, batch, [kind])[kind], expected)


@EACH
def test_at_first_all_points_are_near_the_middle(architecture):
    found = models.outputs(models.build(architecture, CLASSES), 3 * pictures(architecture), ["logits"])["logits"]
    assert 0 < found.abs().max() < 0.05
    assert found.unique().numel() == found.numel()  # and no two are the same


@EACH
def test_hidden_features_are_the_backbones(architecture, tmp_path):
    single = plain(architecture)
    model = models.build(replace(architecture, weights=save(single.state_dict(), tmp_path / "w.safetensors")), CLASSES)
    batch = pictures(architecture)
    expected = models.outputs(single, batch, ["hidden"])["hidden"]
    torch.testing.assert_close(models.outputs(model, batch, ["hidden"])["hidden"], expected)


@EACH
def test_a_step_is_one_pass_whatever_is_observed(architecture):
    """Dropout falls the same, and no statistic is counted twice."""
    answers = []
    for kinds in (("tokens",), ("tokens", "hidden", "map")):
        model = models.build(architecture, CLASSES)
        training_mode(model)
        with torch.random.fork_rng():
            torch.manual_seed(2)
            answers.append(models.observe(model, pictures(architecture), kinds)["tokens"][0])
        counted = [int(module.num_batches_tracked) for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        assert set(counted) == {1}
    assert torch.equal(*answers)


@EACH
def test_gradients_reach_all_that_the_answers_are_made_of(architecture):
    model, batch = models.build(architecture, CLASSES), pictures(architecture)
    training_mode(model)
    (model(batch) - 0.3).square().sum().backward()
    without = {name for name, p in model.named_parameters() if p.grad is None}
    # What follows the last map only to be pooled has no part in them.
    assert all(name.startswith(("backbone.head.", "backbone.hidden.")) for name in without)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    assert all(p.grad.abs().sum() > 0 for p in model.head.parameters())


def test_the_same_step_twice_is_the_same_bit_for_bit():
    gradients = []
    for _ in range(2):
        model = models.build(NETWORKS["resnet"], CLASSES, seed=3)
        training_mode(model)
        model(pictures(NETWORKS["resnet"])).square().sum().backward()
        gradients.append([p.grad for p in model.parameters()])
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["resnet", "deit"])
def test_places_are_not_rounded_to_half_precision(name, kind):
    model, batch = models.build(NETWORKS[name], CLASSES).eval(), pictures(NETWORKS[name])
    with torch.no_grad(), torch.autocast("cpu", kind):
        found = models.observe(model, batch, ("tokens", "map"))
    (places,) = found["tokens"]
    assert places.dtype == found["map"].dtype == torch.float32
    torch.testing.assert_close(places, mean_places(found["map"], 2))
    torch.testing.assert_close(places, models.logits(model, batch), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["resnet", "deit", "swin", "ours"])
def test_heat_lies_on_the_picture(name):
    """A change in one corner of the picture changes that corner of the maps."""
    architecture = replace(NETWORKS[name], image_size=128)
    model, batch = models.build(architecture, CLASSES), pictures(architecture, batch=1)
    changed = batch.clone()
    changed[..., :32, -32:] += 3
    before, after = (models.outputs(model, one, ["map"])["map"].log() for one in (batch, changed))
    moved = (after - before)[0].mean(0)
    moved = (moved - moved.median()).abs()
    middle = moved.shape[0] // 2
    quarters = {(i, j): moved[i:, j:][:middle, :middle].mean() for i in (0, middle) for j in (0, middle)}
    assert max(quarters, key=quarters.get) == (0, middle)


def test_a_temperature_divides_the_heat():
    architecture, maps = NETWORKS["resnet"], []
    for temperature in (1.0, 0.5):
        model = models.build(replace(architecture, options=(*LIGHT, ("temperature", temperature))), CLASSES)
        maps.append(models.outputs(model, 50 * pictures(architecture), ["map"])["map"])
    squared = maps[0].square()
    torch.testing.assert_close(maps[1], squared / squared.sum((2, 3), keepdim=True))


@pytest.mark.parametrize("margin", [0, 1, 2])
def test_every_cell_beyond_the_edge_sees_some_of_the_picture(margin):
    head, size = HeatHead((3,), 0, 2, channels=8, margin=margin, dropout=0.0).eval(), 6
    level = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))
    before, after = head([level]), head([level + 1])
    assert before.shape == (1, 2, size + 2 * margin, size + 2 * margin)
    assert ((after - before).abs().amax((0, 1)) > 0).all()


def test_a_head_learns_where_a_spot_is():
    """By the error of the coordinates alone, and finer than its cells."""
    size, margin, generator = 16, 2, torch.Generator().manual_seed(1)
    centres = (torch.arange(size) + 0.5) / size - 0.5

    def see(points: Tensor) -> Tensor:
        x, y = points[:, :1, None], points[:, 1:, None]
        spots = torch.exp(-((centres - x).square() + (centres[:, None] - y).square()) / 0.005)
        heat_maps = head([spots[:, None]]).flatten(2).softmax(2).unflatten(2, [size + 2 * margin] * 2)
        return mean_places(heat_maps, margin)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = HeatHead((1,), 0, 1, channels=16, margin=margin, dropout=0.0)
    optimizer = torch.optim.Adam(head.parameters(), 0.01)
    for _ in range(80):
        points = 0.8 * torch.rand(16, 2, generator=generator) - 0.4
        optimizer.zero_grad()
        (see(points) - points).square().mean().backward()
        optimizer.step()
    points = 0.8 * torch.rand(100, 2, generator=generator) - 0.4
    head.eval()
    assert (see(points) - points).abs().mean() < 0.25 / size


def test_the_heads_are_as_small_as_the_documentation_says():
    numbers = [f"p{number}_{axis}" for number in range(68) for axis in "xy"]
    for name in ("mobilenetv2_100", "efficientnet_b3", "resnet50", "swin_tiny_patch4_window7_224"):
        words = heat.__doc__.rpartition(f"``{name}``")[2].split()
        for size, gmacs in ((112, words[2]), (224, words[3])):
            with torch.device("meta"):
                model = models.build(Architecture(f"heat:{name}", image_size=size, weights="random"), numbers)
            assert float(gmacs) == pytest.approx(cost.count_flops(model, torch.zeros(1, 3, size, size)) / 2e9, abs=6e-4)
        below, head = (sum(p.numel() for p in part.parameters()) for part in (model.backbone, model.head))
        assert words[:2] == [f"{below:,}", f"{head:,}"]
        assert head < 300_000


@EACH
def test_a_frozen_backbone_trains_the_head_alone(architecture):
    model = models.build(replace(architecture, trained="head"), CLASSES)
    assert core.output_layers(model) == ("head",)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {name for name, _ in model.named_parameters() if name.startswith("head.")}
    card = models.describe(model, architecture, CLASSES)
    assert card["trained_parameters"] == sum(p.numel() for p in model.head.parameters())
    training_mode(model)
    assert model.head.training
    assert not model.backbone.training


def test_low_rank_matrices_stand_beside_the_backbones_attention():
    pytest.importorskip("peft")
    model = models.build(replace(NETWORKS["deit"], trained="lora:2"), CLASSES)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert all(lora.is_adapter(name) or name.startswith("head.") for name in trained)
    assert any(name.startswith("backbone.") for name in trained)
    lora.merge(model)
    assert model.state_dict().keys() == models.build(NETWORKS["deit"], CLASSES).state_dict().keys()


def fits(model: nn.Module, state: dict[str, Tensor], fresh: nn.Module) -> None:
    """The backbone holds weights of timm's names, the head those of a network without any."""
    new = fresh.state_dict()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, state[name[9:]] if name.startswith("backbone.") else new[name]), name


@EACH
def test_weights_of_a_plain_network_are_the_backbone(architecture, tmp_path):
    state = plain(architecture).state_dict()
    file = save(state, tmp_path / "w.safetensors")
    before = torch.get_rng_state()
    model = models.build(replace(architecture, weights=file), CLASSES, seed=7)
    assert torch.equal(torch.get_rng_state(), before)  # the caller's generator was left alone
    fits(model, state, models.build(architecture, CLASSES, seed=7))


@EACH
def test_weights_of_a_whole_network_are_taken_without_its_head(architecture, tmp_path):
    source = models.build(architecture, ["p0_x", "p0_y"], seed=5)
    file = save(source.state_dict(), tmp_path / "w.safetensors")
    model = models.build(replace(architecture, weights=file), CLASSES, seed=7)
    fits(model, source.backbone.state_dict(), models.build(architecture, CLASSES, seed=7))


@pytest.mark.parametrize("name", ["resnet", "deit"])
def test_a_hub_has_weights_of_the_backbone(name, monkeypatch):
    architecture, made, asked = replace(NETWORKS[name], weights="hub"), families.create, []
    state = plain(architecture).state_dict()

    def create(single: Architecture, classes: int, pretrained: bool) -> nn.Module:
        model = made(single, classes, False)
        if pretrained:
            asked.append(single.name)
            model.load_state_dict(state, strict=False)
        return model

    monkeypatch.setattr(families, "create", create)
    monkeypatch.setattr(weights, "_reachable", lambda address: False)
    model = models.build(architecture, CLASSES)
    fits(model, state, models.build(replace(architecture, weights="random"), CLASSES))
    assert asked == [heat.backbone(architecture.name)]
    assert f"timm/{asked[0]}." in models.describe(model, architecture, CLASSES)["weights"]


def test_there_are_no_hubs_weights_of_our_networks():
    with pytest.raises(WeightsError, match="heat:cnn4 has no pretrained weights in a hub"):
        models.build(Architecture("heat:cnn4"), CLASSES)


@pytest.mark.parametrize("whole", [False, True])
def test_positions_are_resampled_to_another_input_size(whole, tmp_path):
    architecture = NETWORKS["deit"]
    source = models.build(architecture, CLASSES, seed=5) if whole else plain(architecture)
    file = save(source.state_dict(), tmp_path / "w.safetensors")
    model = models.build(replace(architecture, image_size=96, weights=file), CLASSES)
    before, after = (source.backbone if whole else source).pos_embed, model.backbone.pos_embed
    assert after.shape == (1, 36 + 2, 48)
    assert torch.equal(after[:, :2], before[:, :2])


def test_weights_that_do_not_fit_are_named(tmp_path):
    file = save(plain(NETWORKS["swin"]).state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"does not fit HeatNetwork: .*missing \(such as backbone\."):
        models.build(replace(NETWORKS["resnet"], weights=file), CLASSES)


def test_the_seed_alone_decides_the_new_weights():
    first, second, other = (models.build(NETWORKS["resnet"], CLASSES, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["head.points.weight"], other["head.points.weight"])


@EACH
def test_saved_and_loaded_is_the_same(architecture, tmp_path):
    model = models.build(architecture, CLASSES, seed=1)
    models.save_model(tmp_path, model, models.describe(model, architecture, CLASSES), FINGERPRINT)
    loaded, card = models.load_model(tmp_path)
    batch = pictures(architecture)
    assert torch.equal(models.logits(loaded, batch), models.logits(model, batch))
    assert card["architecture"] == architecture.name
    assert list(card["inputs"]) == ["rgb"]
    assert card["parameters"] == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": 17},
        {"channels": 10**7},
        {"stride": 32},
        {"stride": 0},
        {"stride": -4},
        {"margin": 3},
        {"margin": 10**6},
        {"temperature": 0},
        {"temperature": "warm"},
        {"surprise": 1},
    ],
    ids=str,
)
def test_a_card_of_another_network_is_refused_at_once(changes, tmp_path):
    architecture = NETWORKS["resnet"]
    model = models.build(architecture, CLASSES)
    models.save_model(tmp_path, model, models.describe(model, architecture, CLASSES), FINGERPRINT)
    card = cards.read(tmp_path)
    network = card["network"] | {"options": [list(pair) for pair in (dict(LIGHT) | changes).items()]}
    (tmp_path / cards.CARD).write_text(cards.text(card | {"network": network}))
    start = time.monotonic()
    with pytest.raises(ArtifactError, match=cards.CARD):
        models.load_model(tmp_path)
    assert time.monotonic() - start < 5


def test_a_picture_is_read_with_the_scale_of_the_backbones_weights():
    assert models.input_spec(NETWORKS["vit"]) == models.InputSpec(32, (0.5,) * 3, (0.5,) * 3)
    assert models.reads(NETWORKS["vit"], {"rgb": (32, 32, 3), "ir": (32, 32, 1)}).keys() == {"rgb"}


@pytest.mark.parametrize("outputs", [1, 7])
def test_outputs_that_are_no_pairs_are_named(outputs):
    with pytest.raises(ConfigError, match=rf"heat:resnet10t .* x and y of each point, and {outputs} outputs are no"):
        models.build(NETWORKS["resnet"], [str(number) for number in range(outputs)])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("heat:resnet1O", r"no network named resnet1O\. Did you mean heat:resnet1"),
        ("heat:", r"no network named .*heat:<timm's name>"),
        ("heat:zzz1", r"no network named zzz1\. timm\.list_models\(\) lists them.*heat:<timm's name>"),
        ("heat:conv1d", "no network named conv1d"),
        ("heat:dual:resnet18", "no network named dual:resnet18"),
        ("dual:heat:resnet18", "no network named heat:resnet18"),
    ],
)
def test_an_unknown_network_is_named_with_its_neighbours(name, message):
    with pytest.raises(ConfigError, match=message):
        core.check_name(name)
    assert all(core.check_name(known) is None for known in ("heat:cnn4", "heat:resnet18", "heat:resnet18.a1_in1k"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((("windows", 7),), r"\{'windows': 7\}"),
        ((("channels", 0),), "expected channels above 0, got 0"),
        ((("stride", 3),), "expected stride 2, 4, 8, 16, 32, got 3"),
        ((("margin", -1),), "expected margin from 0 to 8 cells, got -1"),
        ((("temperature", 0.0),), "expected a temperature above 0, got 0.0"),
        ((("drop_rate", 2.0),), "between 0 and 1"),
    ],
)
def test_options_that_there_are_not_are_named(options, message):
    with pytest.raises(ConfigError, match=rf"heat:resnet10t cannot be built for 64 px .*{message}"):
        models.build(replace(NETWORKS["resnet"], options=options), CLASSES)


def test_a_network_that_reads_no_picture_of_the_size_is_named():
    with pytest.raises(ConfigError, match=r"heat:hrnet_w18_small cannot be built for 112 px .* no feature maps"):
        models.build(Architecture("heat:hrnet_w18_small", image_size=112, weights="random"), CLASSES)


def test_its_features_lead_a_student_and_can_be_led_by():
    shapes = {"teacher/hidden": (7,), "teacher/map": (9, 6, 6)}
    network = NetworkWithHeads(models.build(NETWORKS["resnet"], CLASSES), objective.parse("hint"), shapes)
    outputs = network(pictures(NETWORKS["resnet"]))
    assert outputs.map.shape == (2, POINTS, 20, 20)
    assert network.heads["teacher/hint"].weight.shape == (9, POINTS, 1, 1)
