"""The state of a run for viewers: the newest image and row, and the run's status."""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

from fer_edge.rendering.palette import Color, choose_text_color, color_of
from fer_edge.rendering.view import View
from fer_edge.runtime.system import read_temperature
from fer_edge.sinks.base import RunStatus
from fer_edge.sinks.http.encoded_image import ImageRate, SharedJpeg
from fer_edge.sinks.http.history import HISTORY_S, FaceHistory
from fer_edge.sinks.http.latest import Latest
from fer_edge.types import FaceResult, StreamInfo

__all__ = ["STALLED_S", "LiveState", "LiveStatus"]

STALLED_S: Final = 5.0
"""A run counts as stalled after this many seconds without a frame."""

_ROW_EVERY_S: Final = 1 / 16
_FPS_OVER_S: Final = 2.0
_FPS_FRAMES: Final = 5  # minimum number of frames for the rate, however old they are
_TEMPERATURE_EVERY_S: Final = 2.0
_MAX_EVENTS: Final = 100  # rule events kept for slow viewers


class LiveStatus(TypedDict):
    """The status of a run.

    ``state`` is starting, running or stalled. ``frame_age_s`` is None before the first frame.
    """

    state: str
    source: str
    live: bool
    time_s: float
    frames: int
    frames_dropped: int
    reconnects: int
    faces: int
    fps: float
    frame_age_s: float | None
    temperature_c: float | None
    viewers: int


class LiveState:
    """Receives every result of a run and passes the newest one to viewers.

    Viewers run in other threads. ``images`` and ``rows`` hold the newest image and row; a row is one JSON
    object as bytes. ``labels`` are the labels of the model.
    """

    def __init__(self, status: RunStatus, labels: tuple[str, ...], stream: StreamInfo) -> None:
        self.images: Latest[SharedJpeg] = Latest()
        self.rows: Latest[bytes] = Latest()
        self.labels = labels
        self._run, self._stream = status, stream
        self._started = time.monotonic()
        self._history = FaceHistory()
        self._faces: tuple[FaceResult, ...] = ()
        self._times: deque[float] = deque(maxlen=240)
        self._image_rate = ImageRate()
        self._row_at = float("-inf")
        self._temperature: tuple[float, float | None] = (float("-inf"), None)
        self._event_number = 0
        self._events: deque[tuple[int, bytes]] = deque(maxlen=_MAX_EVENTS)

    def begin(self, stream: StreamInfo) -> None:
        """Begin another stream."""
        self._stream = stream

    def handle_view(self, view: View) -> None:
        """Take the result of a frame; its image is used only while there are viewers."""
        now = time.monotonic()
        self._faces = view.faces
        self._times.append(now)
        self._history.add(view.faces, now - self._started)
        if self.images.watchers and self._image_rate.is_due(now):
            self.images.put(SharedJpeg(view.image(), self._image_rate))
        if self.rows.watchers and now - self._row_at >= _ROW_EVERY_S:
            self._row_at = now
            self.rows.put(self._format_row(view, now))

    def send_event(self, event: Mapping[str, Any]) -> None:
        """Pass a rule event, as JSON, to the current viewers."""
        self._event_number += 1
        self._events.append((self._event_number, json.dumps(event).encode()))

    @property
    def event_number(self) -> int:
        """The number of the newest event; 0 before the first one."""
        return self._event_number

    def events_after(self, number: int) -> list[tuple[int, bytes]]:
        """Return the numbers and events after a number; if there are many, the newest."""
        return [event for event in tuple(self._events) if event[0] > number]

    def end(self) -> None:
        """Tell all viewers that the run is over."""
        self.images.end()
        self.rows.end()

    def _format_row(self, view: View, now: float) -> bytes:
        row: dict[str, Any] = {**view.as_record(), "live_s": round(now - self._started, 3), "size": view.size}
        for face, record in zip(view.faces, row["faces"], strict=True):
            record["label"] = face.label  # the label drawn in the image
        return json.dumps(row).encode()

    def describe(self) -> Mapping[str, Any]:
        """Return what a page needs once: labels, their colors, and the face history."""
        colors = [color_of(label, self.labels) for label in self.labels]
        return {
            "labels": self.labels,
            "colors": [_css(color) for color in colors],
            "inks": [_css(choose_text_color(color)) for color in colors],
            "history_s": HISTORY_S,
            "history": self._history.as_list(),
        }

    def status(self) -> LiveStatus:
        """Return the current status of the run."""
        now = time.monotonic()
        times = tuple(self._times)
        age = now - times[-1] if times else None
        stalled = age is not None and age > STALLED_S
        return {
            "state": "starting" if age is None else "stalled" if stalled else "running",
            "source": self._stream.name,
            "live": self._stream.live,
            "time_s": round(now - self._started, 3),
            "frames": self._run.frames,
            "frames_dropped": self._run.frames_dropped,
            "reconnects": self._run.reconnects,
            "faces": 0 if stalled else len(self._faces),
            "fps": 0.0 if stalled else round(_compute_fps(times), 1),
            "frame_age_s": None if age is None else round(age, 3),
            "temperature_c": self._read_temperature(now),
            "viewers": self.images.watchers,
        }

    def rule_counts(self) -> Mapping[str, int]:
        """Return the number of events of each rule."""
        return dict(self._run.events)

    def shares(self) -> dict[str, float]:
        """Return the share of each label among the faces in view, 0 to 1."""
        faces = self._faces if self.status()["state"] == "running" else ()
        counts = Counter(face.emotion for face in faces)
        return {label: counts[label] / max(1, len(faces)) for label in self.labels}

    def _read_temperature(self, now: float) -> float | None:
        read_at, value = self._temperature
        if now - read_at >= _TEMPERATURE_EVERY_S:
            value = read_temperature()
            self._temperature = now, value
        return value


def _compute_fps(times: Sequence[float]) -> float:
    """Return the frame rate over the last seconds, or at least the last few frames."""
    recent = sum(time_ > times[-1] - _FPS_OVER_S for time_ in times) if times else 0
    span = times[-max(recent, _FPS_FRAMES) :]
    return (len(span) - 1) / (span[-1] - span[0]) if len(span) > 1 and span[-1] > span[0] else 0.0


def _css(color: Color) -> str:
    blue, green, red = color
    return f"#{red:02x}{green:02x}{blue:02x}"
