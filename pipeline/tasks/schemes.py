"""The sets of facial points that datasets mark: which point is which, in a mirrored face and among the face's parts.

Points are numbered from 0 in the order of the dataset's files. Left and right are those of the picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

REGIONS = ("jaw", "brows", "nose", "eyes", "mouth")


@dataclass(frozen=True)
class Scheme:
    """One set of points.

    Parameters
    ----------
    count : how many points there are.
    pairs : points that change places in a mirrored face; the others are on the midline.
    regions : the points of each part of the face; a point is in one.
    corners : the outer corners of the eyes, left and right.
    pupils : for each eye the points whose mean is its pupil.
    """

    count: int
    pairs: tuple[tuple[int, int], ...]
    regions: Mapping[str, tuple[int, ...]]
    corners: tuple[int, int]
    pupils: tuple[tuple[int, ...], tuple[int, ...]]

    @property
    def mirrored(self) -> tuple[int, ...]:
        """For each place of a mirrored face, the number that its point had before."""
        other = {first: second for pair in self.pairs for first, second in (pair, pair[::-1])}
        return tuple(other.get(point, point) for point in range(self.count))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the points: ``p0`` and so on."""
        return tuple(f"p{point}" for point in range(self.count))


def _facing(first: range, last: range) -> tuple[tuple[int, int], ...]:
    """Points of two ranges, the first of one with the last of the other."""
    return tuple(zip(first, reversed(last), strict=True))


def _regions(**ranges: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {name: ranges[name] for name in REGIONS}


# 300W (Sagonas et al. 2013), in the order of Multi-PIE.
POINTS_68 = Scheme(
    68,
    (
        *_facing(range(8), range(9, 17)),
        *_facing(range(17, 22), range(22, 27)),
        (31, 35),
        (32, 34),
        *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),
        *((48, 54), (49, 53), (50, 52), (55, 59), (56, 58)),
        *((60, 64), (61, 63), (65, 67)),
    ),
    _regions(
        jaw=tuple(range(17)),
        brows=tuple(range(17, 27)),
        nose=tuple(range(27, 36)),
        eyes=tuple(range(36, 48)),
        mouth=tuple(range(48, 68)),
    ),
    corners=(36, 45),
    pupils=(tuple(range(36, 42)), tuple(range(42, 48))),
)

# WFLW (Wu et al. 2018, arXiv:1805.10483).
POINTS_98 = Scheme(
    98,
    (
        *_facing(range(16), range(17, 33)),
        *_facing(range(33, 38), range(42, 47)),
        *_facing(range(38, 42), range(47, 51)),
        *((55, 59), (56, 58)),
        *((60, 72), (61, 71), (62, 70), (63, 69), (64, 68), (65, 75), (66, 74), (67, 73)),
        *((76, 82), (77, 81), (78, 80), (83, 87), (84, 86)),
        *((88, 92), (89, 91), (93, 95)),
        (96, 97),
    ),
    _regions(
        jaw=tuple(range(33)),
        brows=tuple(range(33, 51)),
        nose=tuple(range(51, 60)),
        eyes=(*range(60, 76), 96, 97),
        mouth=tuple(range(76, 96)),
    ),
    corners=(60, 72),
    pupils=((96,), (97,)),
)

# COFW (Burgos-Artizzu et al. 2013).
POINTS_29 = Scheme(
    29,
    (
        *((0, 1), (2, 3), (4, 6), (5, 7)),
        *((8, 9), (10, 11), (12, 14), (13, 15), (16, 17)),
        *((18, 19), (22, 23)),
    ),
    _regions(
        jaw=(28,),
        brows=tuple(range(8)),
        nose=tuple(range(18, 22)),
        eyes=tuple(range(8, 18)),
        mouth=tuple(range(22, 28)),
    ),
    corners=(8, 9),
    pupils=((16,), (17,)),
)

SCHEMES = {scheme.count: scheme for scheme in (POINTS_68, POINTS_98, POINTS_29)}
