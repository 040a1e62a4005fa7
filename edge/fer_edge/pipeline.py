"""The loop: source → detect or follow → classify → smooth → results, each stage in a thread of its own.

What is done with the results is the caller's: the pipeline reads its source and writes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from fer_edge.classification.classifier import Classifier
from fer_edge.classification.smoothing import LabelHold, Smoother
from fer_edge.detectors.registry import Detector
from fer_edge.models.find_model import ModelFile
from fer_edge.runtime.latency import StageTimes
from fer_edge.runtime.prefetch import Ahead, Allowance, Newest
from fer_edge.sources.base import Source
from fer_edge.tracking.tracker import TrackedFace, Tracker
from fer_edge.types import EmotionScores, FaceResult, Frame, FrameResult, Unreadable

__all__ = ["FaceClassifiers", "Pipeline"]

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


class FaceClassifiers:
    """Classifies the faces of a frame on several threads, each with an interpreter of its own."""

    def __init__(self, model: ModelFile, threads: int) -> None:
        self._classifiers = [Classifier(model) for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def classify(self, frame: Frame, faces: tuple[TrackedFace, ...]) -> list[EmotionScores]:
        """The scores of each face, in their order."""
        if self._pool is None or len(faces) < 2:
            return [self._classifiers[0].classify(frame.image, face.box) for face in faces]
        count = len(self._classifiers)
        scores: list[EmotionScores | None] = [None] * len(faces)

        def share(worker: int) -> None:
            for i in range(worker, len(faces), count):
                scores[i] = self._classifiers[worker].classify(frame.image, faces[i].box)

        for done in [self._pool.submit(share, worker) for worker in range(count)]:
            done.result()
        return [score for score in scores if score is not None]

    def close(self) -> None:
        """End the threads and free the interpreters."""
        if self._pool is not None:
            self._pool.shutdown()
        for classifier in self._classifiers:
            classifier.close()


class Pipeline:
    """Every frame of a source with its faces and their emotions, in order, in constant memory.

    A context manager around an open source; iterate it once. With one thread everything runs in the
    caller's; with more, reading, detection and classification run beside each other, a few frames ahead
    of the caller; without ``ahead`` classification runs in the caller's thread, which is faster where the
    caller does little with a result. Of a live source the newest frame wins. ``smoothing`` is in seconds, 0 is
    off; drawn labels are steadied all the same.

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
        threads: int = 1,
        ahead: bool = True,
    ) -> None:
        self.times = StageTimes()
        self._source = source
        self._threads = threads
        self._ahead = ahead
        self._tracker = Tracker(detector, detect_every)
        # Reading and detection take a thread each.
        self._classifiers = FaceClassifiers(model, max(1, threads - 2))
        self._smoothed = smoothing > 0
        self._smoother, self._labels = Smoother(smoothing or _STEADY_S), LabelHold()
        self._stop = Event()
        self._stages: list[Ahead[Any]] = []
        self._in_flight = Allowance(_IN_FLIGHT, self._stop)

    @property
    def frames_dropped(self) -> int:
        """Frames of a live source that were replaced by newer ones before they were looked at."""
        return sum(stage.dropped for stage in self._stages if isinstance(stage, Newest))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for stage in self._stages:
            stage.join()
        self._classifiers.close()

    def __iter__(self) -> Iterator[FrameResult | Unreadable]:
        frames = self._read()
        if self._source.live:
            newest = Newest(frames, self._stop)
            self._stages.append(newest)
            frames = iter(newest)
        else:
            frames = self._beside(frames, _READ_AHEAD)
        results = map(self._classify, self._beside(map(self._track, frames)))
        return self._done(self._beside(results) if self._ahead else results)

    def _beside(self, items: Iterator[T], depth: int = _DEPTH) -> Iterator[T]:
        """The same items, made in a thread of their own where there are threads for it."""
        if self._threads == 1:
            return items
        stage = Ahead(items, _LIVE_DEPTH if self._source.live else depth, self._stop)
        self._stages.append(stage)
        return iter(stage)

    def _read(self) -> Iterator[Frame | Unreadable]:
        frames = iter(self._source)
        while True:
            started = time.perf_counter()
            frame = next(frames, None)
            if frame is None:
                return
            self.times.add("capture", time.perf_counter() - started)
            self._in_flight.take(self._bytes(frame))
            yield frame
            del frame  # it may be large, and another will be read before the name is taken again

    def _done(self, results: Iterator[FrameResult | Unreadable]) -> Iterator[FrameResult | Unreadable]:
        for result in results:
            size = self._bytes(result.frame if isinstance(result, FrameResult) else result)
            yield result
            del result
            self._in_flight.give_back(size)

    def _bytes(self, frame: Frame | Unreadable) -> int:
        # Few of a live source's frames wait, and those that are dropped are never done with.
        return 0 if self._source.live or isinstance(frame, Unreadable) else frame.image.nbytes

    def _track(self, frame: Frame | Unreadable) -> _Tracked | Unreadable:
        if isinstance(frame, Unreadable):
            return frame
        with self.times.measure("detect"):
            faces = self._tracker.update(frame)
        return _Tracked(frame, faces)

    def _classify(self, tracked: _Tracked | Unreadable) -> FrameResult | Unreadable:
        if isinstance(tracked, Unreadable):
            return tracked
        frame, faces = tracked.frame, tracked.faces
        with self.times.measure("classify"):
            scores = self._classifiers.classify(frame, faces)
        pairs = zip(faces, scores, strict=True)
        return FrameResult(frame, tuple(self._result(face, now, frame.time_s) for face, now in pairs))

    def _result(self, face: TrackedFace, now: EmotionScores, time_s: float | None) -> FaceResult:
        if time_s is None:
            return FaceResult(face.id, face.box, now, now.emotion)
        steady = self._smoother.update(face.id, time_s, now)
        label = self._labels.update(face.id, time_s, steady)
        return FaceResult(face.id, face.box, steady if self._smoothed else now, label)
