"""Pictures as they come: decoded to upright 8-bit RGB, and cut where two of them stand side by side."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from pipeline.artifacts.raw_files import SURROUNDINGS
from pipeline.artifacts.suffixes import printable, quoted
from pipeline.errors import DataError
from pipeline.inputs.archives import opened

# What Pillow has to say of a damaged picture is its reason, or does not matter; stderr is for those who watch.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)

# The formats of the names in PICTURES. Pillow knows forty more, one of which runs another program.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM", "JPEG2000", "AVIF")

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels, the ends excluded

# Pillow's own limit. It only warns up to twice as much, we stop there: 90 megapixels of RGB are 270 MB.
MAX_PIXELS = 89_478_485

# A progressive JPEG is decoded once for each of its scans. Encoders make about ten; of thousands it would take hours.
MAX_SCANNED_PIXELS = 2**31
SCAN, CHUNK_BYTES = b"\xff\xda", 2**20  # within a scan, 0xff is followed by a zero

SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations in which width and height change places

# Rec. 601 luma: chroma is subsampled in most JPEGs, so a divider of two pixels is white in luma alone.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def load(path: Path) -> np.ndarray:
    """Decode a picture at full size.

    The format is read from the content, not from the name. EXIF orientation is applied; transparency is laid over
    white; grey, palette and CMYK pictures become RGB; 16-bit grey and floats in [0, 1] or [0, 255] are scaled to
    8 bits; of an animation the first frame is taken.

    Returns
    -------
    uint8, shape (height, width, 3), RGB.

    Raises
    ------
    DataError : the file is missing, empty, not a picture, truncated, of an unknown depth or above ``MAX_PIXELS``; or
        it is no file.
    OSError : as ``raw_files.open_raw``.
    """
    return np.asarray(_decode(path, 1)[0])


def load_reduced(path: Path, most: float) -> tuple[Image.Image, float, tuple[int, int]]:
    """Decode a picture, a JPEG at 1/2, 1/4 or 1/8 of its size where that is allowed: it skips most of the work.

    Parameters
    ----------
    path : the picture.
    most : largest reduction, in full-size pixels per returned pixel.

    Returns
    -------
    image : RGB, with the pixels that ``load`` makes.
    scale : full-size pixels per returned pixel, >= 1.
    size : width and height of the upright picture at full size, which the scale gives up to a rounded pixel only.

    Raises
    ------
    DataError, OSError : as ``load``.
    """
    return _decode(path, most)


def size_of(path: Path) -> tuple[int, int]:
    """Width and height that a picture says to have, as it is stored; nothing is decoded.

    Raises
    ------
    DataError, OSError : as ``load``, but for what only decoding shows.
    """
    with _raised_as_data_errors(path), opened(path) as file, Image.open(file, formats=FORMATS) as image:
        return image.size


def _decode(path: Path, most: float) -> tuple[Image.Image, float, tuple[int, int]]:
    with _raised_as_data_errors(path), opened(path) as file, Image.open(file, formats=FORMATS) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise DataError(f"too large: {width} x {height} pixels, at most {MAX_PIXELS:,} are read")
        if image.format == "JPEG" and (scans := _scans(file)) * width * height > MAX_SCANNED_PIXELS:
            raise DataError(f"too large: {scans:,} scans of {width} x {height} pixels, no camera makes so many")
        if most >= 2:  # the JPEG decoder takes the largest power of two that stays above the size asked for
            image.draft(None, (math.ceil(width / most), math.ceil(height / most)))
        scale = width / image.size[0]
        image.load()
        turned = image.getexif().get(ExifTags.Base.Orientation) in SIDEWAYS
        ImageOps.exif_transpose(image, in_place=True)
        return _to_rgb(image), scale, (height, width) if turned else (width, height)


@contextmanager
def _raised_as_data_errors(path: Path) -> Iterator[None]:
    """Whatever a damaged picture leads Pillow to, as the reason why it cannot be read."""
    try:
        yield
    except DataError:
        raise
    except UnidentifiedImageError as error:  # its own text tells where the open file lies in memory
        raise DataError(f"unreadable: cannot identify image file {quoted(path.name)}") from error
    except Image.DecompressionBombError as error:
        raise DataError(f"too large: at most {MAX_PIXELS:,} pixels are read") from error
    # Decoders raise whatever a damaged header leads them to: OSError, SyntaxError, struct.error, zlib.error, KeyError …
    except Exception as error:
        if isinstance(error, OSError) and error.errno in SURROUNDINGS:
            raise
        raise DataError(f"unreadable: {_one_line(error, path)}") from error


def _scans(file: BinaryIO) -> int:
    """How many scans a JPEG has, those of a preview inside it included; the file stays where it is."""
    place, count, last = file.tell(), 0, b""
    file.seek(0)
    while chunk := file.read(CHUNK_BYTES):
        count += (last + chunk).count(SCAN)
        last = chunk[-1:]
    file.seek(place)
    return count


def _one_line(error: Exception, path: Path) -> str:
    text = str(error).replace(str(path), path.name).strip() or type(error).__name__
    return printable(text.splitlines()[0])


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        grey = _to_8_bits(np.asarray(image), image.mode)
        return Image.fromarray(grey).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_8_bits(values: np.ndarray, mode: str) -> np.ndarray:
    """Deep grey values as uint8."""
    low, high = float(values.min()), float(values.max())
    floats = 1.0 if high <= 1 else 255.0
    full = floats if mode == "F" else 65535.0
    if not (low >= 0 and high <= full):  # also true for NaN
        raise DataError(f"unknown depth: values from {low:g} to {high:g}, expected 0 to {full:g}")
    return np.round(values.astype(np.float32) * (255.0 / full)).astype(np.uint8)


def divider(image: np.ndarray) -> tuple[int, int] | None:
    """The columns of a white divider around the middle of a picture, its soft edges included.

    A divider is a run of columns, at most 3% of the width, within 4% of the width from the middle, that are near-white
    over the full height. A wider run is a white background.

    Parameters
    ----------
    image : uint8, shape (height, width, 3).

    Returns
    -------
    (start, stop) columns, the end excluded, or None.
    """
    width = image.shape[1]
    first, band = _middle(image, 0.04)
    darkest = np.percentile(band, 5, axis=0)
    for level in (240, 220, 200):  # white first: beside a bright background, less than white is no divider
        starts, stops = _runs(darkest >= level)
        narrow = (stops - starts <= 0.03 * width) & (starts > 0) & (stops < len(darkest))
        if narrow.any():
            centres = first + (starts[narrow] + stops[narrow]) / 2
            nearest = np.abs(centres - width / 2).argmin()
            # One column more on each side: scaling and compression leave it half white.
            return int(first + starts[narrow][nearest] - 1), int(first + stops[narrow][nearest] + 1)
    return None


def _middle(image: np.ndarray, share: float) -> tuple[int, np.ndarray]:
    """Luma of the columns within a share of the width from the middle, and the first one's number."""
    middle, reach = image.shape[1] // 2, round(share * image.shape[1]) + 2
    first = max(0, middle - reach)
    return first, image[:, first : middle + reach] @ LUMA


