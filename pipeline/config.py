"""The configuration of every stage.

One frozen dataclass per stage holds its defaults; the command line and the records read them from here and from
nowhere else. A field made with ``affects=False`` cannot change the result (a number of processes, a device) and stays
out of the fingerprint of the artifact; one made with ``later=True`` does while it has its default, so that artifacts of
before there was such a field stay fresh.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.fields import (
    LEAST_SIDE,
    MOST_BATCH,
    MOST_EPOCHS,
    MOST_FOLDS,
    MOST_LABELLED,
    MOST_PICTURES,
    MOST_PROCESSES,
    MOST_RATE,
    MOST_RATE_HZ,
    MOST_REPLICATES,
    MOST_SECONDS,
    MOST_SIDE,
    MOST_SMOOTH,
    MOST_VIEWS,
    device,
    option,
    seed,
    workers,
)

if TYPE_CHECKING:
    from pipeline.tasks import Task

REPOSITORY = Path(__file__).resolve().parent.parent
DEMO_SETS = REPOSITORY / "data" / "demo"
DEMO_DATA = DEMO_SETS / "pain"
SHIPPED_WEIGHTS = DEMO_SETS / "weights"
DEMO_SEEDS = {"pain": 1, "expression": 2, "skin-conductance": 3, "fire-smoke": 4}  # of each shipped set
SYNTHETIC_FORMS = ("pairs", "expression", "skin-conductance", "fire-smoke")
NO_TEACHER = "none"
ONE_SPLIT, EACH_SUBJECT = "0", "subject"  # values of CV= that are no number of folds
UNITS = ("subject", "sample")  # what a split may divide
PLAIN, STRONG = "plain", "strong"  # views of pictures
PRECISIONS = ("float32", "bfloat16", "float16", "auto")  # auto: bfloat16 where the hardware has it


def raw_data() -> Any:
    """The option of the raw dataset."""
    help = "Folder or CSV file of the raw dataset; or several, with commas."
    return option(str(DEMO_DATA), help, affects=False, form="data")


def channel() -> Any:
    """The option of the signals that are read: what cannot be used is told by them, too."""
    return option("gsr", "Signals: channel by its name in the files' header, or several: gsr,ecg.")


def views_strength() -> Any:
    """The option of what views of pictures are: of teachers, labels and students alike."""
    return option(
        PLAIN,
        "Views of pictures: plain, or strong: also blur, noise, compression, light, background and what hides a part.",
        later=True,
        choices=(PLAIN, STRONG),
    )


def fingerprinted(config: Any) -> dict[str, Any]:
    """The fields of a config that can change the result, those of nested dataclasses too, as plain values."""
    return _plain(config, "affects")


def as_dict(config: Any) -> dict[str, Any]:
    """The fields of a config as plain values that JSON can hold."""
    return _plain(config, "recorded")


def _plain(value: Any, wanted: str) -> Any:
    """A value as JSON can hold it; of dataclasses the fields whose metadata do not deny what is wanted."""
    if dataclasses.is_dataclass(value):
        fields = {f: getattr(value, f.name) for f in dataclasses.fields(value) if f.metadata.get(wanted, True)}
        as_before = [f for f in fields if wanted == "affects" and f.metadata.get("later") and fields[f] == f.default]
        return {f.name: _plain(held, wanted) for f, held in fields.items() if f not in as_before}
    if isinstance(value, Mapping):
        return {str(k): _plain(v, wanted) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v, wanted) for v in value]
    return str(value) if isinstance(value, Path) else value


@dataclass(frozen=True)
class Architecture:
    """One exact network: a timm model, its constructor's options, its input and where its weights come from.

    ``weights`` is ``hub`` (timm's pretrained weights), ``shipped`` (a file in ``data/demo/weights/`` named after
    ``label``), ``random`` (said explicitly, never a fallback), or the path of a safetensors file.
    """

    name: str
    options: tuple[tuple[str, Any], ...] = ()
    image_size: int = 224
    weights: str = "hub"
    trained: str = "all"  # or "head": the backbone is frozen; or "lora:8": low-rank matrices and the head
    label: str = ""  # a readable name where options make it another network than timm's
    digest: str = ""  # SHA-256 of the weights file, where there is one: its content counts, not its name


# Backbones small enough for two CPU cores, pretrained on other synthetic identities and shipped with the demo sets.
SHIPPED = {
    "resnet": Architecture("resnet10t", image_size=112, weights="shipped", label="resnet10t-112"),
    "swin": Architecture(
        "swin_tiny_patch4_window7_224",
        options=(("embed_dim", 48), ("depths", (2, 2, 6, 2)), ("num_heads", (2, 4, 8, 16))),
        image_size=112,
        weights="shipped",
        label="swin-48-2262-112",
    ),
    "deit": Architecture(
        "deit_tiny_distilled_patch16_224",
        options=(("depth", 6),),
        image_size=112,
        weights="shipped",
        label="deit-tiny-6-distilled-112",
    ),
}


def of_views(network: Architecture, views_strength: str) -> Architecture:
    """A network whose weights are pretrained with such views; its label says so of all but plain ones."""
    return network if views_strength == PLAIN else replace(network, label=f"{network.label}-{views_strength}")


def weights_file(architecture: Architecture) -> Path | None:
    """The file an architecture's weights come from, or None for ``hub`` and ``random``."""
    if architecture.weights in ("hub", "random"):
        return None
    if architecture.weights == "shipped":
        return SHIPPED_WEIGHTS / f"{architecture.label}.safetensors"
    path = Path(architecture.weights)
    return path / "weights.safetensors" if path.is_dir() else path


