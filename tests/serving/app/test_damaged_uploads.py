"""A hundred and more uploads that are none: each is answered 4xx with one sentence, and the server lives on."""

from __future__ import annotations

import asyncio
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
import pytest

from tests.helpers import served
from tests.helpers.encoding import encoded

SEED = 0
PNG, GIF = b"\x89PNG\r\n\x1a\n", b"GIF89a"
HTML = b"<!doctype html><script>alert(1)</script>"
REFUSED = {400, 413, 415, 422}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with served.asked(served.network(tmp_path_factory.mktemp("model")), picture_mb=1, megapixels=2) as client:
        yield client


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, content: bytes = b"", bits: int = 8, kind: int = 2) -> bytes:
    """A PNG that says to be of a size, whatever it holds."""
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return PNG + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")


def of_pictures() -> Iterator[tuple[str, bytes]]:
    """Bombs, and pictures that end too early or are damaged inside."""
    for width, height in (
        (30_000, 30_000),
        (65_000, 100),
        (2**31 - 1, 2**31 - 1),
        (1, 2**31 - 1),
        (1500, 1500),
        (0, 9),
    ):
        yield f"png of {width} x {height}", png(width, height)
    yield "png of zeros", png(1400, 1400, bytes(3 * 1400 * 1400 // 2))
    yield "png without pixels", png(50, 50)
    yield "png of unknown depth", png(50, 50, bytes(50 * 151), bits=7)
    yield "png of an unknown kind", png(50, 50, bytes(50 * 151), kind=9)
    yield "jpeg of 65500 x 65500", encoded(served.picture()).replace(b"\x00\x3c\x00\x50", b"\xff\xdc\xff\xdc", 1)
    yield (
        "jpeg of a thousand scans",
        encoded(served.picture(0, 1600, 1200), progressive=True) + b"\xff\xda" * 2000,
    )
    yield "gif of 65535 x 65535", GIF + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6)
    yield (
        "bmp of 40000 x 40000",
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 40000, 40000, 1, 24, *[0] * 6),
    )
    rng = np.random.default_rng(SEED)
    for form in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"):
        whole = encoded(served.picture(3), form)
        for share in (0.02, 0.1, 0.3, 0.5, 0.7):
            yield f"{form} cut at {share}", whole[: int(share * len(whole))]
    whole = encoded(served.picture(4), "PNG")
    for number in range(12):
        damaged = bytearray(whole)
        damaged[int(rng.integers(33, 60))] ^= int(rng.integers(1, 256))
        yield f"PNG with a byte changed, {number}", bytes(damaged)


def of_others() -> Iterator[tuple[str, bytes]]:
    """Files of other kinds, and such as are two things at once."""
    rng = np.random.default_rng(SEED)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(900_000))
    heads = {
        "pdf": b"%PDF-1.7\n",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n",
        "html": HTML,
        "elf": b"\x7fELF\x02\x01\x01",
        "exe": b"MZ\x90",
        "zip": packed.getvalue(),
        "gzip": b"\x1f\x8b\x08",
        "mp4": b"\0\0\0\x20ftypisom",
        "heic": b"\0\0\0\x18ftypheic",
        "webm": b"\x1aE\xdf\xa3",
        "pickle": b"\x80\x04\x95",
        "json": b'{"a": 1}',
        "xml": b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>",
        "psd": b"8BPS\0\1",
        "ico": b"\0\0\1\0\1\0",
        "icns": b"icns\0\0\1\0",
        "fits": b"SIMPLE  =",
        "tar": bytes(600),
        "playlist": b"#EXTM3U\nfile:///etc/passwd\n",
        "list": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "null": b"\0" * 5000,
        "text": b"face",
    }
    for name, head in heads.items():
        yield name, head + rng.bytes(200)
    for name, head in {"PNG": PNG, "GIF": GIF, "JPEG": b"\xff\xd8\xff\xe0", "RIFF": b"RIFF\x40\0\0\0WEBPVP8 "}.items():
        yield f"{name} and HTML", head + HTML
        yield f"{name} and zip", head + packed.getvalue()
        yield f"{name} and noise", head + rng.bytes(3000)
    yield "megabytes", rng.bytes(1_200_000)
    yield "nothing", b""
    for number in range(8):
        yield f"noise {number}", rng.bytes(int(rng.integers(1, 4000)))


