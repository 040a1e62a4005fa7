"""The time within a segment of a camera's video: as long as the wall clock says, however the clock is set."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

__all__ = ["SegmentClock"]

_LEAP_S: Final = (
    2.0  # by how much two clocks may differ from one frame to the next before one of them was set
)


class SegmentClock:
    """Seconds since the segment's first frame, never less than before.

    They are the differences of the frames' wall clock, or of ``steady``, which nobody sets, where the wall clock was.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._seconds = 0.0
        self._clock: datetime | None = None
        self._taken = 0.0

    def restart(self) -> None:
        """The next frame is the first one of a segment."""
        self._seconds, self._clock = 0.0, None

    def update(self, clock: datetime) -> float:
        """The time of a frame."""
        now = self._steady()
        if self._clock is not None:
            told, passed = (clock - self._clock).total_seconds(), now - self._taken
            self._seconds += max(0.0, told if abs(told - passed) < _LEAP_S else passed)
        self._clock, self._taken = clock, now
        return self._seconds

    def estimate(self) -> tuple[datetime | None, float]:
        """What the wall clock shows by now, as far as frames told, and for how long no frame has come, in seconds."""
        idle = self._steady() - self._taken
        return (None if self._clock is None else self._clock + timedelta(seconds=idle)), idle
