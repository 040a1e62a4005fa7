"""Types for live sources: arrival times, camera connections and camera faults."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, Self

from fer_edge.types import Frame

__all__ = ["Arrival", "CameraFault", "FrameStamp", "LiveClock", "LiveConnection", "RecordingEnded"]

_MIN_STEP_S: Final = 1e-6  # the last decimal in a row: times increase strictly


@dataclass(frozen=True, slots=True)
class Arrival:
    """The time of an arrival.

    ``moment_s`` is on the monotonic clock, ``clock`` is the wall-clock time with its UTC offset.
    """

    moment_s: float
    clock: datetime

    @classmethod
    def now(cls) -> Self:
        """Return the current time."""
        return cls(time.monotonic(), datetime.now().astimezone())

    @property
    def age_s(self) -> float:
        """Seconds since the arrival."""
        return time.monotonic() - self.moment_s


@dataclass(frozen=True, slots=True)
class FrameStamp:
    """A frame's number and times.

    ``time_s`` is in seconds since the run's first frame, ``clock`` is the wall-clock time.
    """

    index: int
    time_s: float
    clock: datetime


class LiveClock:
    """Numbers the frames of a run and assigns their times.

    Both continue across lost connections. Times are arrival times, because a camera's own timestamps may jump,
    restart or run at a different speed.
    """

    def __init__(self) -> None:
        self._next = 0
        self._first_s: float | None = None
        self._last_s = -_MIN_STEP_S

    @property
    def frames(self) -> int:
        """The number of frames, including skipped ones."""
        return self._next

    def stamp(self, arrival: Arrival, skipped: int = 0) -> FrameStamp:
        """Return the stamp of the next frame; ``skipped`` frames before it were not used."""
        if self._first_s is None:
            self._first_s, skipped = arrival.moment_s, 0
        self._last_s = max(arrival.moment_s - self._first_s, self._last_s + _MIN_STEP_S)
        index = self._next + skipped
        self._next = index + 1
        return FrameStamp(index, self._last_s, arrival.clock)


class CameraFault(Exception):  # noqa: N818  (becomes a SourceError in the source that reconnects)
    """A camera cannot be opened or has stopped delivering frames.

    ``reason`` is what is wrong, ``remedy`` what to do, or empty, and ``hint`` what to do on the command line.
    ``permanent`` means that retrying does not help, for example after a wrong password. ``at_once`` means that the
    camera had delivered frames for a while, so that it is worth retrying without a delay.
    """

    def __init__(
        self, reason: str, remedy: str = "", *, hint: str | None = None, permanent: bool = False
    ) -> None:
        super().__init__(f"{reason}; {remedy}" if remedy else reason)
        self.reason, self.remedy, self.hint, self.permanent = reason, remedy, hint, permanent
        self.at_once = False


class RecordingEnded(CameraFault):
    """The camera's address served a recording, and the recording has ended."""


class LiveConnection(Protocol):
    """One connection to a camera, from opening until it is lost.

    ``size`` (width, height) in pixels and ``frame_rate`` in frames per second are set by opening; None if the camera
    does not state them.
    """

    size: tuple[int, int] | None
    frame_rate: float | None

    def open(self) -> None:
        """Connect, within a few seconds.

        Raises CameraFault, or InterruptedError if the connection is closed meanwhile.
        """

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames; if they arrive faster than they are consumed, only the newest.

        Raises CameraFault when no more frames arrive, and InterruptedError after ``close``.
        """

    def close(self) -> None:
        """End the connection, whichever thread is using it.

        Does not wait for an unresponsive driver or network.
        """

    def join(self, timeout_s: float) -> None:
        """Wait until the connection has ended, for at most ``timeout_s`` seconds."""
