"""No value of any option ends in a traceback: it is refused, or accepted as something sensible.

An option of one name and parser is read once, and what it took goes to two of its commands or, asked for, to all.
"""

from __future__ import annotations

import math
from pathlib import Path

import click
import pytest

from pipeline.artifacts.raw_data import RawData
from pipeline.config import DEMO_DATA
from pipeline.errors import ConfigError, PainDistillError
from stages import options, params, surroundings
from stages.graph import Graph
from tests.helpers.commands import Ready, attempt, chosen_options, same_options, stop_before_work
from tests.helpers.presets import PRESETS

HOSTILE = (
    "NaN",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "-1",
    "0",
    str(10**10),
    str(10**400),
    "9" * 5000,
    "٣",
    "0x10",
    "1_000",
    "1e-320",
    "",
    " ",
    ",,,",
    "+",
    "-",
    "@:",
    "a,\n,b",
    "x" * 999,
    "x" * 5000,
    "é" * 900,
    "/".join(["f" * 200] * 20),
    "/".join(["f" * 200] * 30),
    "/" + "x" * 256,
    "\udcff",
    "a\udcff/b",
    "\ud800",
    "\x00",
    "line\nbreak",
    "\x1b[2J",
    "\u2028",
    "../..",
    "/dev/zero",
    "/dev/null",
    "/proc/self/mem",
    "$(id)",
    "%s%n",
    "none",
    "soft:nan",
    "swin+swin",
    ",".join(map(str, range(40))),
)
REFUSED = (click.UsageError, PainDistillError)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder two deep, where ``../..`` holds little; nothing runs."""
    base = tmp_path_factory.mktemp("hostile")
    folder = base / "two" / "deep"
    folder.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        stop_before_work(patch, folder)
        patch.chdir(folder)
        yield folder


def converted(option: click.Option, value: str):
    """What an option makes of a text, or the error that refuses it."""
    command = click.Command("test", params=[option])
    with click.Context(command) as context:
        try:
            return option.process_value(context, value)
        except REFUSED as error:
            return error


@pytest.mark.parametrize("tried", [same[0] for same in same_options()], ids=str)
def test_every_option_refuses_hostile_texts_or_makes_something_sensible_of_them(tried):
    kind = tried.option.type
    for value in HOSTILE:
        made = converted(tried.option, value)
        if isinstance(made, REFUSED):
            assert len(str(made)) < 1500, f"{tried}: {len(str(made))} characters of message"
        elif isinstance(kind, params.Whole):
            assert kind.min <= made <= kind.max or (kind.or_zero and made == 0)
        elif isinstance(kind, params.Number):
            assert math.isfinite(made)
            assert kind.min <= made <= kind.max
        elif isinstance(made, str | Path):
            text = str(made)
            assert len(text.encode()) <= 4095  # and it can be encoded
            assert not set(text) & set("\n\r\0\x1b\u2028")
        else:
            assert isinstance(made, bool)


def taken(everywhere: bool) -> list:
    """Command, flag and the hostile texts that the option takes; every third where another command was tried, and of
    ``gc``, which makes the plans of all tasks each time.
    """
    cases, seen = [], set()
    for tried in chosen_options(everywhere):
        if isinstance(tried.option.type, params.Text | params.Place):
            texts = [value for value in HOSTILE if not isinstance(converted(tried.option, value), REFUSED)]
            chosen = texts[len(cases) % 3 :: 3] if tried.flag in seen or tried.command == "gc" else texts
            cases.append(pytest.param(tried.command, tried.flag, chosen, id=str(tried)))
            seen.add(tried.flag)
    return cases


def pytest_generate_tests(metafunc):
    if "flag" in metafunc.fixturenames and "values" in metafunc.fixturenames:
        cases = taken(metafunc.config.getoption("every_command"))
        metafunc.parametrize(("command", "flag", "values"), cases)


@pytest.mark.slow
def test_what_an_option_takes_a_command_takes_or_refuses_in_one_line(command, flag, values, folder):
    for value in values:
        error = attempt(command, {flag: value}, folder).exception
        if not (error is None or isinstance(error, Ready)):
            assert surroundings.explain(error), f"{command} {flag} {value[:50]!r}: {error!r}"


@pytest.mark.parametrize("option", ["teacher", "student", "losses", "seed", "views", "folds", "labelled"])
@pytest.mark.parametrize("text", ["", " ", ",,,", " , "])
def test_a_list_that_names_nothing_is_not_all(option, text):
    with pytest.raises(ConfigError, match=f"{option.upper()}={text} names nothing"):
        options.selection(PRESETS["demo"], {option: text})


@pytest.mark.parametrize(
    ("option", "text", "bounds"),
    [
        ("seed", "0,٣", "0 to 4294967295"),
        ("seed", str(2**32), "0 to 4294967295"),
        ("seed", "-1", "0 to 4294967295"),
        ("seed", "1_0", "0 to 4294967295"),
        ("views", "0", "1 to 10000"),
        ("views", "10001", "1 to 10000"),
        ("folds", "101", "0 to 100"),
    ],
)
def test_numbers_of_a_list_are_bounded(option, text, bounds):
    with pytest.raises(ConfigError, match=f"{option.upper()}={text}: expected whole numbers.* from {bounds}"):
        options.selection(PRESETS["demo"], {option: text})


@pytest.mark.parametrize("text", ["-1", "1.5", "10,nan", "٣", "1e999", "10000001", "half", "0x10"])
def test_budgets_are_whole_numbers_or_shares(text):
    with pytest.raises(
        ConfigError, match=r"LABELLED=.*: expected numbers of subjects up to 10000000, or shares below 1"
    ):
        options.selection(PRESETS["demo"], {"labelled": text})


def test_a_grid_of_more_students_than_anybody_means_is_refused():
    numbers = ",".join(map(str, range(2, 152)))
    with pytest.raises(ConfigError, match=r"ask for 45,000 students"):
        options.selection(PRESETS["demo"], {"teacher": "swin", "seed": numbers, "views": numbers})


@pytest.mark.parametrize("flag", ["--data", "--cache"])
def test_an_empty_path_is_not_the_default(flag, folder):
    error = attempt("report", {flag: " "}, folder).exception
    assert f"{flag[2:].upper()}=  is empty, expected a path" in str(error)


def test_a_slug_fits_a_folder_and_still_tells_teachers_apart():
    names = ["é" * 900 + end for end in "ab"]
    graph = Graph(PRESETS["smoke"], RawData.of(str(DEMO_DATA)))
    slugs = [graph.teacher(name).slug for name in names]
    assert slugs[0] != slugs[1]
    assert all(len(f"evaluation-{slug}-12345678.partial".encode()) <= 255 for slug in slugs)
    assert graph.teacher("swin").slug == "teacher-swin"
