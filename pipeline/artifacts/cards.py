"""``model.json``, the card of a network: what it is, reads and answers, checked before any of it is believed.

A card may come from anywhere, so every field has a type and bounds here and nothing unknown is let through. No torch:
reports read cards too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from pipeline.artifacts.files import read_regular
from pipeline.artifacts.record import Digest, checksum_of
from pipeline.artifacts.store import Artifact
from pipeline.errors import ArtifactError
from pipeline.fields import MOST_CHANNELS, MOST_STEPS

CARD = "model.json"
MOST_BYTES = 2**20
# Options that are no part of a network: timm would fetch weights or open files for them.
FOREIGN = "pretrained|pretrained_cfg|pretrained_cfg_overlay|checkpoint_path|cache_dir|num_classes"

ONE_LINE = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]"
Text = Annotated[str, Meta(max_length=10_000, pattern=rf"^{ONE_LINE}*\Z")]
Name = Annotated[str, Meta(max_length=200, pattern=rf"^{ONE_LINE}+\Z")]
FileName = Annotated[str, Meta(max_length=200, pattern=r"^[^/\x00-\x1f]*\Z")]
OptionName = Annotated[str, Meta(max_length=100, pattern=rf"^(?!({FOREIGN})\Z)[a-z][a-z0-9_]*\Z")]
Names = Annotated[tuple[Name, ...], Meta(min_length=1, max_length=1000)]
Count = Annotated[int, Meta(ge=0)]
Side = Annotated[int, Meta(ge=1, le=4096)]  # pixels
Number = Annotated[float, Meta(ge=-1e6, le=1e6)]
Share = Annotated[float, Meta(ge=0, le=1)]
Deviation = Annotated[float, Meta(ge=1e-6, le=1e6)]
# No pattern here: freeing the union of a text with a pattern and a list, msgspec 0.22 corrupts memory.
Scalar = bool | Annotated[int, Meta(ge=-(10**6), le=10**6)] | Number | Annotated[str, Meta(max_length=200)] | None
Several = Annotated[list[Scalar], Meta(max_length=64)]


class Network(Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of an ``Architecture``."""

    name: Name
    options: Annotated[tuple[tuple[OptionName, Scalar | Several], ...], Meta(max_length=64)]
    image_size: Side
    weights: Text
    trained: Name
    label: FileName
    digest: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")]


