"""How the server says no: a status and one sentence, the same form for every fault."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pipeline.artifacts.suffixes import one_line
from pipeline.serving.app.schemas import Problem

MOST_SENTENCE = 300  # characters
# Of what the framework refuses itself.
SENTENCES = {
    400: "The request is not whole: its body cannot be read.",
    404: "There is nothing of that name here.",
    405: "That cannot be done here; /openapi.json lists what can.",
    413: "The upload is too large; /model tells the limits.",
}
MEANINGS = {
    400: "the body cannot be read",
    403: "asked by a page of another site",
    404: "there is no such job",
    408: "the upload took too long",
    413: "too many bytes, pixels or seconds",
    415: "no picture or video that can be read",
    421: "asked under another name than the server's own",
    422: "damaged, or asked in a way that cannot be answered",
    429: "too many at once; try again",
    503: "it took too long, or the server is ending",
}

log = logging.getLogger(__name__)


class Refusal(HTTPException):
    """A request that is not answered.

    Parameters
    ----------
    status : of the answer, 4xx, or 503.
    sentence : why, for whoever asked.
    retry_s : seconds after which it may be tried again; 0: it need not.
    """

    def __init__(self, status: int, sentence: str, retry_s: int = 0):
        super().__init__(status, sentence, {"Retry-After": str(retry_s)} if retry_s else None)


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the schema says of the ways in which a route may refuse."""
    return {status: {"model": Problem, "description": MEANINGS[status]} for status in statuses}


def sentence_of(text: str) -> str:
    """A reason as one sentence that can be shown."""
    words = one_line(text).strip()
    words = words if len(words) <= MOST_SENTENCE else f"{words[:MOST_SENTENCE]}…"
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "…")) else ".")


def install(app: FastAPI) -> None:
    """Let every fault be answered in the form of ``Problem``."""
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_values)
    app.add_exception_handler(MemoryError, _of_surroundings)
    app.add_exception_handler(OSError, _of_surroundings)
    app.add_exception_handler(Exception, _of_bugs)


def response(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """A refusal as it is sent."""
    return JSONResponse(Problem(detail=sentence).model_dump(), status, headers)


async def _of_http(request: Request, error: HTTPException) -> JSONResponse:
    known = isinstance(error, Refusal)
    sentence = error.detail if known else SENTENCES.get(error.status_code, HTTPStatus(error.status_code).phrase)
    return response(error.status_code, sentence_of(sentence), dict(error.headers or {}))


async def _of_values(request: Request, error: RequestValidationError) -> JSONResponse:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return response(422, sentence_of(f"{place}: {first['msg']}"))


async def _of_surroundings(request: Request, error: Exception) -> JSONResponse:
    log.warning("%s: %s: %s", request.url.path, type(error).__name__, error)
    sentence = "The server has no memory, no disk or no file left for that; try a smaller one, or later."
    return response(503, sentence, {"Retry-After": "5"})


async def _of_bugs(request: Request, error: Exception) -> JSONResponse:
    return response(500, "The server made a mistake; its log has more of it.")
