"""The page: one document with its style and scripts, files of this package, sent as they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import resources

from fastapi import APIRouter, Response

FOLDER = "assets"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
DOCUMENT = "index.html"


def files() -> dict[str, tuple[bytes, str]]:
    """The content and the type of every file of the page, by name."""
    folder = resources.files(__package__) / FOLDER
    found = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}
    return {name: (content, TYPES[f".{name.rpartition('.')[2]}"]) for name, content in sorted(found.items())}


def router() -> APIRouter:
    """A route for each file; none takes a path."""
    routes = APIRouter(include_in_schema=False)
    for name, (content, kind) in files().items():
        path = "/" if name == DOCUMENT else f"/{name}"
        routes.add_api_route(path, _sent(content, kind), methods=["GET"])
    return routes


def _sent(content: bytes, kind: str) -> Callable[[], Awaitable[Response]]:
    async def sent() -> Response:
        return Response(content, media_type=f"{kind}; charset=utf-8")

    return sent
