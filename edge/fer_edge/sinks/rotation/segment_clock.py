"""A clock for the time within a video segment, robust against wall clock changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

__all__ = ["SegmentClock"]

_LEAP_S: Final = 2.0  # between two frames, a larger difference of the clocks means that one was set


class SegmentClock:
    """Measures the seconds since the first frame of a segment; they never decrease.

    Time advances by the wall clock of the frames, or by the monotonic clock ``steady`` when the wall clock
    was set.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._seconds = 0.0
        self._clock: datetime | None = None
        self._updated = 0.0

    def restart(self) -> None:
        """Restart at 0 with the next frame."""
        self._seconds, self._clock = 0.0, None

    def update(self, clock: datetime) -> float:
        """Return the time of the next frame, which has the wall clock time ``clock``."""
        now = self._steady()
        if self._clock is not None:
            wall, steady = (clock - self._clock).total_seconds(), now - self._updated
            self._seconds += max(0.0, wall if abs(wall - steady) < _LEAP_S else steady)
        self._clock, self._updated = clock, now
        return self._seconds

    def estimate(self) -> tuple[datetime | None, float]:
        """Return the current wall clock time estimated from the frames, and the idle time.

        The idle time is the time since the last frame in seconds.
        """
        idle = self._steady() - self._updated
        return (None if self._clock is None else self._clock + timedelta(seconds=idle)), idle
