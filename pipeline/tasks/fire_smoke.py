"""Whether there is fire, and whether there is smoke, in a drone's frame: teachers read RGB and infrared, students RGB.

The infrared is privileged: it helps to teach and is missing where the student works. A teacher's family with ``_rgb``
at its end is the same backbone on RGB alone, which shows what the infrared adds. Any table of frames of two cameras
with yes-or-no labels can be asked: ``LABELS=fire,smoke,person``.
"""

from __future__ import annotations

from pipeline.config import Architecture
from pipeline.tasks.task import Task

# The described student learns the teacher's answers alone; the others are the original's sums of losses.
ORIGINAL = (
    "soft",
    "soft:0.7+label:0.3",
    "soft:0.5+features:0.2+label:0.3",
    "soft:0.4+relation:0.2+features:0.2+label:0.2",
)
FAMILIES = ("resnet152", "efficientnet_b7", "vit_b16", "swin_t")
TEMPERATURE = 4.0
PAPER_SCHEDULE = {
    "optimizer": "adamw",
    "weight_decay": 1e-4,
    "schedule": "plateau",
    "gamma": 0.5,
    "stop_on": "val_macro_f1",
    "batch_size": 64,
    "precision": "auto",
}
PAPER_STUDENT = PAPER_SCHEDULE | {"epochs": 30, "learning_rate": 1e-3, "step_size": 3, "patience": 5}
DEMO_EPOCHS = 15
DEMO_SCHEDULE = {
    "optimizer": "adamw",
    "weight_decay": 1e-3,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "batch_size": 16,
    "class_weights": "none",
    "ema": 0.98,
    "stop_on": "val_macro_f1",
    "precision": "float32",
}
DEMO_PX = 56  # a quarter of the arithmetic of the frames' 112
# A maximum over the picture: fires take a few of its pixels.
WIDE = (("channels", (32, 64, 128, 256)), ("hidden", 128), ("dropout", 0.3), ("global_pool", "max"))
NARROW = (("channels", (16, 32, 64, 128)), ("hidden", 64), ("dropout", 0.2), ("global_pool", "max"))

TASK = Task(
    name="fire-smoke",
    kind="multilabel",
    target="fire",
    outputs=("fire", "smoke"),
    prepare="resize",
    teacher_inputs=("rgb", "ir"),
    student_inputs=("rgb",),
    headline="macro_f1",
    positive="smoke",
    sample="frame",
    samples="frames",
    subject="fire and smoke seen from above",
    demo="fire-smoke",
    presets={
        "paper": {
            "teacher_networks": {
                "resnet152": Architecture("dual_resnet152"),
                "efficientnet_b7": Architecture("dual_efficientnet_b7"),
                "vit_b16": Architecture("dual_vit_b16"),
                "swin_t": Architecture("dual_swin_t"),
                "resnet152_rgb": Architecture("resnet152"),
                "efficientnet_b7_rgb": Architecture("tf_efficientnet_b7"),
                "vit_b16_rgb": Architecture("vit_base_patch16_224"),
                "swin_t_rgb": Architecture("swin_tiny_patch4_window7_224"),
            },
            "student_networks": {
                "cnn4": Architecture("cnn4", weights="random"),
                "cnn4x2": Architecture("cnn4x2", weights="random"),
            },
            "teachers": tuple(f"{name}{twin}" for name in FAMILIES for twin in ("", "_rgb")),
            "students": ("cnn4",),
            "losses": ORIGINAL[:1],
            "views": (PAPER_STUDENT["epochs"],),
            "seeds": (42, 123, 456, 789, 1024),
            "train_teacher": PAPER_SCHEDULE | {"epochs": 50, "learning_rate": 1e-4, "step_size": 5, "patience": 10},
            "distill": PAPER_STUDENT | {"temperature": TEMPERATURE},
        },
        "demo": {
            "teacher_networks": {
                "wide": Architecture("dual:cnn4", WIDE, DEMO_PX, "random", label="dual-cnn4-wide"),
                "wide_rgb": Architecture("cnn4", WIDE, DEMO_PX, "random", label="cnn4-wide"),
            },
            "student_networks": {
                "cnn4": Architecture("cnn4", NARROW, DEMO_PX, "random", label="cnn4-narrow"),
            },
            "teachers": ("wide", "wide_rgb"),
            "students": ("cnn4",),
            "losses": ORIGINAL[1:2],
            "views": (DEMO_EPOCHS,),
            "resize": {"frame_size": 112},
            "train_teacher": DEMO_SCHEDULE | {"epochs": 10, "learning_rate": 3e-3},
            "distill": DEMO_SCHEDULE | {"epochs": DEMO_EPOCHS, "learning_rate": 5e-3, "temperature": TEMPERATURE},
        },
        "smoke": {
            "teacher_networks": {
                "resnet": Architecture("dual:test_resnet", image_size=64, weights="random"),
                "resnet_rgb": Architecture("test_resnet", image_size=64, weights="random"),
            },
            "student_networks": {
                "cnn4": Architecture("cnn4", (("channels", (8, 8, 16, 16)), ("hidden", 16)), 64, "random"),
            },
            "teachers": ("resnet", "resnet_rgb"),
            "students": ("cnn4",),
            "losses": ORIGINAL[1:2],
            "resize": {"frame_size": 64},
        },
    },
    study={
        "split": {"cv": "3"},
        "labelled": (5.0, 0.0),
        "seeds": (0,),
    },
    sweeps={"original": ORIGINAL},
)
