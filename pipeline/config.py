"""The configuration of every stage, and the presets.

One frozen dataclass per stage holds its defaults; the command line and the records read them from here and from
nowhere else. A field made with ``affects=False`` cannot change the result (a number of processes, a device) and stays
out of the fingerprint of the artifact.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
DEMO_SETS = REPOSITORY / "data" / "demo"
DEMO_DATA = DEMO_SETS / "pain"
SHIPPED_WEIGHTS = DEMO_SETS / "weights"
DEMO_SEEDS = {"pain": 1, "expression": 2}  # of the identities rendered for each shipped set
SYNTHETIC_FORMS = ("pairs", "expression")
NO_TEACHER = "none"
BASELINE_LOSS = "label"  # of a student without a teacher
PRECISIONS = ("float32", "bfloat16", "float16", "auto")  # auto: bfloat16 where the hardware has it


def option(
    default: Any,
    help: str,
    *,
    affects: bool = True,
    choices: tuple[str, ...] = (),
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
) -> Any:
    """A dataclass field with the help text, the choices and the bounds of its command-line option."""
    bounds = {"least": least, "above": above, "most": most}
    return field(default=default, metadata={"help": help, "affects": affects, "choices": choices, **bounds})


def fingerprinted(config: Any) -> dict[str, Any]:
    """The fields of a config that can change the result, nested dataclasses included, as plain values."""
    return {
        f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config) if f.metadata.get("affects", True)
    }


def as_dict(config: Any) -> dict[str, Any]:
    """All fields of a config as plain values that JSON can hold."""
    return {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return as_dict(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
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
    trained: str = "all"  # or "head": the backbone is frozen
    label: str = ""  # a readable name where options make it another network than timm's
    digest: str = ""  # SHA-256 of the weights file, where there is one: its content counts, not its name


def weights_file(architecture: Architecture) -> Path | None:
    """The file an architecture's weights come from, or None for ``hub`` and ``random``."""
    if architecture.weights in ("hub", "random"):
        return None
    if architecture.weights == "shipped":
        return SHIPPED_WEIGHTS / f"{architecture.label}.safetensors"
    path = Path(architecture.weights)
    return path / "weights.safetensors" if path.is_dir() else path


@dataclass(frozen=True)
class IndexConfig:
    data: str = option(str(DEMO_DATA), "Folder or CSV file of the raw dataset.", affects=False)
    dataset: str = option("auto", "Form of the raw dataset.", choices=("auto", "synpain", "folders", "csv"))
    max_skipped: float = option(
        0.05, "Largest share of pictures that may be unusable before it is an error.", least=0, most=1
    )
    workers: int = option(0, "Processes; 0 uses every core.", affects=False, least=0)


@dataclass(frozen=True)
class AlignConfig:
    data: str = option(str(DEMO_DATA), "Folder or CSV file of the raw dataset.", affects=False)
    face_size: int = option(256, "Side of an aligned face in pixels.", least=32)
    margin: float = option(0.25, "Background kept on each side of the face, as a share of the face's width.", least=0)
    min_face: float = option(
        0.3, "First look: smallest face, as a share of the picture's shorter side.", above=0, most=1
    )
    fine_min_face_px: int = option(20, "Second look, for the misses: smallest face in pixels.", least=1)
    device: str = option("auto", "cpu, cuda, cuda:N, or auto.", affects=False)
    workers: int = option(0, "Processes on a CPU; 0 uses every core.", affects=False, least=0)
    backend: str = option(
        "loky", "Who aligns on CPUs: processes here, or a cluster.", affects=False, choices=("loky", "dask", "ray")
    )
    scheduler: str = option("", "Address of a running cluster; empty: one of WORKERS processes here.", affects=False)


@dataclass(frozen=True)
class SplitConfig:
    seed: int = option(0, "Seed of the random split.", least=0)
    train: float = option(0.70, "Share of subjects for training.", above=0, most=1)
    val: float = option(0.15, "Share of subjects for validation; the rest is for the test.", above=0, most=1)
    official: bool = option(True, "Use the dataset's official folds when it brings them.")


@dataclass(frozen=True)
class TrainingConfig:
    """What teachers and students share: the schedule, the precision and the seed."""

    seed: int = option(0, "Seed of initial weights, order and augmentation.", least=0)
    epochs: int = option(30, "Passes over the training faces.", least=1)
    batch_size: int = option(64, "Faces per step.", least=1)
    learning_rate: float = option(1e-5, "Initial learning rate of Adam.", above=0)
    step_size: int = option(10, "Epochs between reductions of the learning rate.", least=1)
    gamma: float = option(0.5, "Factor of each reduction.", above=0)
    class_weights: str = option("none", "Weights of the classes in the loss.", choices=("none", "balanced"))
    augment: bool = option(True, "Train on augmented views; false: on the aligned face alone.")
    precision: str = option("float32", "Arithmetic of the forward pass.", choices=PRECISIONS)
    checkpoint_s: float = option(30.0, "Seconds between checkpoints.", affects=False, least=0)
    weights: str = option("", "Initial weights: hub, shipped, random, or a file; empty: the preset's.", affects=False)
    image_size: int = option(0, "Side of the network's input in pixels; 0: the preset's.", affects=False, least=0)
    device: str = option("auto", "cpu, cuda, cuda:N, or auto.", affects=False)
    nproc: int = option(1, "Processes that train together, on as many GPUs or on one CPU.", affects=False, least=1)


