"""A CSV file with a row per pair of frames: ``id, rgb_frame, ir_frame, fire, smoke, clip``.

Paths are relative to the file's folder. Every column of flags (0/1, true/false, yes/no, or empty where it is not known)
is a label of its own. ``clip`` or ``video`` says which frames belong together; without one, consecutive frames form
blocks (``blocks``). ``fold`` and ``source`` are those of every table, ``id`` appears in messages alone, and any other
column is an attribute. A folder with a file ``frames.csv`` is read by that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.artifacts.raw_data import relative
from pipeline.artifacts.suffixes import fault_of, one_line, quoted
from pipeline.artifacts.tables import Row, listed
from pipeline.errors import DataError
from pipeline.inputs.datasets import blocks, table
from pipeline.inputs.datasets.columns import read_rows
from pipeline.inputs.datasets.entries import Entry, Listing, Region, Skipped, fold_of
from pipeline.tasks import TASKS

FILE = "frames.csv"
RGB, IR = "rgb_frame", "ir_frame"
HALVES = {RGB: "RGB frame", IR: "IR frame"}
GROUPS = ("clip", "video")
OTHERS = ("id", "fold", "source")
FLAGS = {"0": "0", "1": "1", "false": "0", "true": "1", "no": "0", "yes": "1", "0.0": "0", "1.0": "1"}
RESERVED = frozenset(("sample_id", "file", "ir_file", "region", "x0", "y0", "x1", "y1", "subject_id"))


def recognises(path: Path, files: Mapping[str, str], names: Mapping[str, str]) -> bool:
    """Whether a table names both halves of pairs, or a folder has a table of this form's name.

    Raises
    ------
    DataError : as ``columns.read_rows``.
    """
    if not table.recognises(path):
        return path.is_dir() and FILE in files
    return {RGB, IR} <= {name.casefold() for name in read_rows(path, names)[0]}


def read(path: Path, files: Mapping[str, str], names: Mapping[str, str] | None = None) -> Listing:
    """List the pairs of a CSV file.

    Parameters
    ----------
    path : the CSV file, or the folder that holds ``frames.csv``.
    files : the paths below the folder (the values are not used).
    names : other names of its columns, as ``columns_of`` gives them.

    Raises
    ------
    DataError : as ``columns.read_rows``; the table lacks a half, has no label or too many attributes, two columns for
        one thing, or one whose name the sample table needs.
    """
    path = path / FILE if path.is_dir() else path
    header, lines = read_rows(path, names or {})
    rows, forms = list(lines), {name.casefold(): name for name in header}
    labels, attributes = _columns(path, header, rows)
    group = [forms[name] for name in GROUPS if name in forms]
    firsts: dict[str, int] = {}
    entries, skipped = [], []
    for line, row in rows:
        rgb, ir = (relative(row[forms[half]], path.parent) for half in HALVES)
        try:
            _check_files(rgb, ir, files, firsts)
            targets = _targets(row, labels)
            clip = _cell(row, group[0]) if group else ""
            if group and not clip:
                raise DataError(f"no {group[0]}: the cell is empty, so that its neighbours are not known")
            fold, source = (_cell(row, forms.get(name, "")) for name in ("fold", "source"))
            traits = {name: _cell(row, name) for name in attributes}
            entries.append(Entry(rgb, clip, {"full": Region(targets)}, traits, fold_of(fold), source, {"ir": ir}))
        except DataError as error:
            skipped.append(Skipped(rgb or _place(path, line, _cell(row, forms.get("id", ""))), str(error)))
        firsts.setdefault(rgb, line)
    if group:
        return Listing(entries, skipped, grouping={"by": "clip"})
    return _blocked(entries, skipped, sorted((name for name in firsts if name), key=blocks.natural))


def _columns(path: Path, header: list[str], rows: list[tuple[int, Row]]) -> tuple[list[str], list[str]]:
    """The columns of labels and those of attributes."""
    forms = [name.casefold() for name in header]
    twice = [name for name in (*HALVES, *OTHERS) if forms.count(name) > 1]
    groups = [name for name in header if name.casefold() in GROUPS]
    missing = [name for name in HALVES if name not in forms]
    if twice or len(groups) > 1:
        what = twice[0] if twice else f"the clip: {', '.join(groups)}"
        raise DataError(f"{path} has two columns for {what}. Keep one.")
    if missing:
        raise DataError(
            f"{path} has the columns {listed(header) or '(none)'}; it needs {' and '.join(missing)}. "
            f"Say which they are: COLUMNS={','.join(f'{name}=<column>' for name in missing)}"
        )
    others = [name for name in header if name.casefold() not in (*HALVES, *OTHERS, *GROUPS)]
    labels = [name for name in others if name in _asked() or _holds_flags(name, rows)]
    attributes = [name for name in others if name not in labels]
    if clash := [name for name in others if name.casefold() in RESERVED]:
        raise DataError(f"{path}: {', '.join(clash)} must be renamed: the sample table has columns of that name.")
    if not labels:
        raise DataError(
            f"{path} has the columns {listed(header)}, none of which is a label: a column of 0 and 1, true and false, "
            "or yes and no. Add one, such as smoke."
        )
    if len(attributes) > table.MAX_ATTRIBUTES:
        raise DataError(
            f"{path} has {len(attributes):,} columns of attributes, by which the split is balanced: "
            f"{listed(attributes, 5)}. At most {table.MAX_ATTRIBUTES} can be: keep those that matter in a copy of it."
        )
    return labels, attributes


def _asked() -> set[str]:
    """The labels that some task asks for: what else stands in such a column is a fault of its row."""
    return {output for task in TASKS.values() if task.kind == "multilabel" for output in task.outputs}


def _holds_flags(name: str, rows: list[tuple[int, Row]]) -> bool:
    """Whether a column says yes or no in some rows, and nothing else in any."""
    cells = {row[name].strip().casefold() for _, row in rows} - {""}
    return bool(cells) and cells <= FLAGS.keys()


def _check_files(rgb: str, ir: str, files: Mapping[str, str], firsts: Mapping[str, int]) -> None:
    """Refuse a row that names no two files below the table's folder, or a frame that another row named."""
    if rgb in firsts and rgb:
        raise DataError(f"listed twice: first on line {firsts[rgb]}")
    for half, file in zip(HALVES.values(), (rgb, ir), strict=True):
        if not file:
            raise DataError(f"no path: {half}, the cell is empty")
        if file not in files:
            fault = fault_of(file) or "missing: there is no such file below the table's folder"
            raise DataError(of_half(half, f"{fault} ({quoted(file)})"))
    if rgb == ir:
        raise DataError("contradiction: RGB frame and IR frame are one file")