def role_and_network(teacher: str) -> tuple[str, str]:
    """The role that a teacher plays, and its network: both of ``tolerant=resnet18``; else its name is either."""
    role, sign, network = teacher.partition("=")
    return (role, network) if sign else (teacher, teacher)


@dataclass(frozen=True)
class IndexConfig:
    data: str = raw_data()
    dataset: str = option(
        "auto",
        "Form of the raw dataset.",
        choices=("auto", "synpain", "folders", "csv", "frames", "flame2")
        + ("ferplus", "rafdb", "affectnet", "parquet", "biovid", "npz", "300w", "wflw", "cofw", "unbc"),
    )
    columns: str = option(
        "", "Other names of a table's columns: rgb_frame=image,ir_frame=thermal,clip=flight,fire=flame."
    )
    channel: str = channel()
    max_skipped: float = option(
        0.05, "Largest share of pictures or signals that may be unusable before it is an error.", least=0, most=1
    )
    workers: int = workers()
    max_files: int = option(
        2_000_000,
        "Files below DATA that may be looked through before it is an error.",
        affects=False,
        least=1,
        most=10**9,
    )


@dataclass(frozen=True)
class AlignConfig:
    data: str = raw_data()
    align: str = option(
        "mtcnn",
        "How faces are found; none: pictures show aligned or cropped faces already and are resized as a whole.",
        choices=("mtcnn", "none"),
    )
    box: str = option(
        "mtcnn",
        "What of a face is brought to its place: mtcnn, its five landmarks; points, a square about its true points; "
        "dataset, about the dataset's own box.",
        choices=("mtcnn", "points", "dataset"),
    )
    face_size: int = option(256, "Side of an aligned face in pixels.", least=LEAST_SIDE, most=MOST_SIDE)
    margin: float = option(
        0.25, "Background kept on each side of the face, as a share of the face's width.", least=0, most=5
    )
    min_face: float = option(
        0.3, "First look: smallest face, as a share of the picture's shorter side.", above=0, most=1
    )
    fine_min_face_px: int = option(20, "Second look, for the misses: smallest face in pixels.", least=1, most=MOST_SIDE)
    device: str = device()
    workers: int = workers("Processes on a CPU; 0 uses every core.")
    backend: str = option(
        "loky", "Who aligns on CPUs: processes here, or a cluster.", affects=False, choices=("loky", "dask", "ray")
    )
    scheduler: str = option("", "Address of a running cluster; empty: one of WORKERS processes here.", affects=False)