@dataclass(frozen=True)
class TeacherConfig(TrainingConfig):
    teacher: str = option("swin", "Family (resnet, swin) or timm model name.", affects=False)
    folds: int = option(0, "Parts of the training subjects, one of which is left out; 0: none is.", least=0)
    fold: int = option(0, "The part that is left out.", least=0)
    architecture: Architecture = field(default=Architecture("swin_base_patch4_window7_224"))


@dataclass(frozen=True)
class ViewsConfig:
    """What labels and students share: which views of a training face there are, and who answered for it."""

    views: int = option(1, "Seeded views of each training face that the teacher labels; 1: the face itself.", least=1)
    view_seed: int = option(0, "Seed of the students' views.", least=0)
    mix: str = option("none", "Mix each view with one of another face.", choices=("none", "cutmix", "mixup"))
    folds: int = option(
        0, "Cross-fitted teachers, each labelling the subjects it has not seen; 0: one teacher.", least=0
    )


@dataclass(frozen=True)
class LabelsConfig(ViewsConfig):
    teacher: str = option("swin", "Family (resnet, swin) or timm model name.", affects=False)
    features: str = option("", "Features to keep besides the logits, for losses that need them: hidden, map, or both.")
    precision: str = option("float32", "Arithmetic of the forward pass.", choices=PRECISIONS)
    batch_size: int = option(64, "Faces per forward pass.", affects=False, least=1)
    device: str = option("auto", "cpu, cuda, cuda:N, or auto.", affects=False)
    nproc: int = option(1, "Processes that share the faces, on as many GPUs or on one CPU.", affects=False, least=1)


@dataclass(frozen=True)
class DistillConfig(TrainingConfig, ViewsConfig):
    student: str = option("deit", "Family (deit) or timm model name.", affects=False)
    teacher: str = option("swin", "Teacher whose labels are learned, or none for the baseline.")
    loss: str = option("hard", "Distillation loss, or a sum such as soft:0.7,hint:0.3.")
    temperature: float = option(4.0, "Temperature of the losses that soften logits.", above=0)
    online: bool = option(False, "Ask the teacher in every step, on the student's very views, instead of its cache.")
    architecture: Architecture = field(default=Architecture("deit_base_distilled_patch16_224", image_size=256))


@dataclass(frozen=True)
class EvaluateConfig:
    replicates: int = option(2000, "Bootstrap replicates over subjects.", least=1)
    confidence: float = option(0.95, "Confidence level of the intervals.", above=0, most=1)
    seed: int = option(0, "Seed of the bootstrap.", least=0)
    precision: str = option("float32", "Arithmetic of the forward pass.", choices=PRECISIONS)
    batch_size: int = option(64, "Faces per forward pass.", affects=False, least=1)
    device: str = option("auto", "cpu, cuda, cuda:N, or auto.", affects=False)


@dataclass(frozen=True)
class ReportConfig:
    replicates: int = option(2000, "Bootstrap replicates over subjects.", least=1)
    confidence: float = option(0.95, "Confidence level of the intervals.", above=0, most=1)
    seed: int = option(0, "Seed of the bootstrap.", least=0)
    examples: int = option(12, "Sample faces shown right and wrong, each.", least=0)


@dataclass(frozen=True)
class PredictConfig:
    input: str = option("", "Picture or folder of pictures.")
    device: str = option("auto", "cpu, cuda, cuda:N, or auto.")


@dataclass(frozen=True)
class SynthesizeConfig:
    form: str = option("pairs", "pairs: SynPAIN's; expression: single faces by class.", choices=SYNTHETIC_FORMS)
    n: int = option(360, "Pictures: pairs of faces, or single faces.", least=1)
    seed: int = option(1, "Seed of the identities; sets with different seeds share nobody.", least=0)
    height: int = option(0, "Height of a picture in pixels, 0: the form's own; the width follows the form.", least=0)
    quality: int = option(0, "JPEG quality, 0: the form's own.", least=0, most=100)
    workers: int = option(0, "Processes; 0 uses every core.", affects=False, least=0)


