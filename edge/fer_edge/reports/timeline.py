"""Scores over time in bins that grow, so that memory does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["FIRST_WIDTH", "Timeline"]

FIRST_WIDTH: Final = 1 / 32
"""The width of a bin at first, in the unit of the axis: seconds of a clock."""


class Timeline:
    """Sums of scores in bins of one width along an axis.

    A bin is ``[frames, faces, score, …]`` with one sum for each label; where nothing was there is no bin. When there
    would be more than ``most`` of them, each two become one. ``width`` is a power of two times the first width.
    """

    __slots__ = ("_bins", "_labels", "most", "width")

    def __init__(self, labels: int, most: int, width: float = FIRST_WIDTH) -> None:
        self._labels, self.most, self.width = labels, most, width
        self._bins: dict[int, list[float]] = {}

    def set_labels(self, labels: int) -> None:
        """Know how many labels there are, before any face came."""
        self._labels = labels
        self._bins = {index: sums[:2] + [0.0] * labels for index, sums in self._bins.items()}

    def __len__(self) -> int:
        return len(self._bins)

    def add(self, at: float, scores: Sequence[Sequence[float]]) -> None:
        """Count one frame at a place of the axis and the scores of its faces, one for each label."""
        index = int(at // self.width)
        sums = self._bins.get(index)
        if sums is None:
            if len(self._bins) >= self.most:
                self._grow()
                self.add(at, scores)
                return
            sums = self._bins[index] = [0.0] * (2 + self._labels)
        sums[0] += 1
        for face in scores:
            sums[1] += 1
            for number, score in enumerate(face, 2):
                sums[number] += score

    def limit(self, most: int) -> None:
        """Have no more than ``most`` bins from now on."""
        self.most = most
        while len(self._bins) > most:
            self._grow()

    def _grow(self) -> None:
        self.width *= 2
        joined: dict[int, list[float]] = {}
        for index, sums in self._bins.items():
            other = joined.get(index // 2)
            if other is None:
                joined[index // 2] = sums
            else:
                joined[index // 2] = [one + two for one, two in zip(other, sums, strict=True)]
        self._bins = joined

    def bins(self) -> Iterator[tuple[int, int, int, list[float]]]:
        """Each bin in order: its index, its frames, its faces, and the mean score of each label (0 without faces)."""
        for index in sorted(self._bins):
            frames, faces, *sums = self._bins[index]
            yield index, int(frames), int(faces), [total / faces if faces else 0.0 for total in sums]
