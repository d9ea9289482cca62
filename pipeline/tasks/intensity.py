"""How strong the facial expression of pain is, on the scale of Prkachin and Solomon (PSPI, 0 to 16).

PSPI = AU4 + max(AU6, AU7) + max(AU9, AU10) + AU43 (Prkachin and Solomon 2008, Pain 139:267). Any other number of a
table can be asked: ``TARGET=phq_score RANGE=0,27``.
"""

from __future__ import annotations

from pipeline.config import SHIPPED
from pipeline.tasks.task import Task

# The concordance moves values apart, the squared error keeps them where they belong.
TRUTH_LOSS = "label:10+ccc"
TAUGHT = "soft:10+label:10+ccc"
SCHEDULES = {"train_teacher": {"truth_loss": TRUTH_LOSS}, "distill": {"truth_loss": TRUTH_LOSS}}
DEMO_SCHEDULE = {
    "epochs": 5,
    "batch_size": 16,
    "optimizer": "adamw",
    "weight_decay": 0.01,
    "learning_rate": 3e-4,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "class_weights": "none",
}

TASK = Task(
    name="intensity",
    kind="regress",
    target="pspi",
    outputs=("pspi",),
    bounds=(0.0, 16.0),
    cuts=(1.0, 2.0, 3.0, 4.0),
    headline="ccc",
    subject="the intensity of the facial expression of pain",
    demo="pain",
    presets={
        "paper": {"losses": (TAUGHT,), **SCHEDULES},
        "demo": {
            "teacher_networks": {name: SHIPPED[name] for name in ("resnet", "swin")},
            "losses": (TAUGHT,),
            "views": (DEMO_SCHEDULE["epochs"],),
            **{stage: DEMO_SCHEDULE | changed for stage, changed in SCHEDULES.items()},
        },
        "smoke": {"losses": (TAUGHT,), **SCHEDULES},
    },
    # Few known answers are where a teacher's can be worth something.
    study={"labelled": (10.0, 0.0), "seeds": (0,)},
)