@dataclass(frozen=True)
class PretrainConfig:
    seed: int = option(0, "Seed of initial weights, order and augmentation.", least=0)
    epochs: int = option(24, "Passes over the faces.", least=1)
    batch_size: int = option(32, "Faces per step.", least=1)
    learning_rate: float = option(5e-4, "Highest learning rate of AdamW.", above=0)
    held_out: float = option(0.05, "Share of identities kept for the scores.", above=0, most=1)
    guide_weight: float = option(
        2.0, "Weight of the convolutional guide's feature maps in a transformer's loss.", least=0
    )
    precision: str = option("auto", "Arithmetic of the forward pass.", choices=PRECISIONS)
    device: str = option("auto", "cpu, cuda, cuda:N, or auto.", affects=False)
    architecture: Architecture = field(default=Architecture("resnet10t"))


@dataclass(frozen=True)
class Preset:
    """Everything one run needs: data, the members of the model families, and the config of each stage."""

    name: str
    data: str
    families: Mapping[str, Architecture]
    index: IndexConfig = IndexConfig()
    align: AlignConfig = AlignConfig()
    split: SplitConfig = SplitConfig()
    teacher: TeacherConfig = TeacherConfig()
    labels: LabelsConfig = LabelsConfig()
    distill: DistillConfig = DistillConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    report: ReportConfig = ReportConfig()
    teachers: tuple[str, ...] = ("resnet", "swin")
    student: str = "deit"
    losses: tuple[str, ...] = ("hard",)
    views: tuple[int, ...] = (1,)
    folds: tuple[int, ...] = (0,)
    seeds: tuple[int, ...] = (0, 1, 2)

    def architecture(self, name: str, default: Architecture = Architecture("")) -> Architecture:
        """The preset's member of a family, or exactly the timm model of that name with its hub weights."""
        return self.families.get(name) or replace(default, name=name, weights="hub")


PAPER = Preset(
    name="paper",
    data="",
    families={
        "resnet": Architecture("resnet50", image_size=224, trained="head"),
        "swin": Architecture("swin_base_patch4_window7_224", image_size=224),
        "deit": Architecture("deit_base_distilled_patch16_224", image_size=256),
    },
)

# Backbones small enough for two CPU cores, pretrained on other synthetic identities and shipped with the demo set.
DEMO_SWIN = Architecture(
    "swin_tiny_patch4_window7_224",
    options=(("embed_dim", 48), ("depths", (2, 2, 6, 2)), ("num_heads", (2, 4, 8, 16))),
    image_size=112,
    weights="shipped",
    label="swin-48-2262-112",
)
DEMO_FAMILIES = {
    "resnet": Architecture("resnet10t", image_size=112, weights="shipped", trained="head", label="resnet10t-112"),
    "swin": DEMO_SWIN,
    "deit": Architecture(
        "deit_tiny_distilled_patch16_224",
        options=(("depth", 6),),
        image_size=112,
        weights="shipped",
        label="deit-tiny-6-distilled-112",
    ),
}
DEMO_SCHEDULE = {
    "epochs": 6,
    "batch_size": 32,
    "learning_rate": 3e-4,
    "step_size": 2,
    "class_weights": "balanced",
    "precision": "auto",
}
DEMO = Preset(
    name="demo",
    data=str(DEMO_DATA),
    families=DEMO_FAMILIES,
    teacher=TeacherConfig(**DEMO_SCHEDULE),
    labels=LabelsConfig(precision="auto"),
    distill=DistillConfig(**DEMO_SCHEDULE),
    evaluate=EvaluateConfig(precision="auto"),
    views=(1, DEMO_SCHEDULE["epochs"]),
)

# Seconds instead of minutes and weights that are random by choice: this preset tests the machinery, it learns nothing.
SMOKE_SCHEDULE = {"epochs": 2, "batch_size": 16, "learning_rate": 1e-3, "step_size": 1}
SMOKE = Preset(
    name="smoke",
    data=str(DEMO_DATA),
    families={
        "resnet": Architecture("resnet10t", image_size=64, weights="random", trained="head"),
        "swin": Architecture(
            "swin_tiny_patch4_window7_224",
            options=(("embed_dim", 24), ("depths", (1, 1)), ("num_heads", (2, 4))),
            image_size=56,
            weights="random",
        ),
        "deit": Architecture(
            "deit_tiny_distilled_patch16_224",
            options=(("embed_dim", 48), ("depth", 2), ("num_heads", 3)),
            image_size=64,
            weights="random",
        ),
    },
    teacher=TeacherConfig(**SMOKE_SCHEDULE),
    distill=DistillConfig(**SMOKE_SCHEDULE),
    evaluate=EvaluateConfig(replicates=200),
    report=ReportConfig(replicates=200, examples=4),
    seeds=(0,),
)

PRESETS: dict[str, Preset] = {preset.name: preset for preset in (DEMO, PAPER, SMOKE)}