class Picture(Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of an ``InputSpec``."""

    size: Side
    mean: tuple[Number, Number, Number]
    std: tuple[Deviation, Deviation, Deviation]


class Grey(Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of an ``InputSpec`` of one channel."""

    size: Side
    mean: tuple[Number]
    std: tuple[Deviation]


class Signal(Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of a ``SignalSpec``."""

    length: Annotated[int, Meta(ge=1, le=MOST_STEPS)]
    channels: Annotated[int, Meta(ge=1, le=MOST_CHANNELS)]


class Inputs(Struct, frozen=True, forbid_unknown_fields=True):
    """What is read, by modality; one at least."""

    rgb: Picture | UnsetType = UNSET
    ir: Grey | UnsetType = UNSET
    signal: Signal | UnsetType = UNSET


class Faces(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="align"):
    """The version of the stage that prepared the inputs, and the fields of its ``Preparation``."""

    version: Count
    align: Literal["mtcnn", "none"]
    face_size: Annotated[int, Meta(ge=32, le=4096)]
    margin: Annotated[float, Meta(ge=0, le=10)]
    min_face: Annotated[float, Meta(gt=0, le=1)]
    fine_min_face_px: Annotated[int, Meta(ge=1, le=4096)]
    box: Literal["mtcnn", "points", "dataset"]


class Windows(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="window"):
    """The version of the stage that prepared the inputs, and the fields of its ``Preparation``."""

    version: Count
    channels: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=MOST_CHANNELS)]
    rate_hz: Annotated[float, Meta(gt=0, le=1e6)]
    steps: Annotated[int, Meta(ge=1, le=MOST_STEPS)]
    smooth_window: Annotated[int, Meta(ge=1, le=10_001)]
    smooth_order: Annotated[int, Meta(ge=0, le=20)]
    outliers: Annotated[float, Meta(ge=0, le=1000)]
    scaling: Literal["window", "subject", "none"]


class Colours(Struct, frozen=True, forbid_unknown_fields=True):
    """Mean and deviation of each channel of prepared RGB frames."""

    mean: tuple[Number, Number, Number]
    std: tuple[Deviation, Deviation, Deviation]


class Greys(Struct, frozen=True, forbid_unknown_fields=True):
    """Mean and deviation of prepared infrared frames."""

    mean: tuple[Number]
    std: tuple[Deviation]


class Scales(Struct, frozen=True, forbid_unknown_fields=True):
    """Those of each modality that was prepared."""

    rgb: Colours
    ir: Greys | UnsetType = UNSET


class Frames(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="resize"):
    """The version of the stage that prepared the inputs, and the fields of its ``Preparation``."""

    version: Count
    frame_size: Annotated[int, Meta(ge=32, le=4096)]
    filters: Annotated[tuple[Literal["stretch", "clahe", "median", "minmax"], ...], Meta(max_length=4)]
    scales: Scales


Prepare = Faces | Frames | Windows  # told apart by their ``kind``


class Question(Struct, frozen=True, forbid_unknown_fields=True):
    """The recorded fields of a ``Task``."""

    name: Name
    kind: Name
    target: Name
    outputs: Names
    aliases: Annotated[tuple[tuple[Name, Name], ...], Meta(max_length=10_000)]
    levels: Annotated[tuple[tuple[Number, Text], ...], Meta(max_length=1000)]
    prepare: Name
    teacher_inputs: Names
    student_inputs: Names
    headline: Name
    positive: Text
    ordered: bool
    mirrored: Annotated[tuple[Count, ...], Meta(max_length=1000)]
    bounds: Annotated[tuple[Number, ...], Meta(max_length=2)]
    cuts: Annotated[tuple[Number, ...], Meta(max_length=100)]
    hard_negatives: Text
    sample: Name
    samples: Name
    subject: Text
    demo: Text


class Domain(Struct, frozen=True, forbid_unknown_fields=True):
    """The file of what its training inputs look like to a network; earlier versions counted its features, too."""

    sha256: Digest
    width: Annotated[int, Meta(ge=1, le=10**6)] | UnsetType = UNSET


class Origin(Struct, frozen=True, forbid_unknown_fields=True):
    """What a network learned from: the form of the dataset, and that nobody real is in it where that is known."""

    dataset: Name
    rendered: bool | UnsetType = UNSET


class Compressed(Struct, frozen=True, forbid_unknown_fields=True):
    """What was done to a network after its training: what pruning took, and what int8 left in float32 and why."""

    parent: Digest  # of the network that it was
    pruned_channels: Share | UnsetType = UNSET
    pruned_parameters: Share | UnsetType = UNSET
    int8_operators: Count | UnsetType = UNSET
    left_out: Annotated[tuple[Name, ...], Meta(max_length=10_000)] | UnsetType = UNSET
    harm: Annotated[float, Meta(ge=0)] | UnsetType = UNSET
    reduce_range: bool | UnsetType = UNSET


class Card(Struct, frozen=True, forbid_unknown_fields=True):
    """All that a card may say; what only some trainings know may be missing."""

    architecture: Name
    label: FileName
    weights: Text
    network: Network
    classes: Names
    inputs: Inputs
    parameters: Count
    trained_parameters: Count
    fingerprint: Digest
    sha256: Digest  # of the weights
    checksum: Digest  # of the card without it
    domain: Domain | UnsetType = UNSET
    learned_from: Origin | UnsetType = UNSET
    compressed: Compressed | UnsetType = UNSET
    task: Question | UnsetType = UNSET
    prepare: Prepare | UnsetType = UNSET
    loss: Text | UnsetType = UNSET
    precision: Name | UnsetType = UNSET
    best_epoch: Count | UnsetType = UNSET
    role: Name | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    teacher: Name | UnsetType = UNSET
    views: Count | UnsetType = UNSET
    folds: Count | UnsetType = UNSET
    fold: Count | UnsetType = UNSET
    mix: Name | UnsetType = UNSET
    views_strength: Name | UnsetType = UNSET
    online: bool | UnsetType = UNSET
    labelled: Annotated[float, Meta(ge=0)] | UnsetType = UNSET
    labelled_subjects: Count | UnsetType = UNSET
    labelled_samples: Count | UnsetType = UNSET
    temperature: Annotated[float, Meta(gt=0)] | UnsetType = UNSET
    seed: Count | UnsetType = UNSET
    inputs_fingerprint: Digest | UnsetType = UNSET
    split_fingerprint: Digest | UnsetType = UNSET
    labels_fingerprints: Annotated[dict[Name, Digest], Meta(max_length=1000)] | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Refuse what no field shows alone."""
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("two classes have one name")
        if self.task is not UNSET and self.task.kind == "regress" and not _rising(self.task.bounds):
            raise ValueError("its number has no lowest and highest value")
        if self.task is not UNSET and _numbers(self.task) != self.classes:
            raise ValueError("what its task asks for is not what it answers with")
        if all(getattr(self.inputs, name) is UNSET for name in self.inputs.__struct_fields__):
            raise ValueError("its inputs are none")
        sizes = {picture.size for picture in (self.inputs.rgb, self.inputs.ir) if picture is not UNSET}
        if self.architecture != self.network.name or sizes - {self.network.image_size}:
            raise ValueError("architecture and inputs are not those of its network")
        if self.prepare is not UNSET and not _makes(self.prepare, self.inputs):
            raise ValueError("its inputs are not what its preparation makes")


def _numbers(task: Question) -> tuple[str, ...]:
    """What a network answers a task with: a number for each output, of points one for each axis."""
    return tuple(f"{o}_{axis}" for o in task.outputs for axis in "xy") if task.kind == "points" else task.outputs


def _rising(bounds: tuple[float, ...]) -> bool:
    """Whether there are two, the lower one first."""
    return len(bounds) == 2 and bounds[0] < bounds[1]


def _makes(prepare: Prepare, inputs: Inputs) -> bool:
    """Whether what is prepared is what is read."""
    if isinstance(prepare, Windows):
        return inputs == Inputs(signal=Signal(prepare.steps, len(prepare.channels)))
    if isinstance(prepare, Frames):
        return inputs.signal is UNSET and (inputs.ir is UNSET or prepare.scales.ir is not UNSET)
    return inputs.rgb is not UNSET and inputs.ir is UNSET


def text(card: Mapping[str, Any]) -> str:
    """A card as ``model.json`` holds it, its checksum added."""
    return json.dumps({**card, "checksum": checksum_of(card)}, indent=1, ensure_ascii=False) + "\n"


def published(card: Mapping[str, Any]) -> dict[str, Any]:
    """A card as strangers may see it: without its checksum, and of a file of weights its name alone, not its place."""
    shown = {key: value for key, value in card.items() if key != "checksum"}
    shown["weights"] = _named(card["weights"])
    shown["network"] = {**card["network"], "weights": _named(card["network"]["weights"])}
    return shown


def _named(weights: str) -> str:
    """Where weights came from; of a file its name."""
    return weights if weights.startswith("hub") else Path(weights).name


def read(source: Artifact | Path) -> dict[str, Any]:
    """The card of a network, as JSON has it, once every field was found to be what it must be.

    Parameters
    ----------
    source : an artifact, or a folder with a network.

    Raises
    ------
    ArtifactError : there is no card, it is damaged, says what no network can be, or is another artifact's.
    """
    known = isinstance(source, Artifact)
    file = source.file(CARD) if known else source / CARD
    try:
        card = decoded(read_regular(file, MOST_BYTES))
    except (OSError, ValueError) as error:
        raise broken(file.parent, f"{CARD}: {error}") from error
    if known and card["fingerprint"] != source.fingerprint:
        raise stranger(source.path, source.fingerprint, CARD, card["fingerprint"])
    return card


def decoded(content: bytes) -> dict[str, Any]:
    """A card from its text, as JSON has it, wherever it was kept.

    Raises
    ------
    ValueError : it is damaged, or says what no network can be; the message is the reason alone.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
    try:
        checked, card = msgspec.json.decode(content, type=Card), msgspec.json.decode(content)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if checked.checksum != checksum_of(card):
        raise ValueError("it is damaged (its checksum is that of another card)")
    return card


def broken(folder: Path, reason: str) -> ArtifactError:
    """The error for a folder from which no network can be read."""
    return ArtifactError(
        f"{folder} holds no whole model: {' '.join(reason.split())[:500]}. Give the folder of a teacher or a student "
        f"as training left it, or remove it and train again: rm -r {folder}"
    )


def stranger(folder: Path, expected: str, name: str, found: str) -> ArtifactError:
    """The error for a file that belongs to another network."""
    owner = f"belongs to {found[:8]}…" if found else "says not what it belongs to"
    return broken(folder, f"{name} {owner}, expected {expected[:8]}…")
