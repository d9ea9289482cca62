"""Which of seven expressions a face shows."""

from __future__ import annotations

from dataclasses import replace

from pipeline.config import SHIPPED, Architecture
from pipeline.tasks.task import Task

# As published for ViT-Tiny on seven expressions: AdamW under a warm-up and a cosine, CutMix in three of ten views.
PAPER_SCHEDULE = {
    "epochs": 60,
    "batch_size": 64,
    "optimizer": "adamw",
    "learning_rate": 3e-4,
    "weight_decay": 1e-5,
    "schedule": "cosine",
    "warmup_epochs": 5,
    "min_learning_rate": 1e-6,
    "clip_norm": 1.0,
    "sampling": "balanced",
    "patience": 15,
    "stop_on": "val_balanced_accuracy",
    "precision": "auto",
}
DEMO_SCHEDULE = {
    "batch_size": 16,
    "optimizer": "adamw",
    "weight_decay": 0.05,
    "schedule": "cosine",
    "warmup_epochs": 2,
    "class_weights": "none",
    "sampling": "balanced",
}
DEMO_EPOCHS = 9
MIXED = {"mix": "cutmix", "mix_probability": 0.3}
VIT_TINY = "vit_tiny_patch16_224"
TASK = Task(
    name="expression",
    kind="classify",
    target="expression",
    outputs=("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"),
    aliases=(
        ("angry", "anger"),
        ("disgusted", "disgust"),
        ("fearful", "fear"),
        ("happy", "happiness"),
        ("joy", "happiness"),
        ("smile", "happiness"),
        ("laugh", "happiness"),
        ("sad", "sadness"),
        ("surprised", "surprise"),
    ),
    subject="seven facial expressions",
    demo="expression",
    presets={
        "paper": {
            "teacher_networks": {
                "resnet": Architecture("resnet50"),
                "swin": Architecture("swin_base_patch4_window7_224"),
                "vit": Architecture("vit_base_patch16_224", trained="lora:8"),
            },
            "student_networks": {"vit": Architecture(VIT_TINY)},
            "teachers": ("swin", "resnet", "vit"),
            "students": ("vit",),
            "views": (PAPER_SCHEDULE["epochs"],),
            "train_teacher": PAPER_SCHEDULE,
            "teacher_labels": MIXED,
            "distill": PAPER_SCHEDULE | MIXED,
        },
        "demo": {
            "teacher_networks": {name: SHIPPED[name] for name in ("resnet", "swin")},
            "student_networks": {
                # A plain transformer that starts from the distilled one's weights, its second token left out.
                "vit": replace(SHIPPED["deit"], name=VIT_TINY)
            },
            "students": ("vit",),
            "losses": ("soft",),
            "views": (DEMO_EPOCHS,),
            "train_teacher": DEMO_SCHEDULE | {"epochs": 14, "learning_rate": 3e-4},
            "distill": DEMO_SCHEDULE | {"epochs": DEMO_EPOCHS, "learning_rate": 2e-4},
        },
        "smoke": {
            "student_networks": {
                "vit": Architecture(VIT_TINY, (("embed_dim", 48), ("depth", 2), ("num_heads", 3)), 64, "random")
            },
            "students": ("vit",),
        },
    },
)
