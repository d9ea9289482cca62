"""What training inputs look like to a network: inputs like them are in, others are out, and it is always the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline import models
from pipeline.compute.distributed import ALONE, Team
from pipeline.config import AlignConfig, Architecture, WindowConfig
from pipeline.inputs import batches
from pipeline.inputs.batches import Samples
from pipeline.models import domain
from pipeline.models.strangeness import Respects
from pipeline.serving.network import Network
from pipeline.tasks import PAIN, TASKS
from pipeline.training import familiar
from tests.helpers.domains import knowing, noise, pictures, samples
from tests.helpers.networks import saved, saved_of_signals
from tests.serving import answering

TRAIN, VAL, TEST = (pictures(count, seed) for seed, count in enumerate((300, 200, 200)))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return knowing(saved(tmp_path_factory.mktemp("model"), PAIN, AlignConfig(face_size=64)), TRAIN, VAL)


def scores(model, rgb: np.ndarray) -> np.ndarray:
    return Network(model, "cpu").read({"rgb": rgb})[1]


def test_a_hundredth_of_validation_is_strange(model):
    assert (scores(model, VAL) > 1).sum() == 1  # the threshold is the 199th distance of 200


def test_held_out_inputs_are_in_and_noise_and_inverted_inputs_are_out(model):
    assert (scores(model, TEST) > 1).mean() < 0.04
    assert (scores(model, noise(50)) > 1).all()
    assert (scores(model, 255 - TEST) > 1).mean() > 0.95


def test_the_score_is_the_same_every_time_and_in_any_batch(model, tmp_path):
    again = knowing(saved(tmp_path, PAIN, AlignConfig(face_size=64)), TRAIN, VAL)
    name = "domain.safetensors"
    assert (again / name).read_bytes() == (model / name).read_bytes()
    whole = scores(model, TEST)
    np.testing.assert_array_equal(whole, scores(again, TEST))
    np.testing.assert_allclose(np.concatenate([scores(model, TEST[:7]), scores(model, TEST[7:])]), whole, rtol=1e-3)


def test_logits_are_those_of_a_network_that_is_asked_for_nothing_else(model):
    network = Network(model, "cpu")
    expected = Network(model, "cpu")
    expected._engine._judged = None
    assert expected.read({"rgb": TEST})[1] is None
    np.testing.assert_array_equal(network.logits({"rgb": TEST}), expected.logits({"rgb": TEST}))


class Halves(Team):
    """A team of which this process takes half of each batch, and is given the whole by the other."""

    def __init__(self, others: list[torch.Tensor]):
        self._others = iter(others)

    def mine(self, rows):
        return rows[: len(rows) // 2]

    def whole(self, values, rows):
        whole = next(self._others)
        torch.testing.assert_close(values, whole[: len(values)], rtol=1e-4, atol=1e-5)
        return whole


def test_each_process_of_a_team_reads_its_slice_alone(model):
    network, card = models.load_model(model)
    specs, parts = batches.specs(card), (samples(TRAIN[:64]), samples(VAL[:32]))
    respects = Respects(specs)
    whole = [
        values
        for part in parts
        for numbers in familiar._measured(network, ("hidden", "layers"), respects, part, specs, 16, "cpu", ALONE)
        for values in numbers.values()
    ]
    together = familiar.learn(network, *parts, specs, 16, "cpu", Halves(whole))
    alone = familiar.learn(network, *parts, specs, 16, "cpu", ALONE)
    for name, array in domain.arrays_of(alone).items():
        np.testing.assert_array_equal(domain.arrays_of(together)[name], array)


def test_of_signals_nothing_is_flagged_and_it_is_said(tmp_path, caplog):
    caplog.set_level("INFO")
    model = saved_of_signals(tmp_path, TASKS["skin-conductance"], WindowConfig(), 64.0, 352)
    network, card = models.load_model(model)
    windows = Samples({"signal": np.zeros((4, 352, 1), np.float32)}, np.arange(4), list("abcd"))
    assert familiar.learn(network, windows, windows, batches.specs(card), 4, "cpu", ALONE) is None
    assert "told of pictures, not of signal" in caplog.text
    caplog.clear()
    assert "domain_score" not in Network(model, "cpu").columns
    assert not caplog.records


def test_a_respect_in_which_training_inputs_do_not_differ_is_left_out(tmp_path, caplog):
    caplog.set_level("INFO")
    heat = Architecture("heat:test_resnet", image_size=32, weights="random")  # each of its maps adds up to 1
    model = saved(tmp_path, answering.points(3), AlignConfig(face_size=64), architecture=heat)
    network, card = models.load_model(model)
    train, specs = samples(TRAIN[:20]), batches.specs(card)
    assert list(familiar.learn(network, train, train, specs, 20, "cpu", ALONE).gaussians) == ["features", "look"]
    same = samples(np.zeros((4, 64, 64, 3), np.uint8))
    assert familiar.learn(network, same, same, specs, 4, "cpu", ALONE) is None
    assert "all training inputs look the same to the network" in caplog.text
