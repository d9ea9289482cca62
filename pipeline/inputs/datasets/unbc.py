"""UNBC-McMaster: frames of people's faces in shoulder pain, each with its intensity of pain (PSPI, 0 to 16).

``Images/<subject>/<sequence>/<frame>.png`` belongs to ``Frame_Labels/PSPI/<subject>/<sequence>/<frame>_facs.txt``,
which holds one number. The class ``pain`` is a PSPI of 1 or more. The 66 points of ``AAM_landmarks`` are a tracker's,
of a set that no task asks for: they are not read.

Source: Lucey et al. 2011, "Painful data: The UNBC-McMaster shoulder pain expression archive database", FG.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pipeline.artifacts.suffixes import quoted
from pipeline.errors import DataError
from pipeline.fields import read_number
from pipeline.inputs.datasets.entries import Entry, Listing, Region, Skipped, pictures
from pipeline.inputs.datasets.faces import small_text
from pipeline.inputs.datasets.frames import of_half
from pipeline.inputs.datasets.vocabulary import check_measure

LABELS, END = "pspi", "_facs.txt"  # the folder of the labels, and how their names end
PAINFUL = 1.0  # the lowest PSPI that is pain

Frame = tuple[str, str, str]  # subject, sequence, and the frame's own name


def _labels(files: Mapping[str, str]) -> dict[Frame, str]:
    """The files of labels, by their frames."""
    labels = {}
    for file in files:
        parts = PurePosixPath(file).parts
        if len(parts) >= 4 and parts[-4].casefold() == LABELS and file.casefold().endswith(END):
            labels[parts[-3], parts[-2], parts[-1][: -len(END)]] = file
    return labels


def recognises(files: Mapping[str, str]) -> bool:
    """Whether there is a file with the PSPI of a frame."""
    return bool(_labels(files))


def read(folder: Path, files: Mapping[str, str]) -> Listing:
    """List UNBC-McMaster's frames.

    Parameters
    ----------
    folder : the dataset's folder.
    files : the paths below it (the values are not used).

    Raises
    ------
    OSError : as ``raw_files.open_raw``.
    """
    labels, shown = _labels(files), set()
    entries, skipped = [], []
    for file in pictures(files):
        place = PurePosixPath(file)
        frame = (*place.parts[-3:-1], place.stem)
        if frame not in labels:
            skipped.append(Skipped(file, f"no label: there is no {place.stem}{END} for it"))
            continue
        shown.add(frame)
        try:
            region = _region(folder / labels[frame])
        except DataError as error:
            skipped.append(Skipped(file, str(error)))
            continue
        subject, sequence, _ = frame
        entries.append(Entry(file, subject, {"full": region}, sequence=sequence))
    skipped += [Skipped(labels[frame], "missing: there is no such frame") for frame in labels if frame not in shown]
    return Listing(entries, skipped)


def _region(path: Path) -> Region:
    """What the label of a frame says."""
    try:
        text = small_text(path).strip()
        number = read_number(text)
        if number is None:
            raise DataError(f"unreadable: {quoted(text)} is no PSPI")
    except DataError as error:
        raise DataError(of_half(path.name, str(error))) from error
    pspi = f"{number:g}"
    check_measure("pspi", pspi)
    return Region({"pspi": pspi, "pain": "pain" if number >= PAINFUL else "no_pain"})
