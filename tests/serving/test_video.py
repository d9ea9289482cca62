"""Frames of video files: every one, with its number and time, whatever is left out before."""

from __future__ import annotations

import struct
import sys

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import DataError, MissingDependencyError
from pipeline.serving.video import Video, library
from tests.fakes import videos

pytest.importorskip("av")

COUNT = 23


def shades(count: int = COUNT, size=(48, 64)) -> list[np.ndarray]:
    """Frames that are told apart by how bright they are."""
    return [np.full((*size, 3), 20 + 9 * number, np.uint8) for number in range(count)]


def number_of(image: np.ndarray) -> int:
    return round((float(image.mean()) - 20) / 9)


def read(path, *args, **options):
    """Numbers and times of frames, each of which shows its number."""
    with Video(path) as video:
        frames = list(video.frames(*args, **options))
    assert [number_of(frame.image) for frame in frames] == [frame.number for frame in frames]
    return [(frame.number, frame.time_s) for frame in frames]


@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi", "mov", "ts"])
def test_every_frame_is_read_with_its_time(tmp_path, ending):
    path = videos.write(tmp_path / f"a.{ending}", shades())
    numbers, times = zip(*read(path), strict=True)
    assert numbers == tuple(range(COUNT))
    late = 0.1 if ending == "avi" else 0  # it has times of decoding alone, by which the first is shown a frame late
    np.testing.assert_allclose(times, np.arange(COUNT) / 10 + late, atol=0.002)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi", "ts"])
@pytest.mark.parametrize("first", [1, 5, 7, 20])
def test_a_part_has_the_numbers_and_times_of_the_whole(tmp_path, ending, first):
    path = videos.write(tmp_path / f"a.{ending}", shades())
    whole = read(path)
    assert read(path, start_s=whole[first][1]) == whole[first:]
    assert read(path, start_s=whole[first][1] - 0.01, end_s=whole[first + 2][1]) == whole[first : first + 2]
    assert read(path, after=whole[first]) == whole[first + 1 :]


def test_a_part_beyond_the_end_is_empty(tmp_path):
    path = videos.write(tmp_path / "a.mp4", shades())
    assert read(path, start_s=100) == read(path, after=read(path)[-1]) == []


def test_times_are_those_of_the_frames_and_no_count(tmp_path):
    times = [0, 0.1, 0.15, 1, 1.5, 1.501, 4]
    path = videos.write(tmp_path / "a.mkv", shades(7), times=times)
    assert [time for _, time in read(path)] == pytest.approx(times, abs=0.0015)


def turned(path, degrees):
    """Write into an mp4 that it is to be shown turned clockwise, as a phone does."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40
    a, b = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    matrix = (a << 16, b << 16, 0, -b << 16, a << 16, 0, 0, 0, 1 << 30)
    content[place : place + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(content)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_the_video_of_a_phone_is_turned_upright(tmp_path, degrees):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:16, :16] = 255
    path = videos.write(tmp_path / "a.mp4", [picture] * 3)
    turned(path, degrees)
    with Video(path) as video:
        frame = next(video.frames()).image
    expected = np.asarray(Image.fromarray(picture).rotate(-degrees, expand=True))
    assert frame.shape == expected.shape
    assert np.abs(frame.astype(int) - expected).mean() < 5


def damaged(content: bytes, audio: bytes) -> dict[str, bytes]:
    """What a video file may hold that is none, or not all of one."""
    half = len(content) // 2
    noise = np.random.default_rng(0).integers(0, 256, 4096, np.uint8).tobytes()
    return {
        "empty": b"",
        "one byte": b"\0",
        "text": b"not a video\n" * 50,
        "noise": noise,
        "zeros": bytes(10_000),
        "playlist": b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n",
        "concat": b"ffconcat version 1.0\nfile /etc/hostname\n",
        "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
        "html": b"<!doctype html><title>404</title>",
        "zip": b"PK\x03\x04" + noise[:200],
        "header alone": content[:32],
        "a quarter": content[: half // 2],
        "half": content[:half],
        "all but the end": content[:-100],
        "without the beginning": content[64:],
        "noise in the middle": content[:half] + noise[: half // 2] + content[half + half // 2 :],
        "zeros in the middle": content[:half] + bytes(half // 2) + content[half + half // 2 :],
        "noise for the index": content[:-600] + noise[:600],
        "sound alone": audio,
        "sound, cut": audio[: len(audio) // 3],
    }


def sound() -> bytes:
    import io

    av, content = library(), io.BytesIO()
    with av.open(content, "w", format="mp4") as output:
        stream = output.add_stream("aac", 16000, layout="mono")
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        samples.sample_rate = 16000
        output.mux(stream.encode(samples))
        output.mux(stream.encode())
    return content.getvalue()


def test_twenty_damaged_files_end_with_a_reason_or_are_read(tmp_path):
    whole = videos.write(tmp_path / "a.mp4", shades()).read_bytes()
    files, reasons = damaged(whole, sound()), {}
    assert len(files) == 20
    for name, content in files.items():
        (tmp_path / "b.mp4").write_bytes(content)
        try:
            with Video(tmp_path / "b.mp4") as video:
                assert all(frame.number < COUNT for frame in video.frames())
        except DataError as error:
            reasons[name] = str(error)
    assert set(files) - set(reasons) <= {"noise in the middle", "zeros in the middle", "noise for the index"}
    assert all(reason.startswith(("unreadable: ", "damaged: ")) and "\n" not in reason for reason in reasons.values())
    assert reasons["sound alone"] == "unreadable: it holds no video stream"


def test_a_matroska_file_that_ends_early_gives_what_it_holds(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 48, 64, 3), np.uint8)
    path = videos.write(tmp_path / "a.mkv", list(noise))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames = []
    with Video(path) as video, pytest.raises(DataError, match="damaged"):
        frames += list(iter_into(video.frames(), frames))
    assert 5 < len(frames) < 40


def iter_into(items, into):
    """Keep what came before an error."""
    for item in items:
        into.append(item)
    return ()


def test_what_is_no_file_is_said(tmp_path):
    for path, reason in ((tmp_path, "not a file"), (tmp_path / "none.mp4", "missing"), ("/dev/zero", "not a file")):
        with pytest.raises(DataError, match=reason):
            Video(path)


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependencyError, match=r"pip install -e '\.\[video\]' -c constraints\.txt"):
        Video(tmp_path / "a.mp4")


def test_a_frame_of_too_many_pixels_is_not_decoded(tmp_path, monkeypatch):
    path = videos.write(tmp_path / "a.mp4", shades(3))
    with Video(path) as video:
        assert video.size == (64, 48)
    monkeypatch.setattr("pipeline.serving.video.MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(DataError, match="damaged"):
        read(path)
