"""Live sources: when a frame came, one connection to a camera, and why one failed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, Self

from fer_edge.types import Frame

__all__ = ["Arrival", "CameraFault", "LiveClock", "LiveConnection", "RecordingEnded", "Stamp"]

_LEAST_STEP_S: Final = 1e-6  # of a row's decimals: times rise strictly


@dataclass(frozen=True, slots=True)
class Arrival:
    """When something arrived: ``moment_s`` on the monotonic clock, ``clock`` on the wall, with its offset from UTC."""

    moment_s: float
    clock: datetime

    @classmethod
    def now(cls) -> Self:
        """This moment."""
        return cls(time.monotonic(), datetime.now().astimezone())

    @property
    def age_s(self) -> float:
        """Seconds since then."""
        return time.monotonic() - self.moment_s


@dataclass(frozen=True, slots=True)
class Stamp:
    """A frame's number, its time in seconds since the first frame of the run, and the wall clock's time."""

    index: int
    time_s: float
    clock: datetime


class LiveClock:
    """Numbers and times of a run's frames: both run on, however often the camera is lost and comes back.

    The times are those of arrival: what a camera stamps may jump, start again or run at another speed.
    """

    def __init__(self) -> None:
        self._next = 0
        self._first_s: float | None = None
        self._last_s = -_LEAST_STEP_S

    @property
    def frames(self) -> int:
        """How many frames there were, those that were left out included."""
        return self._next

    def stamp(self, arrival: Arrival, skipped: int = 0) -> Stamp:
        """The stamp of the next frame, which came after so many others that nobody took."""
        if self._first_s is None:
            self._first_s, skipped = arrival.moment_s, 0
        self._last_s = max(arrival.moment_s - self._first_s, self._last_s + _LEAST_STEP_S)
        index = self._next + skipped
        self._next = index + 1
        return Stamp(index, self._last_s, arrival.clock)


class CameraFault(Exception):  # noqa: N818  (the source that tries again makes an error of it)
    """A camera cannot be opened, or gives no more frames: for which reason, and what to do.

    ``permanent``: trying again will not help, such as for a wrong password. ``at_once``: the camera had given frames
    for a while, so that it is worth trying again without waiting.
    """

    def __init__(self, reason: str, remedy: str, *, permanent: bool = False) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason, self.remedy, self.permanent = reason, remedy, permanent
        self.at_once = False


class RecordingEnded(CameraFault):
    """What a camera's address gave was a recording, and it has ended."""


class LiveConnection(Protocol):
    """One connection to a camera, from its opening until it is lost.

    ``size`` (width, height) in pixels and ``frame_rate`` in frames per second are known after opening; None where the
    camera does not state them.
    """

    size: tuple[int, int] | None
    frame_rate: float | None

    def open(self) -> None:
        """Connect within some seconds; raises CameraFault, and InterruptedError where it is closed meanwhile."""

    def __iter__(self) -> Iterator[Frame]:
        """The frames, the newest where they come faster than they are taken.

        Raises CameraFault when no more come, InterruptedError once it is closed.
        """

    def close(self) -> None:
        """End it, in whatever thread it is used; does not wait for a driver or a network that does not answer."""

    def join(self, timeout_s: float) -> None:
        """Wait until it has ended, at most so long."""
