"""A run, which writes the results of a pipeline to sinks and counts them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from threading import TIMEOUT_MAX, Event, Timer
from types import TracebackType
from typing import NotRequired, Self, TypedDict

from fer_edge._version import __version__
from fer_edge.events.dispatch import EventDispatcher
from fer_edge.models.find_model import ModelFile
from fer_edge.pipeline import Pipeline
from fer_edge.rendering.anonymize import Anonymizer, AnonymizerMode, Cover
from fer_edge.rendering.view import View
from fer_edge.runtime.shutdown import finish_before_interruption, raise_if_interrupted
from fer_edge.sinks.base import IdleSink, RunStatus, Sink
from fer_edge.statistics import PersonSummary, RunStatistics, WarningCollector, compute_shares
from fer_edge.types import Discontinuity, FrameResult, SkippedInput

__all__ = ["RunSummary", "Session", "StopConditions", "build_summary"]

OnResult = Callable[[FrameResult | SkippedInput], None]


@dataclass(frozen=True, slots=True)
class StopConditions:
    """When to stop a run; None means no limit."""

    frames: int | None = None
    seconds: float | None = None
    """Seconds on the source's clock, or of wall time for still images."""


class Session:
    """Writes every result of a pipeline to every sink and collects statistics.

    ``mirror`` flips images horizontally, never coordinates; ``ids`` draws the id of each face. ``hide`` makes faces
    unrecognizable in every image, which delays results by half a second. If several sources are read,
    ``on_finished`` is called with the name of each source after its last result is written. ``statistics`` is
    updated during the run and includes all results written before an error. ``status`` is updated during the run
    so that other threads can monitor it. ``events`` evaluates the event rules; it is closed at the end of the run.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        sinks: Sequence[Sink],
        stop: StopConditions = StopConditions(),
        *,
        mirror: bool = False,
        ids: bool = False,
        hide: AnonymizerMode | None = None,
        on_finished: Callable[[str], None] | None = None,
        status: RunStatus | None = None,
        events: EventDispatcher | None = None,
    ) -> None:
        self.statistics = RunStatistics()
        self._status = RunStatus() if status is None else status
        self._on_finished = on_finished
        self._clock_base_s = self._last_s = 0.0
        self._start_s = pipeline.stream.start_s
        self._pipeline, self._sinks = pipeline, sinks
        self._conditions = stop
        self._mirror, self._ids, self._hide = mirror, ids, hide
        self._anonymizer = None if hide is None else Anonymizer()
        self._started = 0.0
        self._events = events
        self._on_result: OnResult | None = None
        self._stop = pipeline.stop
        self._newest = (0.0, 0.0)  # newest live frame: its time, and its arrival on the monotonic clock
        self._size = (0, 0)  # its (width, height) in pixels
        pipeline.on_idle = self._pass_time

    def run(self, on_result: OnResult | None = None) -> RunStatistics:
        """Run until the source ends, a stop condition is met or the stop event is set.

        ``on_result`` is called after each result is written. The sinks are always closed and keep the results that
        were written before an error.
        """
        statistics, limits, taken = self.statistics, self._conditions, 0
        self._on_result = on_result
        started = self._started = time.perf_counter()
        with ExitStack() as stack:
            stack.enter_context(WarningCollector(statistics))
            deadline = stack.enter_context(_Deadline(self._stop))
            if self._pipeline.stream.live:
                deadline.set(limits.seconds)
            if self._events is not None:
                # Registered first, so closed after the sinks: it may wait for actions that are still running.
                stack.callback(self._events.close)
            for sink in self._sinks:
                stack.callback(sink.close)
                sink.open(self._pipeline.stream, self._stop)
            stack.callback(self._flush)
            for result in self._pipeline:
                raise_if_interrupted()
                if isinstance(result, Discontinuity):
                    if not self._is_same_stream(result):
                        self._flush()
                    self._begin(result)
                    continue
                if limits.seconds is not None and self._clock(result, started) >= limits.seconds:
                    break
                if taken == 0 and self._pipeline.stream.live:
                    deadline.set(limits.seconds)
                taken += 1
                self._take(result)
                if self._stop.is_set() or taken == limits.frames:
                    break
                del result  # free the image, which may be large, before the next one is read
        return statistics

    def _take(self, result: FrameResult | SkippedInput) -> None:
        """Deliver a result or, if faces are hidden, the earlier results that are due."""
        with finish_before_interruption():  # a frame is in all outputs and statistics, or in none
            self._process(result)

    def _process(self, result: FrameResult | SkippedInput) -> None:
        if self._events is not None and isinstance(result, FrameResult):
            self._events.handle_result(result)
        if self._anonymizer is None:
            self._deliver(result)
        elif isinstance(result, SkippedInput):
            self._flush()
            self._deliver(result)
        else:
            self._newest, self._size = (result.frame.time_s or 0.0, time.monotonic()), result.frame.size
            for ready, covers in self._anonymizer.add(result):
                self._deliver(ready, covers)

    def _pass_time(self) -> None:
        """Deliver the results that are due while the source delivers nothing.

        This happens, for example, while the connection to a camera is down.
        """
        for sink in self._sinks:
            if isinstance(sink, IdleSink):
                sink.idle()
        if self._anonymizer is not None:
            newest_s, came_at = self._newest
            for ready, covers in self._anonymizer.release(newest_s + time.monotonic() - came_at):
                self._deliver(ready, covers)

    def _flush(self) -> None:
        """Deliver all delayed results."""
        if self._anonymizer is not None:
            for ready, covers in self._anonymizer.flush():
                self._deliver(ready, covers)

    def _deliver(self, result: FrameResult | SkippedInput, covers: Sequence[Cover] = ()) -> None:
        try:
            with finish_before_interruption():
                self._write(result, covers)
                self.statistics.duration_s = time.perf_counter() - self._started
                self.statistics.add(result)
                self._status.frames = self.statistics.frames
                self._status.frames_dropped = self._pipeline.frames_dropped
                if self._on_result is not None:
                    self._on_result(result)
        except Exception:
            self._anonymizer = None  # the delayed results cannot be written either
            raise

    def _is_same_stream(self, change: Discontinuity) -> bool:
        """Return whether a live source reconnected with the same frame size.

        Faces then stay hidden where they were before the interruption.
        """
        return change.stream is not None and change.stream.live and change.stream.size == self._size

    def _begin(self, change: Discontinuity) -> None:
        """Report the finished source, and open the sinks for the stream that follows."""
        if change.finished is not None and self._on_finished is not None:
            self._on_finished(change.finished)
        if change.stream is not None:
            self._status.reconnects = change.stream.reconnects
            if self._events is not None:
                if change.stream.live:
                    self._events.interrupt()
                else:
                    self._events.reset()
            if not change.stream.live:  # the clock of a live source continues across a reconnect
                self._clock_base_s += self._last_s
                self._last_s, self._start_s = 0.0, change.stream.start_s
            for sink in self._sinks:
                sink.open(change.stream, self._stop)

    def _clock(self, result: FrameResult | SkippedInput, started: float) -> float:
        """Return the seconds elapsed on the clocks of all sources so far.

        Still images have no clock and count wall time.
        """
        time_s = result.frame.time_s if isinstance(result, FrameResult) else None
        if time_s is None:
            return time.perf_counter() - started
        self._last_s = time_s - self._start_s
        return self._clock_base_s + self._last_s

    def _write(self, result: FrameResult | SkippedInput, covers: Sequence[Cover]) -> None:
        hidden = None if self._hide is None else (self._hide, covers)
        seen = (
            result
            if isinstance(result, SkippedInput)
            else View(result, mirror=self._mirror, ids=self._ids, hidden=hidden)
        )
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


class _Deadline:
    """A context manager that sets an event after a delay, even if no frames arrive."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._timer: Timer | None = None

    def set(self, seconds: float | None) -> None:
        """Replace the deadline: ``seconds`` from now, or never if None."""
        self._cancel()
        if seconds is not None:
            self._timer = Timer(min(seconds, TIMEOUT_MAX), self._stop.set)
            self._timer.daemon = True
            self._timer.start()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cancel()


