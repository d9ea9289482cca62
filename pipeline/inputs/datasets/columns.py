"""Other names of a table's columns: ``COLUMNS=rgb_frame=image,clip=flight`` says which hold what a form needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from pipeline.artifacts import tables
from pipeline.artifacts.suffixes import quoted
from pipeline.artifacts.tables import Row, listed
from pipeline.errors import ConfigError, DataError

EXAMPLE = "COLUMNS=rgb_frame=image,clip=flight"


def columns_of(text: str) -> dict[str, str]:
    """The table's own name of each column, by the name that the form gives it.

    Parameters
    ----------
    text : pairs ``name=column`` with commas between them, or empty.

    Raises
    ------
    ConfigError : a part is no pair, or a name or a column stands twice.
    """
    pairs = [part.split("=") for part in text.split(",") if part.strip()]
    pairs = [[side.strip() for side in pair] for pair in pairs]
    if wrong := ["=".join(pair) for pair in pairs if len(pair) != 2 or not all(pair)]:
        raise ConfigError(f"COLUMNS={text}: {quoted(wrong[0])} is no pair name=column. For example {EXAMPLE}")
    for side, what in enumerate(("name", "column")):
        words = [pair[side] for pair in pairs]
        if twice := [word for word in words if words.count(word) > 1]:
            raise ConfigError(f"COLUMNS={text}: the {what} {quoted(twice[0])} stands twice. Give each once: {EXAMPLE}")
    return dict(pairs)


def read_rows(path: Path, columns: Mapping[str, str]) -> tuple[list[str], Iterator[tuple[int, Row]]]:
    """The columns of a table and its rows, under the names that the form gives them.

    Parameters
    ----------
    columns : as ``columns_of`` gives them.

    Raises
    ------
    DataError : as ``tables.read_rows``; the table lacks a column that is named, or has another of the name that it
        would get.
    """
    present, lines = tables.read_rows(path)
    names = {own: name for name, own in columns.items()}
    for own, name in names.items():
        if own not in present:
            near = get_close_matches(own, present, 3)
            raise DataError(
                f"COLUMNS= says that {quoted(own)} is the {name}: {path} has the columns "
                f"{listed(present) or '(none)'}. "
                + (f"Is it {' or '.join(near)}? " if near else "")
                + f"Give one of them: COLUMNS={name}=<column>"
            )
        if name in present and name not in names:
            raise DataError(
                f"COLUMNS= says that {quoted(own)} is the {name}: {path} has a column {name} besides. "
                f"Keep one, or name both: COLUMNS={name}={own},{name}_before={name}"
            )
    if not names:
        return present, lines
    renamed = ((line, {names.get(name, name): cell for name, cell in row.items()}) for line, row in lines)
    return [names.get(name, name) for name in present], renamed
