"""A network on disk: whatever is not exactly what was saved is named, at once and before memory is taken for it."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from pipeline import models
from pipeline.artifacts import cards
from pipeline.artifacts.files import digest, open_regular
from pipeline.artifacts.store import RECORD, Artifact, ArtifactStore, Node
from pipeline.config import AlignConfig, Architecture, SplitConfig
from pipeline.errors import ArtifactError, WeightsError
from pipeline.models import weights
from pipeline.models.saved import WEIGHTS
from pipeline.serving.predictor import Predictor
from pipeline.tasks import PAIN
from tests.helpers import specials
from tests.helpers.networks import FINGERPRINT, TINY, saved

CARD = cards.CARD
OTHER = "f" * 64


@pytest.fixture
def folder(tmp_path) -> Path:
    return saved(tmp_path / "model", PAIN, AlignConfig(face_size=64))


def artifact(root: Path, seed: int = 0) -> Artifact:
    """A network as the store leaves it."""

    def run(config, work):
        network = models.build(TINY, PAIN.outputs, seed)
        models.save_model(work.path, network, models.describe(network, TINY, PAIN.outputs), work.fingerprint)
        return {}

    return ArtifactStore(root).build(Node("distill", f"student-{seed}", 1, SplitConfig(seed=seed), {}, run))[0]


def message(source: Path | Artifact) -> str:
    """The one line that is said of what cannot be loaded."""
    with pytest.raises(ArtifactError) as caught:
        models.load_model(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def with_card(folder: Path, **changes) -> None:
    """Write a card with other entries, its checksum right."""
    (folder / CARD).write_text(cards.text(cards.read(folder) | changes))


def with_options(folder: Path, *options: tuple) -> None:
    """Write a card of a network with other options."""
    network = cards.read(folder)["network"]
    with_card(folder, network=network | {"options": [list(option) for option in options]})


def flip(file: Path, place: int) -> None:
    """Flip a bit of one byte."""
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def test_weights_and_card_name_each_other(folder):
    card = cards.read(folder)
    assert card["fingerprint"] == FINGERPRINT
    assert card["sha256"] == hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    with open_regular(folder / WEIGHTS) as file:
        assert FINGERPRINT.encode() in file.read(2000)


def test_a_flipped_byte_at_any_place_of_the_weights_is_named(folder):
    file = folder / WEIGHTS
    whole = file.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    for place in (*range(0, header, 97), *range(header, len(whole), len(whole) // 20), len(whole) - 1):
        flip(file, place)
        assert str(folder) in message(folder)
        file.write_bytes(whole)
    models.load_model(folder)


def test_a_finished_artifact_is_verified_by_either_name(tmp_path):
    made = artifact(tmp_path)
    expected = models.load_model(made)[0].state_dict()
    by_path = models.load_model(made.path)[0].state_dict()
    assert all(torch.equal(expected[name], by_path[name]) for name in expected)
    flip(made.path / WEIGHTS, -5)
    assert "SHA-256" in message(made)
    assert "SHA-256" in message(made.path)
    with pytest.raises(ArtifactError, match="SHA-256"):
        Predictor(made.path, "cpu")


@pytest.mark.parametrize("names", [(WEIGHTS,), (CARD,), (WEIGHTS, CARD)], ids=str)
def test_files_of_another_network_are_named_though_the_record_was_made_to_fit(names, tmp_path):
    made, other = artifact(tmp_path), artifact(tmp_path, seed=1)
    record = dict(made.record)
    for name in names:
        (made.path / name).write_bytes((other.path / name).read_bytes())
        entry = {"bytes": (made.path / name).stat().st_size, "sha256": digest(made.path / name)}
        record["files"] = record["files"] | {name: entry}
    said = message(Artifact(made.path, record))
    assert f"belongs to {other.fingerprint[:8]}…, expected {made.fingerprint[:8]}…" in said
    assert any(name in said for name in names)


def test_a_folder_without_a_record_needs_files_of_one_network(folder, tmp_path):
    other = saved(tmp_path / "other", PAIN, AlignConfig(face_size=64), seed=1)
    (folder / WEIGHTS).write_bytes((other / WEIGHTS).read_bytes())
    assert "SHA-256" in message(folder)  # the helper gives both one fingerprint
    tensors = load_file(folder / WEIGHTS)
    save_file(tensors, folder / WEIGHTS, metadata={"fingerprint": OTHER})
    assert f"{WEIGHTS} belongs to ffffffff…, expected 01234567…" in message(folder)
    save_file(tensors, folder / WEIGHTS)
    assert f"{WEIGHTS} says not what it belongs to" in message(folder)


@pytest.mark.parametrize(
    "options",
    [
        [("depth", 10**6)],
        [("depth", 700), ("embed_dim", 24), ("num_heads", 3)],
        [("embed_dim", 10**6), ("depth", 1), ("num_heads", 1)],
        [("embed_dim", 24), ("depth", 2), ("num_heads", 3)],
        [("embed_dim", 24), ("depth", 1), ("num_heads", 0)],
        [("embed_dim", 24), ("depth", -1), ("num_heads", 3)],
        [("embed_dim", 24), ("depth", 1), ("num_heads", 3), ("mlp_ratio", 1e6)],
        [("embed_dim", 24), ("depth", 1), ("num_heads", 3), ("act_layer", "no such")],
        [("embed_dim", 24), ("depth", 1), ("num_heads", 3), ("surprise", 1)],
        [("patch_size", 0)],
        [("img_size", [32] * 60)],
    ],
    ids=str,
)
def test_a_card_of_another_network_is_refused_before_memory_is_taken(options, folder, monkeypatch):
    with_options(folder, *options)
    devices = []
    monkeypatch.setattr(models.saved, "build", _watched(models.saved.build, devices))
    start = time.monotonic()
    said = message(folder)
    assert time.monotonic() - start < 5
    assert set(devices) <= {"meta"}
    assert CARD in said


def _watched(build, devices: list[str]):
    """``build``, which notes where networks are built."""

    def watched(*arguments, **named):
        devices.append(torch.get_default_device().type)
        return build(*arguments, **named)

    return watched


def test_an_unknown_network_is_one_line(folder):
    with_card(
        folder,
        architecture="deit_of_nowhere",
        network=cards.read(folder)["network"] | {"name": "deit_of_nowhere"},
    )
    assert "timm has no network named deit_of_nowhere" in message(folder)


VALUES = st.none() | st.booleans() | st.integers(-(10**7), 10**7) | st.floats() | st.text(max_size=8)
OPTIONS = st.sampled_from(
    ["embed_dim", "depth", "num_heads", "patch_size", "img_size", "mlp_ratio", "class_token", "act_layer"]
    + ["init_values", "global_pool", "drop_rate", "num_classes", "distilled", "qk_norm"]
)


@settings(max_examples=100, deadline=5000)
@given(st.dictionaries(OPTIONS, VALUES | st.lists(VALUES, max_size=3), max_size=4))
def test_any_options_are_a_network_or_one_line(tmp_path_factory, options):
    folder = tmp_path_factory.getbasetemp() / "crafted"
    if not folder.exists():
        saved(folder, PAIN, AlignConfig(face_size=64))
    whole = (folder / CARD).read_bytes()
    card = cards.read(folder)
    merged = dict(map(tuple, card["network"]["options"])) | options
    network = card["network"] | {"options": list(map(list, merged.items()))}
    (folder / CARD).write_bytes(cards.text(card | {"network": network}).encode("utf-8", "surrogatepass"))
    try:
        loaded, said = models.load_model(folder)[0], ""
    except ArtifactError as error:
        loaded, said = None, str(error)
    (folder / CARD).write_bytes(whole)
    if loaded:
        assert models.logits(loaded, torch.zeros(1, 3, 32, 32)).shape == (1, 2)
    assert loaded or (said and "\n" not in said)


@pytest.mark.parametrize("kind", [*specials.KINDS, "nothing", "empty"])
@pytest.mark.parametrize("reader", [models.load_model, lambda folder: weights.read(folder / WEIGHTS)])
def test_whatever_stands_in_the_weights_place_is_an_error_and_no_wait(kind, reader, folder):
    file = folder / WEIGHTS
    file.unlink()
    if kind in specials.KINDS:
        specials.put(file, kind)
    elif kind == "empty":
        file.touch()
    with pytest.raises((ArtifactError, WeightsError), match=WEIGHTS):
        reader(folder)


def test_a_record_that_is_no_file_is_an_error_and_not_overlooked(folder):
    (folder / RECORD).mkdir()
    assert RECORD in message(folder)


def test_pretrained_weights_must_be_those_of_the_digest(folder):
    file = folder / WEIGHTS
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    architecture = Architecture(TINY.name, TINY.options, 32, str(file), digest=digest)
    models.build(architecture, PAIN.outputs)
    flip(file, -5)
    with pytest.raises(WeightsError, match=rf"{WEIGHTS} has SHA-256 .*, expected {digest[:8]}…"):
        models.build(architecture, PAIN.outputs)


def test_pretrained_weights_that_timm_cannot_convert_are_named(folder):
    file = folder / WEIGHTS
    tensors = load_file(file)
    save_file(tensors | {"pos_embed": torch.zeros(3)}, file)
    larger = Architecture(TINY.name, TINY.options, 64, str(file))
    with pytest.raises(WeightsError, match="does not fit"):
        models.build(larger, PAIN.outputs)
