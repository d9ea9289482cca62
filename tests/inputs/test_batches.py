"""The one input loop: any modalities, the views of a batch and their partners, made as a network reads them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from pipeline.inputs import batches, keyed_random
from pipeline.inputs.batches import MODALITIES, Modality, Samples
from pipeline.inputs.views import image
from pipeline.inputs.views.image import Drawn, InputSpec, Plan

SPEC = InputSpec(8, (0.5, 0.4, 0.3), (0.5, 0.2, 0.1))
NAMES = [f"{number}.jpg#full" for number in range(12)]


@dataclass(frozen=True)
class SignalSpec:
    """What a network reads of a signal."""

    length: int
    channels: int


def make_signal(raw: torch.Tensor, drawn: Drawn, spec: SignalSpec) -> torch.Tensor:
    """The first steps of a signal, (B, channels, length); a mixed one is an average."""
    signal = raw[:, : spec.length].transpose(1, 2)
    if drawn.partners is None:
        return signal
    own, partner = signal.chunk(2)
    share = torch.from_numpy(drawn.kept)[:, None, None]
    return share * own + (1 - share) * partner


def blank_signal(spec: SignalSpec, device: str) -> torch.Tensor:
    return torch.zeros(1, spec.length, spec.channels, device=device)


@pytest.fixture
def with_signals(monkeypatch):
    monkeypatch.setitem(MODALITIES, "signal", Modality(SignalSpec, make_signal, blank_signal))


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


def test_every_modality_shows_the_same_views_and_partners(samples, with_signals):
    views, index = samples.views(Plan(4, mix="mixup")), np.array([2, 9, 4])
    drawn = views.draw(index, 1)
    (batch,) = batches.stream(samples, [(index, drawn)], "cpu")
    made = batch.make({"rgb": SPEC, "signal": SignalSpec(20, 2)})
    own, partner = (
        samples.columns["signal"][samples.rows[places], :20].transpose(0, 2, 1) for places in (index, drawn.partners)
    )
    share = drawn.kept[:, None, None]
    np.testing.assert_allclose(made["signal"].numpy(), share * own + (1 - share) * partner, atol=1e-6)
    alone = next(iter(batches.stream(of(samples, "rgb"), [(index, drawn)], "cpu")))
    assert torch.equal(made["rgb"], alone.make({"rgb": SPEC}))


def test_one_modality_is_a_tensor_several_are_a_dict(samples, with_signals):
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
    assert np.array_equal(first.parameters, second.parameters)
    expected = image.view_parameters(5, keyed_random.keys([NAMES[place] for place in places]), 3)
    assert np.array_equal(first.parameters, expected)


def test_nothing_is_seen_in_a_blank_batch(with_signals):
    wanted = {"rgb": SPEC, "signal": SignalSpec(30, 2)}
    batch = batches.blank(wanted, "cpu")
    assert batch.index.tolist() == [0]
    assert not any(raw.any() for raw in batch.raw.values())
    made = batch.make(wanted)
    assert {name: tuple(tensor.shape) for name, tensor in made.items()} == {"rgb": (1, 3, 8, 8), "signal": (1, 2, 30)}
    assert batches.blank({"rgb": SPEC}, "cpu").make({"rgb": SPEC}).shape == (1, 3, 8, 8)


def test_a_card_says_what_a_network_reads(with_signals):
    card = {
        "inputs": {
            "rgb": {"size": 8, "mean": (0.5, 0.4, 0.3), "std": (0.5, 0.2, 0.1)},
            "signal": {"length": 30, "channels": 2},
        }
    }
    assert batches.specs(card) == {"rgb": SPEC, "signal": SignalSpec(30, 2)}


def test_the_table_has_a_picture_of_every_modality():
    assert "rgb" in MODALITIES
    assert MODALITIES["rgb"].make is image.make
