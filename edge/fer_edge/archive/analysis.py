"""The work of a worker: analyze a video, or a section of one, into a row file."""

from __future__ import annotations

import faulthandler
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import cv2

from fer_edge.archive.manifest import SourceJob
from fer_edge.archive.options import AnalysisOptions, check_model
from fer_edge.archive.row_file import RowSink, open_rows
from fer_edge.archive.summary import SectionSummary
from fer_edge.classification.worker_pool import ClassifierPool
from fer_edge.detectors.base import Detector
from fer_edge.detectors.registry import create_detector
from fer_edge.errors import DetectorError, SourceError, describe_error
from fer_edge.models.find_model import ModelFile
from fer_edge.pipeline import Pipeline
from fer_edge.runtime.malloc import keep_freed_memory
from fer_edge.session import Session
from fer_edge.sinks.averaging import AveragingSink
from fer_edge.sinks.base import Sink
from fer_edge.sources.base import Span
from fer_edge.sources.video import VideoSource

__all__ = ["StallWatch", "Worker", "analyze_span", "open_worker"]

_STDERR: Final = 2
_MAX_RESTARTS: Final = 20  # the most timer restarts within the timeout


@dataclass(frozen=True, slots=True)
class Worker:
    """The objects that a worker process loads once: model, interpreter and detector."""

    options: AnalysisOptions
    model: ModelFile
    detector: Detector
    classifiers: ClassifierPool


@lru_cache(maxsize=1)
def open_worker(options: AnalysisOptions, model_sha256: str) -> Worker:
    """Load the model and the detector, each with one thread.

    The result is cached for the next video. Raises ModelError, DetectorError, UsageError, MissingExtraError.
    """
    keep_freed_memory()
    cv2.setNumThreads(1)
    model = check_model(options, model_sha256)
    detector = create_detector(options.detector, min_face=options.min_face, model=options.detector_model)
    return Worker(options, model, detector, ClassifierPool(model, 1, flip_average=options.flip_average))


def analyze_span(
    worker: Worker,
    job: SourceJob,
    span: Span,
    path: Path,
    build_metadata: Callable[[SectionSummary], bytes],
    begin_s: float | None = None,
) -> SectionSummary:
    """Write the rows of a part of a video to a Parquet file and return its summary.

    In a section, rows before ``begin_s`` are marked as lead-in. ``build_metadata`` creates the metadata of the file. A
    read error is stored in the summary's ``error``; if no frame could be read, the file has no rows.
    """
    started, options, labels = time.monotonic(), worker.options, worker.model.spec.labels
    error = None
    with (
        StallWatch(options.stall_s) as watch,
        open_rows(path, labels, job, section=begin_s is not None) as file,
    ):
        rows = RowSink(file, job, labels, begin_s)
        sink: Sink = AveragingSink(rows, options.every) if options.every else rows
        source = VideoSource(job.address, threads=1, span=span, on_skipped=lambda _: watch.beat())
        pipeline = _create_pipeline(worker, source)
        session = Session(pipeline, [sink])
        try:
            with source, pipeline:
                session.run(lambda _: watch.beat())
        except (SourceError, DetectorError) as failure:
            error = describe_error(failure)
        first_s = span.start_s if begin_s is None else begin_s
        summary = SectionSummary(
            frames=rows.frames,
            frames_with_faces=rows.frames_with_faces,
            faces=rows.faces,
            face_ids=len(rows.ids),
            duration_s=rows.compute_duration_s(first_s, span.end_s, source.info.frame_rate),
            worker_s=time.monotonic() - started,
            error=error,
            warnings=tuple(session.statistics.list_warnings()),
        )
        file.add_metadata(build_metadata(summary))
    return summary


def _create_pipeline(worker: Worker, source: VideoSource) -> Pipeline:
    options = worker.options
    return Pipeline(
        source,
        worker.detector,
        worker.model,
        detect_every=options.detect_every,
        smoothing=options.smoothing,
        classifiers=worker.classifiers,
    )


class StallWatch:
    """A watchdog that ends this process if :meth:`beat` is not called for ``seconds``.

    It works even if C code hangs in an endless loop. Ray treats the exit as a crash and retries the task in a new
    process. A context manager.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = float("-inf")

    def beat(self) -> None:
        """Restart the timeout."""
        now = time.monotonic()
        if now - self._last > self._seconds / _MAX_RESTARTS:
            self._last = now
            # Runs in a C thread, which needs no lock that the hanging code may hold.
            faulthandler.dump_traceback_later(self._seconds, exit=True, file=_STDERR)

    def __enter__(self) -> Self:
        self.beat()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        faulthandler.cancel_dump_traceback_later()
