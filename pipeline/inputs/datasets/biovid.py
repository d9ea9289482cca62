"""BioVid's heat pain, part A: a file of signals for each stimulus, ``072414_m_23-PA2-034_bio.csv``.

The name says who (``072414_m_23``, with sex and age) and at which level. Files lie in a folder for each level (``0`` to
``4``), in one for each subject, or anywhere, and may be gzipped. Lists ``train_fold1.txt``, ``test_fold1.txt`` … (first
column the name, fourth the level) bring official folds: a file is of the fold whose test list names it.

Source: Walter et al. 2013, "The BioVid Heat Pain Database", CYBCONF.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from pipeline.artifacts.suffixes import SIGNALS, quoted, suffix_of
from pipeline.artifacts.tables import read_text
from pipeline.errors import DataError
from pipeline.inputs.datasets import truth
from pipeline.inputs.datasets.entries import DROPPED, Entry, Listing, Region, Skipped

TARGET = "level"
LEVELS = ("BL1", "PA1", "PA2", "PA3", "PA4")  # by the number that lists and folders give them
SUFFIXES = SIGNALS - {".npz", ".txt"}
_PERSON = r"([0-9a-z]+)_([wmf])_([0-9]{1,3})"
_SUBJECT = re.compile(rf"{_PERSON}(?=[-.]|$)", re.IGNORECASE)
_NAME = re.compile(rf"{_PERSON}-(?P<level>bl1|pa[1-4])-[0-9]{{1,6}}(_bio)?", re.IGNORECASE)
_LIST = re.compile(r"(train|test)_fold([0-9]{1,4})\.txt", re.IGNORECASE)
_COLUMNS = 4  # of a list, at least
FORM = "ID_sex_age-level-number_bio.csv, such as 072414_m_23-PA2-034_bio.csv"


def recognises(files: Iterable[str]) -> bool:
    """Whether any file of signals bears such a name."""
    return any(suffix_of(file) in SUFFIXES and _NAME.fullmatch(stem_of(file)) for file in files)


def read(folder: Path, files: Mapping[str, str]) -> Listing:
    """List BioVid's windows.

    Parameters
    ----------
    folder : the dataset's folder.
    files : the paths below it (the values are not used).

    Raises
    ------
    DataError : a list cannot be read, there are two of one name, or one names a file for training and for the test.
    """
    lists = _Lists.of(folder, files)
    entries, skipped = [], []
    for file in files:
        if suffix_of(file) not in SUFFIXES or file == truth.FILE:
            continue
        try:
            entries.append(lists.joined(parse(file)))
        except DataError as error:
            skipped.append(Skipped(file, str(error)))
    there = {_key(file) for file in files if suffix_of(file) in SUFFIXES}
    skipped += [Skipped(lists.names[key], "missing: there is no such file") for key in lists.names if key not in there]
    return Listing(entries, skipped)


def parse(file: str) -> Entry:
    """The entry of one file, from its name and its folder alone.

    Raises
    ------
    DataError : the name is not BioVid's, or its folder is another level's or subject's; the message is the reason.
    """
    match = _NAME.fullmatch(stem_of(file))
    if match is None:
        looks_like = "_bio" in file.lower() or "-" in PurePosixPath(file).name
        raise DataError(f"{'name' if looks_like else DROPPED}: not {FORM}")
    (subject_id, attributes), level = person_of(file), match["level"].upper()
    above = PurePosixPath(file).parent.name.lower()
    if above in map(str, range(len(LEVELS))) and LEVELS[int(above)] != level:
        raise DataError(f"contradiction: the folder says {LEVELS[int(above)]}, the name {level}")
    if _SUBJECT.fullmatch(above) and above != subject_id:
        raise DataError(f"contradiction: the folder says {above}, the name {subject_id}")
    return Entry(file=file, subject_id=subject_id, regions={"full": Region({TARGET: level})}, attributes=attributes)


def person_of(file: str) -> tuple[str, dict[str, str]]:
    """The subject and its attributes as a name of BioVid's begins with them; both empty for another name."""
    match = _SUBJECT.match(PurePosixPath(file).name)
    if match is None:
        return "", {}
    sex = match[2].lower()
    return match[0].lower(), {"sex": "w" if sex == "f" else sex, "age": match[3]}