class RunSummary(TypedDict):
    """The object that ``--summary`` writes."""

    version: str
    source: NotRequired[str]
    sources: NotRequired[list[str]]
    started: str
    model: dict[str, str]
    detector: str
    threads: int
    frames: int
    frames_dropped: int
    reconnects: int
    faces: int
    emotions: dict[str, float]
    people: list[PersonSummary]
    duration_s: float
    fps: float
    stages: dict[str, dict[str, float | None]]
    warnings: list[str]
    errors: list[str]


def build_summary(
    statistics: RunStatistics,
    pipeline: Pipeline,
    *,
    model: ModelFile,
    detector: str,
    threads: int,
    sources: Sequence[str] = (),
) -> RunSummary:
    """Build the summary of a run so far; pass ``sources`` if there are several."""
    summary: RunSummary = {
        "version": __version__,
        "started": statistics.started.isoformat(timespec="milliseconds"),
        "model": {"name": model.spec.name, "variant": model.spec.variant, "sha256": model.sha256},
        "detector": detector,
        "threads": threads,
        "frames": statistics.frames,
        "frames_dropped": pipeline.frames_dropped,
        "reconnects": pipeline.stream.reconnects,
        "faces": statistics.faces,
        "emotions": compute_shares(statistics.emotions),
        "people": statistics.summarize_people(),
        "duration_s": round(statistics.duration_s, 6),
        "fps": round(statistics.fps, 3),
        "stages": pipeline.latencies.as_dict(),
        "warnings": statistics.list_warnings(),
        "errors": statistics.errors,
    }
    if len(sources) > 1:
        summary["sources"] = [*sources]
    else:
        summary["source"] = pipeline.stream.name
    return summary
