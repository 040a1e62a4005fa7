"""The loop: source → detect or follow → classify → smooth → results, each stage in a thread of its own.

What is done with the results is the caller's: the pipeline reads its source and writes nothing.
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

_DEPTH: Final = 3  # frames that wait between two stages
_READ_AHEAD: Final = 8  # and before detection: a frame that is searched everywhere takes as long as many
_LIVE_DEPTH: Final = 1
_IN_FLIGHT: Final = 128 << 20  # bytes of frames: fewer of them are under way where they are large
_STEADY_S: Final = 0.5  # over which drawn labels are steadied where scores are not


@dataclass(frozen=True, slots=True)
class _Tracked:
    frame: Frame
    faces: tuple[TrackedFace, ...]


_Tracking = _Tracked | SkippedInput | Discontinuity
ResultItem = FrameResult | SkippedInput | Discontinuity
"""What comes out: a Discontinuity only where a stream begins or has ended."""


class Pipeline:
    """Every frame of a source with its faces and their emotions, in order, in constant memory.

    A context manager around an open source; iterate it once. With one thread everything runs in the
    caller's; with more, reading, detection and classification run beside each other, a few frames ahead
    of the caller; without ``ahead`` classification runs in the caller's thread, which is faster where the
    caller does little with a result. ``classifiers`` that are given are used and stay open, for runs of the same
    model one after the other. Of a live source the newest frame wins. ``smoothing`` is in seconds, 0 is
    off; drawn labels are steadied all the same. ``flip_average`` averages each face's scores and those of its
    mirror image. Nothing is carried over a hard cut. Face ids count from ``first_id``.

    Iterating raises what the source, the detector and the classifier raise, after the results before it.
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
        # Where each frame is one face, cut out before, the image around it tells of no cut.
        self._follows = detector.traits.tracked
        self._owns_classifiers = classifiers is None
        # Reading and detection take a thread each.
        self._classifiers = classifiers or ClassifierPool(
            model, max(1, threads - 2), flip_average=flip_average
        )
        self._smoothed = smoothing > 0
        self._smoother, self._labels = Smoother(smoothing or _STEADY_S), LabelHysteresis()
        self.stop = Event()
        """Ends the iteration once it is set, in whatever thread and whatever the source waits for."""
        self.on_idle: Callable[[], None] | None = None
        """Called now and then in the thread that iterates, while a live source gives nothing."""
        self._stages: list[Prefetcher[Any]] = []
        self._in_flight = ByteBudget(_IN_FLIGHT, self.stop)

    @property
    def stream(self) -> StreamInfo:
        """What is known of the source."""
        return self._source.info

    @property
    def frames_dropped(self) -> int:
        """Frames of a live source that were replaced by newer ones before they were looked at."""
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
            items = self._beside(items, _READ_AHEAD)
        results = self._classify_all(self._beside(self._track_all(items)))
        results = self._beside(results) if self._ahead else results
        if self.stream.live:
            self._stages[-1].on_idle = self.on_idle  # the one for which the caller waits
        return self._release(results)

    def _beside(self, items: Iterator[T], depth: int = _DEPTH) -> Iterator[T]:
        """The same items, made in a thread of their own where there are threads for it."""
        if self._threads == 1:
            return items
        stage = Prefetcher(items, _LIVE_DEPTH if self.stream.live else depth, self.stop)
        self._stages.append(stage)
        return iter(stage)

    def _read(self) -> Iterator[SourceItem]:
        """The source's items, and a Discontinuity where frames change their size."""
        items = iter(self._source)
        size: tuple[int, int] | None = None
        while True:
            started = time.perf_counter()
            item = next(items, None)
            if item is None:
                return
            if isinstance(item, Frame):
                self.latencies.add("capture", time.perf_counter() - started)
                self._in_flight.take(self._bytes(item))
                if item.time_s is not None and size not in (None, item.size):
                    yield Discontinuity("size")
                size = item.size
            yield item
            del item  # it may be large, and another will be read before the name is taken again

    def _release(self, results: Iterator[ResultItem]) -> Iterator[ResultItem]:
        for result in results:
            size = self._bytes(result.frame) if isinstance(result, FrameResult) else 0
            yield result
            del result
            self._in_flight.give_back(size)

    def _bytes(self, frame: Frame) -> int:
        # Few of a live source's frames wait, and those that are dropped are never done with.
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
