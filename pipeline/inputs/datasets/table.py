"""A CSV file with a row per picture or file of signals: ``path``, and what is known of it.

Paths are relative to the file's folder. One of these there must be:

- a column ``label`` with the classes of one target, in the words that folders may have;
- columns named after targets (``pain``, ``expression``, ``level``, ``pspi`` …), an empty cell where it is not known;
- columns of 68, 98 or 29 points of the face, ``p0_x``, ``p0_y``, ``p1_x`` …, ``l68_0_x`` … or ``x_0``, ``y_0`` …, in
  pixels of the picture, the first of which reaches from 0 to 1;
- any other column that holds numbers alone, more than ten different ones: a target such as ``phq_score``, for
  ``TARGET=phq_score``. What is said of the person (``age``) is none.

Without a ``subject`` the files of one ``sequence`` (or ``video``, or ``clip``) are one, and without that each is its
own, unless its name says whose signals it holds, as those of BioVid do; ``expressive`` is 0 or 1; ``fold`` is train,
val, test or a number; ``box_x0``, ``box_y0``, ``box_x1``, ``box_y1`` say where the face is. Every other column is an
attribute, by which the split is balanced. Commas, semicolons or tabs separate.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.artifacts.raw_data import relative
from pipeline.artifacts.suffixes import fault_of, one_line, quoted
from pipeline.artifacts.tables import Row, listed
from pipeline.errors import DataError
from pipeline.inputs.datasets.biovid import person_of
from pipeline.inputs.datasets.columns import read_rows
from pipeline.inputs.datasets.entries import Entry, Listing, Region, Skipped, fold_of, of_signals
from pipeline.inputs.datasets.faces import SETS, check_box
from pipeline.inputs.datasets.truth import ATTRIBUTES, MAX_TARGETS
from pipeline.inputs.datasets.vocabulary import (
    MOST_NUMBERS,
    Vocabulary,
    check_measure,
    is_number,
    is_target,
    vocabularies,
)
from pipeline.tasks.schemes import SCHEMES

_COLUMNS = {
    "path": ("path", "file", "filename", "image"),
    "label": ("label", "class", "target"),
    "subject": ("subject", "subject_id", "person", "identity"),
    "expressive": ("expressive",),
    "source": ("source", "origin"),
    "fold": ("fold", "part", "split"),
    "sequence": ("sequence", "video", "clip"),
}
# Names of the columns of points.
_FORMS = ("p{point}_{axis}", *(f"l{count}_{{point}}_{{axis}}" for count in SCHEMES), "{axis}_{point}")
_BOX = ("box_x0", "box_y0", "box_x1", "box_y1")
MAX_ATTRIBUTES = 32  # the split is balanced by each, and by each together with each class
_RESERVED = frozenset(("sample_id", "region", "x0", "y0", "x1", "y1"))
_MEASURED = frozenset(("rate_hz", "steps", "repairs"))  # of signals, read off themselves


@dataclass(frozen=True)
class _Columns:
    """The columns of a table by what they hold.

    Parameters
    ----------
    named : the column of each meaning.
    targets : named after targets.
    numbers : further targets of numbers.
    points, box : in their order; empty without any.
    attributes : the others.
    """

    named: Mapping[str, str]
    targets: Sequence[str]
    numbers: Sequence[str]
    points: Sequence[str]
    box: Sequence[str]
    attributes: Sequence[str]


def recognises(path: Path) -> bool:
    """Whether the dataset was given as a table."""
    return path.suffix.lower() in (".csv", ".tsv") and not os.path.isdir(path)


def read(path: Path, files: Mapping[str, str], names: Mapping[str, str] | None = None) -> Listing:
    """List the pictures or signals of a CSV file.

    Parameters
    ----------
    path : the CSV file.
    files : the paths below its folder (the values are not used).
    names : other names of its columns, as ``columns_of`` gives them.

    Raises
    ------
    DataError : as ``columns.read_rows``; the table lacks a path or what answers, has two columns for one thing, too
        many attributes or a set of points that is none, or no label is a class's.
    """
    present, lines = read_rows(path, names or {})
    rows = list(lines)
    columns = _columns(path, present, rows)
    named = columns.named
    words = [row.get(named["label"], "") for _, row in rows] if "label" in named else None
    signals = of_signals(row.get(named["path"], "").strip() for _, row in rows)
    if signals and (clash := sorted(_MEASURED.intersection(map(str.casefold, columns.attributes)))):
        raise DataError(f"{path}: {', '.join(clash)} must be renamed: of signals it is read off themselves.")
    vocabulary = vocabularies()
    labels = _vocabulary_of(path, words, vocabularies(signals=signals)) if words is not None else None
    entries, skipped, firsts = [], [], {}
    for line, row in rows:
        file = relative(row.get(named["path"], ""), path.parent)
        try:
            if file in firsts:
                raise DataError(f"listed twice: first on line {firsts[file]}")
            if not file:
                raise DataError("no path: the cell is empty")
            if file not in files:
                raise DataError(fault_of(file) or "missing: there is no such file below the table's folder")
            answers = _answers(row, columns.targets, vocabulary)
            answers |= _label(row[named["label"]], labels) if labels else {}
            answers |= _answers(row, columns.numbers, {})
            region = _region(row, columns, answers)
            person = person_of(file)[0] if signals else ""
            entries.append(_entry(file, person, row, columns, region))
        except DataError as error:
            skipped.append(Skipped(file or f"{path.name}, line {line}", str(error)))
        firsts.setdefault(file, line)
    return Listing(entries, skipped)


def _columns(path: Path, present: Sequence[str], rows: Sequence[tuple[int, Row]]) -> _Columns:
    """What each column of a table holds."""
    header = {name: name.casefold() for name in present}
    named = {}
    for meaning, words in _COLUMNS.items():
        found = [name for name, low in header.items() if low in words]
        if len(found) > 1:
            raise DataError(f"{path} has two columns for the {meaning}: {', '.join(found)}. Keep one.")
        if found:
            named[meaning] = found[0]
    lows = {low: name for name, low in header.items()}
    points, box = _points_of(path, lows), _box_of(path, lows)
    others = [name for name in header if name not in {*named.values(), *points, *box}]
    targets = [name for name in others if is_target(name, vocabularies())]
    rest = [name for name in others if name not in targets]
    numbers = [name for name in rest if header[name] not in ATTRIBUTES and _holds_numbers(name, rows)]
    attributes = [name for name in rest if name not in numbers]
    _check_needs(path, header, named, bool(targets or points or numbers))
    for names, what, most in (
        (attributes, "attributes, by which the split is balanced", MAX_ATTRIBUTES),
        (numbers, "numbers, each of which is a target", MAX_TARGETS),
    ):
        if len(names) > most:
            raise DataError(
                f"{path} has {len(names):,} columns of {what}: {listed(names, 5)}. At most {most} can be: keep those "
                "that matter in a copy of the table."
            )
    return _Columns(named, targets, numbers, points, box, attributes)


def _check_needs(path: Path, header: Mapping[str, str], named: Collection[str], answered: bool) -> None:
    """Refuse a table without paths or answers, or with a column whose name the sample table needs."""
    missing = [name for name in ("path", "label") if name not in named and not (name == "label" and answered)]
    clash = sorted(_RESERVED.intersection(header.values()))
    if missing or clash:
        raise DataError(
            f"{path} has the columns {listed(list(header)) or '(none)'}; "
            + (
                f"it needs {' and '.join(missing)}. {_others(missing)}"
                if missing
                else f"{', '.join(clash)} must be renamed."
            )
        )


def _others(missing: list[str]) -> str:
    """How to say which columns hold what is missing, and what else could answer."""
    named, halves = (",".join(f"{name}=<column>" for name in names) for names in (missing, ("rgb_frame", "ir_frame")))
    instead = (
        f"Instead of a label there may be columns of a target, such as pspi, of {SETS} points (p0_x, p0_y, p1_x ...), "
        f"or of numbers with more than {MOST_NUMBERS} different values. "
    )
    return (
        f"{instead * ('label' in missing)}Say which column that is: COLUMNS={named}, or, of pairs of frames, "
        f"COLUMNS={halves}"
    )


def _points_of(path: Path, header: Mapping[str, str]) -> list[str]:
    """The columns of points in their order: x, y of the first, and so on; none where there are none.

    Parameters
    ----------
    header : the columns by their names in small letters.
    """
    sets = []
    for form in _FORMS:
        pairs = [[form.format(point=point, axis=axis) for axis in "xy"] for point in range(max(SCHEMES) + 1)]
        count = next((point for point, pair in enumerate(pairs) if not header.keys() >= set(pair)), len(pairs))
        if count:
            sets.append([header[name] for pair in pairs[:count] for name in pair])
    if len(sets) > 1:
        raise DataError(
            f"{path} has two sets of points: {' and '.join(names[0] for names in sets)} begin them. Keep one."
        )
    if sets and len(sets[0]) // 2 not in SCHEMES:
        raise DataError(
            f"{path} has columns of {len(sets[0]) // 2} points in a row, {sets[0][0]} to {sets[0][-1]}; expected those "
            f"of {SETS} points. Add what is missing, or rename them."
        )
    return sets[0] if sets else []


def _box_of(path: Path, header: Mapping[str, str]) -> list[str]:
    """The columns of the face's box; none where there are none."""
    columns = [header[name] for name in _BOX if name in header]
    if columns and len(columns) < len(_BOX):
        raise DataError(
            f"{path} has the columns {listed(columns)} of a box, which needs {', '.join(_BOX)}. Add the others."
        )
    return columns


