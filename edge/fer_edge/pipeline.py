"""The processing pipeline: read → detect or track → classify → smooth.

Each stage runs in its own thread. The pipeline reads its source and yields results; it writes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from fer_edge.classification.smoothing import LabelHysteresis, Smoother
from fer_edge.classification.worker_pool import ClassifierPool
from fer_edge.detectors.base import Detector
from fer_edge.errors import SourceError
from fer_edge.models.find_model import ModelFile
from fer_edge.runtime.latency import StageLatencies
from fer_edge.runtime.prefetch import ByteBudget, LatestOnly, Prefetcher
from fer_edge.sources.base import Source, SourceItem
from fer_edge.tracking.cuts import CutDetector
from fer_edge.tracking.tracker import TrackedFace, Tracker
from fer_edge.types import (
    Discontinuity,
    EmotionScores,
    FaceResult,
    Frame,
    FrameResult,
    SkippedInput,
    StreamInfo,
)

__all__ = ["Pipeline", "ResultItem"]

T = TypeVar("T")

_DEPTH: Final = 3  # frames queued between two stages
_READ_AHEAD: Final = (
    8  # frames queued before detection, since one full-frame search takes as long as many others
)
_LIVE_DEPTH: Final = 1
_END: Final = object()
_IN_FLIGHT: Final = 128 << 20  # bytes: fewer frames are in flight if they are large
_STEADY_S: Final = 0.5  # seconds over which drawn labels are smoothed while smoothing of scores is off


@dataclass(frozen=True, slots=True)
class _Tracked:
    frame: Frame
    faces: tuple[TrackedFace, ...]


_Tracking = _Tracked | SkippedInput | Discontinuity
ResultItem = FrameResult | SkippedInput | Discontinuity
"""An item that a pipeline yields: a Discontinuity only if a stream begins or has ended."""


class Pipeline:
    """Finds and classifies the faces in every frame of a source, in order.

    A context manager around an open source; iterate it once. Memory use does not grow with the length of the source.
    With one thread, everything runs in the caller's thread. With more, reading, detection and classification run in
    parallel, a few frames ahead of the caller. If ``ahead`` is false, classification runs in the caller's thread,
    which is faster if the caller does little with each result. ``classifiers`` passed by the caller stay open, so
    that several runs can share one model.

    For a live source, unprocessed frames are dropped in favor of the newest. ``smoothing`` is in seconds, 0 turns it
    off; drawn labels are always smoothed. ``flip_average`` averages the scores of each face with those of its mirror
    image. Tracking and smoothing restart at a hard cut. Face ids count from ``first_id``.

    Iteration raises the errors of the source, the detector and the classifier after yielding the preceding results.
    """

    def __init__(
        self,
        source: Source,
        detector: Detector,
        model: ModelFile,
        *,
        detect_every: int | None = None,
        smoothing: float = 0.0,
        flip_average: bool = False,
        threads: int = 1,
        ahead: bool = True,
        first_id: int = 0,
        classifiers: ClassifierPool | None = None,
    ) -> None:
        self.latencies = StageLatencies()
        self._source = source
        self._threads = threads
        self._ahead = ahead
        self._tracker, self._cuts = Tracker(detector, detect_every, first_id=first_id), CutDetector()
        # If each frame is a single face crop, there is no background from which to detect a cut.
        self._follows = detector.traits.tracked
        self._owns_classifiers = classifiers is None
        # Reading and detection use one thread each.
        self._classifiers = classifiers or ClassifierPool(
            model, max(1, threads - 2), flip_average=flip_average
        )
        self._smoothed = smoothing > 0
        self._smoother, self._labels = Smoother(smoothing or _STEADY_S), LabelHysteresis()
        self.stop = Event()
        """Ends the iteration when set, from any thread, even while the source is waiting."""
        self.on_idle: Callable[[], None] | None = None
        """Called periodically in the iterating thread while a live source delivers no frames."""
        self._stages: list[Prefetcher[Any]] = []
        self._in_flight = ByteBudget(_IN_FLIGHT, self.stop)

    @property
    def stream(self) -> StreamInfo:
        """The properties of the source."""
        return self._source.info

    @property
    def frames_dropped(self) -> int:
        """The number of live frames replaced by newer ones before they were processed."""
        return sum(stage.dropped for stage in self._stages)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop.set()
        for stage in self._stages:
            stage.join()
        if self._owns_classifiers:
            self._classifiers.close()

    def __iter__(self) -> Iterator[ResultItem]:
        items = self._read()
        if self.stream.live:
            latest = LatestOnly(items, self.stop, droppable=lambda item: isinstance(item, Frame))
            self._stages.append(latest)
            items = iter(latest)
        else:
            items = self._prefetch(items, _READ_AHEAD)
        results = self._classify_all(self._prefetch(self._track_all(items)))
        results = self._prefetch(results) if self._ahead else results
        if self.stream.live:
            self._stages[-1].on_idle = self.on_idle  # the stage that the caller waits for
        return self._release(results)

    def _prefetch(self, items: Iterator[T], depth: int = _DEPTH) -> Iterator[T]:
        """Yield the same items, computed in a separate thread if several are allowed."""
        if self._threads == 1:
            return items
        stage = Prefetcher(items, _LIVE_DEPTH if self.stream.live else depth, self.stop)
        self._stages.append(stage)
        return iter(stage)

    def _read(self) -> Iterator[SourceItem]:
        """Yield the source's items, and a Discontinuity where the frame size changes."""
        items = iter(self._source)
        size: tuple[int, int] | None = None
        while True:
            started = time.perf_counter()
            item = next(items, _END)
            if item is _END:
                return
            if not isinstance(item, Frame | SkippedInput | Discontinuity):
                raise SourceError(
                    f"{self.stream.name}: the source yielded {type(item).__name__}; expected a Frame, SkippedInput or "
                    "Discontinuity"
                )
            if isinstance(item, Frame):
                self.latencies.add("capture", time.perf_counter() - started)
                self._in_flight.take(self._bytes(item))
                if item.time_s is not None and size not in (None, item.size):
                    yield Discontinuity("size")
                size = item.size
            yield item
            del item  # free the frame, which may be large, before the next one is read

    def _release(self, results: Iterator[ResultItem]) -> Iterator[ResultItem]:
        for result in results:
            size = self._bytes(result.frame) if isinstance(result, FrameResult) else 0
            yield result
            del result
            self._in_flight.give_back(size)

    def _bytes(self, frame: Frame) -> int:
        # Live frames are not counted: few of them are queued, and dropped frames would never be released.
        width, height = frame.size
        return 0 if self.stream.live else 3 * width * height

    def _track_all(self, items: Iterator[SourceItem]) -> Iterator[_Tracking]:
        for item in items:
            if isinstance(item, Frame):
                with self.latencies.measure("detect"):
                    cut = self._follows and item.time_s is not None and self._cuts.update(item.gray)
                    if cut:
                        self._tracker.reset()
                    faces = self._tracker.update(item)
                if cut:
                    yield Discontinuity("cut")
                yield _Tracked(item, faces)
            else:
                if isinstance(item, Discontinuity):
                    self._tracker.reset()
                    self._cuts.reset()
                yield item
            del item

    def _classify_all(self, items: Iterator[_Tracking]) -> Iterator[ResultItem]:
        for item in items:
            if isinstance(item, _Tracked):
                yield self._classify(item.frame, item.faces)
            elif isinstance(item, Discontinuity):
                self._smoother.reset()
                self._labels.reset()
                if item.stream is not None or item.finished is not None:
                    yield item
            else:
                yield item
            del item

    def _classify(self, frame: Frame, faces: tuple[TrackedFace, ...]) -> FrameResult:
        with self.latencies.measure("classify"):
            scores = self._classifiers.classify(frame, [face.detection for face in faces])
        pairs = zip(faces, scores, strict=True)
        return FrameResult(frame, tuple(self._result(face, now, frame.time_s) for face, now in pairs))

    def _result(self, face: TrackedFace, now: EmotionScores, time_s: float | None) -> FaceResult:
        if time_s is None:
            return FaceResult(face.id, face.detection, now, now.emotion)
        steady = self._smoother.update(face.id, time_s, now)
        label = self._labels.update(face.id, time_s, steady)
        return FaceResult(face.id, face.detection, steady if self._smoothed else now, label)