@dataclass(frozen=True)
class WindowConfig:
    data: str = raw_data()
    channel: str = channel()
    rate_hz: int = option(
        0,
        "Signals: steps a second, resampled with a filter against aliasing; 0: the rate that most files have.",
        least=1,
        most=MOST_RATE_HZ,
        or_zero=True,
    )
    seconds: float = option(
        0.0, "Signals: longest window, later steps are cut; 0: the longest there is.", least=0, most=MOST_SECONDS
    )
    smooth_window: int = option(
        5, "Signals: steps of the Savitzky-Golay filter, odd; 1: none is used.", least=1, most=MOST_SMOOTH
    )
    smooth_order: int = option(2, "Signals: order of the Savitzky-Golay filter's polynomial.", least=0, most=20)
    outliers: float = option(
        3.0,
        "Signals: deviations from a window's mean at which steps are clipped, both sides; 0: none are, as ECG and EMG "
        "need it, whose peaks are no errors.",
        least=0,
        most=1000,
    )
    scaling: str = option(
        "subject",
        "Signals: subject, by mean and deviation of all that was recorded of the person, which needs no labels and "
        "keeps levels and sizes of responses comparable; window, from 0 to 1 each, which loses both; none.",
        choices=("subject", "window", "none"),
    )
    workers: int = workers()


@dataclass(frozen=True)
class ResizeConfig:
    data: str = raw_data()
    frame_size: int = option(224, "Frames: side of every frame in pixels.", least=LEAST_SIDE, most=MOST_SIDE)
    filters: str = option(
        "",
        "Frames: steps before the resize, in their order: stretch, clahe, median; minmax comes last, of what is "
        "resized; empty: none.",
    )
    workers: int = workers()


@dataclass(frozen=True)
class SplitConfig:
    seed: int = seed("Seed of the random split.")
    train: float = option(0.70, "Share of subjects for training.", above=0, below=1)
    val: float = option(0.15, "Share of subjects for validation; the rest is for the test.", above=0, below=1)
    official: bool = option(True, "Use the dataset's official folds when it brings them.")
    unseen: str = option("", "Of several datasets, the source that is for the test alone; empty: all are divided.")
    cv: str = option(
        ONE_SPLIT,
        "Outer cross-validation: so many folds, each the test part once; subject: each subject once; 0: one split.",
        form="folds",
    )
    fold: int = field(default=0)  # of the outer folds, the test part; the graph says which
    by: str = option(
        "subject", "What is divided; sample: samples, whoever or whatever clip they show, which leaks.", choices=UNITS
    )
    i_know_it_leaks: bool = option(
        False, "Let SPLIT_BY=sample put the same people or clips into training and test.", affects=False
    )

    @property
    def crossed(self) -> bool:
        """Whether the split is one of several outer folds."""
        return self.cv != ONE_SPLIT

    @property
    def study(self) -> str:
        """What ends the names of what all outer folds share in the end; empty for one split."""
        return f"-cv{self.cv}" if self.crossed else ""

    @property
    def suffix(self) -> str:
        """What ends the names of the artifacts of an outer fold; empty for one split."""
        return f"{self.study}-{self.fold}" if self.crossed else ""


