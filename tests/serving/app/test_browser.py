"""The page in Chromium, whose camera shows a rendered video: the box and the right class, by keyboard, on a phone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.fakes import videos
from tests.helpers import lookalikes, served
from tests.helpers.encoding import encoded

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_MS = 60_000
RATE, STILL = 10, 15  # frames a second, and frames for which a face stays
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium"),
]


def camera(path: Path) -> Path:
    """What a camera sees: the face without pain, then in pain, again and again."""
    with av.open(str(path), "w", format="yuv4mpegpipe") as output:
        stream = output.add_stream("wrapped_avframe", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *lookalikes.SIZE, "yuv420p"
        for frame in lookalikes.frames():
            for _ in range(STILL):
                made = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p")
                output.mux(stream.encode(made))
        output.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    model = lookalikes.taught(tmp_path_factory.mktemp("model"))
    with served.listening(served.application(model)) as address:
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    seen = camera(tmp_path_factory.mktemp("camera") / "camera.y4m")
    fake = "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"
    arguments = ["--no-sandbox", *fake, f"--use-file-for-fake-video-capture={seen}"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """The page, ready; what it complains of, and where else it would go, fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    page, complaints, elsewhere = context.new_page(), [], []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if is_complaint(message) else None)
    page.on("request", lambda request: elsewhere.append(request.url) if not local(request.url, address) else None)
    page.goto(address)
    page.wait_for_selector(".pill.ready")
    yield page
    context.close()
    assert (complaints, elsewhere) == ([], [])


def is_complaint(message) -> bool:
    """Whether the browser tells a fault of the page; a request that was refused is none."""
    return message.type == "error" and not message.text.startswith("Failed to load resource: the server responded")


def local(url: str, address: str) -> bool:
    return url.startswith((f"{address}/", "blob:", "data:"))


def picture_of(frame: np.ndarray, name: str = "face.png") -> dict[str, object]:
    return {"name": name, "mimeType": "image/png", "buffer": encoded(frame, "PNG")}


def test_the_camera_shows_the_box_and_the_right_class_and_sends_nothing_when_it_is_stopped(page, tmp_path):
    answers = []
    page.on("response", lambda response: answers.append(response) if "/predict" in response.url else None)
    page.get_by_role("button", name="Start camera").click()
    for word in ("no pain", "pain", "no pain"):
        page.locator(".badge").get_by_text(word, exact=True).wait_for()
    assert page.locator("#live").is_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Capture").click()
    download.value.save_as(tmp_path / "captured.png")
    page.get_by_role("button", name="Stop camera").click()
    page.locator("#live").wait_for(state="hidden")
    page.wait_for_timeout(300)
    sent = len(answers)
    page.wait_for_timeout(700)
    assert len(answers) == sent > 3
    box = json.loads(answers[0].body())["answers"][0]["box"]
    assert_framed(Image.open(tmp_path / "captured.png"), box)


def assert_framed(captured: Image.Image, box: list[int]) -> None:
    """A captured frame has the line of the box, in the colour of a class, on the left of the face."""
    assert captured.size == lookalikes.SIZE
    pixels = np.asarray(captured.convert("RGB")).astype(int)
    row, around = (box[1] + box[3]) // 2, slice(max(0, box[0] - 4), box[0] + 5)
    colors = np.array([[0x00, 0x69, 0xA8], [0xC1, 0x4F, 0x0B]])
    nearest = np.abs(pixels[row, around][:, None] - colors).sum(-1).min()
    assert nearest < 60


def test_pictures_are_answered_by_keyboard_alone(page):
    frames = lookalikes.frames()
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.textContent") == "Skip to the picture"
    with page.expect_file_chooser() as chooser:
        page.locator("#choose").focus()
        page.keyboard.press("Enter")
    chooser.value.set_files([picture_of(frames[0], "first.png"), picture_of(frames[1], "second.png")])
    page.locator(".badge").get_by_text("no pain", exact=True).wait_for()
    page.get_by_role("button", name="second.png").focus()
    page.keyboard.press("Enter")
    page.locator(".badge").get_by_text("pain", exact=True).wait_for()
    assert page.locator("#spoken").text_content().startswith("Face 1: pain")
    assert page.get_by_role("img", name="Face 1: pain").is_visible()
    page.get_by_role("button", name="Show what it rests on").press("Enter")
    page.get_by_role("img", name="Heat map of Face 1").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save table").press("Enter")
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0].startswith("file,success,face,x0,y0,x1,y1,detection_probability,class,prob_no_pain,prob_pain,")
    assert [line.split(",")[0] for line in lines[1:]] == ["first.png", "second.png"]
    assert [line.split(",")[8] for line in lines[1:]] == ["no_pain", "pain"]


def test_a_video_is_answered_over_time_and_can_be_played(page, tmp_path):
    first, second = lookalikes.frames()
    path = videos.write(tmp_path / "visit.mp4", [first] * 8 + [second] * 8, RATE)
    page.set_input_files("#files", path)
    page.locator("#job").wait_for(state="visible")
    page.locator("#job").wait_for(state="hidden")
    assert page.locator("#spoken").text_content() == "The video is done: 16 frames."
    label = page.locator("#curve").get_attribute("aria-label")
    assert label.startswith("pain: on average 0.")
    page.locator("#seek").fill("1.3")
    page.locator(".badge").get_by_text("pain", exact=True).wait_for()
    assert page.locator("#time").text_content() == "0:01 of 0:01"


def test_what_is_refused_is_said(page):
    page.set_input_files("#files", {"name": "notes.png", "mimeType": "image/png", "buffer": b"no picture"})
    page.get_by_role("alert").get_by_text("notes.png: That is no picture").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_cut_off(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    page.set_input_files("#files", picture_of(lookalikes.frames()[1]))
    page.locator(".face").wait_for()
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390
    heights = page.locator(".tools button:visible").evaluate_all("all => all.map(one => one.offsetHeight)")
    assert min(heights) >= 44
    ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(244, 246, 248)", "dark": "rgb(14, 19, 24)"}[scheme]
    assert page.get_by_text("Not a medical device.").is_visible()
