"""Compute when each frame of a video is shown, as strictly increasing times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

__all__ = ["JUMP_S", "PresentationClock"]

T = TypeVar("T")

JUMP_S: Final = 10.0  # also FFmpeg's threshold for a new clock
_HOUR_S: Final = 3600.0  # a single stamp this far ahead belongs to another clock


class PresentationClock:
    """Converts timestamps to strictly increasing seconds since the video's start.

    The times are those that players show. ``start_s`` is the container's start time; None uses the first frame's.
    ``interval_s`` is the nominal time between frames, used for frames without a timestamp. ``clock_may_restart``
    means that the container's clock may restart in the middle, as in broadcasts: after a jump ahead of ten seconds or
    more, time continues from the value before the jump. Without it, a jump of less than an hour is a gap. A clock that
    runs backward is joined in any container. ``end_s`` is the end of the video as stated by the container: any jump up
    to there is a gap. A single frame with a wrong stamp is shown after the frame before it.
    """

    def __init__(
        self,
        start_s: float | None,
        interval_s: float,
        *,
        clock_may_restart: bool = False,
        end_s: float | None = None,
    ) -> None:
        self._offset_s = start_s
        self._interval_s = interval_s
        self._clock_may_restart, self._end_s = clock_may_restart, end_s
        self._last_s: float | None = None

    def times(self, frames: Iterable[tuple[float | None, T]]) -> Iterator[tuple[float, T]]:
        """Yield (time, frame) from (timestamp, frame); the timestamp is None if missing.

        Timestamps are in seconds on the container's clock. A frame whose timestamp jumps is held until the next frame
        shows whether the clock stays there.
        """
        held: tuple[float, T] | None = None
        for stamp_s, frame in frames:
            if held is not None:
                yield self._settle(held[0], stamp_s), held[1]
                held = None
            if stamp_s is not None and self._jumps(stamp_s):
                held = stamp_s, frame
            else:
                yield self._advance(stamp_s), frame
            del frame  # it may occupy a lot of memory
        if held is not None:
            yield self._settle(held[0], None), held[1]

    def _jumps(self, stamp_s: float) -> bool:
        if self._offset_s is None:
            self._offset_s = stamp_s
        time_s = stamp_s - self._offset_s
        if self._last_s is None:
            return abs(time_s) >= JUMP_S
        return time_s >= self._last_s + JUMP_S or time_s < self._last_s

    def _advance(self, stamp_s: float | None) -> float:
        """Return the time of a frame that continues the previous one."""
        last_s = self._last_s
        time_s = None if stamp_s is None or self._offset_s is None else stamp_s - self._offset_s
        if last_s is None:
            now_s = max(0.0, time_s or 0.0)
        elif time_s is None:
            now_s = last_s + self._interval_s
        else:
            # After damage or rounding, a timestamp may precede the previous frame's.
            now_s = time_s if time_s > last_s else last_s + self._interval_s / 16
        self._last_s = now_s
        return now_s

    def _settle(self, stamp_s: float, next_s: float | None) -> float:
        """Return the time of a frame whose stamp jumped, given the next frame's stamp."""
        assert self._offset_s is not None
        last_s, interval_s = self._last_s, self._interval_s
        before_s = (last_s or 0.0) + self._offset_s  # the stamp of the previous frame
        if self._is_gap(stamp_s - before_s, None if next_s is None else next_s - stamp_s, stamp_s):
            return self._advance(stamp_s)
        if next_s is None:
            return self._advance(None)
        if abs(next_s - stamp_s) < abs(next_s - before_s - 2 * interval_s):
            # The clock stays there: join the two.
            self._offset_s = stamp_s - (0.0 if last_s is None else last_s + interval_s)
        elif last_s is not None and next_s > before_s:
            return self._advance(min(before_s + interval_s, (before_s + next_s) / 2))
        return self._advance(None)

    def _is_gap(self, ahead_s: float, next_s: float | None, stamp_s: float) -> bool:
        """Return whether a jump of ``ahead_s`` seconds is a gap, not a clock jump.

        ``next_s`` is the time from this frame to the next one.
        """
        if ahead_s <= 0 or (self._clock_may_restart and self._last_s is not None):
            return False
        if next_s is not None and next_s <= -JUMP_S:
            return False  # the frame's stamp is wrong
        if ahead_s < _HOUR_S or self._last_s is None:
            return True
        assert self._offset_s is not None
        stated = self._end_s is not None and stamp_s - self._offset_s <= self._end_s + self._interval_s
        return stated or (next_s is not None and next_s >= JUMP_S)
