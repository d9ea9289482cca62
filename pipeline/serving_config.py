"""The configuration of the commands that put a trained network to work, as ``config`` has that of the others."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

from pipeline.config import DistillConfig, TeacherConfig, TrainingConfig
from pipeline.fields import (
    MOST_EPOCHS,
    MOST_PICTURES,
    MOST_PORT,
    MOST_RATE,
    MOST_REPLICATES,
    MOST_SECONDS,
    MOST_VIDEO_S,
    device,
    option,
    seed,
    workers,
)

if TYPE_CHECKING:
    from pipeline.tasks import Task

# By what it is for, the packages that compressing needs beside those of the rest.
PACKAGES = {"int8": ("onnx", "onnxruntime", "onnxscript"), "prune": ("torch_pruning",)}
OWN_ANSWERS = "soft"  # the loss, which every kind of task has, that brings a pruned teacher back to what it said

METHODS = ("grad-cam", "rollout", "attention-gradient", "occlusion")  # of heat maps


@dataclass(frozen=True)
class PredictConfig:
    format: str = option("csv", "Of the table: csv, or jsonl, a line of JSON for each row.", choices=("csv", "jsonl"))
    annotate: bool = option(True, "Write the annotated copies of pictures and videos.")
    force: bool = option(False, "Write the class or the labels of what is not like the training inputs, too.")
    resume: bool = option(False, "Go on where the same command was ended or killed.", affects=False)
    stride: int = option(1, "Videos: every how many frames one is predicted.", least=1, most=MOST_PICTURES)
    start: float = option(0.0, "Videos: seconds before which no frame is predicted.", least=0, most=MOST_VIDEO_S)
    end: float = option(0.0, "Videos: seconds from which on none is; 0: the video's end.", least=0, most=MOST_VIDEO_S)
    detect_every: int = option(
        5,
        "Videos: every how many frames faces are looked for in the whole frame; between them around where they were.",
        least=1,
        most=MOST_PICTURES,
    )
    smooth: float = option(
        0.0, "Videos: add columns smooth_…, means over so many seconds; 0: none.", least=0, most=MOST_SECONDS
    )


@dataclass(frozen=True)
class CompressConfig:
    int8: bool = option(True, "Make int8 forms, calibrated on training inputs.")
    prune: float = option(
        0.4, "Make pruned forms: share of the channels that go; 0: none, and no such form.", least=0, most=0.95
    )
    finetune_epochs: int = option(
        0,
        "Passes over the training samples after pruning; 0: as many as in its training.",
        least=0,
        most=MOST_EPOCHS,
    )
    finetune_rate: float = option(
        0.0, "Highest learning rate after pruning; 0: that of its training.", least=0, most=MOST_RATE
    )
    calibration: int = option(128, "Training inputs that int8 takes its ranges from.", least=2, most=MOST_PICTURES)
    harm: float = option(
        0.01,
        "How far int8 may move the outputs, as a share of their variance, before operators are left out.",
        least=0,
        most=1,
    )
    reduce_range: bool = option(False, "Int8 weights of 7 bits, for processors without VNNI, where sums overflow.")
    trained: DistillConfig | None = field(default=None)  # how a pruned network learns again; the graph says which
    device: str = device()


@dataclass(frozen=True)
class BenchmarkConfig:
    task: Task | None = field(default=None)  # the graph says which
    replicates: int = option(2000, "Bootstrap replicates over subjects.", least=1, most=MOST_REPLICATES)
    confidence: float = option(0.95, "Confidence level of the intervals.", above=0, below=1)
    seed: int = seed("Seed of the bootstrap.")
    timing_s: float = option(
        0.5, "Seconds of repeated passes for each latency, at least.", affects=False, above=0, most=3600.0
    )


def lacking(config: CompressConfig) -> list[str]:
    """Packages that compressing needs and that are not installed."""
    needed = [*PACKAGES["int8"], *(PACKAGES["prune"] if config.prune else ())]
    return [name.replace("_", "-") for name in needed if importlib.util.find_spec(name) is None]


def relearning(model: TeacherConfig | DistillConfig, config: CompressConfig) -> DistillConfig:
    """How a pruned network learns again: as it did, but from caches alone, and a teacher from its own answers."""
    if isinstance(model, TeacherConfig):
        shared = {field.name: getattr(model, field.name) for field in fields(TrainingConfig)}
        own = {"student": model.teacher, "teacher": model.teacher, "architecture": model.architecture}
        relearns = DistillConfig(**shared, **own, loss=OWN_ANSWERS)
    else:
        relearns = replace(model, views=1, mix="none", online=False) if model.online else model
    epochs, rate = config.finetune_epochs or model.epochs, config.finetune_rate or model.learning_rate
    return replace(relearns, epochs=epochs, learning_rate=rate, device=config.device, nproc=1)


@dataclass(frozen=True)
class ExplainConfig:
    method: str = option(
        "auto",
        "Of the heat maps: auto takes the first that fits of grad-cam, attention-gradient and occlusion; all: every "
        "one that fits, side by side.",
        choices=("auto", *METHODS, "all"),
    )
    output: str = option("", "The class, label, number or point that is explained; by default what is answered.")


@dataclass(frozen=True)
class ServeConfig:
    host: str = option("127.0.0.1", "Address to listen at, in numbers; one that other machines reach is warned of.")
    port: int = option(8000, "Port; 0: any that is free.", least=0, most=MOST_PORT)
    workers: int = workers("Threads that predict; 0: one a core.")
    waiting: int = option(32, "Requests that may wait for a thread; the next is answered 429.", least=1, most=10_000)
    timeout: float = option(30.0, "Seconds after which a request is answered 408 or 503.", least=0.1, most=MOST_SECONDS)
    picture_mb: int = option(20, "Megabytes of a picture; of more, 413.", least=1, most=1024)
    megapixels: int = option(50, "Megapixels of a picture, or of a video's frame; of more, 413.", least=1, most=89)
    video_mb: int = option(200, "Megabytes of a video; of more, 413.", least=1, most=65_536)
    video_seconds: float = option(300.0, "Seconds of a video; of more, 413.", least=1, most=MOST_SECONDS)
    video_rate: float = option(10.0, "Frames of a second of video that are predicted, at most.", above=0, most=1000)
    video_jobs: int = option(2, "Videos that are worked on at once; the next is answered 429.", least=1, most=1000)
    video_timeout: float = option(900.0, "Seconds that a video may be worked on.", least=1, most=86_400)
