"""Scores over time in bins that grow, so that memory does not."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from operator import add
from typing import Final

__all__ = ["FIRST_WIDTH", "Timeline"]

FIRST_WIDTH: Final = 1 / 32
"""The width of a bin at first, in the unit of the axis: seconds of a clock."""


class Timeline:
    """Sums of scores in bins of one width along an axis.

    A bin has its frames, its faces, and the sum of each label's scores; where nothing was there is no bin. When there
    would be more than ``most`` of them, each two become one. ``width`` is a power of two times the first width.
    """

    __slots__ = ("_bins", "_labels", "most", "width")

    def __init__(self, labels: int, most: int, width: float = FIRST_WIDTH) -> None:
        self._labels, self.most, self.width = labels, most, width
        self._bins: dict[int, _Bin] = {}

    def set_labels(self, labels: int) -> None:
        """Know how many labels there are, before any face came."""
        self._labels = labels
        for bin_ in self._bins.values():
            bin_.sums = array("d", bytes(8 * labels))

    def __len__(self) -> int:
        return len(self._bins)

    def add(self, at: float, scores: Sequence[Sequence[float]]) -> None:
        """Count one frame at a place of the axis and the scores of its faces, one for each label."""
        bin_ = self._bins.get(int(at // self.width))
        if bin_ is None:
            while len(self._bins) >= self.most and int(at // self.width) not in self._bins:
                self._grow()
            bin_ = self._bins.setdefault(int(at // self.width), _Bin(self._labels))
        bin_.frames += 1
        for face in scores:
            bin_.faces += 1
            bin_.sums = array("d", map(add, bin_.sums, face))

    def limit(self, most: int) -> None:
        """Have no more than ``most`` bins from now on."""
        self.most = most
        while len(self._bins) > most:
            self._grow()

    def widen(self, least: float) -> None:
        """Have bins of at least that width."""
        while self.width < least:
            self._grow()

    def _grow(self) -> None:
        self.width *= 2
        joined: dict[int, _Bin] = {}
        for index, bin_ in self._bins.items():
            other = joined.setdefault(index // 2, bin_)
            if other is not bin_:
                other.frames += bin_.frames
                other.faces += bin_.faces
                other.sums = array("d", map(add, other.sums, bin_.sums))
        self._bins = joined

    def bins(self) -> Iterator[tuple[int, int, int, list[float]]]:
        """Each bin in order: its index, its frames, its faces, and the mean score of each label (0 without faces)."""
        for index in sorted(self._bins):
            bin_ = self._bins[index]
            yield index, bin_.frames, bin_.faces, [total / max(1, bin_.faces) for total in bin_.sums]


class _Bin:
    """What came in one part of the axis."""

    __slots__ = ("faces", "frames", "sums")

    def __init__(self, labels: int) -> None:
        self.frames, self.faces = 0, 0
        self.sums = array("d", bytes(8 * labels))
