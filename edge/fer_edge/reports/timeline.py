"""Scores over time in a limited number of bins, which become wider as needed."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from operator import add
from typing import Final

__all__ = ["FIRST_WIDTH", "Timeline"]

FIRST_WIDTH: Final = 1 / 32
"""The initial width of a bin, in the unit of the axis, such as seconds."""


class Timeline:
    """Sums of scores in bins of equal width along an axis.

    A bin stores the number of frames and faces and the sum of the scores of each label; empty bins are not stored.
    When the number of bins would exceed ``most``, pairs of bins are merged. ``width`` is a power of two times the
    initial width.
    """

    __slots__ = ("_bins", "_labels", "most", "width")

    def __init__(self, labels: int, most: int, width: float = FIRST_WIDTH) -> None:
        self._labels, self.most, self.width = labels, most, width
        self._bins: dict[int, _Bin] = {}

    def set_labels(self, labels: int) -> None:
        """Set the number of labels; call it before adding faces."""
        self._labels = labels
        for bin_ in self._bins.values():
            bin_.sums = array("d", bytes(8 * labels))

    def __len__(self) -> int:
        return len(self._bins)

    def add(self, at: float, scores: Sequence[Sequence[float]]) -> None:
        """Add a frame at position ``at``, with the scores of each of its faces."""
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
        """Limit the number of bins to ``most`` from now on."""
        self.most = most
        while len(self._bins) > most:
            self._grow()

    def widen(self, least: float) -> None:
        """Merge bins until their width is at least ``least``."""
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
        """Yield the index, frames, faces and mean score per label of each bin.

        The means of a bin without faces are 0.
        """
        for index in sorted(self._bins):
            bin_ = self._bins[index]
            yield index, bin_.frames, bin_.faces, [total / max(1, bin_.faces) for total in bin_.sums]


class _Bin:
    """The sums of one bin."""

    __slots__ = ("faces", "frames", "sums")

    def __init__(self, labels: int) -> None:
        self.frames, self.faces = 0, 0
        self.sums = array("d", bytes(8 * labels))
