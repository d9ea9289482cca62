"""The presets of the first task, and their networks by family, as tests ask for them."""

from __future__ import annotations

from pipeline import presets
from pipeline.config import Architecture
from pipeline.presets import Preset
from pipeline.tasks import PAIN

PRESETS = {name: presets.preset(PAIN, name) for name in presets.PRESETS}
DEMO, PAPER, SMOKE = (PRESETS[name] for name in ("demo", "paper", "smoke"))


def networks(preset: Preset) -> dict[str, Architecture]:
    """Teachers and students by family."""
    return {**preset.teacher_networks, **preset.student_networks}


NETWORKS = networks(SMOKE)
