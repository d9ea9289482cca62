"""Where 68, 98 or 29 points of a face are, with two teachers.

A tough teacher learns the true points, a tolerant one points that an active shape model has smoothed; the student
learns from both (Fard and Mahoor 2022, arXiv:2111.07047). ``heat:<timm's name>`` is a network with heat maps, any other
name one that answers with coordinates, as the published ones do. A teacher's role may stand before a network:
``TEACHER=tough=resnet18+tolerant=resnet18``.
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.config import SHIPPED, Architecture
from pipeline.tasks.schemes import POINTS_68
from pipeline.tasks.task import Task

BOTH = "tough+tolerant"
TEACHERS = ("tough", "tolerant", BOTH)
LEARNS = {"tough": "true", "tolerant": "soft"}
PAPER_SCHEDULE = {
    "epochs": 150,
    "batch_size": 70,
    "learning_rate": 1e-3,
    "schedule": "inverse",
    "gamma": 1e-4,
    "precision": "auto",
}
DEMO_EPOCHS = 8
# Small differences count as in published networks of heat maps; the squared error of the paper preset lets them be.
DEMO_SCHEDULE = {
    "batch_size": 16,
    "optimizer": "adamw",
    "weight_decay": 0.01,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "clip_norm": 1.0,
    "class_weights": "none",
    "truth_loss": "wing",
}
RESNET, DEIT = SHIPPED["resnet"], SHIPPED["deit"]
EFFICIENTNET_B3 = Architecture("efficientnet_b3", (("drop_rate", 0.5),), 224, "random")

TASK = Task(
    name="landmarks",
    kind="points",
    target="points68",
    outputs=POINTS_68.names,
    mirrored=POINTS_68.mirrored,
    headline="nme",
    subject="the points of a face",
    demo="pain",
    # With the points of all people there is nothing that a teacher could add; with those of ten there is.
    study={"labelled": (10.0,), "seeds": (0,)},
    presets={
        "paper": {
            "teacher_networks": dict.fromkeys(LEARNS, EFFICIENTNET_B3),
            "student_networks": {
                "mobilenet": Architecture("mobilenetv2_100", weights="random"),
                "mobilenet_heat": Architecture("heat:mobilenetv2_100", weights="random"),
            },
            "learns": LEARNS,
            "teachers": TEACHERS,
            "students": ("mobilenet",),
            "losses": ("kd",),
            "views": (PAPER_SCHEDULE["epochs"],),
            "train_teacher": PAPER_SCHEDULE,
            "distill": PAPER_SCHEDULE,
        },
        "demo": {
            "teacher_networks": dict.fromkeys(LEARNS, replace(RESNET, name=f"heat:{RESNET.name}")),
            "student_networks": {"deit": DEIT, "deit_heat": replace(DEIT, name=f"heat:{DEIT.name}")},
            "learns": LEARNS,
            "teachers": TEACHERS,
            "students": ("deit_heat",),
            "losses": ("kd",),
            "views": (DEMO_EPOCHS,),
            "train_teacher": DEMO_SCHEDULE | {"epochs": 8, "learning_rate": 3e-3},
            "distill": DEMO_SCHEDULE | {"epochs": DEMO_EPOCHS, "learning_rate": 5e-4},
        },
        "smoke": {
            "teacher_networks": {
                "tough": Architecture("heat:test_resnet", image_size=64, weights="random"),
                "tolerant": Architecture("test_resnet", image_size=64, weights="random"),
            },
            "learns": LEARNS,
            "teachers": TEACHERS,
            "losses": ("kd",),
        },
    },
)
