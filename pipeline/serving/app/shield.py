"""What stands around every request: who may ask, how long an upload may take, and headers that bind the browser."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from time import monotonic

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.fields import read_whole
from pipeline.serving.app.refusals import Refusal, response, sentence_of
from pipeline.serving.app.uploads import MEGA

MULTIPART = "multipart/form-data"
# The page loads nothing that this server does not send, runs no script but its files, and stands in no other page.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Shield:
    """ASGI middleware.

    Parameters
    ----------
    hosts : names under which the server may be asked; empty: any. A page of another site whose name leads to this
        machine (DNS rebinding) asks under its own.
    uploads : paths that take uploads, whose form must be the one of files, and how many bytes each takes.
    timeout_s : how long an upload may take, beside a second for each megabyte that it may have.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str], uploads: Mapping[str, int], timeout_s: float):
        self._app, self._hosts, self._uploads, self._timeout_s = app, hosts, uploads, timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(scope, Headers(scope=scope))
        if refusal:
            answer = response(refusal.status_code, sentence_of(refusal.detail))
            await answer(scope, receive, dressed)
            return
        await self._app(scope, self._timed(receive, self._uploads.get(scope["path"], 0)), dressed)

    def _refusal(self, scope: Scope, headers: Headers) -> Refusal | None:
        host = headers.get("host", "")
        if self._hosts and _name_of(host) not in self._hosts:
            return Refusal(421, "This server is asked under another name than its own")
        led = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"  # by a link to this page
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not led:
            return Refusal(403, "Pages of other sites may not ask this server")
        most = self._uploads.get(scope["path"]) if scope["method"] == "POST" else None
        return None if most is None else _refused_upload(headers, most)

    def _timed(self, receive: Receive, most: int) -> Receive:
        """The same, until an upload of at most so many bytes has taken too long."""
        allowed_s = self._timeout_s + most / MEGA
        until, over = monotonic() + allowed_s, False

        async def timed() -> Message:
            nonlocal over
            if over:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, until - monotonic()))
            except TimeoutError as error:
                raise Refusal(408, f"The upload took longer than {allowed_s:.1f} s") from error
            over = message["type"] == "http.disconnect" or not message.get("more_body", False)
            return message

        return timed


def _refused_upload(headers: Headers, most: int) -> Refusal | None:
    """Why an upload is not read, by what it says of itself; one that says too little is cut off where it is read."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != MULTIPART:
        return Refusal(415, f"Send the file as {MULTIPART}, in a part of the name file")
    length = headers.get("content-length", "")
    if read_whole(length) is None and length:
        return Refusal(400, "The request does not say how long it is")
    if (read_whole(length) or 0) > most:
        return Refusal(413, f"The upload has {int(length) / MEGA:.1f} MB, at most {most / MEGA:.0f} MB are taken")
    return None


def _name_of(host: str) -> str:
    """A host without its port, lower case; an IPv6 address keeps its brackets."""
    name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
    return name.lower()