def stem_of(file: str) -> str:
    """The name of a file without its suffix, ``.csv.gz`` being one."""
    name = PurePosixPath(file).name
    return name[: len(name) - len(suffix_of(name))]


def _key(name: str) -> str:
    """What a list and a file of one window have in common."""
    name = PurePosixPath(name.replace("\\", "/")).name
    name = stem_of(name) if suffix_of(name) in SUFFIXES else name
    return name.casefold().removesuffix("_bio")


@dataclass(frozen=True)
class _Lists:
    """What the lists say of each window; without lists nothing.

    Attributes
    ----------
    names : as the lists write them, by ``_key``.
    levels : of each, more than one where lists differ.
    folds : the official fold or part of each, empty where no test list names it.
    """

    names: dict[str, str] = field(default_factory=dict)
    levels: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    folds: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @classmethod
    def of(cls, folder: Path, files: Mapping[str, str]) -> _Lists:
        found: dict[tuple[str, str], str] = {}
        for file in files:
            if match := _LIST.fullmatch(PurePosixPath(file).name):
                key = match[1].lower(), str(int(match[2]))
                if key in found:
                    raise DataError(f"{folder} has two lists of one name: {found[key]} and {file}. Keep one.")
                found[key] = file
        lists, numbers = cls(), {number for _, number in found}
        for (part, number), file in found.items():
            fold = part if len(numbers) == 1 else number if part == "test" else ""
            lists._add(folder / file, fold)
        for number in numbers if {("train", n) for n in numbers} & set(found) else ():
            both = [found[part, number] for part in ("train", "test") if (part, number) in found]
            _check_apart(folder, both)
        return lists

    def _add(self, path: Path, fold: str) -> None:
        for name, level in _rows(path):
            key = _key(name)
            self.names.setdefault(key, name)
            self.levels[key].add(level)
            if fold:
                self.folds[key].add(fold)

    def joined(self, entry: Entry) -> Entry:
        """The entry with its official fold.

        Raises
        ------
        DataError : no list names it, or they contradict its name or each other; the message is the reason.
        """
        if not self.names:
            return entry
        key = _key(entry.file)
        if key not in self.names:
            raise DataError(f"{DROPPED}: no list names it")
        levels = {region.targets[TARGET] for region in entry.regions.values()}
        if self.levels[key] != levels:
            raise DataError(f"contradiction: lists say {', '.join(sorted(self.levels[key]))}, the name {levels.pop()}")
        folds = sorted(self.folds[key])
        if len(folds) > 1:
            raise DataError(f"contradiction: it is in the test lists of {', '.join(folds)}")
        return replace(entry, fold=folds[0] if folds else "")


def _rows(path: Path) -> Iterable[tuple[str, str]]:
    """Name and level of each line of a list; a first line that names columns is none."""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        words = line.split()
        if not words or (number == 1 and not _NAME.fullmatch(_key(words[0]))):
            continue
        level = words[_COLUMNS - 1] if len(words) >= _COLUMNS else ""
        if level not in map(str, range(len(LEVELS))):
            raise DataError(
                f"{path}, line {number}: {quoted(line.strip())} has no level from 0 (BL1) to 4 (PA4) in column four. "
                "Correct the line, or remove the lists to split by person at random."
            )
        yield words[0], LEVELS[int(level)]


def _check_apart(folder: Path, both: list[str]) -> None:
    """Refuse lists of one fold that train on what they test."""
    if len(both) < 2:
        return
    trained, tested = ({_key(name): name for name, _ in _rows(folder / file)} for file in both)
    if shared := [name for key, name in trained.items() if key in tested]:
        raise DataError(
            f"{folder}: {both[0]} and {both[1]} share {len(shared):,} files, the first is {quoted(shared[0])}. "
            "What is tested must not be trained on: correct the lists."
        )
