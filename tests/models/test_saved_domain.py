"""The domain of a network on disk: it comes back as it was, and a damaged or foreign one is named."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from pipeline import models
from pipeline.artifacts import cards
from pipeline.artifacts.store import Artifact, ArtifactStore, Node
from pipeline.config import AlignConfig, SplitConfig
from pipeline.errors import ArtifactError
from pipeline.models import domain
from pipeline.models.saved import DOMAIN
from pipeline.serving.network import Network
from pipeline.tasks import PAIN
from tests.helpers import specials
from tests.helpers.domains import knowing, pictures
from tests.helpers.networks import saved

NINE = domain.Gaussian(*(np.ones(shape, np.float32) for shape in (9, (1, 9), 1, 1, 1)))
OWNER = {"fingerprint": "0123456789abcdef" * 4}


@pytest.fixture
def folder(tmp_path):
    return knowing(saved(tmp_path / "model", PAIN, AlignConfig(face_size=64)), pictures(60), pictures(20, 1))


def message(source) -> str:
    """The one line that is said of a domain that cannot be loaded."""
    network, card = models.load_model(source)
    with pytest.raises(ArtifactError) as caught:
        models.load_domain(source, network, card)
    with pytest.raises(ArtifactError):
        Network(source, "cpu")
    assert "\n" not in str(caught.value)
    assert DOMAIN in str(caught.value)
    return str(caught.value)


def put(folder, content: bytes, **entries) -> None:
    """Write a domain that the card agrees with."""
    (folder / DOMAIN).write_bytes(content)
    entry = cards.read(folder)["domain"] | {"sha256": hashlib.sha256(content).hexdigest()} | entries
    (folder / cards.CARD).write_text(cards.text(cards.read(folder) | {"domain": entry}))


def test_it_comes_back_as_it_was_and_is_small(folder):
    network, card = models.load_model(folder)
    again = models.load_domain(folder, network, card)
    stored = load_file(folder / DOMAIN)
    assert {name.partition("/")[0] for name in stored} == {"threshold", "features", "layer0", "look"}
    for name, array in stored.items():
        np.testing.assert_array_equal(domain.arrays_of(again)[name], array)
    assert card["domain"]["sha256"] == hashlib.sha256((folder / DOMAIN).read_bytes()).hexdigest()
    assert (folder / DOMAIN).stat().st_size < 20_000


def test_a_network_without_one_has_none_and_saved_again_does_not_name_another(folder):
    network, card = models.load_model(folder)
    entries = {name: entry for name, entry in card.items() if name not in ("fingerprint", "sha256", "checksum")}
    models.save_model(folder, network, entries, card["fingerprint"])
    network, card = models.load_model(folder)
    assert "domain" not in card
    assert models.load_domain(folder, network, card) is None


def test_one_of_version_0_7_knows_the_features_alone(folder):
    kept = {name.partition("/")[2]: array for name, array in load_file(folder / DOMAIN).items() if "features" in name}
    kept["threshold"] = kept.pop("weight")
    put(folder, save(kept, metadata=OWNER), width=24)
    network, card = models.load_model(folder)
    assert list(models.load_domain(folder, network, card).gaussians) == ["features"]
    assert Network(folder, "cpu").read({"rgb": pictures(3)})[1].shape == (3,)


@pytest.mark.slow
def test_a_flipped_byte_anywhere_is_named(folder):
    whole = (folder / DOMAIN).read_bytes()
    for place in (*range(0, len(whole), len(whole) // 15), len(whole) - 1):
        content = bytearray(whole)
        content[place] ^= 1
        (folder / DOMAIN).write_bytes(content)
        message(folder)


@pytest.mark.parametrize("kind", [*specials.KINDS, "nothing", "empty"])
def test_whatever_stands_in_its_place_is_an_error_and_no_wait(kind, folder):
    (folder / DOMAIN).unlink()
    if kind in specials.KINDS:
        specials.put(folder / DOMAIN, kind)
    elif kind == "empty":
        (folder / DOMAIN).touch()
    message(folder)


def test_another_networks_is_named(folder):
    arrays = load_file(folder / DOMAIN)
    put(folder, save(arrays, metadata={"fingerprint": "f" * 64}))
    assert f"{DOMAIN} belongs to ffffffff…, expected 01234567…" in message(folder)
    put(folder, save(arrays))
    assert f"{DOMAIN} says not what it belongs to" in message(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"look/rest": np.zeros(1, np.float32)}, "above zero"),
        ({"look/surprise": np.zeros(1, np.float32)}, "it holds"),
        (
            {"features/mean": np.zeros(9, np.float32), "features/directions": np.zeros((23, 9), np.float32)},
            "of 9 numbers of features, the network has 24",
        ),
        (
            {"look/mean": np.zeros(9, np.float32), "look/directions": np.zeros((32, 9), np.float32)},
            "of 9 numbers of look, the network has 63",
        ),
        (
            {f"layer1/{name}": array for name, array in vars(NINE).items()},
            "of 9 numbers of layer1, the network has none of it",
        ),
    ],
)
def test_arrays_that_do_not_fit_the_network_are_named(folder, changes, said):
    put(folder, save(load_file(folder / DOMAIN) | changes, metadata=OWNER))
    assert said in message(folder)


def test_of_an_artifact_the_record_verifies_it(folder, tmp_path):
    def run(config, work):
        network, card = models.load_model(folder)
        around = models.load_domain(folder, network, card)
        entries = {name: entry for name, entry in card.items() if name not in ("fingerprint", "sha256", "checksum")}
        models.save_model(work.path, network, entries, work.fingerprint, around)
        return {}

    (made,) = ArtifactStore(tmp_path / "cache").build(Node("distill", "student", 1, SplitConfig(), {}, run))
    assert DOMAIN in made.record["files"]
    network, card = models.load_model(made)
    expected = domain.arrays_of(models.load_domain(made, network, card))
    for name, array in domain.arrays_of(models.load_domain(made.path, network, card)).items():
        np.testing.assert_array_equal(array, expected[name])
    content = bytearray((made.path / DOMAIN).read_bytes())
    content[-5] ^= 1
    (made.path / DOMAIN).write_bytes(content)
    for source in (made.path, Artifact.load(made.path)):
        assert "SHA-256" in message(source)
