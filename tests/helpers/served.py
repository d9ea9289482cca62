"""A server of a small network: in this process, or behind a port of this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import uvicorn
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from pipeline.config import AlignConfig
from pipeline.serving.app import factory, readers, server
from pipeline.serving_config import ServeConfig
from pipeline.tasks import PAIN
from tests.helpers.networks import saved

WHOLE = AlignConfig(align="none", face_size=64)  # nobody looks for a face: a picture is one, and that takes no time
HERE = "http://127.0.0.1"


def network(folder: Path) -> Path:
    """A network of pain with random weights, of pictures that are faces as a whole."""
    return saved(folder, PAIN, WHOLE)


def application(model: Path, **limits: float) -> FastAPI:
    """What serves a model with one thread, under these limits."""
    return factory.create(readers.load(model, "cpu"), ServeConfig(**{"workers": 1, **limits}))


@contextmanager
def asked(model: Path, **limits: float) -> Iterator[TestClient]:
    """Somebody who asks a server in this process."""
    with TestClient(application(model, **limits), HERE, raise_server_exceptions=False) as client:
        yield client


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """A server behind a port, and its address, until the block ends."""
    with server.listening("127.0.0.1", 0) as listener:
        running = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"{HERE}:{listener.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join(20)


def file_of(content: bytes, name: str = "picture.jpg") -> dict[str, tuple[str, bytes]]:
    """The part of a form that holds a file."""
    return {"file": (name, content)}


def picture(seed: int = 0, width: int = 80, height: int = 60) -> np.ndarray:
    """Blurred noise, uint8, shape (height, width, 3)."""
    noise = np.random.default_rng(seed).integers(0, 256, (height // 10, width // 10, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(noise).resize((width, height)))


def in_parts(boundary: str, *parts: bytes) -> SimpleNamespace:
    """A form that was put together by hand: its body and its headers."""
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + part for part in parts)
    return SimpleNamespace(body=body, headers={"content-type": f"multipart/form-data; boundary={boundary}"})