@dataclass(frozen=True)
class TrainingConfig:
    """What teachers and students share: the schedule, the precision and the seed."""

    task: Task | None = field(default=None)  # the graph says which
    seed: int = seed("Seed of initial weights, order and augmentation.")
    epochs: int = option(30, "Passes over the training samples.", least=1, most=MOST_EPOCHS)
    batch_size: int = option(64, "Samples per step.", least=1, most=MOST_BATCH)
    optimizer: str = option("adam", "Optimiser.", choices=("adam", "adamw", "sgd"))
    learning_rate: float = option(1e-5, "Highest learning rate.", above=0, most=MOST_RATE)
    weight_decay: float = option(0.0, "Weight decay.", least=0, most=MOST_RATE)
    schedule: str = option(
        "step", "Course of the learning rate.", choices=("step", "cosine", "constant", "plateau", "inverse")
    )
    step_size: int = option(
        10,
        "SCHEDULE=step: epochs between reductions of the learning rate; plateau: epochs without a better STOP_ON that "
        "bring one.",
        least=1,
        most=MOST_EPOCHS,
    )
    gamma: float = option(
        0.5,
        "SCHEDULE=step, plateau: factor of each reduction; inverse: the rate is divided by 1 + GAMMA x steps.",
        above=0,
        most=1,
    )
    min_learning_rate: float = option(0.0, "SCHEDULE=cosine: where the learning rate ends.", least=0, most=MOST_RATE)
    warmup_epochs: int = option(
        0, "Epochs over which the learning rate rises, step by step.", least=0, most=MOST_EPOCHS
    )
    clip_norm: float = option(0.0, "Largest norm of the gradient; 0: any.", least=0, most=1e6)
    truth_loss: str = option(
        "label", "What teachers, and students without one, learn the true answers by: a loss, or a sum: label+ccc:0.5."
    )
    label_smoothing: float = option(0.0, "Share of each true label that is spread over all classes.", least=0, most=1)
    sampling: str = option("shuffle", "Order of the samples; balanced: classes alike.", choices=("shuffle", "balanced"))
    ema: float = option(0.0, "Decay of an average of the weights, which is then used; 0: none.", least=0, below=1)
    patience: int = option(
        0, "Epochs without a better STOP_ON that end the training; 0: none do.", least=0, most=MOST_EPOCHS
    )
    stop_on: str = option("val_loss", "Column of history.csv by which epochs are compared.")
    class_weights: str = option("none", "Weights of the classes in the loss.", choices=("none", "balanced"))
    views_strength: str = views_strength()
    augment: bool = option(True, "Train on augmented views; false: on the input itself alone.")
    precision: str = option("float32", "Arithmetic of the forward pass.", choices=PRECISIONS)
    checkpoint_s: float = option(30.0, "Seconds between checkpoints.", affects=False, least=0, most=1e6)
    weights: str = option(
        "", "Initial weights: hub, shipped, random, or a file; empty: the preset's.", affects=False, form="weights"
    )
    image_size: int = option(
        0,
        "Side of the network's input in pixels; 0: the preset's.",
        affects=False,
        least=LEAST_SIDE,
        most=MOST_SIDE,
        or_zero=True,
    )
    device: str = device()
    nproc: int = option(
        1, "Processes that train together, on as many GPUs or on one CPU.", affects=False, least=1, most=MOST_PROCESSES
    )


@dataclass(frozen=True)
class TeacherConfig(TrainingConfig):
    teacher: str = option("swin", "Family, or timm model name.", affects=False)
    folds: int = option(
        0, "Parts of the training subjects, one of which is left out; 0: none is.", least=0, most=MOST_FOLDS
    )
    fold: int = option(0, "The part that is left out.", least=0, below=MOST_FOLDS)
    learns: str = field(default="true")  # or "soft": points that a shape model has smoothed; the graph says which
    shape_share: float = option(
        0.90, "Soft points: share of the variance that the shape model's components keep.", above=0, most=1
    )
    procrustes: bool = option(
        True, "Soft points: shapes are turned, scaled and moved onto each other before their components are found."
    )
    architecture: Architecture = field(default=Architecture("swin_base_patch4_window7_224"))


@dataclass(frozen=True)
class ViewsConfig:
    """What labels and students share: which views of a training face there are, and who answered for it."""

    views: int = option(
        1, "Seeded views of each training sample that are labelled; 1: the sample itself.", least=1, most=MOST_VIEWS
    )
    view_seed: int = seed("Seed of the students' views.")
    mix: str = option("none", "Mix views with those of other samples.", choices=("none", "cutmix", "mixup"))
    mix_probability: float = option(1.0, "Share of the views that are mixed.", above=0, most=1)
    views_strength: str = views_strength()
    folds: int = option(
        0,
        "Cross-fitted teachers, each labelling the subjects it has not seen; 0: one teacher.",
        least=0,
        most=MOST_FOLDS,
    )


@dataclass(frozen=True)
class LabelsConfig(ViewsConfig):
    task: Task | None = field(default=None)  # the graph says which
    teacher: str = option("swin", "Family, or timm model name.", affects=False)
    features: str = option("", "Features to keep besides the logits, for losses that need them: hidden, map, or both.")
    precision: str = option("float32", "Arithmetic of the forward pass.", choices=PRECISIONS)
    batch_size: int = option(64, "Samples per forward pass.", affects=False, least=1, most=MOST_BATCH)
    device: str = device()
    nproc: int = option(
        1,
        "Processes that share the samples, on as many GPUs or on one CPU.",
        affects=False,
        least=1,
        most=MOST_PROCESSES,
    )


