"""When each frame of a video is shown: the container's times, made to run."""

from __future__ import annotations

from typing import Final

__all__ = ["PresentationClock"]

_JUMP_S: Final = 10.0  # what FFmpeg, too, takes for another clock


class PresentationClock:
    """Seconds since the video's start, as players show them, strictly rising.

    ``start_s`` is the container's start time. ``interval_s`` is the nominal time from frame to frame, which
    serves where frames have no time. ``joins`` says that the container's clock may start again in the
    middle, as broadcasts' does: a jump either way then goes on where the time before it ended. A clock that
    runs backwards is joined in any container.
    """

    def __init__(self, start_s: float, interval_s: float, *, joins: bool = False) -> None:
        self._offset_s = start_s
        self._interval_s = interval_s
        self._joins = joins
        self._last_s: float | None = None
        self._wild_s: float | None = None

    def time_of(self, stamp_s: float | None) -> float:
        """The time of the next frame, whose own stamp is in the container's clock, or missing."""
        last = self._last_s
        if last is None:
            time_s = 0.0 if stamp_s is None else max(0.0, stamp_s - self._offset_s)
        elif stamp_s is None:
            time_s = last + self._interval_s
        else:
            time_s = self._continue(stamp_s, last)
        self._last_s = time_s
        return time_s

    def _continue(self, stamp_s: float, last: float) -> float:
        time_s = stamp_s - self._offset_s
        jumped = time_s <= last - _JUMP_S or (self._joins and time_s >= last + _JUMP_S)
        if not jumped:
            self._wild_s = None
            # A damaged stretch or rounding may put a frame before the one that was shown.
            return time_s if time_s > last else last + self._interval_s / 16
        follows = self._wild_s is not None and abs(stamp_s - self._wild_s) < _JUMP_S
        if follows or not self._joins:
            # The clock stays where it jumped to: the two are joined.
            self._offset_s = stamp_s - (last + self._interval_s)
            self._wild_s = None
            return last + self._interval_s
        self._wild_s = stamp_s  # a lone frame, as long as the next one does not follow it
        return last + self._interval_s
