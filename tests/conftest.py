"""Pictures for tests: a photograph that a package ships, and folders of SynPAIN's form made of it."""

from __future__ import annotations

import gc
import os
from collections import Counter
from functools import cache
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from PIL import Image

from tests.helpers.clock import hurried
from tests.helpers.encoding import encoded

# The last bit of a sum depends on the number of threads: runs that are compared, here or in other processes, have one.
os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

# The same examples in every run, none of them remembered in a folder.
hypothesis.settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the options of the command line be tried in all commands."""
    parser.addoption("--every-command", action="store_true", help="try each option in every command that has it")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files with most slow tests begin first: a worker that gets one last would end alone."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


SHARING = ("tests/reporting/", "tests/attacks/")  # folders whose files share what is costly to make


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """Give the files of such a folder to one worker, as ``--dist loadfile`` does with the tests of any other file."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return next((folder for folder in SHARING if file.startswith(folder)), file)

    return Scheduling(config, log)


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what thousands of tests and all imports have made, and come less often.

    That was an eighth of the time of tests of reports and labels.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


WATCHED: set[tuple[Path, str]] = set()  # tests that coverage has seen with one of their values


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item):
    """Leave slow tests, and fixtures that they are the first to ask for, untraced: that costs half as much again.

    Of a test that is tried with many values the first is traced. What is not traced others run, too; the share of lines
    that is printed is a lower bound.
    """
    plugin = item.config.pluginmanager.getplugin("_cov")
    controller = plugin and plugin.cov_controller
    test = (item.path, getattr(item, "originalname", item.name))
    if not controller or not (item.get_closest_marker("slow") or test in WATCHED):
        WATCHED.add(test)
        return (yield)
    controller.pause()
    try:
        return (yield)
    finally:
        controller.resume()


@pytest.fixture(scope="session", autouse=True)
def hurried_clock():
    """Latencies of networks are measured briefly."""
    with hurried():
        yield


DIVIDERS = ((319, 2), (317, 4), (320, 1), (316, 7))


@pytest.fixture(scope="session")
def photograph() -> np.ndarray:
    """An upright frontal face, uint8, shape (512, 512, 3); its eyes are near (204, 101) and (246, 103)."""
    return pytest.importorskip("skimage.data", reason="scikit-image brings the photograph").astronaut()


@pytest.fixture(scope="session")
def portrait(photograph):
    """Makes one half of a picture, uint8 (height, width, 3): the photograph's face, turned and moved a little."""

    def make(width: int, height: int, number: int = 0) -> np.ndarray:
        turn = Image.fromarray(photograph).rotate(7 * (number % 5 - 2), Image.Resampling.BICUBIC, center=(220, 120))
        left, top = 110 + 5 * (number % 3), 5 + 4 * (number % 4)
        box = (left, top, left + 220, top + round(220 * height / width))
        return np.asarray(turn.resize((width, height), Image.Resampling.BICUBIC, box))

    return make


def pair_name(number: int) -> str:
    """SynPAIN's name of a pair whose fields run through all combinations."""
    pain, woman, old, ethnicity = number % 2, number // 2 % 2, number // 4 % 2, number % 5
    words = (("NoPain", "Pain")[pain], ("Man", "Woman")[woman], ("Young", "Old")[old])
    return "_".join((f"1{pain}{woman}{old}{ethnicity}{number:03d}", *words)) + ".jpg"


@pytest.fixture(scope="session")
def pair(portrait):
    """Makes a side-by-side picture of 640 x 360 pixels with a white divider: uint8, and the divider (start, width)."""

    def make(number: int) -> tuple[np.ndarray, tuple[int, int]]:
        start, width = DIVIDERS[number % len(DIVIDERS)]
        picture = np.full((360, 640, 3), 255, np.uint8)
        picture[:, :start] = portrait(start, 360, number)
        picture[:, start + width :] = portrait(640 - start - width, 360, number + 1)[:, ::-1]
        return picture, (start, width)

    return make


@pytest.fixture(scope="session")
def synpain(pair):
    """Writes so many side-by-side pictures of SynPAIN's form into a folder; every third holds PNG bytes."""

    @cache
    def file(number: int) -> bytes:
        return encoded(pair(number)[0], "PNG" if number % 3 == 2 else "JPEG")

    def make(folder: Path, count: int) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (folder / pair_name(number)).write_bytes(file(number))
        return folder

    return make
