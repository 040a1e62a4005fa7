"""A sink that averages scores over time, to write fewer rows."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from threading import Event, RLock
from typing import Final

from fer_edge.rendering.view import View
from fer_edge.runtime.ticker import Ticker
from fer_edge.sinks.base import Sink
from fer_edge.types import EmotionScores, FaceResult, SkippedInput, StreamInfo

__all__ = ["AveragingSink"]

_ROUNDING: Final = 1e-6  # of a span: 0.12 s is the beginning of a span of 0.04 s, although 0.12 / 0.04 < 3
_TICK_S: Final = 0.5
_SLACK_S: Final = 1.0  # after the end of a span: its last frames may still be in the pipeline


@dataclass(slots=True)
class _FaceSum:
    """A face within a span: last result, sums of its scores, number of frames."""

    face: FaceResult
    sums: list[float]
    frames: int = 1

    def add(self, face: FaceResult) -> None:
        self.face = face
        self.sums = [total + value for total, value in zip(self.sums, face.scores.values, strict=True)]
        self.frames += 1

    def average(self) -> FaceResult:
        values = tuple(total / self.frames for total in self.sums)
        return replace(self.face, scores=EmotionScores(self.face.scores.labels, values))


class AveragingSink:
    """Forwards one averaged result for each span of ``seconds`` on the stream's clock.

    The result is the last frame of the span, with every face that was in view during the span: its last
    position and the mean of its scores. Skipped inputs are forwarded unchanged. In a live stream, a span is
    forwarded when its time is over, even if no frame arrives, and continues across a reconnect.
    """

    def __init__(self, sink: Sink, seconds: float) -> None:
        self._sink, self._seconds = sink, seconds
        self._span = 0.0
        self._last: View | None = None
        self._faces: dict[int, _FaceSum] = {}
        self._begun = 0.0
        self._lock = RLock()
        self._ticker = Ticker(_TICK_S, self._tick)

    def open(self, stream: StreamInfo, stop: Event) -> None:
        """Begin another stream; forward what is pending of the previous one."""
        with self._lock:
            if not stream.live:
                self.flush()
            self._sink.open(stream, stop)
        if stream.live:
            self._ticker.start()

    def write(self, result: View | SkippedInput) -> None:
        """Add a result to the current span; forward the previous span once it is over."""
        with self._lock:
            self._ticker.raise_failure()
            if isinstance(result, SkippedInput):
                self.flush()
                self._sink.write(result)
                return
            self._gather(result)

    def close(self) -> None:
        """Forward the last span and close the sink."""
        self._ticker.stop()
        try:
            self._ticker.raise_failure()
            self.flush()
        finally:
            self._sink.close()

    def flush(self) -> None:
        """Forward the current span as it is so far."""
        with self._lock:
            last, faces = self._last, self._faces
            self._last, self._faces = None, {}
            if last is not None:
                self._sink.write(last.with_faces(tuple(seen.average() for seen in faces.values())))

    def _gather(self, result: View) -> None:
        span = ((result.time_s or 0.0) + _ROUNDING * self._seconds) // self._seconds
        if span != self._span:
            self.flush()
        if self._last is None:
            self._begun = time.monotonic()
        self._span = span
        self._last = result.without_pixels()
        for face in result.faces:
            seen = self._faces.get(face.id)
            if seen is None:
                self._faces[face.id] = _FaceSum(face, list(face.scores.values))
            else:
                seen.add(face)

    def _tick(self) -> None:
        with self._lock:
            if self._last is not None and time.monotonic() >= self._begun + self._seconds + _SLACK_S:
                self.flush()
