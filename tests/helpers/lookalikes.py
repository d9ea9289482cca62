"""A network that tells two faces apart, taught in a second: for tests of what is shown of a right answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pipeline import models
from pipeline.config import DEMO_DATA, AlignConfig
from pipeline.serving.predictor import Predictor
from pipeline.tasks import PAIN
from tests.helpers.networks import FINGERPRINT, saved

ALIGN = AlignConfig(face_size=64)
SIZE = (320, 240)  # of a frame
STEPS, RATE = 60, 3e-3
WRITTEN_BY_SAVING = ("fingerprint", "sha256", "checksum")


def frames() -> list[np.ndarray]:
    """A person of the demo set without pain and in pain, uint8, shape (240, 320, 3) each."""
    with Image.open(sorted(DEMO_DATA.glob("*_Pain_*.jpg"))[3]) as pair:
        half, height = pair.width // 2, pair.height
        faces = [pair.crop((left, 0, left + half - 6, height)) for left in (0, half + 6)]
    made = []
    for face in faces:
        frame = Image.new("RGB", SIZE, (120, 124, 130))
        frame.paste(face.resize((round(face.width * SIZE[1] / face.height), SIZE[1])), (50, 0))
        made.append(np.asarray(frame))
    return made


def taught(folder: Path) -> Path:
    """A small network that calls the first frame ``no_pain`` and the second ``pain``, wherever the face is."""
    predictor = Predictor(saved(folder, PAIN, ALIGN))
    faces = np.stack([predictor.aligner.frame(Image.fromarray(frame))[0].rgb for frame in frames()])
    network, inputs, targets = predictor.network.module, predictor.network.tensors({"rgb": faces}), torch.tensor([0, 1])
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        shaken = inputs + 0.1 * torch.randn_like(inputs)
        torch.nn.functional.cross_entropy(network.eval()(shaken), targets).backward()
        optimizer.step()
    card = {name: value for name, value in predictor.network.card.items() if name not in WRITTEN_BY_SAVING}
    models.save_model(folder, network, card, FINGERPRINT)
    return folder
