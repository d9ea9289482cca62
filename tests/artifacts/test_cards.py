"""The card of a network: written and read the same, and nothing in it is believed that no network can be."""

from __future__ import annotations

import copy
import dataclasses
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.artifacts import cards
from pipeline.artifacts.store import Artifact
from pipeline.config import AlignConfig, Architecture, ResizeConfig, WindowConfig, as_dict
from pipeline.errors import ArtifactError
from pipeline.inputs.batches import MODALITIES
from pipeline.inputs.faces.card import STAGE, VERSION, Preparation
from pipeline.inputs.frames import card as frames
from pipeline.inputs.signals import card as signals
from pipeline.inputs.views.image import InputSpec
from pipeline.inputs.views.signal import SignalSpec
from pipeline.tasks import PAIN, Task
from tests.helpers import records, specials

NETWORK = Architecture("deit_tiny_distilled_patch16_224", (("depth", 2), ("depths", (1, 2))), 64, "random")
OWNER = "0123456789abcdef" * 4
PREPARE = {"kind": STAGE, "version": VERSION, **dataclasses.asdict(Preparation.of(as_dict(AlignConfig())))}
SIGNALS = signals.Preparation.of(as_dict(WindowConfig(channel="gsr,ecg")), 64.0, 352)
WINDOWS = {"kind": signals.STAGE, "version": signals.VERSION, **as_dict(SIGNALS)}
CARD = {
    "architecture": NETWORK.name,
    "label": NETWORK.name,
    "weights": "random",
    "network": as_dict(NETWORK),
    "classes": list(PAIN.outputs),
    "inputs": {"rgb": {"size": 64, "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}},
    "parameters": 100,
    "trained_parameters": 100,
    "fingerprint": OWNER,
    "sha256": "0" * 64,
    "task": as_dict(PAIN),
    "prepare": PREPARE,
    "labels_fingerprints": {"labels_teacher": OWNER},
    "temperature": 4.0,
    "domain": {"sha256": "1" * 64, "width": 24},
    "learned_from": {"dataset": "synpain", "rendered": True},
    "compressed": {
        "parent": "9" * 64,
        "pruned_channels": 0.4,
        "pruned_parameters": 0.65,
        "int8_operators": 38,
        "left_out": ["node_linear_1"],
        "harm": 0.004,
        "reduce_range": False,
    },
}

OF_SIGNALS = CARD | {"inputs": {"signal": {"length": 352, "channels": 2}}, "prepare": WINDOWS}


def refused(folder, content: str | bytes) -> str:
    """What is said of a card that cannot be right."""
    (folder / cards.CARD).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ArtifactError) as caught:
        cards.read(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert (str(folder) in message, cards.CARD in message, len(message) < 1500) == (True, True, True)
    return message


def changed(path: str, value: object) -> dict:
    """The card with another value at a place such as ``inputs.rgb.size``."""
    card = copy.deepcopy(CARD)
    *parents, last = path.split(".")
    place = card
    for name in parents:
        place = place[name]
    place[last] = value
    return card


def test_what_is_written_is_read(tmp_path):
    (tmp_path / cards.CARD).write_text(cards.text(CARD))
    card = cards.read(tmp_path)
    assert card.pop("checksum")
    assert card == CARD


@pytest.mark.parametrize(
    ("schema", "kind", "more"),
    [
        (cards.Network, Architecture, set()),
        (cards.Picture, InputSpec, set()),
        (cards.Grey, InputSpec, set()),
        (cards.Faces, Preparation, {"version"}),
        (cards.Windows, signals.Preparation, {"version"}),
        (cards.Frames, frames.Preparation, {"version"}),
        (cards.Signal, SignalSpec, set()),
        (cards.Question, Task, set()),
    ],
)
def test_the_schema_has_the_fields_of_what_it_describes(schema, kind, more):
    recorded = {field.name for field in dataclasses.fields(kind) if field.metadata.get("recorded", True)}
    assert set(schema.__struct_fields__) == recorded | more


def test_a_card_of_signals_has_no_picture(tmp_path):
    (tmp_path / cards.CARD).write_text(cards.text(OF_SIGNALS))
    assert cards.read(tmp_path)["inputs"] == {"signal": {"length": 352, "channels": 2}}


@pytest.mark.parametrize(
    "inputs",
    [
        {"signal": {"length": 351, "channels": 2}},
        {"signal": {"length": 352, "channels": 1}},
        CARD["inputs"],
        CARD["inputs"] | OF_SIGNALS["inputs"],
    ],
)
def test_a_network_reads_what_its_preparation_makes(inputs, tmp_path):
    assert "not what its preparation makes" in refused(tmp_path, cards.text(OF_SIGNALS | {"inputs": inputs}))
    assert "not what its preparation makes" in refused(tmp_path, cards.text(CARD | {"inputs": OF_SIGNALS["inputs"]}))


def test_the_schema_knows_every_modality():
    assert set(cards.Inputs.__struct_fields__) == set(MODALITIES)


OPTIONS = [(PREPARE, AlignConfig, field.name) for field in dataclasses.fields(Preparation)] + [
    (WINDOWS, WindowConfig, field.name)
    for field in dataclasses.fields(signals.Preparation)
    if field.name in WindowConfig.__dataclass_fields__
]


@pytest.mark.parametrize(("prepare", "config", "name"), OPTIONS, ids=lambda value: str(value)[:20])
def test_no_option_makes_a_card_that_is_refused(prepare, config, name, tmp_path):
    option = config.__dataclass_fields__[name]
    bounds = [option.metadata.get(bound) for bound in ("least", "most")] + [option.default]
    values = [bound for bound in bounds if bound is not None] + list(option.metadata["choices"])
    if name == "rate_hz":
        values = [value for value in values if value]  # 0 leaves it to the recordings
    base = CARD if prepare is PREPARE else OF_SIGNALS
    for value in values:
        card = base | {"prepare": prepare | {name: value}}
        (tmp_path / cards.CARD).write_text(cards.text(card))
        assert cards.read(tmp_path)["prepare"][name] == value


NESTED = json.loads("[" * 200 + "]" * 200)
CRAFTED = [
    ("inputs", None),
    ("inputs.rgb", None),
    ("inputs.rgb.size", 0),
    ("inputs.rgb.size", 10**6),
    ("inputs.rgb.size", "64"),
    ("inputs.rgb.mean", [0.5] * 7),
    ("inputs.rgb.std", [0.2, 0, 0.2]),
    ("inputs.depth", {"size": 64}),
    ("inputs", {}),
    ("inputs", {"signal": {"length": 0, "channels": 1}}),
    ("inputs", {"signal": {"length": 2**20 + 1, "channels": 1}}),
    ("inputs", {"signal": {"length": 176, "channels": 65}}),
    ("inputs", {"signal": {"length": 176.0, "channels": 1}}),
    ("inputs", {"signal": {"length": 176}}),
    ("prepare.margin", -0.5),
    ("prepare.margin", float("nan")),
    ("prepare.margin", float("inf")),
    ("prepare.face_size", 0),
    ("prepare.face_size", 10**6),
    ("prepare.min_face", 0),
    ("prepare.min_face", 1.5),
    ("prepare.fine_min_face_px", 0),
    ("prepare.align", "magic"),
    ("prepare", []),
    ("prepare", {}),
    ("prepare", PREPARE | {"kind": "resize"}),
    ("prepare", PREPARE | {"kind": "window"}),
    ("prepare", WINDOWS),
    ("classes", [["no_pain", "pain"]]),
    ("classes", []),
    ("classes", ["pain", "pain"]),
    ("classes", ["no_pain", "pain\n"]),
    ("classes", [f"class {n}" for n in range(1001)]),
    ("classes", ["pain", "no_pain"]),
    ("network.name", 7),
    ("network.name", "another"),
    ("network.options", [["depth", 10**7]]),
    ("network.options", [["depth", NESTED]]),
    ("network.options", [["checkpoint_path", "/etc/passwd"]]),
    ("network.options", [["pretrained", True]]),
    ("network.options", {"depth": 2}),
    ("network.image_size", 63),
    ("network", "deit"),
    ("task.outputs", ["calm", "pain"]),
    ("task.levels", [[float("nan"), "pain"]]),
    ("labels_fingerprints", {"labels": "x"}),
    ("fingerprint", OWNER[1:]),
    ("fingerprint", OWNER + "\n"),
    ("label", "../../outside"),
    ("surprise", 1),
]


@pytest.mark.parametrize(("path", "value"), CRAFTED, ids=lambda value: str(value)[:30])
def test_what_no_network_can_be_is_named_with_its_place(path, value, tmp_path):
    assert "train again" in refused(tmp_path, cards.text(changed(path, value)))


OF_WINDOWS = [
    {"kind": "align"},
    {"channels": []},
    {"channels": ["gsr\n", "ecg"]},
    {"channels": "gs"},
    {"rate_hz": 0},
    {"rate_hz": float("inf")},
    {"steps": 0},
    {"steps": 2**40},
    {"smooth_window": 0},
    {"smooth_order": -1},
    {"scaling": "magic"},
    {"outliers": float("nan")},
    {"surprise": 1},
]


@pytest.mark.parametrize("change", OF_WINDOWS, ids=str)
def test_what_no_window_can_be_is_named_with_its_place(change, tmp_path):
    message = refused(tmp_path, cards.text(OF_SIGNALS | {"prepare": WINDOWS | change}))
    assert "prepare" in message or "malformed" in message  # JSON has neither NaN nor infinity


@pytest.mark.parametrize("name", ["architecture", "network", "classes", "inputs", "fingerprint", "sha256"])
def test_what_a_card_lacks_is_named(name, tmp_path):
    assert name in refused(tmp_path, cards.text({key: value for key, value in CARD.items() if key != name}))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"[" * 10**5,
        b'{"a":' * 10**5,
        b"\xff\xfe",
        b"1" * 5000,
        cards.text(CARD).replace("no_pain", "\\ud800", 1).encode(),
        cards.text(CARD).encode() + b"x",
        cards.text(CARD)[:-20].encode(),
    ],
    ids=lambda content: repr(content[:12]),
)
def test_what_is_no_card_is_one_line(content, tmp_path):
    refused(tmp_path, content)


