"""One run: a source through the pipeline into sinks, and what it came to."""

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
from fer_edge.runtime.shutdown import raise_if_interrupted
from fer_edge.sinks.base import IdleSink, RunStatus, Sink
from fer_edge.statistics import PersonSummary, RunStatistics, WarningCollector, compute_shares
from fer_edge.types import Discontinuity, FrameResult, SkippedInput

__all__ = ["RunSummary", "Session", "StopConditions", "build_summary"]

OnResult = Callable[[FrameResult | SkippedInput], None]


@dataclass(frozen=True, slots=True)
class StopConditions:
    """Where to stop: after so many frames, or seconds of the source's clock (of the run's for still images)."""

    frames: int | None = None
    seconds: float | None = None


class Session:
    """Brings every result of a pipeline into every sink, and counts.

    ``mirror`` flips images left to right, never coordinates; ``ids`` draws each face's id. ``hide`` makes faces
    unrecognisable in every image, for which results wait half a second. ``on_finished`` is told of each of several
    sources that was read to its end, once its results are written. ``statistics`` grow as the run goes on; what was
    written before an error is in them. ``status`` is kept up to date for whoever watches the run. ``events`` follows
    rules, whose actions are ended with the run.
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
        self._newest = (0.0, 0.0)  # a live source's: its time, and when it came on the monotonic clock
        self._size = (0, 0)  # and its size in pixels
        pipeline.on_idle = self._pass_time

    def run(self, on_result: OnResult | None = None) -> RunStatistics:
        """Run to the end of the source, to a stop condition, or until a sink sets the stop event.

        ``on_result`` is called after each result was written. The sinks are closed at every exit, complete
        with what they took before an error.
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
                stack.callback(
                    self._events.close
                )  # after the sinks: it may wait for what an action still does
            for sink in self._sinks:
                stack.callback(sink.close)
                sink.open(self._pipeline.stream, self._stop)
            stack.callback(self._flush)
            for result in self._pipeline:
                raise_if_interrupted()
                if isinstance(result, Discontinuity):
                    if not self._shows_the_same(result):
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
                del result  # whose image may be large, before the next is read
        return statistics

    def _take(self, result: FrameResult | SkippedInput) -> None:
        """Deliver a result or, where faces are hidden, those before it that have waited long enough."""
        if self._events is not None and isinstance(result, FrameResult):
            self._events.take(result)
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
        """Deliver what has waited long enough while nothing comes, such as from a camera that is lost."""
        for sink in self._sinks:
            if isinstance(sink, IdleSink):
                sink.idle()
        if self._anonymizer is not None:
            newest_s, came_at = self._newest
            for ready, covers in self._anonymizer.release(newest_s + time.monotonic() - came_at):
                self._deliver(ready, covers)

    def _flush(self) -> None:
        """Deliver the results that wait."""
        if self._anonymizer is not None:
            for ready, covers in self._anonymizer.flush():
                self._deliver(ready, covers)

    def _deliver(self, result: FrameResult | SkippedInput, covers: Sequence[Cover] = ()) -> None:
        try:
            self._write(result, covers)
            self.statistics.duration_s = time.perf_counter() - self._started
            self.statistics.add(result)
            self._status.frames = self.statistics.frames
            self._status.frames_dropped = self._pipeline.frames_dropped
            if self._on_result is not None:
                self._on_result(result)
        except Exception:
            self._anonymizer = None  # what waits cannot be written either
            raise

    def _shows_the_same(self, change: Discontinuity) -> bool:
        """Whether a camera is back with images like those before: faces stay hidden where they were a moment ago."""
        return change.stream is not None and change.stream.live and change.stream.size == self._size

    def _begin(self, change: Discontinuity) -> None:
        """Tell the sinks of the stream that comes next, and whoever wants to know of the one that ended."""
        if change.finished is not None and self._on_finished is not None:
            self._on_finished(change.finished)
        if change.stream is not None:
            self._status.reconnects = change.stream.reconnects
            if self._events is not None:
                if change.stream.live:
                    self._events.interrupt()
                else:
                    self._events.reset()
            if not change.stream.live:  # whose clock runs on
                self._clock_base_s += self._last_s
                self._last_s, self._start_s = 0.0, change.stream.start_s
            for sink in self._sinks:
                sink.open(change.stream, self._stop)

    def _clock(self, result: FrameResult | SkippedInput, started: float) -> float:
        """Seconds of the sources' clocks, one after the other; of the run for what has none."""
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
    """Sets an event after a time, also where no frame comes any more; a context manager."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._timer: Timer | None = None

    def set(self, seconds: float | None) -> None:
        """Let it be so many seconds from now on, instead of what was set before; None: never."""
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
    """Put together the summary of a run so far; ``sources`` are named where there are several."""
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
