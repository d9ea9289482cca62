"""Pain or no pain from the picture of a face."""

from __future__ import annotations

from dataclasses import replace

from pipeline.config import SHIPPED, STRONG, of_views
from pipeline.tasks.task import Task

# The demo's student is to be used elsewhere, too: no network is to learn from the look of rendered pictures.
STRONG_VIEWS = {"views_strength": STRONG}
RESNET, SWIN, DEIT = (of_views(SHIPPED[family], STRONG) for family in ("resnet", "swin", "deit"))
# As few steps as networks need that start from the shipped weights: five folds are to end within minutes.
STUDY_SCHEDULE = {"epochs": 2, "batch_size": 16, "step_size": 1}

TASK = Task(
    name="pain",
    kind="classify",
    target="pain",
    outputs=("no_pain", "pain"),
    aliases=(
        ("non_pain", "no_pain"),
        ("not_pain", "no_pain"),
        ("not_in_pain", "no_pain"),
        ("painless", "no_pain"),
        ("neutral", "no_pain"),
        ("none", "no_pain"),
        ("0", "no_pain"),
        ("painful", "pain"),
        ("in_pain", "pain"),
        ("1", "pain"),
    ),
    positive="pain",
    hard_negatives="expressive",
    subject="the facial expression of pain",
    demo="pain",
    presets={
        "demo": {
            "teacher_networks": {"resnet": replace(RESNET, trained="head"), "swin": SWIN},
            "student_networks": {"deit": DEIT},
            **dict.fromkeys(("train_teacher", "teacher_labels", "distill"), STRONG_VIEWS),
        }
    },
    # Every one of 360 people is tested once, and few labels are where a teacher's answers can be worth something.
    study={
        "split": {"cv": "5"},
        "labelled": (10.0, 0.0),
        "views": (1,),
        "seeds": (0,),
        "train_teacher": STUDY_SCHEDULE | {"epochs": 3},  # a head alone learns slowly
        "distill": STUDY_SCHEDULE,
    },
)