UPLOADS = dict([*of_pictures(), *of_others()])
IN_PART = {f"GIF cut at {share}" for share in (0.3, 0.5, 0.7)}  # as a video, FFmpeg shows what there is


def refused(response) -> bool:
    """Whether a request was refused with one sentence that names no place of the server."""
    detail = response.json()["detail"]
    one_sentence = isinstance(detail, str) and detail.endswith((".", "…")) and "\n" not in detail and len(detail) < 310
    return response.status_code in REFUSED and one_sentence and "/proc" not in detail


def test_there_are_a_hundred():
    assert len(UPLOADS) >= 100


@pytest.mark.parametrize("path", ["/predict", "/predict/video"])
def test_no_upload_gets_through(client, path):
    left_out = IN_PART if path == "/predict/video" else set()
    uploads = {name: served.file_of(content) for name, content in UPLOADS.items() if name not in left_out}
    answers = {name: client.post(path, files=file) for name, file in uploads.items()}
    assert {name: answer.text for name, answer in answers.items() if not refused(answer)} == {}
    assert client.post("/predict", files=served.file_of(encoded(served.picture()))).status_code == 200
    assert client.get("/health").json()["waiting"] == 0


def test_bombs_and_large_files_are_told_from_others(client):
    def status(name):
        return client.post("/predict", files=served.file_of(UPLOADS[name])).status_code

    assert status("png of 30000 x 30000") == status("png of 1500 x 1500") == status("megabytes") == 413
    assert status("jpeg of a thousand scans") == 413
    assert status("pdf") == status("PNG and HTML") == 415
    assert status("nothing") == status("JPEG cut at 0.7") == 422


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "C:\\x.png", "a" * 5000, "x.php\0.png", "é\n.jpg", ""]
)
def test_a_name_leads_nowhere(client, name):
    whole = client.post("/predict", files=served.file_of(encoded(served.picture()), name))
    assert whole.status_code == 200 or refused(whole)
    assert refused(client.post("/predict", files=served.file_of(HTML, name)))


def test_forms_that_are_none(client):
    head = b'Content-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    picture = encoded(served.picture())
    forms = [
        served.in_parts("x"),
        served.in_parts("x", b"nonsense"),
        served.in_parts("x", head + picture),  # without an end
        served.in_parts("x", head.replace(b'"file"', b'"other"') + picture + b"\r\n", b"--\r\n"),
        served.in_parts("x", head.replace(b'; filename="a.png"', b"") + b"/etc/passwd\r\n", b"--\r\n"),
        served.in_parts("x", *[head + picture + b"\r\n"] * 3, b"--\r\n"),
        served.in_parts("x", *[b'Content-Disposition: form-data; name="a"\r\n\r\nb\r\n'] * 50, b"--\r\n"),
        served.in_parts("x", b"A" * 40_000 + b": b\r\n\r\n"),
    ]
    for form in forms:
        assert refused(client.post("/predict", content=form.body, headers=form.headers)), form.body[:80]
    for kind in (
        "",
        "text/plain",
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/mixed",
        "multipart/form-data",
    ):
        assert refused(client.post("/predict", content=picture, headers={"content-type": kind})), kind


def test_a_body_that_says_nothing_of_its_length_is_read_no_further_than_is_taken(tmp_path):
    app, read, sent = served.application(served.network(tmp_path), picture_mb=1), [], []

    async def receive():
        read.append(1)
        first = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        return {"type": "http.request", "body": first if len(read) == 1 else bytes(2**18), "more_body": True}

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"multipart/form-data; boundary=x")]
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers, "query_string": b""}
    asyncio.run(app(scope, receive, send))
    assert (sent[0]["status"], len(read)) == (413, 6)