def _seam(image: np.ndarray) -> int:
    """The column at which two pictures without a divider meet: a step over the full height near the middle, if any."""
    first, band = _middle(image, 0.015)
    if band.shape[1] < 4:
        return image.shape[1] // 2
    steps = np.median(np.abs(np.diff(band, axis=1)), axis=0)
    strongest = steps.argmax()
    clear = steps[strongest] >= 4 and steps[strongest] >= 3 * np.partition(steps, -3)[-3]
    return int(first + strongest + 1) if clear else image.shape[1] // 2


def _runs(flags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and (excluded) ends of the runs of True."""
    edges = np.diff(np.concatenate(([0], flags.astype(np.int8), [0])))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


def halves(image: np.ndarray, always: bool = False) -> list[tuple[str, Box]]:
    """The regions of a picture: left and right of its divider, or the picture as a whole.

    Parameters
    ----------
    image : uint8, shape (height, width, 3).
    always : without a divider, cut where the two pictures meet near the middle, or at the middle.

    Returns
    -------
    ``[("left", box), ("right", box)]`` without the divider, or ``[("full", box)]``.
    """
    height, width = image.shape[:2]
    found = divider(image)
    if found is None and not always:
        return [("full", (0, 0, width, height))]
    start, stop = found or (_seam(image),) * 2
    return [("left", (0, 0, start, height)), ("right", (stop, 0, width, height))]
