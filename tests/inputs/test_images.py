"""Pictures of every kind come out as upright RGB, or are refused with a reason; dividers are found by content."""

from __future__ import annotations

import errno
import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin
from PIL.PngImagePlugin import PngInfo

from pipeline.errors import DataError
from pipeline.inputs.images import divider, halves, load, load_reduced, size_of
from tests.helpers import specials

RED, GREEN = (200, 30, 20), (10, 160, 40)


def two_colours(mode: str = "RGB") -> Image.Image:
    """Red above green, 40 x 60 pixels."""
    picture = Image.new("RGB", (40, 60), RED)
    picture.paste(GREEN, (0, 30, 40, 60))
    return picture.convert(mode)


def near(pixel, colour) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() <= 6)


def test_the_content_decides_the_format_not_the_name(tmp_path):
    two_colours().save(tmp_path / "a.jpg", "PNG")
    assert tuple(load(tmp_path / "a.jpg")[0, 0]) == RED


@pytest.mark.parametrize(
    ("orientation", "top", "shape"), [(1, RED, (60, 40)), (3, GREEN, (60, 40)), (6, None, (40, 60))]
)
def test_exif_orientation_is_applied(tmp_path, orientation, top, shape):
    exif = Image.Exif()
    exif[0x0112] = orientation
    two_colours().save(tmp_path / "a.png", exif=exif)
    image = load(tmp_path / "a.png")
    assert image.shape == (*shape, 3)
    if top:
        assert tuple(image[0, 0]) == top
    else:  # turned clockwise: what was above is at the right
        assert tuple(image[0, -1]) == RED
        assert tuple(image[0, 0]) == GREEN


def test_transparency_is_laid_over_white(tmp_path):
    picture = two_colours("RGBA")
    picture.putalpha(Image.new("L", picture.size, 0))
    picture.save(tmp_path / "a.png")
    assert (load(tmp_path / "a.png") == 255).all()


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1"])
def test_few_channels_become_three(tmp_path, mode):
    two_colours(mode).save(tmp_path / "a.png")
    image = load(tmp_path / "a.png")
    assert image.shape == (60, 40, 3)
    assert image.dtype == np.uint8


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    Image.fromarray(np.array([[0, 257 * 100, 65535]], np.uint16)).save(tmp_path / "a.png")
    assert load(tmp_path / "a.png")[0, :, 0].tolist() == [0, 100, 255]


def test_floats_up_to_one_are_scaled_and_others_refused(tmp_path):
    Image.fromarray(np.array([[0, 0.5, 1]], np.float32)).save(tmp_path / "a.tif")
    assert load(tmp_path / "a.tif")[0, :, 1].tolist() == [0, 128, 255]
    Image.fromarray(np.array([[0, 9000]], np.float32)).save(tmp_path / "b.tif")
    with pytest.raises(DataError, match="unknown depth: values from 0 to 9000"):
        load(tmp_path / "b.tif")


def test_cmyk_keeps_its_colours(tmp_path):
    two_colours("CMYK").save(tmp_path / "a.jpg", quality=95)
    image = load(tmp_path / "a.jpg")
    assert near(image[5, 5], RED)
    assert near(image[55, 5], GREEN)