@dataclass(frozen=True)
class DistillConfig(TrainingConfig, ViewsConfig):
    student: str = option("deit", "Family, or timm model name.", affects=False)
    teacher: str = option("swin", "Teacher whose labels are learned, or none for the baseline.")
    loss: str = option("hard", "Distillation loss, or a sum such as soft:0.7,hint:0.3.")
    constants: str = option(
        "paper",
        "Constants of the losses main, assistive and kd: published in figures, or in code.",
        choices=("paper", "code"),
    )
    temperature: float = option(4.0, "Temperature of the losses that soften logits.", least=1e-3, most=1e3)
    labelled: float = option(
        0.0,
        "Training subjects whose true labels the student knows, or, below 1, their share; 0: all.",
        least=0,
        most=MOST_LABELLED,
    )
    online: bool = option(False, "Ask the teacher in every step, on the student's very views, instead of its cache.")
    architecture: Architecture = field(default=Architecture("deit_base_distilled_patch16_224", image_size=256))


@dataclass(frozen=True)
class EvaluateConfig:
    task: Task | None = field(default=None)  # the graph says which
    replicates: int = option(2000, "Bootstrap replicates over subjects.", least=1, most=MOST_REPLICATES)
    confidence: float = option(0.95, "Confidence level of the intervals.", above=0, below=1)
    seed: int = seed("Seed of the bootstrap.")
    precision: str = option("float32", "Arithmetic of the forward pass.", choices=PRECISIONS)
    batch_size: int = option(64, "Samples per forward pass.", affects=False, least=1, most=MOST_BATCH)
    device: str = device()


@dataclass(frozen=True)
class ExplainTestsConfig:
    task: Task | None = field(default=None)  # the graph says which
    explained: int = option(
        48, "Test samples whose answers a report explains by heat maps, of each model; 0: none.", least=0, most=10_000
    )
    device: str = device()


@dataclass(frozen=True)
class ReportConfig:
    task: Task | None = field(default=None)  # the graph says which
    replicates: int = option(2000, "Bootstrap replicates over subjects.", least=1, most=MOST_REPLICATES)
    confidence: float = option(0.95, "Confidence level of the intervals.", above=0, below=1)
    seed: int = seed("Seed of the bootstrap.")
    examples: int = option(12, "Sample faces shown right and wrong, each.", least=0, most=1000)
    benchmark: bool = option(False, "Compress one student, the first with a teacher, and show what that is worth.")
    lacking: str = field(default="")  # packages without which that cannot be; the graph says which


@dataclass(frozen=True)
class SynthesizeConfig:
    form: str = option(
        "pairs",
        "pairs: SynPAIN's; expression: single faces by class; skin-conductance: BioVid's windows of signals; "
        "fire-smoke: clips of a drone's frames, each in colour and in infrared.",
        choices=SYNTHETIC_FORMS,
    )
    n: int = option(
        360,
        "Files: pairs of faces, single faces, or windows of signals, 40 a person; of fire-smoke frames, 8 a clip.",
        least=1,
        most=MOST_PICTURES,
    )
    seed: int = seed("Seed of the identities or landscapes; sets with different seeds share none.", 1)
    height: int = option(
        0,
        "Height of a picture in pixels, 0: the form's own; the width follows the form.",
        least=LEAST_SIDE,
        most=MOST_SIDE,
        or_zero=True,
    )
    quality: int = option(0, "JPEG quality, 0: the form's own.", least=0, most=100)
    workers: int = workers()


@dataclass(frozen=True)
class PretrainConfig:
    seed: int = seed("Seed of initial weights, order and augmentation.")
    epochs: int = option(24, "Passes over the faces.", least=1, most=MOST_EPOCHS)
    batch_size: int = option(32, "Samples per step.", least=1, most=MOST_BATCH)
    learning_rate: float = option(5e-4, "Highest learning rate of AdamW.", above=0, most=MOST_RATE)
    held_out: float = option(0.05, "Share of identities kept for the scores.", above=0, below=1)
    guide_weight: float = option(
        2.0, "Weight of the convolutional guide's feature maps in a transformer's loss.", least=0, most=MOST_RATE
    )
    views_strength: str = views_strength()
    precision: str = option("auto", "Arithmetic of the forward pass.", choices=PRECISIONS)
    device: str = device()
    architecture: Architecture = field(default=Architecture("resnet10t"))
