"""What the command line takes: click's types, held to texts that can work.

Python reads ``nan`` as a number, ``٣`` as a digit, ``1_0`` as ten and any bytes as a text or a path. Here a number is a
finite one of ASCII digits within its bounds, and a text or a path is short enough, printable and UTF-8.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from pathlib import Path
from typing import Any

import click

from pipeline.config import EACH_SUBJECT, ONE_SPLIT
from pipeline.errors import ConfigError
from pipeline.fields import LEAST_OUTER_FOLDS, MOST_FOLDS, read_number, read_whole

MOST_TEXT = 1000  # characters
MOST_PATH, MOST_NAME = 4095, 255  # bytes: Linux's PATH_MAX without its NUL, and NAME_MAX
DEVICE = re.compile(r"auto|cpu|cuda(:[0-9]{1,3})?")


def shortened(text: str, most: int = 60) -> str:
    """A text as a message shows it: quoted, undecodable bytes escaped, its end left out where it is long."""
    return repr(text) if len(text) <= most else f"{text[:most]!r}… ({len(text):,} characters)"


class _Checked:
    """Mixed into a type of click: what no text may be is refused before the text is read."""

    most = MOST_TEXT

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The option's value; anything but a text is a default and taken as it is."""
        if isinstance(value, str) and (fault := self.fault(value)):
            self.fail(f"{shortened(value)} {fault}.", param, ctx)
        return super().convert(value, param, ctx)

    def fault(self, text: str) -> str:
        """What is wrong with a text, after its quotation; empty if nothing is."""
        if len(text) > self.most:
            return f"is longer than {self.most:,} characters"
        return _unprintable(text)


class Text(_Checked, click.types.StringParamType):
    """A text."""


class OneOf(_Checked, click.Choice):
    """One of some words."""


class Switch(_Checked, click.types.BoolParamType):
    """true or false."""


class Whole(_Checked, click.IntRange):
    """A whole number within bounds; or 0, where that means something of its own."""

    or_zero = False

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        return 0 if self.or_zero and value in (0, "0") else super().convert(value, param, ctx)

    def fault(self, text: str) -> str:
        """What is wrong with a text."""
        return "is not a whole number of at most 18 digits" if read_whole(text) is None else ""


class Number(_Checked, click.FloatRange):
    """A finite number within bounds."""

    def fault(self, text: str) -> str:
        """What is wrong with a text."""
        return "is not a finite decimal number" if read_number(text) is None else ""


class Device(Text):
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""

    def fault(self, text: str) -> str:
        """What is wrong with a text."""
        return "" if DEVICE.fullmatch(text) else "is not a device. Choose auto, cpu, cuda or cuda:N"


class Weights(Text):
    """A word, or a path; empty: the preset's."""

    def fault(self, text: str) -> str:
        """What is wrong with a text."""
        return path_fault(text)


class Data(Text):
    """A path, or several with commas between them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text as it is."""
        _refuse_empty(value, param, separators=",")
        return super().convert(value, param, ctx)

    def fault(self, text: str) -> str:
        """What is wrong with a text."""
        return next(filter(None, map(path_fault, text.split(","))), "")


class Place(_Checked, click.Path):
    """A path."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path."""
        _refuse_empty(value, param)
        return super().convert(value, param, ctx)

    def fault(self, text: str) -> str:
        """What is wrong with a text."""
        return path_fault(text)


class Folds(Text):
    """``0``, a number of outer folds, or ``subject``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text as everybody writes it."""
        text = super().convert(value, param, ctx)
        return text if text == EACH_SUBJECT else str(read_whole(text))

    def fault(self, text: str) -> str:
        """What is wrong with a text."""
        number = read_whole(text)
        if text == EACH_SUBJECT or number == 0 or (number and LEAST_OUTER_FOLDS <= number <= MOST_FOLDS):
            return ""
        return (
            f"is no number of outer folds. Choose {ONE_SPLIT} (one split), {LEAST_OUTER_FOLDS} to {MOST_FOLDS}, or "
            f"{EACH_SUBJECT} (each subject is the test part once)"
        )


FORMS = {"text": Text, "device": Device, "data": Data, "weights": Weights, "folds": Folds}


def of(field: dataclasses.Field) -> click.ParamType:
    """The type of a config field's option: by its choices, its bounds, or its form."""
    said = field.metadata
    if said["choices"]:
        return OneOf(said["choices"])
    if field.type == "bool":
        return Switch()
    if field.type == "str":
        return FORMS[said["form"]]()
    least = said["least"] if said["above"] is None else said["above"]
    most = said["most"] if said["below"] is None else said["below"]
    kind = {"int": Whole, "float": Number}[field.type]
    bounded = kind(least, most, min_open=said["above"] is not None, max_open=said["below"] is not None)
    bounded.or_zero = said["or_zero"]
    return bounded


def path_fault(text: str) -> str:
    """Why no file can have a path, or none that a record could name; empty if one can."""
    whole, longest = _bytes(text), max(map(_bytes, text.split("/")))
    if whole > MOST_PATH:
        return f"is a path of {whole:,} bytes, at most {MOST_PATH:,} are possible"
    if longest > MOST_NAME:
        return f"has a name of {longest:,} bytes, a file's has at most {MOST_NAME}"
    fault = _unprintable(text)
    return f"{fault}. Rename it, or give it by a link of another name" if fault else ""


def _bytes(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))


def _unprintable(text: str) -> str:
    """Control characters and undecodable bytes would end lines and files that are written with the text."""
    categories = {unicodedata.category(character) for character in text}
    if "Cs" in categories:
        return "holds bytes that are no UTF-8 text"
    return "holds a control character or the end of a line" if categories & {"Cc", "Zl", "Zp"} else ""


def _refuse_empty(value: Any, param: click.Parameter | None, separators: str = "") -> None:
    if isinstance(value, str) and not value.strip(f" {separators}"):
        name = max(param.opts, key=len).lstrip("-").replace("-", "_").upper() if param else "PATH"
        raise ConfigError(f"{name}={value} is empty, expected a path: {name}=/path/to/it")