def _holds_numbers(name: str, rows: Iterable[tuple[int, Row]]) -> bool:
    """Whether a column holds numbers alone, and more different ones than an attribute has."""
    cells = {row[name].strip() for _, row in rows} - {""}
    return len(cells) > MOST_NUMBERS and all(map(is_number, cells)) and len(set(map(float, cells))) > MOST_NUMBERS


def _cell(row: Row, name: str) -> str:
    """A cell as one line; empty where there is no such column."""
    return one_line(row.get(name, "").strip())


def _vocabulary_of(path: Path, labels: list[str], known: Mapping[str, Vocabulary]) -> Vocabulary:
    """The vocabulary that knows most of a column's labels: one of ``known`` if any of these knows any, else of all."""
    counts = Counter(label.strip() for label in labels)

    def score(vocabulary: Vocabulary) -> tuple[int, int]:
        return (
            sum(n for label, n in counts.items() if vocabulary.word(label)),
            sum(map(vocabulary.covers, counts)),
        )

    best = max(known.values(), key=score, default=None)
    if best is None or not score(best)[0]:
        best = max(vocabularies().values(), key=score)
    if labels and not score(best)[0]:
        raise DataError(
            f"{path}: no label is a class of a task: {listed(list(counts), 5)}. "
            f"Expected {', or '.join(f'of {v.target}: {v.text}' for v in vocabularies().values())}."
        )
    return best


