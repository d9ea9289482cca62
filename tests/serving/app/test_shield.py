"""What stands around every request: a slow upload ends, also where the application would wait for ever."""

from __future__ import annotations

import asyncio
import json

import pytest

from pipeline.serving.app.shield import _name_of
from tests.helpers import served


def test_an_upload_that_takes_too_long_is_answered(tmp_path):
    app, sent = served.application(served.network(tmp_path), timeout=0.2, picture_mb=1), []
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    parts = iter([{"type": "http.request", "body": part, "more_body": True}])

    async def receive():
        for message in parts:
            return message
        await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"multipart/form-data; boundary=x")]
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers, "query_string": b""}
    asyncio.run(asyncio.wait_for(app(scope, receive, send), 10))
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"]) == {"detail": "The upload took longer than 1.3 s."}


@pytest.mark.parametrize(
    ("host", "name"),
    [("127.0.0.1:8000", "127.0.0.1"), ("LocalHost", "localhost"), ("[::1]:80", "[::1]"), ("", ""), ("[::1", "[")],
)
def test_a_name_is_told_from_its_port(host, name):
    assert _name_of(host) == name
