"""The one input loop: any modalities, the views of a batch and their partners, made as a network reads them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.inputs import batches, keyed_random
from pipeline.inputs.batches import MODALITIES, Samples
from pipeline.inputs.views import image, signal
from pipeline.inputs.views.image import GROUP, InputSpec
from pipeline.inputs.views.plan import Drawn, Plan
from pipeline.inputs.views.signal import SignalSpec

SPEC = InputSpec(8, (0.5, 0.4, 0.3), (0.5, 0.2, 0.1))
NAMES = [f"{number}.jpg#full" for number in range(12)]


def make_infrared(raw: torch.Tensor, drawn: Drawn, spec: InputSpec) -> torch.Tensor:
    """A second camera: the geometry of the first, no colours."""
    plain = [None if p is None else {GROUP: colourless(p[GROUP])} for p in (drawn.parameters, drawn.partner_parameters)]
    return image.make(raw, replace(drawn, parameters=plain[0], partner_parameters=plain[1]), spec)


def colourless(parameters: np.ndarray) -> np.ndarray:
    return np.concatenate([parameters[:, :5], np.ones_like(parameters[:, 5:])], axis=1)


@pytest.fixture
def with_infrared(monkeypatch):
    infrared = MODALITIES["rgb"]._replace(make=make_infrared)
    monkeypatch.setitem(MODALITIES, "ir", infrared)


@pytest.fixture
def samples() -> Samples:
    """Twelve samples whose inputs lie in another order, among others: pictures and signals of noise."""
    rng = np.random.default_rng(0)
    columns = {
        "rgb": rng.integers(0, 256, (20, 16, 16, 3), dtype=np.uint8),
        "signal": rng.normal(size=(20, 30, 2)).astype(np.float32),
    }
    return Samples(columns, rng.permutation(20)[:12], NAMES, np.arange(12) % 3)


def of(samples: Samples, *modalities: str) -> Samples:
    columns = {name: samples.columns[name] for name in modalities}
    return Samples(columns, samples.rows, samples.sample_ids, samples.truth)


def collected(stream) -> list[batches.Batch]:
    """The batches, their inputs copied: on a CPU they are reused."""
    return [
        batches.Batch(batch.index, batch.drawn, {name: raw.clone() for name, raw in batch.raw.items()})
        for batch in stream
    ]


def test_each_batch_has_the_inputs_of_its_samples(samples):
    parts = [(np.array([3, 0, 11]), Drawn()), (np.array([5]), Drawn()), (np.array([0, 0]), Drawn())]
    found = collected(batches.stream(samples, parts, "cpu"))
    assert [batch.index.tolist() for batch in found] == [[3, 0, 11], [5], [0, 0]]
    for batch in found:
        assert list(batch.raw) == ["rgb", "signal"]
        for name, raw in batch.raw.items():
            assert np.array_equal(raw.numpy(), samples.columns[name][samples.rows[batch.index]])
            assert raw.dtype == (torch.uint8 if name == "rgb" else torch.float32)


@pytest.mark.parametrize("mix", ["cutmix", "mixup"])
def test_partners_stand_after_the_samples_and_are_seen_in_them(samples, mix):
    pictures = of(samples, "rgb")
    views, index = pictures.views(Plan(4, mix=mix)), np.array([2, 9, 4, 7])
    drawn = views.draw(index, 1)
    (batch,) = collected(batches.stream(pictures, [(index, drawn)], "cpu"))
    places = np.concatenate([index, drawn.partners])
    raw = torch.from_numpy(samples.columns["rgb"][samples.rows[places]])
    assert torch.equal(batch.raw["rgb"], raw)
    assert torch.equal(batch.make({"rgb": SPEC}), image.make(raw, drawn, SPEC))
    assert batch.make({"rgb": SPEC}).shape == (4, 3, 8, 8)


@pytest.mark.parametrize("mix", ["none", "cutmix", "mixup"])
def test_each_modality_shows_its_own_views_of_the_same_samples_and_partners(samples, mix):
    views, index = samples.views(Plan(4, mix=mix)), np.array([2, 9, 4])
    drawn = views.draw(index, 1)
    (batch,) = batches.stream(samples, [(index, drawn)], "cpu")
    made = batch.make({"rgb": SPEC, "signal": SignalSpec(30, 2)})
    for name, make, spec in (("rgb", image.make, SPEC), ("signal", signal.make, SignalSpec(30, 2))):
        places = index if drawn.partners is None else np.concatenate([index, drawn.partners])
        raw = torch.from_numpy(samples.columns[name][samples.rows[places]])
        torch.testing.assert_close(made[name], make(raw, drawn, spec), equal_nan=True, rtol=0, atol=0)
        alone = of(samples, name).views(Plan(4, mix=mix)).draw(index, 1)  # beside whatever else is drawn
        (one,) = batches.stream(of(samples, name), [(index, alone)], "cpu")
        torch.testing.assert_close(made[name], one.make({name: spec}), equal_nan=True, rtol=0, atol=0)
        assert np.array_equal(alone.kept, drawn.kept) if mix != "none" else alone.kept is drawn.kept is None


def test_modalities_that_name_one_group_show_one_geometry(samples, with_infrared):
    two = replace(samples, columns={"rgb": samples.columns["rgb"], "ir": samples.columns["rgb"]})
    index = np.array([2, 9, 4])
    drawn = two.views(Plan(4)).draw(index, 1)
    assert list(drawn.parameters) == [GROUP]
    (batch,) = batches.stream(two, [(index, drawn)], "cpu")
    made = batch.make({"rgb": SPEC, "ir": SPEC})
    raw = batch.raw["rgb"]
    assert torch.equal(made["rgb"], image.augment(raw, drawn.parameters[GROUP], SPEC))
    assert torch.equal(made["ir"], image.augment(raw, colourless(drawn.parameters[GROUP]), SPEC))
    assert not torch.equal(made["rgb"], made["ir"])


def test_one_modality_is_a_tensor_several_are_a_dict(samples):
    (batch,) = batches.stream(samples, [(np.arange(3), Drawn())], "cpu")
    rgb, signal = batch.make({"rgb": SPEC}), batch.make({"signal": SignalSpec(30, 2)})
    assert (tuple(rgb.shape), tuple(signal.shape)) == ((3, 3, 8, 8), (3, 2, 30))
    both = batch.make({"signal": SignalSpec(30, 2), "rgb": SPEC})
    assert list(both) == ["signal", "rgb"]
    assert torch.equal(both["rgb"], rgb)
    assert torch.equal(both["signal"], signal)


def test_two_networks_read_one_batch_each_in_its_own_way(samples):
    (batch,) = batches.stream(of(samples, "rgb"), [(np.arange(3), Drawn())], "cpu")
    for spec in (SPEC, InputSpec(16, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))):
        assert torch.equal(batch.make({"rgb": spec}), image.normalise(batch.raw["rgb"], spec))


@pytest.mark.parametrize("batch_size", [1, 5, 100])
def test_identity_gives_the_samples_themselves_in_the_order_asked_for(samples, batch_size):
    places = np.array([11, 3, 3, 0, 8, 1, 2])
    found = collected(batches.identity(of(samples, "rgb"), places, batch_size, "cpu"))
    assert [len(batch.index) for batch in found] == [
        len(places[start : start + batch_size]) for start in range(0, 7, batch_size)
    ]
    assert np.array_equal(np.concatenate([batch.index for batch in found]), places)
    expected = image.normalise(torch.from_numpy(samples.columns["rgb"][samples.rows[places]]), SPEC)
    made = torch.cat([batch.make({"rgb": SPEC}) for batch in found])
    torch.testing.assert_close(made, expected)


def test_nothing_asked_for_is_no_batch(samples):
    assert list(batches.stream(samples, [], "cpu")) == []
    assert list(batches.identity(samples, np.empty(0, np.int64), 4, "cpu")) == []


def test_samples_at_places_keep_what_is_theirs(samples):
    places = np.array([7, 2, 2, 10])
    some = samples.at(places)
    assert len(some) == 4
    assert some.sample_ids == [NAMES[place] for place in places]
    assert np.array_equal(some.rows, samples.rows[places])
    assert np.array_equal(some.truth, samples.truth[places])
    assert some.columns is samples.columns
    (whole,), (part,) = (
        collected(batches.stream(one, [(index, Drawn())], "cpu"))
        for one, index in ((samples, places), (some, np.arange(4)))
    )
    assert all(torch.equal(whole.raw[name], part.raw[name]) for name in whole.raw)
    untold = Samples(samples.columns, samples.rows, samples.sample_ids)
    assert untold.at(places).truth is None


def test_views_follow_the_names_of_the_samples_not_their_places(samples):
    places = np.array([7, 2, 10])
    first = samples.views(Plan(5)).draw(places, 3)
    second = samples.at(places).views(Plan(5)).draw(np.arange(3), 3)
    keys = keyed_random.keys([NAMES[place] for place in places])
    for group, module in ((image.GROUP, image), (signal.GROUP, signal)):
        assert np.array_equal(first.parameters[group], second.parameters[group])
        assert np.array_equal(first.parameters[group], module.view_parameters(5, keys, 3))


def test_nothing_is_seen_in_a_blank_batch():
    wanted = {"rgb": SPEC, "signal": SignalSpec(30, 2)}
    batch = batches.blank(wanted, "cpu")
    assert batch.index.tolist() == [0]
    assert not any(raw.any() for raw in batch.raw.values())
    made = batch.make(wanted)
    assert {name: tuple(tensor.shape) for name, tensor in made.items()} == {"rgb": (1, 3, 8, 8), "signal": (1, 2, 30)}
    assert batches.blank({"rgb": SPEC}, "cpu").make({"rgb": SPEC}).shape == (1, 3, 8, 8)


def test_a_card_says_what_a_network_reads():
    card = {
        "inputs": {
            "rgb": {"size": 8, "mean": (0.5, 0.4, 0.3), "std": (0.5, 0.2, 0.1)},
            "signal": {"length": 30, "channels": 2},
        }
    }
    assert batches.specs(card) == {"rgb": SPEC, "signal": SignalSpec(30, 2)}


def test_the_table_has_every_modality():
    made = {name: modality.make for name, modality in MODALITIES.items()}
    assert made == {"rgb": image.make, "ir": image.make_uncoloured, "signal": signal.make}
    assert MODALITIES["ir"].draws is MODALITIES["rgb"].draws  # one geometry for both