def broken(tmp_path, kind: str):
    path = tmp_path / "a.jpg"
    two_colours().resize((400, 600)).save(path, quality=95)
    content = path.read_bytes()
    path.write_bytes({"empty": b"", "text": b"not a picture", "truncated": content[: len(content) // 2]}[kind])
    return path


@pytest.mark.parametrize(
    ("kind", "reason"), [("empty", "empty file"), ("text", "unreadable: cannot identify"), ("truncated", "truncated")]
)
def test_a_broken_file_is_refused_with_its_reason(tmp_path, kind, reason):
    with pytest.raises(DataError, match=reason):
        load(broken(tmp_path, kind))


def test_a_truncated_file_is_found_at_reduced_size_too(tmp_path):
    with pytest.raises(DataError, match="truncated"):
        load_reduced(broken(tmp_path, "truncated"), 4)


def test_the_size_is_told_without_decoding(tmp_path):
    content = io.BytesIO()
    two_colours().save(content, "PNG")
    (tmp_path / "half.png").write_bytes(content.getvalue()[: len(content.getvalue()) // 2])
    assert size_of(tmp_path / "half.png") == (40, 60)
    with pytest.raises(DataError, match="unreadable"):
        load(tmp_path / "half.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match="cannot identify"):
        size_of(tmp_path / "text.png")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="missing"):
        load(tmp_path / "none.jpg")


@pytest.mark.parametrize("side", [10_000, 14_000])  # within Pillow's warning, and beyond its error
def test_a_decompression_bomb_is_not_decoded(tmp_path, side):
    Image.new("1", (side, side)).save(tmp_path / "a.png")
    with (
        pytest.warns(Image.DecompressionBombWarning) if side == 10_000 else _nothing(),
        pytest.raises(DataError, match="too large"),
    ):
        load(tmp_path / "a.png")


def _nothing():
    from contextlib import nullcontext

    return nullcontext()


@pytest.mark.parametrize("kind", specials.KINDS)
def test_what_is_no_file_is_a_reason_and_no_wait(tmp_path, kind):
    specials.put(tmp_path / "a.jpg", kind)
    with specials.within(5), pytest.raises(DataError, match=f"not a file: it is {kind}"):
        load(tmp_path / "a.jpg")


def test_a_pseudo_file_whose_reader_waits_is_empty(tmp_path):
    (tmp_path / "a.jpg").symlink_to("/proc/kmsg")
    with specials.within(5), pytest.raises(DataError, match="empty file: 0 bytes"):
        load(tmp_path / "a.jpg")


def test_a_folder_may_be_called_like_the_archive(tmp_path):
    (tmp_path / "pictures.zip").mkdir()
    two_colours().save(tmp_path / "pictures.zip" / "a.png")
    assert load(tmp_path / "pictures.zip" / "a.png").shape == (60, 40, 3)


def test_what_pillow_says_of_a_picture_is_not_printed(tmp_path):
    Image.new("1", (10_000, 10_000)).save(tmp_path / "a.png")
    code = f"""
from pathlib import Path
from pipeline.inputs.images import load
try:
    load(Path({str(tmp_path / "a.png")!r}))
except Exception as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "too large" in done.stdout
    assert done.stderr == ""


def test_a_format_that_runs_a_program_is_no_picture(tmp_path):
    two_colours().save(tmp_path / "a.eps")
    with pytest.raises(DataError, match=r"unreadable: cannot identify image file 'a\.eps'"):
        load(tmp_path / "a.eps")


def test_a_text_that_inflates_is_a_reason(tmp_path):
    text = PngInfo()
    text.add_text("comment", "x" * (2 * PngImagePlugin.MAX_TEXT_CHUNK), zip=True)
    two_colours().save(tmp_path / "a.png", pnginfo=text)
    with pytest.raises(DataError, match="unreadable: Decompressed data too large"):
        load(tmp_path / "a.png")


@pytest.mark.parametrize("error", [MemoryError(), RecursionError("deep"), SystemError("in C"), OSError("a\rb\n\x1bc")])
def test_whatever_a_decoder_raises_is_a_reason_of_one_line(tmp_path, monkeypatch, error):
    def fail(self):
        raise error

    two_colours().save(tmp_path / "a.bmp")
    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(DataError, match=r"^unreadable: [^\x00-\x1f]+$"):
        load(tmp_path / "a.bmp")


def test_too_few_descriptors_and_a_dying_disk_are_no_reasons_to_leave_a_picture_out(tmp_path, monkeypatch):
    def fail(self):
        raise OSError(errno.EIO, "Input/output error")

    two_colours().save(tmp_path / "a.bmp")
    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(OSError, match="Input/output error"):
        load(tmp_path / "a.bmp")


def encoded(kind: str) -> bytes:
    content = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    two_colours().save(content, kind, **({"exif": exif} if kind in ("JPEG", "PNG", "WEBP", "TIFF") else {}))
    return content.getvalue()


@pytest.mark.filterwarnings("ignore:::PIL")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "JPEG2000"])
def test_any_damage_is_a_picture_or_a_reason(tmp_path, kind):
    content = encoded(kind)
    rng = np.random.default_rng(0)
    path = tmp_path / "a.jpg"
    reasons = []
    for number in range(60):
        damaged = bytearray(content[: rng.integers(1, len(content))] if number % 3 == 0 else content)
        for _ in range(rng.integers(1, 20)):
            damaged[rng.integers(0, min(len(damaged), 400))] = rng.integers(0, 256)
        path.write_bytes(damaged)
        with specials.within(20):
            try:
                assert load(path).dtype == np.uint8
            except DataError as error:
                reasons.append(str(error))
    assert reasons
    assert all(len(reason.splitlines()) == 1 and "0x" not in reason for reason in reasons)


@pytest.mark.parametrize(("most", "scale"), [(1, 1), (1.9, 1), (2, 2), (3, 2), (9, 8)])
def test_a_jpeg_is_reduced_by_a_power_of_two_at_most(tmp_path, portrait, most, scale):
    picture = portrait(640, 800)
    Image.fromarray(picture).save(tmp_path / "a.jpg", quality=95)
    image, found, _ = load_reduced(tmp_path / "a.jpg", most)
    assert found == scale
    expected = np.asarray(Image.fromarray(picture).reduce(scale))
    assert np.abs(np.asarray(image).astype(int) - expected).mean() < 4


def test_a_jpeg_of_endless_scans_is_refused_and_a_progressive_one_is_read(tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("L", (4000, 3000), 100).save(path, progressive=True)
    assert load(path).shape == (3000, 4000, 3)
    content = path.read_bytes()
    scan = content[content.rfind(b"\xff\xda") : -2]
    path.write_bytes(content[:-2] + scan * 1000 + content[-2:])
    with pytest.raises(DataError, match=r"too large: 1,00\d scans of 4000 x 3000 pixels"):
        load(path)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("most", [1, 2, 4, 8])
def test_a_reduced_jpeg_still_tells_its_size(tmp_path, most, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (642, 359), "grey").save(tmp_path / "a.jpg", exif=exif)
    assert load_reduced(tmp_path / "a.jpg", most)[2] == load(tmp_path / "a.jpg").shape[1::-1]


def test_only_jpegs_are_reduced(tmp_path):
    two_colours().save(tmp_path / "a.png")
    assert load_reduced(tmp_path / "a.png", 2)[1] == 1


@pytest.mark.parametrize("quality", [60, 90])
@pytest.mark.parametrize("number", range(4))
def test_the_divider_is_found_and_left_out(tmp_path, pair, number, quality):
    picture, (start, width) = pair(number)
    Image.fromarray(picture).save(tmp_path / "a.jpg", quality=quality)
    found = divider(load(tmp_path / "a.jpg"))
    assert found[0] in (start - 1, start - 2)
    assert found[1] in (start + width + 1, start + width + 2)
    left, right = (dict(halves(picture))[region] for region in ("left", "right"))
    assert (picture[:, left[2] - 1] < 255).any()
    assert (picture[:, right[0]] < 255).any()
    assert left[2] <= start
    assert right[0] >= start + width


def test_without_a_divider_the_picture_is_one_unless_it_must_be_two(portrait):
    picture = portrait(640, 360)
    assert halves(picture) == [("full", (0, 0, 640, 360))]
    assert halves(picture, always=True) == [("left", (0, 0, 320, 360)), ("right", (320, 0, 640, 360))]


@pytest.mark.parametrize("start", [316, 320, 324])
def test_two_pictures_without_a_divider_are_cut_where_they_meet(tmp_path, portrait, start):
    picture = portrait(640, 360).copy()
    picture[:, start:] = 255 - portrait(640, 360, 3)[:, start:]
    Image.fromarray(picture).save(tmp_path / "a.jpg", quality=85)
    image = load(tmp_path / "a.jpg")
    assert halves(image) == [("full", (0, 0, 640, 360))]
    assert [box[::2] for _, box in halves(image, always=True)] == [(0, start), (start, 640)]


@pytest.mark.parametrize("width", [1, 2, 3, 7])
def test_a_picture_of_few_columns_is_cut_at_its_middle(width):
    assert halves(np.zeros((5, width, 3), np.uint8), always=True)[0][1] == (0, 0, width // 2, 5)


def test_a_divider_is_found_before_a_bright_background(pair):
    picture, (start, width) = pair(1)
    picture = np.maximum(picture, 215)
    assert divider(picture) == (start - 1, start + width + 1)


def test_a_white_background_is_no_divider(portrait):
    picture = portrait(640, 360).copy()
    picture[:, 280:360] = 255
    assert divider(picture) is None


def test_a_white_line_at_a_third_or_over_part_of_the_height_is_no_divider(portrait):
    picture = portrait(640, 360).copy()
    picture[:, 210:214] = 255
    picture[:300, 318:322] = 255
    assert divider(picture) is None