def _label(label: str, vocabulary: Vocabulary) -> dict[str, str]:
    word = vocabulary.word(label)
    if word is None:
        raise DataError(f"unknown label: {quoted(label.strip())}, expected {vocabulary.text}")
    return {vocabulary.target: word}


def _answers(row: Row, targets: Iterable[str], vocabulary: Mapping[str, Vocabulary]) -> dict[str, str]:
    """What the target columns of a row say; a word of no class stays as it is, a measure must be a number."""
    cells = {name: _cell(row, name) for name in targets}
    for name, cell in cells.items():
        if cell and name not in vocabulary:
            check_measure(name, cell)
    return {
        name: (vocabulary[name].word(cell) or cell) if name in vocabulary else cell
        for name, cell in cells.items()
        if cell
    }


def _region(row: Row, columns: _Columns, answers: dict[str, str]) -> Region:
    """The face of a row: its answers, points and box."""
    points, box = _numbers(row, columns.points), _numbers(row, columns.box)
    if not answers and not points:
        raise DataError("no target: every target's cell is empty")
    if box:
        check_box(box)
    cell = _cell(row, columns.named.get("expressive", ""))
    if cell not in ("", "0", "1"):
        raise DataError(f"unknown expressive: {quoted(cell)}, expected 0 or 1")
    return Region(answers, int(cell) if cell else None, points, box=box, about_points=bool(points))


def _numbers(row: Row, columns: Sequence[str]) -> tuple[float, ...]:
    """The numbers of some columns that belong together; none where all their cells are empty."""
    cells = {name: _cell(row, name) for name in columns}
    if not any(cells.values()):
        return ()
    for name, cell in cells.items():
        if not is_number(cell):
            raise DataError(f"unknown {name}: {quoted(cell)}, expected a number, or all {len(cells)} cells empty")
    return tuple(map(float, cells.values()))


def _entry(file: str, person: str, row: Row, columns: _Columns, region: Region) -> Entry:
    """The entry of a row; ``person`` is whose file it is by its name, if that says so."""

    def cell(meaning: str) -> str:
        return _cell(row, columns.named.get(meaning, ""))

    return Entry(
        file=file,
        subject_id=cell("subject") or person or cell("sequence") or file,
        regions={"full": region},
        attributes={name: _cell(row, name) for name in columns.attributes},
        fold=fold_of(cell("fold")),
        source=cell("source"),
        sequence=cell("sequence"),
    )