def test_every_flipped_byte_is_noticed_or_changes_nothing(tmp_path):
    whole = cards.text(CARD).encode()
    (tmp_path / cards.CARD).write_bytes(whole)
    card, unnoticed = cards.read(tmp_path), 0
    for place in range(len(whole)):
        content = bytearray(whole)
        content[place] ^= 1
        (tmp_path / cards.CARD).write_bytes(content)
        try:
            assert cards.read(tmp_path) == card
            unnoticed += 1
        except ArtifactError:
            pass
    assert unnoticed == 0  # between the parts of JSON stand spaces and line ends, and no other byte may


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: object, path: tuple = ()) -> list[tuple]:
    """The path of every value inside a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


@pytest.mark.slow
@settings(max_examples=300, deadline=2000)
@given(st.sampled_from(places(CARD)[1:]), JSON)
def test_any_value_at_any_place_is_a_card_or_one_line(tmp_path_factory, place, value):
    folder = tmp_path_factory.getbasetemp()
    card = copy.deepcopy(CARD)
    parent = card
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    text = cards.text(card).encode("utf-8", "surrogatepass")
    (folder / cards.CARD).write_bytes(text)
    try:
        found, message = cards.read(folder), ""
    except ArtifactError as error:
        found, message = None, str(error)
    assert (found == json.loads(text)) if found else (message and "\n" not in message)


@pytest.mark.parametrize("kind", [*specials.KINDS, "large", "nothing"])
def test_whatever_stands_in_a_cards_place_is_an_error_and_no_wait(kind, tmp_path):
    file = tmp_path / cards.CARD
    if kind in specials.KINDS:
        specials.put(file, kind)
    elif kind == "large":
        with file.open("wb") as sparse:
            sparse.truncate(10**8)
    start = time.monotonic()
    with pytest.raises(ArtifactError, match=str(tmp_path)):
        cards.read(tmp_path)
    assert time.monotonic() - start < 5


def test_the_card_of_another_artifact_is_named(tmp_path):
    file = tmp_path / cards.CARD
    file.write_text(cards.text(CARD))
    artifact = Artifact(tmp_path, {"fingerprint": "f" * 64, "files": records.described(tmp_path)})
    with pytest.raises(ArtifactError, match=r"model\.json belongs to 01234567…, expected ffffffff…"):
        cards.read(artifact)


GREY = {"mean": [0.5], "std": [0.2]}
COLOURS = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.2]}
RESIZED = frames.Preparation.of(as_dict(ResizeConfig(filters="stretch,clahe")), {"rgb": COLOURS, "ir": GREY})
PAIRS = {"kind": frames.STAGE, "version": frames.VERSION, **json.loads(json.dumps(dataclasses.asdict(RESIZED)))}
BOTH = {"rgb": {"size": 64, **COLOURS}, "ir": {"size": 64, **GREY}}
OF_PAIRS = CARD | {"inputs": BOTH, "prepare": PAIRS}


@pytest.mark.parametrize("modalities", [("rgb", "ir"), ("rgb",), ("ir",)])
def test_a_card_of_frames_reads_what_was_prepared_or_a_part_of_it(modalities, tmp_path):
    inputs = {name: BOTH[name] for name in modalities}
    (tmp_path / cards.CARD).write_text(cards.text(OF_PAIRS | {"inputs": inputs}))
    assert cards.read(tmp_path)["inputs"] == inputs
    assert cards.read(tmp_path)["prepare"] == PAIRS


@pytest.mark.parametrize(
    ("inputs", "prepare", "message"),
    [
        (BOTH, PAIRS | {"scales": {"rgb": COLOURS}}, "not what its preparation makes"),
        (BOTH, PREPARE, "not what its preparation makes"),
        (BOTH | OF_SIGNALS["inputs"], PAIRS, "not what its preparation makes"),
        (BOTH | {"ir": {"size": 32, **GREY}}, PAIRS, "architecture and inputs are not those"),
        (BOTH | {"ir": {"size": 64, **COLOURS}}, PAIRS, "inputs.ir.mean"),
        (BOTH, PAIRS | {"scales": {"ir": GREY}}, "rgb"),
        (BOTH, PAIRS | {"scales": {"rgb": COLOURS, "ir": COLOURS}}, "scales.ir.mean"),
        (BOTH, PAIRS | {"scales": {"rgb": COLOURS, "ir": {"mean": [0.5], "std": [0.0]}}}, "scales.ir.std"),
        (BOTH, PAIRS | {"filters": ["sharpen"]}, "sharpen"),
        (BOTH, PAIRS | {"frame_size": 16}, "frame_size"),
    ],
)
def test_what_no_frames_can_be_is_refused(inputs, prepare, message, tmp_path):
    assert message in refused(tmp_path, cards.text(OF_PAIRS | {"inputs": inputs, "prepare": prepare}))


@pytest.mark.parametrize("weights", ["hub: timm/deit_tiny", "random", "/home/somebody/secret/weights.safetensors"])
def test_strangers_see_of_a_file_of_weights_its_name_alone(weights):
    card = CARD | {"weights": weights, "network": CARD["network"] | {"weights": weights}, "checksum": "0" * 64}
    shown = cards.published(card)
    expected = "weights.safetensors" if "secret" in weights else weights
    assert (shown["weights"], shown["network"]["weights"]) == (expected, expected)
    assert shown == {key: card[key] for key in shown} | {key: shown[key] for key in ("weights", "network")}
    assert set(card) - set(shown) == {"checksum"}
