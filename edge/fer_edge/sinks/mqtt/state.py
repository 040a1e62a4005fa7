"""The current state of a run, and when a change is worth publishing."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Final, TypedDict

from fer_edge.rendering.view import View
from fer_edge.sinks.base import RunStatus
from fer_edge.types import FaceResult

__all__ = ["NOBODY", "StateRecord", "StateTracker"]

NOBODY: Final = "none"
"""The emotion of an empty scene."""

_MIN_S: Final = 0.5  # minimum time between two states
_MAX_S: Final = 30.0  # maximum time without a state
_STALE_S: Final = 10.0  # after this time without a frame the scene is unknown
_WINDOW_S: Final = 10.0  # window for the frame rate
_MARGIN: Final = 0.1  # smaller changes of the score do not count


class StateRecord(TypedDict):
    """The state of a run as JSON.

    ``emotion`` and ``score`` belong to the largest face; without a face they are ``none`` and null. ``faces``
    is the number of faces in view. All three are null before the first frame and after ten seconds without a
    frame. ``fps`` is the frame rate of the last ten seconds. ``clock`` and ``time_s`` are those of the last
    frame.
    """

    emotion: str | None
    score: float | None
    faces: int | None
    fps: float
    reconnects: int
    frames_dropped: int
    source: str | None
    clock: str | None
    time_s: float | None


@dataclass(frozen=True, slots=True)
class _LastFrame:
    """The last frame, without its pixels, and its arrival time on the tracker's clock."""

    source: str
    clock: datetime | None
    time_s: float | None
    faces: tuple[FaceResult, ...]
    now_s: float


class StateTracker:
    """Tracks the state of the scene.

    The run calls ``see``; any thread may call the other methods. ``now_s`` is the caller's monotonic clock in
    seconds.
    """

    def __init__(self, status: RunStatus) -> None:
        self._status = status
        self._lock = Lock()
        self._last: _LastFrame | None = None
        self._frames = 0
        self._samples: deque[tuple[float, int]] = deque()
        self._published: StateRecord | None = None
        self._published_s = self._checked_s = float("-inf")

    def see(self, view: View, now_s: float) -> None:
        """Record a frame."""
        self._frames += 1
        self._last = _LastFrame(view.source, view.clock, view.time_s, view.faces, now_s)

    def take_change(self, now_s: float) -> StateRecord | None:
        """Return the state if it is due to be published, else None.

        It is due if it has changed since it was last taken, at most twice a second, and after 30 seconds in
        any case.
        """
        with self._lock:
            if now_s - self._checked_s < _MIN_S:
                return None
            self._checked_s = now_s
            self._samples.append((now_s, self._frames))
            while now_s - self._samples[0][0] > _WINDOW_S:
                self._samples.popleft()
            record = self._compose(now_s)
            if now_s - self._published_s < _MAX_S and not _differs(record, self._published):
                return None
            return self._note(record, now_s)

    def take(self, now_s: float) -> StateRecord:
        """Return the current state."""
        with self._lock:
            return self._note(self._compose(now_s), now_s)

    def _note(self, record: StateRecord, now_s: float) -> StateRecord:
        self._published, self._published_s = record, now_s
        return record

    def _compose(self, now_s: float) -> StateRecord:
        record: StateRecord = {
            "emotion": None,
            "score": None,
            "faces": None,
            "fps": self._measure_rate(now_s),
            "reconnects": self._status.reconnects,
            "frames_dropped": self._status.frames_dropped,
            "source": None,
            "clock": None,
            "time_s": None,
        }
        last = self._last
        if last is None:
            return record
        record["source"] = last.source
        record["clock"] = None if last.clock is None else last.clock.isoformat(timespec="milliseconds")
        record["time_s"] = None if last.time_s is None else round(last.time_s, 3)
        if now_s - last.now_s > _STALE_S:
            return record
        largest = max(last.faces, key=lambda face: face.box.area, default=None)
        record["faces"] = len(last.faces)
        record["emotion"] = NOBODY if largest is None else largest.emotion
        record["score"] = None if largest is None else round(largest.score, 3)
        return record

    def _measure_rate(self, now_s: float) -> float:
        if not self._samples:
            return 0.0
        first_s, first = self._samples[0]
        return round((self._frames - first) / (now_s - first_s), 1) if now_s > first_s else 0.0


def _differs(record: StateRecord, published: StateRecord | None) -> bool:
    """Return whether two states differ enough to publish the new one."""
    if published is None:
        return True
    keys = ("emotion", "faces", "reconnects", "source")
    if any(record[key] != published[key] for key in keys):  # type: ignore[literal-required]
        return True
    return abs((record["score"] or 0.0) - (published["score"] or 0.0)) >= _MARGIN
