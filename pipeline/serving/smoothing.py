"""The last seconds of what was answered of each face: their means, and what a curve is drawn from."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from pipeline.artifacts.results import DIGITS


class Recent:
    """The answers of the last seconds.

    Parameters
    ----------
    seconds : how long an answer is remembered.

    Attributes
    ----------
    entries : (time in seconds, number of the face, numbers by column), in the order of time.
    """

    def __init__(self, seconds: float):
        self._seconds = seconds
        self.entries: deque[tuple[float, int, dict[str, float]]] = deque()

    def add(self, time_s: float, face_id: int, numbers: Mapping[str, float]) -> None:
        """Remember an answer, with the digits of the table: what is read back from there is the same."""
        rounded = {name: float(f"{value:.{DIGITS}g}") for name, value in numbers.items()}
        self.entries.append((time_s, face_id, rounded))
        while self.entries[0][0] < time_s - self._seconds:
            self.entries.popleft()

    def means(self, face_id: int, seconds: float) -> dict[str, float]:
        """The mean of each number of a face over the seconds before its last answer, that one included."""
        last = self.entries[-1][0]
        some = [numbers for time, face, numbers in self.entries if face == face_id and time > last - seconds]
        return {name: sum(numbers[name] for numbers in some) / len(some) for name in some[0]} if some else {}
