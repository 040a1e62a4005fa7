"""Find gaps in the rows of a source, such as a lost camera or a restarted program."""

from __future__ import annotations

from heapq import heappush, heappushpop
from typing import Final, Literal, NamedTuple

__all__ = ["Gap", "GapFinder", "GapKind"]

GapKind = Literal["gap", "restart", "clock"]
"""The kind of a gap.

- ``gap``: no rows for some time.
- ``restart``: frame numbers start again from 0, so another run began.
- ``clock``: the clock was set back.
"""

_MAX_GAPS: Final = 100  # gaps kept, the longest ones
_MIN_S: Final = 2.0
_MIN_INTERVALS: Final = 5.0
_WEIGHT: Final = 1 / 16  # weight of a new interval in the moving average


class Gap(NamedTuple):
    """A gap from the last row before it to the first row after it, in seconds.

    Gaps are ordered by length.
    """

    length_s: float
    start_s: float
    end_s: float
    kind: GapKind


class GapFinder:
    """Finds the gaps of one source, in constant memory.

    A gap is longer than two seconds and longer than five times the usual interval between two rows. ``interval_s`` is
    that interval, 0 until it is known.
    """

    def __init__(self) -> None:
        self.count, self.total_s, self.interval_s = 0, 0.0, 0.0
        self._intervals = 0
        self._longest: list[Gap] = []
        self._last: float | None = None

    def add(self, at_s: float, *, restart: bool) -> None:
        """Add the time of the next row; ``restart`` is true if the row starts another run."""
        last, self._last = self._last, at_s
        if last is None:
            return
        length = at_s - last
        if length < 0:
            self._keep(Gap(-length, at_s, last, "clock"))
        elif restart or (self._intervals and length > max(_MIN_S, _MIN_INTERVALS * self.interval_s)):
            self._keep(Gap(length, last, at_s, "restart" if restart else "gap"))
            self.total_s += length
        else:
            self._intervals += 1
            self.interval_s += (length - self.interval_s) * max(_WEIGHT, 1 / self._intervals)

    def longest(self) -> list[Gap]:
        """Return the 100 longest gaps, in chronological order."""
        return sorted(self._longest, key=lambda gap: gap.start_s)

    def _keep(self, gap: Gap) -> None:
        self.count += 1
        if len(self._longest) < _MAX_GAPS:
            heappush(self._longest, gap)
        else:
            heappushpop(self._longest, gap)