def of_half(half: str, reason: str) -> str:
    """A reason, ``kind: detail``, that says which half it is of."""
    kind, _, detail = reason.partition(":")
    return f"{kind}: {half}, {detail.strip()}"


def _targets(row: Row, labels: list[str]) -> dict[str, str]:
    """What a row says of each label, ``0`` or ``1``, as far as it does."""
    cells = {name: cell for name in labels if (cell := _cell(row, name))}
    for name, cell in cells.items():
        if cell.casefold() not in FLAGS:
            raise DataError(f"unknown {name}: {quoted(cell)}, expected 0 or 1, true or false, yes or no")
    if not cells:
        raise DataError("no target: every label's cell is empty")
    return {name: FLAGS[cell.casefold()] for name, cell in cells.items()}


def _cell(row: Row, name: str) -> str:
    """A cell as one line; empty where there is no such column."""
    return one_line(row.get(name, "").strip())


def _place(path: Path, line: int, name: str) -> str:
    """What a row without a file is called."""
    return f"{path.name}, line {line}" + (f" (id {name})" if name else "")


def _blocked(entries: list[Entry], skipped: list[Skipped], frames: list[str]) -> Listing:
    """The entries in blocks of all frames that rows name, whether they can be used or not."""
    length, gap = blocks.sizes(len(frames))
    block = dict(zip(frames, blocks.dealt([len(frames)], length, gap), strict=True))
    between = [Skipped(entry.file, blocks.REASON) for entry in entries if not block[entry.file]]
    grouped = [replace(entry, subject_id=block[entry.file]) for entry in entries if block[entry.file]]
    return Listing(grouped, skipped + between, grouping=blocks.grouping(length, gap))
