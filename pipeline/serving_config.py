"""The configuration of the commands that put a trained network to work, as ``config`` has that of the others."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.fields import MOST_PICTURES, MOST_PORT, MOST_SECONDS, MOST_VIDEO_S, option, workers

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
