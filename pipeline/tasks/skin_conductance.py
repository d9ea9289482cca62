"""Which of five levels of heat pain the skin's conductance shows: BioVid's windows of 5.5 seconds.

Two levels: ``LEVELS=0,4``; three classes: ``LEVELS='0|1,2|3,4'``.
"""

from __future__ import annotations

from pipeline.config import Architecture
from pipeline.tasks.task import Task

# What the field compares: Hinton's answers, the direction of the features, and the map through a regressor, each beside
# the true label with a weight of 0.75. The first has a temperature of 2.
CLASSIC = ("soft:0.25+label:0.75", "cosine:0.25+label:0.75", "hint:0.25+label:0.75")
TEMPERATURE = 2.0

# As published for PainAttnNet, with a course of the learning rate and an end; the published Conv1D learned at 1e-4 by
# plain descent and stayed at chance. Five folds of people, as the literature's lists; CV=subject leaves out one by one.
PAPER_SCHEDULE = {
    "epochs": 100,
    "batch_size": 128,
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "warmup_epochs": 5,
    "clip_norm": 1.0,
    "patience": 20,
    "precision": "auto",
}
# Skin conductance hardly moves above a few hertz: at 16 steps a second networks of the same layers see longer stretches
# of time, and learn in a quarter of the time.
DEMO_RATE_HZ = 16
DEMO_SCHEDULE = {
    "batch_size": 32,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "clip_norm": 1.0,
}
SMOKE_SCHEDULE = {"epochs": 1, "batch_size": 64}  # leaving out every person once takes minutes, not an hour
NORMALISED = (("norm", True), ("relu", True))
PLAIN = Architecture("conv1d", weights="random")
NORMED = Architecture("conv1d", NORMALISED, weights="random", label="conv1d-norm")
NARROW = Architecture("conv1d_narrow", weights="random")
NARROW_NORMED = Architecture("conv1d_narrow", NORMALISED, weights="random", label="conv1d-narrow-norm")
TEACHERS = {"conv1d": PLAIN, "conv1d_plain": PLAIN, "conv1d_norm": NORMED}
TEACHERS |= {"painattn": Architecture("painattn", weights="random")}
STUDENTS = {"narrow": NARROW, "narrow_plain": NARROW, "narrow_norm": NARROW_NORMED}
MODELS = {
    "teacher_networks": TEACHERS,
    "student_networks": STUDENTS,
    "teachers": ("conv1d", "painattn"),
    "students": ("narrow",),
    "losses": CLASSIC,
}

TASK = Task(
    name="skin-conductance",
    kind="classify",
    target="level",
    outputs=("BL1", "PA1", "PA2", "PA3", "PA4"),
    aliases=(("0", "BL1"), ("1", "PA1"), ("2", "PA2"), ("3", "PA3"), ("4", "PA4")),
    prepare="window",
    teacher_inputs=("signal",),
    student_inputs=("signal",),
    ordered=True,
    sample="window",
    samples="windows",
    subject="the level of heat pain in skin conductance",
    demo="skin-conductance",
    presets={
        "paper": MODELS
        | {
            "split": {"cv": "5"},
            "train_teacher": PAPER_SCHEDULE,
            "distill": PAPER_SCHEDULE | {"temperature": TEMPERATURE},
        },
        "demo": MODELS
        | {
            "teacher_networks": TEACHERS | {"conv1d": NORMED},
            "student_networks": STUDENTS | {"narrow": NARROW_NORMED},
            "window": {"rate_hz": DEMO_RATE_HZ},
            "views": (5,),
            "train_teacher": DEMO_SCHEDULE | {"epochs": 6, "learning_rate": 2e-3},
            "distill": DEMO_SCHEDULE | {"epochs": 10, "learning_rate": 4e-3, "temperature": TEMPERATURE},
        },
        "smoke": MODELS
        | {
            "window": {"rate_hz": DEMO_RATE_HZ},
            "losses": CLASSIC[:1],
            "train_teacher": SMOKE_SCHEDULE,
            "distill": SMOKE_SCHEDULE | {"temperature": TEMPERATURE},
        },
    },
    study={"split": {"cv": "4"}, "seeds": (0, 1)},
    sweeps={"classic": CLASSIC},
)
