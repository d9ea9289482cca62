"""The same picture in two datasets: equal pixels, or nearly equal ones after another compression or size.

Recordings are not compared: of one person are those that bear a common mark.

A picture's hash holds the signs of 64 low frequencies against their median. Two pictures are the same whose hashes
differ in at most ``MOST_BITS`` and whose thumbnails, which tell aligned faces better apart, are alike.

Source: the perceptual hash by discrete cosine transform (pHash), Zauner 2010, "Implementation and Benchmarking of
Perceptual Image Hash Functions", section 3.2. Departure: the thumbnails.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from scipy.fft import dctn

from pipeline.inputs.datasets.entries import Entry

MOST_BITS = 4
MOST_LEVELS = 6.0  # mean difference of two thumbnails, in grey levels
SIDE = 32
BANDS = np.array_split(np.arange(64), MOST_BITS + 1)  # of so many, two hashes that nearly agree share one
CHUNK = 1024
PARTS = ("", "train", "val", "test")  # a picture of several parts is in the last of them


@dataclass(frozen=True)
class Likeness:
    """What a picture is compared by: SHA-256 of its pixels, 64 bits, and a grey thumbnail."""

    pixels: str
    bits: np.ndarray
    thumbnail: np.ndarray


def likeness(image: np.ndarray) -> Likeness:
    """What a picture is compared by.

    Parameters
    ----------
    image : uint8, shape (height, width, 3), RGB.
    """
    pixels = hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()
    small = Image.fromarray(image).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    low = dctn(np.asarray(small, np.float32), norm="ortho")[:8, :8].ravel()
    thumbnail = np.asarray(small.reduce(2), np.uint8)
    return Likeness(pixels, low > np.median(low), thumbnail)


def same(pictures: Sequence[tuple[str, Likeness]]) -> Iterator[tuple[int, int]]:
    """Pairs of pictures of different sources that are the same, by their numbers; some several times.

    Parameters
    ----------
    pictures : the source of each, and what it is compared by.
    """
    by_pixels: dict[str, list[int]] = defaultdict(list)
    for number, (_, like) in enumerate(pictures):
        by_pixels[like.pixels].append(number)
    source = np.unique([name for name, _ in pictures], return_inverse=True)[1]
    for numbers in by_pixels.values():
        yield from ((numbers[0], other) for other in numbers[1:] if len(set(source[numbers])) > 1)
    bits = np.stack([like.bits for _, like in pictures])
    thumbnails = np.stack([like.thumbnail for _, like in pictures]).reshape(len(pictures), -1).astype(np.int16)
    for numbers in _buckets(bits):
        for start in range(0, len(numbers), CHUNK):
            rows = numbers[start : start + CHUNK]
            differing = (bits[rows].astype(np.float32) @ (~bits[numbers]).T.astype(np.float32)) + (
                (~bits[rows]).astype(np.float32) @ bits[numbers].T.astype(np.float32)
            )
            near = (differing <= MOST_BITS) & (source[rows][:, None] < source[numbers][None])
            for i, j in zip(*np.nonzero(near), strict=True):
                a, b = int(rows[i]), int(numbers[j])
                if np.abs(thumbnails[a] - thumbnails[b]).mean() <= MOST_LEVELS:
                    yield a, b


def _buckets(bits: np.ndarray) -> Iterator[np.ndarray]:
    """The pictures that agree in one band of the hash, for each band and each of its values that several have."""
    for band in BANDS:
        keys = bits[:, band] @ (1 << np.arange(len(band)))
        order = np.argsort(keys, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(keys[order])) + 1)
        yield from (group for group in groups if len(group) > 1)


def grouped(entries: Sequence[Entry], likenesses: Mapping[str, Likeness]) -> tuple[list[Entry], int]:
    """Make one subject of all that show the same picture in different sources.

    Parameters
    ----------
    entries : with their sources.
    likenesses : by file, of the pictures that can be read.

    Returns
    -------
    entries : a group bears the name of its first subject, and is in the last of its official parts (the test, then the
        validation part), so that no test picture is trained on.
    groups : how many subjects the sources have in common.
    """
    usable = [entry for entry in entries if entry.file in likenesses]
    pairs = same([(entry.source, likenesses[entry.file]) for entry in usable]) if usable else ()
    return _joined(entries, ((usable[a].subject_id, usable[b].subject_id) for a, b in pairs))


def marked(entries: Sequence[Entry], marks: Mapping[str, Iterable[str]]) -> tuple[list[Entry], int]:
    """As ``grouped``, of all files of different sources that have a mark in common.

    Parameters
    ----------
    entries : with their sources.
    marks : by file; equal ones are of one person.
    """
    bearers: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        for mark in marks.get(entry.file, ()):
            bearers[mark].append(entry)
    several = [found for found in bearers.values() if len({entry.source for entry in found}) > 1]
    return _joined(entries, ((found[0].subject_id, other.subject_id) for found in several for other in found[1:]))


def _joined(entries: Sequence[Entry], pairs: Iterable[tuple[str, str]]) -> tuple[list[Entry], int]:
    """The entries with the subjects of all pairs as one, and how many subjects several had become one."""
    head = _heads(entries, pairs)
    members: dict[str, set[str]] = defaultdict(set)
    folds: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        members[head[entry.subject_id]].add(entry.subject_id)
        folds[head[entry.subject_id]].add(entry.fold)
    shared = {subject for subject, names in members.items() if len(names) > 1}
    named = {subject: max(folds[subject], key=PARTS.index) for subject in shared if folds[subject] <= set(PARTS)}
    return [
        replace(entry, subject_id=subject, fold=named.get(subject, entry.fold))
        for entry in entries
        for subject in [head[entry.subject_id]]
    ], len(shared)


def _heads(entries: Iterable[Entry], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The first subject of each subject's group, when the subjects of all pairs are one."""
    head = {entry.subject_id: entry.subject_id for entry in entries}
    order = {subject: number for number, subject in enumerate(head)}

    def top(subject: str) -> str:
        while head[subject] != subject:
            head[subject] = head[head[subject]]
            subject = head[subject]
        return subject

    for a, b in pairs:
        first, second = sorted((top(a), top(b)), key=order.__getitem__)
        head[second] = first
    return {subject: top(subject) for subject in head}
