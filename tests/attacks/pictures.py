"""Ways to damage a picture."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

from PIL import Image

from tests.attacks import things

Damage = Callable[[Path, Random], None]


def _flip(path: Path, random: Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(random.choice([1, 1, 4, 40])):
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(content)


def _header(path: Path, random: Random) -> None:
    content = bytearray(path.read_bytes())
    for place in random.sample(range(min(600, len(content))), 3):
        content[place] = random.randrange(256)
    path.write_bytes(content)


def _truncate(path: Path, random: Random) -> None:
    path.write_bytes(path.read_bytes()[: random.randrange(path.stat().st_size)])


def _extend(path: Path, random: Random) -> None:
    path.write_bytes(path.read_bytes() + random.randbytes(5000))


def _noise(path: Path, random: Random) -> None:
    path.write_bytes(random.choice([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"]) + random.randbytes(2000))


def _other_format(path: Path, random: Random) -> None:
    kind = random.choice(["PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM"])
    mode = random.choice(["RGB", "L", "P", "1"])
    picture = Image.open(path).convert(mode)
    stream = io.BytesIO()
    picture.save(stream, kind) if kind != "PPM" or mode != "P" else picture.convert("RGB").save(stream, kind)
    path.write_bytes(stream.getvalue())


def _size(path: Path, random: Random) -> None:
    size = random.choice([(1, 1), (2, 300), (300, 2), (1, 4000), (16, 16), (3000, 20)])
    Image.new("RGB", size, "grey").save(path, "PNG")


def _bomb(path: Path, random: Random) -> None:
    """A PNG of gigapixels: zeros in few bytes."""
    side = random.choice([20_000, 100_000, 2**31 - 1])
    rows = zlib.compress(bytes(10_000_000), 9)
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    text = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + text)


def _rotated(path: Path, random: Random) -> None:
    exif = Image.Exif()
    exif[0x0112] = random.choice([0, 3, 6, 8, 9, 65535])
    Image.open(path).convert("RGB").save(path, "JPEG", exif=exif)


def _empty(path: Path, _: Random) -> None:
    path.write_bytes(b"")


def _text(path: Path, random: Random) -> None:
    path.write_text(random.choice(["<svg xmlns='http://www.w3.org/2000/svg'/>", "%PDF-1.4", "#!/bin/sh", "GIF89a"]))


def _device(path: Path, random: Random) -> None:
    path.unlink()
    path.symlink_to(random.choice(["/dev/zero", "/dev/full", "/nowhere", "/proc/self/mem", "/dev/tty"]))


DAMAGES: dict[str, Damage] = {
    "flipped bits": _flip,
    "another header": _header,
    "cut short": _truncate,
    "longer": _extend,
    "noise": _noise,
    "another format": _other_format,
    "an odd size": _size,
    "a bomb": _bomb,
    "turned": _rotated,
    "empty": _empty,
    "text": _text,
    "a FIFO": things.pipe,
    "a socket": things.socket,
    "a loop of links": things.loop,
    "a device": _device,
    "a folder": things.folder,
}
UNREADABLE = {"noise", "empty", "text", "a FIFO", "a socket", "a loop of links", "a device", "a bomb"}
