"""When each frame of a video is shown: the container's times, made to run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

__all__ = ["JUMP_S", "PresentationClock"]

T = TypeVar("T")

JUMP_S: Final = 10.0  # which FFmpeg, too, takes for another clock
_HOUR_S: Final = 3600.0  # a stamp that is so far ahead of one frame alone is another clock's


class PresentationClock:
    """Seconds since the video's start, as players show them, strictly rising.

    ``start_s`` is the container's start time; None takes the first frame's. ``interval_s`` is the nominal time
    from frame to frame, which serves where frames have no time. ``joins`` says that the container's clock may
    start again in the middle, as broadcasts' does: a jump ahead of ten seconds then goes on where the time
    before it ended; elsewhere one of less than an hour is a gap. A clock that runs
    back is joined in any container. ``end_s`` is when the video ends as the container states it: until then any
    gap is one. A lone frame whose stamp is off is shown after the one before it.
    """

    def __init__(
        self,
        start_s: float | None,
        interval_s: float,
        *,
        joins: bool = False,
        end_s: float | None = None,
    ) -> None:
        self._offset_s = start_s
        self._interval_s = interval_s
        self._joins, self._end_s = joins, end_s
        self._last_s: float | None = None

    def times(self, frames: Iterable[tuple[float | None, T]]) -> Iterator[tuple[float, T]]:
        """Frames with their times, from frames with their stamps in the container's clock, None where missing.

        A frame whose stamp jumps waits for the next one, which tells whether the clock stays there.
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
            del frame  # it may hold much memory
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
        """The time of a frame that follows the one before it."""
        last_s = self._last_s
        time_s = None if stamp_s is None or self._offset_s is None else stamp_s - self._offset_s
        if last_s is None:
            now_s = max(0.0, time_s or 0.0)
        elif time_s is None:
            now_s = last_s + self._interval_s
        else:
            # A damaged stretch or rounding may put a frame before the one that was shown.
            now_s = time_s if time_s > last_s else last_s + self._interval_s / 16
        self._last_s = now_s
        return now_s

    def _settle(self, stamp_s: float, next_s: float | None) -> float:
        """The time of a frame whose stamp jumped, now that the next frame's stamp is known."""
        assert self._offset_s is not None
        last_s, interval_s = self._last_s, self._interval_s
        before_s = (last_s or 0.0) + self._offset_s  # the stamp of the frame before it
        if self._is_gap(stamp_s - before_s, None if next_s is None else next_s - stamp_s, stamp_s):
            return self._advance(stamp_s)
        if next_s is None:
            return self._advance(None)
        if abs(next_s - stamp_s) < abs(next_s - before_s - 2 * interval_s):
            # The clock stays there: the two are joined.
            self._offset_s = stamp_s - (0.0 if last_s is None else last_s + interval_s)
        elif last_s is not None and next_s > before_s:
            return self._advance(min(before_s + interval_s, (before_s + next_s) / 2))
        return self._advance(None)

    def _is_gap(self, ahead_s: float, next_s: float | None, stamp_s: float) -> bool:
        """Whether nothing is shown for so many seconds, rather than that the clock jumped ahead.

        ``next_s`` is the time from the frame to the next one.
        """
        if ahead_s <= 0 or (self._joins and self._last_s is not None):
            return False
        if next_s is not None and next_s <= -JUMP_S:
            return False  # the frame's stamp is off
        if ahead_s < _HOUR_S or self._last_s is None:
            return True
        assert self._offset_s is not None
        stated = self._end_s is not None and stamp_s - self._offset_s <= self._end_s + self._interval_s
        return stated or (next_s is not None and next_s >= JUMP_S)
