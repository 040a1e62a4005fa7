"""Where the rows of a source stop and go on: a camera that was lost, a program that was started again."""

from __future__ import annotations

from heapq import heappush, heappushpop
from typing import Final, Literal, NamedTuple

__all__ = ["Gap", "GapFinder", "GapKind"]

GapKind = Literal["gap", "restart", "clock"]
"""No rows for a while; no rows while frames begin again at 0, another run; a clock that was set back."""

_MOST: Final = 100  # of the longest, that are kept
_LEAST_S: Final = 2.0
_LEAST_INTERVALS: Final = 5.0
_WEIGHT: Final = 1 / 16  # of a new interval in the mean


class Gap(NamedTuple):
    """From the last row before to the first after it, in seconds of the axis; ordered by its length."""

    length_s: float
    start_s: float
    end_s: float
    kind: GapKind


class GapFinder:
    """Finds the gaps of one source in memory that does not grow.

    A gap is more than two seconds and more than five times the usual time between two rows.
    ``interval_s`` is that time, 0 before it is known.
    """

    def __init__(self) -> None:
        self.count, self.total_s, self.interval_s = 0, 0.0, 0.0
        self._intervals = 0
        self._longest: list[Gap] = []
        self._last: float | None = None

    def add(self, at_s: float, *, restart: bool) -> None:
        """Take the time of the next row; ``restart``: it begins another run."""
        last, self._last = self._last, at_s
        if last is None:
            return
        length = at_s - last
        if length < 0:
            self._keep(Gap(-length, at_s, last, "clock"))
        elif restart or (self._intervals and length > max(_LEAST_S, _LEAST_INTERVALS * self.interval_s)):
            self._keep(Gap(length, last, at_s, "restart" if restart else "gap"))
            self.total_s += length
        else:
            self._intervals += 1
            self.interval_s += (length - self.interval_s) * max(_WEIGHT, 1 / self._intervals)

    def longest(self) -> list[Gap]:
        """The hundred longest, in the order of time."""
        return sorted(self._longest, key=lambda gap: gap.start_s)

    def _keep(self, gap: Gap) -> None:
        self.count += 1
        if len(self._longest) < _MOST:
            heappush(self._longest, gap)
        else:
            heappushpop(self._longest, gap)
