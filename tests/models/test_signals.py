"""Networks of signals: exactly the published ones, for windows of any rate, beside those of pictures in all that is
asked of a network."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pipeline import models
from pipeline.artifacts import cards
from pipeline.config import Architecture
from pipeline.distillation.losses import table
from pipeline.distillation.losses.table import LossOptions, total
from pipeline.errors import ArtifactError, ConfigError, WeightsError
from pipeline.inputs import batches
from pipeline.models import conv1d, core, cost, painattn
from pipeline.models.heads import NetworkWithHeads
from pipeline.models.painattn import Layer
from pipeline.models.saved import WEIGHTS
from pipeline.models.signal_network import filled
from pipeline.tasks import objective
from tests.helpers import presets, signals
from tests.helpers.networks import FINGERPRINT
from tests.helpers.signals import CHANNELS, CLASSES, NETWORKS, STEPS, network, read_of, windows

LOSSES = table.LOSSES["classify"]
EACH = pytest.mark.parametrize("architecture", NETWORKS.values(), ids=list(NETWORKS))
WIDE, NARROW, ATTENTION = (NETWORKS[name] for name in ("conv1d", "conv1d_narrow", "painattn"))


def parameters(architecture: Architecture, classes: int, steps: int, channels: int = 1) -> int:
    read = read_of(architecture, steps, channels)
    return sum(p.numel() for p in models.build(architecture, CLASSES[:classes], inputs=read).parameters())


def test_the_exact_network_has_exactly_so_many_parameters():
    assert parameters(WIDE, 5, 2816) == 11_449_605
    assert parameters(WIDE, 2, 2816) == 11_448_066


@pytest.mark.parametrize("steps", [44, 88, 176, 352, 704, 2816, 5632])
def test_the_narrow_network_has_at_most_a_tenth_of_them_at_every_rate(steps):
    assert 10 * parameters(NARROW, 5, steps) <= parameters(WIDE, 5, steps)
    assert 10 * parameters(NARROW, 2, steps, 3) <= parameters(WIDE, 2, steps, 3)


def test_what_the_docstrings_say_of_sizes():
    assert f"{parameters(NARROW, 5, 2816):,} parameters" in conv1d.__doc__.replace("\n", " ")
    for steps in (2816, 176):
        assert f"{parameters(ATTENTION, 5, steps):,} parameters" in painattn.__doc__.replace("\n", " ")
    half = replace(ATTENTION, options=(("seen", 32), ("wide", 64)))
    assert f"{parameters(half, 5, 176):,} parameters" in painattn.__doc__.replace("\n", " ")
    costs = [cost.count_flops(network(one, channels=1), torch.zeros(1, 1, STEPS)) for one in (half, ATTENTION)]
    assert costs[0] / costs[1] == pytest.approx(2 / 5, abs=0.02)


def test_the_exact_network_by_hand():
    model, batch = network(WIDE, channels=1), torch.randn(3, 1, STEPS)
    first = F.max_pool1d(F.relu(F.conv1d(batch, model.first.weight, model.first.bias, stride=2)), 2)
    second = F.max_pool1d(F.relu(F.conv1d(first, model.second.weight, model.second.bias)), 2)
    hidden = second.flatten(1) @ model.hidden.weight.T + model.hidden.bias
    expected = hidden @ model.classifier.weight.T + model.classifier.bias
    torch.testing.assert_close(model(batch), expected)
    found = models.outputs(model, batch, ("hidden", "map"))
    torch.testing.assert_close(found["hidden"], hidden)
    torch.testing.assert_close(found["map"], second)
    assert found["map"].shape == (3, 64, 19)


def test_options_add_the_relu_and_the_normalisation_and_nothing_else():
    batch = windows(8)
    plain, active = network(WIDE), network(replace(WIDE, options=(("relu", True),)))
    assert plain.state_dict().keys() == active.state_dict().keys()
    torch.testing.assert_close(
        models.outputs(active, batch, ["hidden"])["hidden"], F.relu(models.outputs(plain, batch, ["hidden"])["hidden"])
    )
    normed = network(replace(WIDE, options=(("norm", True),))).train()
    assert sum(isinstance(module, nn.BatchNorm1d) for module in normed.modules()) == 2
    torch.testing.assert_close(normed(1000 * batch), normed(batch), rtol=1e-2, atol=1e-2)  # whatever the unit


def test_the_branches_of_the_attention_network_are_the_published_ones_at_512_hz():
    model = network(ATTENTION, steps=2816, channels=1)
    assert model.steps == [60, 12, 3]
    assert [painattn.fitted(branch, 2816)[0] for branch in painattn.BRANCHES] == list(painattn.BRANCHES)
    firsts = [(branch[0].kernel_size[0], branch[0].stride[0], branch[0].padding[0]) for branch in model.branches]
    assert firsts == [(50, 6, 24), (512, 42, 256), (1024, 84, 512)]
    features = model.eval().forward_features(torch.randn(2, 1, 2816))
    assert features.shape == (2, 30, 75)
    assert models.outputs(model, torch.randn(2, 1, 2816), ["hidden"])["hidden"].shape == (2, 2250)


@pytest.mark.parametrize("steps", [176, 352, 2816])
def test_the_map_of_the_attention_network_shows_every_branch_on_the_middle_grid(steps):
    model, batch = network(ATTENTION, steps=steps).eval(), windows(2, steps)
    fine, middle, coarse = model.see(filled(batch))
    shown = models.outputs(model, batch, ["map"])["map"].chunk(3, dim=1)
    assert shown[0].shape == middle.shape
    for one, branch in zip(shown, (fine, middle, coarse), strict=True):
        torch.testing.assert_close(one, F.adaptive_avg_pool1d(branch, middle.shape[-1]))
    torch.testing.assert_close(shown[1], middle)


@pytest.mark.parametrize("steps", [22, 44, 88, 176, 352, 704, 1408, 2816, 5632])
def test_a_lower_rate_gets_shorter_kernels_and_maps_of_about_the_same_length(steps):
    for branch, expected in zip(painattn.BRANCHES, (60, 12, 3), strict=True):
        layers, length = painattn.fitted(branch, steps)
        assert layers[0].kernel == max(round(branch[0].kernel * steps / 2816), 1)
        if steps >= 176:
            assert length == pytest.approx(expected, abs=1)
    model = network(ATTENTION, steps=steps)
    assert models.logits(model, windows(2, steps)).shape == (2, 5)


def test_fitted_layers_by_hand():
    """At 32 Hz a second is 32 steps: kernels of 16, then on a grid of 3 steps pools of 3.5 cells."""
    layers, steps = painattn.fitted(painattn.BRANCHES[1], 176)
    assert layers == (Layer(32, 3, 16), Layer(4, 4, 0), Layer(4, 1, 3), Layer(4, 1, 3), Layer(2, 2, 1))
    assert steps == 11


def test_attention_joins_the_channels():
    model = network(ATTENTION).eval()
    channels = torch.randn(1, 30, 75, requires_grad=True)
    model.layers(channels)[0, 0].sum().backward()
    assert (channels.grad[0].abs().sum(1) > 0).all()


def test_a_causal_convolution_reads_nothing_later():
    layer, channels = painattn._Causal(), torch.randn(1, 30, 75)
    changed = channels.clone()
    changed[:, :, 40:] += 1
    before, after = layer(channels), layer(changed)
    assert torch.equal(before[:, :, :40], after[:, :, :40])
    assert not torch.equal(before[:, :, 40], after[:, :, 40])
    assert before.shape == channels.shape


@EACH
def test_unknown_steps_are_the_windows_mean(architecture):
    model, batch = network(architecture).eval(), windows()
    filled = batch.clone()
    for channel in range(CHANNELS):
        known = batch[1, channel, ~batch[1, channel].isnan()]
        filled[1, channel, batch[1, channel].isnan()] = known.mean()
    assert not filled.isnan().any()
    torch.testing.assert_close(models.logits(model, batch), models.logits(model, filled))
    nothing = torch.full((1, CHANNELS, STEPS), torch.nan)
    assert torch.equal(models.logits(model, nothing), models.logits(model, torch.zeros(1, CHANNELS, STEPS)))


@EACH
def test_tokens_and_features_are_those_of_any_network(architecture):
    model, batch = network(architecture), windows(3)
    found = models.outputs(model.train(), batch, ("map", "logits", "hidden"))
    assert not model.training
    assert torch.equal(found["logits"], models.logits(model, batch))
    assert found["hidden"].shape == (3, models.width(model, "hidden"))
    assert found["map"].shape[:2] == (3, models.width(model, "map"))
    assert found["map"].ndim == 3
    assert models.axes(model) == 1
    for kind, expected in found.items():
        assert torch.equal(models.outputs(model, batch, [kind])[kind], expected)
    model.train()
    for kinds in (("tokens",), ("tokens", "hidden"), ("tokens", "map"), ("tokens", "hidden", "map")):
        with torch.random.fork_rng():
            torch.manual_seed(2)  # of dropout
            observed = models.observe(model, batch, kinds)
        with torch.random.fork_rng():
            torch.manual_seed(2)
            plain = model(batch)
        assert torch.equal(observed["tokens"][0], plain)


@EACH
def test_the_map_lies_on_the_time(architecture):
    model, batch = network(architecture, channels=1), torch.zeros(1, 1, STEPS)
    changed = batch.clone()
    changed[..., -STEPS // 8 :] += 3
    before, after = (models.outputs(model, one, ["map"])["map"] for one in (batch, changed))
    moved = (after - before).square().sum((0, 1))
    assert moved[-2:].max() > 10 * moved[: len(moved) // 4].max()


@EACH
def test_saved_and_loaded_is_the_same(architecture, tmp_path):
    folder = signals.saved(tmp_path, architecture, FINGERPRINT)
    loaded, card = models.load_model(folder)
    assert card["inputs"] == {"signal": {"length": STEPS, "channels": CHANNELS}}
    assert batches.specs(card) == {"signal": batches.SignalSpec(STEPS, CHANNELS)}
    assert torch.equal(models.logits(loaded, windows()), models.logits(network(architecture), windows()))
    assert card["parameters"] == sum(p.numel() for p in loaded.parameters())


def test_the_seed_alone_decides_the_new_weights():
    first, second, other = (network(WIDE, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["first.weight"], other["first.weight"])


def test_another_networks_backbone_can_be_the_start(tmp_path):
    folder = signals.saved(tmp_path, NARROW, FINGERPRINT)
    started = network(replace(NARROW, weights=str(folder / WEIGHTS)), seed=5)
    source = models.load_model(folder)[0]
    assert torch.equal(started.hidden.weight, source.hidden.weight)
    assert not torch.equal(started.classifier.weight, source.classifier.weight)
    frozen = network(replace(NARROW, trained="head"))
    assert {name for name, p in frozen.named_parameters() if p.requires_grad} == {
        "classifier.weight",
        "classifier.bias",
    }
    with pytest.raises(WeightsError, match=r"does not fit .*hidden\.weight"):
        network(replace(NARROW, weights=str(folder / WEIGHTS)), steps=352)


@pytest.mark.parametrize(
    ("architecture", "shapes", "message"),
    [
        (WIDE, {"rgb": (64, 64, 3)}, "conv1d reads signal, and the prepared inputs are rgb. Choose one of timm's"),
        (WIDE, None, "conv1d reads signal, and the prepared inputs are rgb"),
        (Architecture("resnet10t"), {"signal": (176, 1)}, "reads rgb, and the prepared inputs are signal. .*conv1d"),
        (Architecture("conv1e"), {"signal": (176, 1)}, "Did you mean conv1d"),
    ],
)
def test_a_network_that_reads_nothing_of_what_there_is_is_named(architecture, shapes, message):
    with pytest.raises(ConfigError, match=message):
        models.reads(architecture, shapes)


def test_pictures_are_read_whatever_their_shape():
    architecture = presets.NETWORKS["resnet"]
    expected = {"rgb": dataclasses.asdict(models.input_spec(architecture))}
    for shapes in (None, {"rgb": (256, 256, 3)}, {"rgb": (7, 7, 3), "signal": (9, 1)}):
        assert models.reads(architecture, shapes) == expected


@pytest.mark.parametrize(
    ("architecture", "steps", "message"),
    [
        (WIDE, 20, "20 steps in 2 channels .*longer windows"),
        (ATTENTION, 1, "1 steps in 2 channels .*longer windows"),
        (replace(WIDE, options=(("surprise", 1),)), STEPS, "surprise"),
        (replace(WIDE, options=(("channels", 7),)), STEPS, "cannot be built"),
        (replace(ATTENTION, options=(("dropout", 3.0),)), STEPS, "dropout"),
    ],
)
def test_what_cannot_be_built_is_one_line(architecture, steps, message):
    with pytest.raises(ConfigError, match=message) as caught:
        network(architecture, steps=steps)
    assert "\n" not in str(caught.value)


def test_no_hub_has_weights_of_them():
    with pytest.raises(WeightsError, match=r"conv1d has no pretrained weights in a hub. .*WEIGHTS=random"):
        network(Architecture("conv1d"))
    with pytest.raises(ConfigError, match="expected its length and channels"):
        models.build(WIDE, CLASSES)
    with pytest.raises(ConfigError, match="Conv1dNetwork has no attention"):
        network(replace(WIDE, trained="lora:8"))


def test_a_name_that_is_nearly_one_is_suggested_once():
    with pytest.raises(ConfigError, match=r"Did you mean conv1d[^,?]*(, (?!conv1d[,?])[^,?]+)*\? Of signals"):
        core.check_name("conv1f", families=("conv1d", "painattn"))


def test_no_name_is_anothers():
    assert set(core.OF_SIGNALS) == {"conv1d", "conv1d_narrow", "painattn"}
    assert not [name for name in core.OF_SIGNALS if core.timm.is_model(name)]


def changed(folder, network: dict | None = None, **entries) -> None:
    """Write the card with other entries, its checksum right."""
    card = cards.read(folder)
    card |= entries | {"network": card["network"] | (network or {})}
    (folder / cards.CARD).write_text(cards.text(card))


@pytest.mark.parametrize(
    "crafted",
    [
        {"inputs": {"signal": {"length": 177, "channels": 2, "rate": 1}}},
        {"inputs": {"signal": {"length": 2**30, "channels": 2}}},
        {"inputs": {"signal": {"length": 0, "channels": 2}}},
        {"inputs": {"signal": {"length": 176, "channels": 65}}},
        {"inputs": {"signal": {"length": 176, "channels": 3}}},
        {"inputs": {"signal": {"length": 2**20, "channels": 2}}},
        {"inputs": {"signal": {"length": 12, "channels": 2}}},
        {"inputs": {"rgb": {"size": 224, "mean": [0.5] * 3, "std": [0.5] * 3}}},
        {"inputs": {}},
        {
            "inputs": {
                "signal": {"length": 176, "channels": 2},
                "rgb": {"size": 224, "mean": [0.5] * 3, "std": [0.5] * 3},
            }
        },
        {"network": {"options": [["hidden", 10**6]]}},
        {"network": {"options": [["channels", [10**5, 10**5]]]}},
        {"network": {"options": [["channels", "wide"]]}},
        {"network": {"options": [["norm", True]]}},
        {"network": {"options": [["surprise", True]]}},
    ],
    ids=str,
)
def test_a_card_of_another_network_is_refused(crafted, tmp_path):
    folder = signals.saved(tmp_path, NARROW, FINGERPRINT)
    changed(folder, **crafted)
    with pytest.raises(ArtifactError) as caught:
        models.load_model(folder)
    assert "\n" not in str(caught.value)


def test_a_card_of_pictures_cannot_read_signals(tmp_path):
    folder = signals.saved(tmp_path, NARROW, FINGERPRINT)
    changed(folder, network={"name": "resnet10t"}, architecture="resnet10t")
    with pytest.raises(ArtifactError, match=r"model\.json describes no network"):
        models.load_model(folder)


VALUES = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False) | st.text(max_size=5)
OPTIONS = st.sampled_from(["channels", "hidden", "norm", "relu", "dropout", "seen", "wide", "name", "spec", "outputs"])


@pytest.mark.slow
@settings(max_examples=100, deadline=5000)
@given(
    st.sampled_from(["conv1d_narrow", "painattn"]),
    st.dictionaries(OPTIONS, VALUES | st.lists(VALUES, max_size=3), max_size=3),
    st.integers(1, 2**20),
    st.integers(1, 64),
)
def test_any_card_is_a_network_or_one_line(tmp_path_factory, name, options, length, channels):
    folder = tmp_path_factory.getbasetemp() / f"crafted-{name}"
    if not folder.exists():
        signals.saved(folder, NETWORKS[name], FINGERPRINT)
    whole = (folder / cards.CARD).read_bytes()
    inputs = {"signal": {"length": length, "channels": channels}}
    changed(folder, {"options": [[key, value] for key, value in options.items()]}, inputs=inputs)
    try:
        loaded, said = models.load_model(folder)[0], ""
    except ArtifactError as error:
        loaded, said = None, str(error)
    (folder / cards.CARD).write_bytes(whole)
    if loaded:
        assert models.logits(loaded, torch.zeros(1, channels, length)).shape == (1, 5)
    assert loaded or (said and "\n" not in said)


def answers(architecture: Architecture, batch: int = 4) -> dict[str, torch.Tensor]:
    found = models.outputs(network(architecture, 7), windows(batch), ("logits", "hidden", "map"))
    found["hard"] = found["logits"].argmax(1)
    return {"label": torch.arange(batch) % 5, **{f"teacher/{what}": tensor for what, tensor in found.items()}}


def with_heads(architecture: Architecture, loss: str, targets: dict[str, torch.Tensor]) -> NetworkWithHeads:
    shapes = {name: tuple(t.shape[1:]) for name, t in targets.items() if name.endswith(("/hidden", "/map"))}
    return NetworkWithHeads(network(architecture), objective.parse(loss), shapes).train()


@pytest.mark.parametrize("teacher", ["conv1d", "painattn"])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_few_steps_lower_every_loss(teacher, loss):
    targets = answers(NETWORKS[teacher])
    student = with_heads(NARROW, loss, targets)
    value = total(objective.parse(loss), LossOptions())
    optimizer, course = torch.optim.Adam(student.parameters(), 1e-3), []
    for _ in range(6):
        optimizer.zero_grad()
        found = value(student(windows()), targets)
        found.backward()
        course.append(found.item())
        assert all(torch.isfinite(p.grad).all() for p in student.parameters() if p.grad is not None)
        optimizer.step()
    assert course[-1] < course[0]
    assert all(p.grad is not None for p in student.heads.parameters())


def test_the_regressor_of_maps_is_a_convolution_over_time_and_that_of_features_a_linear_map():
    targets = answers(WIDE)
    student = with_heads(NARROW, "hint,cosine", targets)
    outputs = student(windows())
    hint, cosine = student.heads["teacher/hint"], student.heads["teacher/cosine"]
    assert isinstance(hint, nn.Conv1d)
    assert hint.weight.shape == (64, 16, 1)
    assert hint(outputs.map).shape == targets["teacher/map"].shape
    assert isinstance(cosine, nn.Linear)
    assert cosine(outputs.hidden).shape == targets["teacher/hidden"].shape


def test_maps_of_pictures_and_signals_are_not_compared():
    for loss in ("hint", "attention"):
        with pytest.raises(ConfigError, match=r"map of teacher has 2 axes, the student's has 1: .*LOSS=hard, soft"):
            NetworkWithHeads(network(NARROW), objective.parse(loss), {"teacher/map": (64, 7, 7)})
    NetworkWithHeads(network(NARROW), objective.parse("cosine"), {"teacher/hidden": (64,), "teacher/map": (64, 7, 7)})


def test_arithmetic_by_hand():
    macs = 1406 * 32 * 5 + 699 * 64 * 32 * 5 + 22_336 * 512 + 512 * 5
    assert cost.count_flops(network(WIDE, steps=2816, channels=1), torch.zeros(1, 1, 2816)) == 2 * macs


def test_the_attention_between_channels_is_counted():
    model = network(ATTENTION)
    layer = model.layers[0]
    causal, linear, attention = 3 * 75 * 30 * 30 * 7, 30 * 75 * 75 + 2 * 30 * 75 * 120, 2 * 30 * 30 * 75
    assert cost.count_flops(layer, torch.zeros(1, 30, 75)) == 2 * (causal + linear + attention)
    found = cost.measure(model, torch.zeros(1, CHANNELS, STEPS), budget_s=0.0)
    assert found["gflops"] > 2 * 2 * (causal + linear + attention) / 1e9
