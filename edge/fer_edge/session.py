"""One run: a source through the pipeline into sinks, and what it came to."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Event
from typing import TypedDict

from fer_edge._version import __version__
from fer_edge.models.find_model import ModelFile
from fer_edge.pipeline import Pipeline
from fer_edge.rendering.view import View
from fer_edge.sinks.base import Sink
from fer_edge.types import FrameResult, SkippedInput

__all__ = ["RunStatistics", "RunSummary", "Session", "StopConditions", "build_summary"]

OnResult = Callable[[FrameResult | SkippedInput], None]


@dataclass(frozen=True, slots=True)
class StopConditions:
    """Where to stop: after so many frames, or seconds of the source's clock (of the run's for still images)."""

    frames: int | None = None
    seconds: float | None = None


@dataclass(slots=True)
class RunStatistics:
    """What a run came to so far. ``duration_s``: from the first frame asked for to the last result written."""

    frames: int = 0
    faces: int = 0
    frames_with_faces: int = 0
    emotions: dict[str, int] = field(default_factory=dict)
    duration_s: float = 0.0
    errors: list[str] = field(default_factory=list)

    @property
    def fps(self) -> float:
        """Frames per second of wall time."""
        return self.frames / self.duration_s if self.duration_s > 0 else 0.0

    def add(self, result: FrameResult | SkippedInput) -> None:
        """Count a frame and its faces, or an image that could not be read."""
        if isinstance(result, SkippedInput):
            self.errors.append(result.error)
            return
        self.frames += 1
        self.faces += len(result.faces)
        self.frames_with_faces += bool(result.faces)
        for face in result.faces:
            self.emotions[face.emotion] = self.emotions.get(face.emotion, 0) + 1


class Session:
    """Brings every result of a pipeline into every sink, and counts.

    ``mirror`` flips images left to right, never coordinates. ``statistics`` grow as the run goes on; what was
    written before an error is in them.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        sinks: Sequence[Sink],
        stop: StopConditions = StopConditions(),
        *,
        mirror: bool = False,
    ) -> None:
        self.statistics = RunStatistics()
        self._pipeline, self._sinks = pipeline, sinks
        self._conditions = stop
        self._mirror = mirror
        self._stop = Event()

    def run(self, on_result: OnResult | None = None) -> RunStatistics:
        """Run to the end of the source, to a stop condition, or until a sink sets the stop event.

        ``on_result`` is called after each result was written. The sinks are closed at every exit, complete
        with what they took before an error.
        """
        statistics, limits = self.statistics, self._conditions
        started = time.perf_counter()
        with ExitStack() as stack:
            for sink in self._sinks:
                stack.callback(sink.close)
                sink.open(self._pipeline.stream, self._stop)
            for result in self._pipeline:
                if limits.seconds is not None and _clock(result, started) >= limits.seconds:
                    break
                self._write(result)
                statistics.duration_s = time.perf_counter() - started
                statistics.add(result)
                if on_result is not None:
                    on_result(result)
                if self._stop.is_set() or statistics.frames + len(statistics.errors) == limits.frames:
                    break
                del result  # whose image may be large, before the next is read
        return statistics

    def _write(self, result: FrameResult | SkippedInput) -> None:
        seen = result if isinstance(result, SkippedInput) else View(result, mirror=self._mirror)
        latencies = self._pipeline.latencies
        started = time.perf_counter()
        for sink in self._sinks:
            sink.write(seen)
        spent = time.perf_counter() - started
        draw_s = seen.draw_s if isinstance(seen, View) else None
        if draw_s is not None:
            latencies.add("draw", draw_s)
        if self._sinks:
            latencies.add("write", spent - (draw_s or 0.0))


def _clock(result: FrameResult | SkippedInput, started: float) -> float:
    time_s = result.frame.time_s if isinstance(result, FrameResult) else None
    return time.perf_counter() - started if time_s is None else time_s


class RunSummary(TypedDict):
    """The object that ``--summary`` writes."""

    version: str
    source: str
    model: dict[str, str]
    detector: str
    threads: int
    frames: int
    frames_dropped: int
    faces: int
    duration_s: float
    fps: float
    stages: dict[str, dict[str, float | None]]
    errors: list[str]


def build_summary(
    statistics: RunStatistics, pipeline: Pipeline, *, model: ModelFile, detector: str, threads: int
) -> RunSummary:
    """Put together the summary of a run so far."""
    return {
        "version": __version__,
        "source": pipeline.stream.name,
        "model": {"name": model.spec.name, "variant": model.spec.variant, "sha256": model.sha256},
        "detector": detector,
        "threads": threads,
        "frames": statistics.frames,
        "frames_dropped": pipeline.frames_dropped,
        "faces": statistics.faces,
        "duration_s": round(statistics.duration_s, 6),
        "fps": round(statistics.fps, 3),
        "stages": pipeline.latencies.as_dict(),
        "errors": statistics.errors,
    }
