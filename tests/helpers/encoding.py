"""Pictures as their files have them."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def encoded(image: np.ndarray | Image.Image, form: str = "JPEG", **options: object) -> bytes:
    """A picture as a file has it."""
    content = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(content, form, **options)
    return content.getvalue()
