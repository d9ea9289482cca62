"""The configuration of the commands that put a trained network to work, as ``config`` has that of the others."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.fields import MOST_PICTURES, MOST_SECONDS, MOST_VIDEO_S, option

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
        0.0, "Videos: add columns smooth_…, means over so many seconds of a face; 0: none.", least=0, most=MOST_SECONDS
    )


@dataclass(frozen=True)
class ExplainConfig:
    method: str = option(
        "auto",
        "Of the heat maps: auto takes the first that fits of grad-cam, attention-gradient and occlusion; all: every "
        "one that fits, side by side.",
        choices=("auto", *METHODS, "all"),
    )
    output: str = option("", "The class, label, number or point that is explained; by default what is answered.")
