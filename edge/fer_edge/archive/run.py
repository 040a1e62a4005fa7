"""A run of an archive, which analyzes the missing sources on Ray."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.archive.cluster import ray_session
from fer_edge.archive.folder import ArchiveFolder, SourceTable
from fer_edge.archive.manifest import Manifest, SourceJob, format_key
from fer_edge.archive.options import AnalysisOptions, Identity
from fer_edge.archive.scheduler import Scheduler
from fer_edge.archive.storage import Storage
from fer_edge.archive.summary import SectionSummary, SourceSummary
from fer_edge.archive.tasks import TaskContext
from fer_edge.detectors.registry import create_detector
from fer_edge.models.find_model import find_model
from fer_edge.runtime.shutdown import raise_if_interrupted
from fer_edge.runtime.system import choose_thread_count

__all__ = ["ArchiveProgress", "ArchiveRun"]

_WRITE_EVERY_S: Final = 30.0
_WRITE_SHARE: Final = 0.02  # the largest share of the time spent on writing the table of sources

OnProgress = Callable[["ArchiveProgress"], None]


@dataclass(slots=True)
class ArchiveProgress:
    """The progress of a run.

    ``skipped`` sources were complete before the run; ``video_s`` is the number of seconds of video analyzed in it.
    """

    sources: int
    skipped: int = 0
    done: int = 0
    failed: int = 0
    damaged: int = 0
    frames: int = 0
    faces: int = 0
    video_s: float = 0.0
    partly_done: float = 0.0
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None

    @property
    def elapsed_s(self) -> float:
        """Seconds since Ray was ready, until the last source finished."""
        return (time.monotonic() if self.ended is None else self.ended) - self.started

    @property
    def realtime_factor(self) -> float:
        """Seconds of video analyzed per second."""
        return self.video_s / max(1e-9, self.elapsed_s)

    @property
    def left_s(self) -> float | None:
        """An estimate of the remaining seconds, by the average time per source.

        None until something is finished.
        """
        done = self.done + self.partly_done
        return self.elapsed_s * (self.sources - self.skipped - done) / done if done else None


@dataclass(slots=True)
class ArchiveRun:
    """One run over a manifest.

    ``cluster`` is the address of a Ray cluster; None starts Ray on this machine. ``threads`` is the number of sources
    or sections to analyze at a time; None uses one per CPU. ``on_source`` is called with each finished source. Raises
    OutputError, ModelError, ClusterError and other subclasses of FerEdgeError.
    """

    options: AnalysisOptions
    manifest: Manifest
    out: str
    threads: int | None = None
    cluster: str | None = None
    overwrite: bool = False
    on_progress: OnProgress = lambda _: None
    on_source: Callable[[SourceSummary], None] = lambda _: None
    _written: float = field(default=0.0, init=False)
    _write_s: float = field(default=0.0, init=False)

    def run(self) -> tuple[ArchiveProgress, Any]:
        """Analyze the missing sources.

        Returns the progress, and the rows of the manifest's sources in the table of sources, a ``pyarrow.Table``.
        """
        model = find_model(self.options.model)
        self._check_detector()
        extra_columns = self.manifest.extra_columns
        identity = Identity.from_options(self.options, model, {f.name: str(f.type) for f in extra_columns})
        folder = ArchiveFolder(Storage.of(self.out))
        with folder.lock():
            folder.prepare(identity, overwrite=self.overwrite)
            table = SourceTable(folder, extra_columns)
            missing = self.find_missing(table.load())
            progress = ArchiveProgress(len(self.manifest.keys))
            progress.skipped = progress.sources - len(missing)
            try:
                if len(missing):
                    context = TaskContext(self.options, identity, folder.storage)
                    self._analyze(context, missing, table, progress)
            except BaseException:
                raise_if_interrupted()  # Ray may have replaced the exception of a signal
                raise
            finally:
                folder.storage.remove_partial_files()  # left by crashed workers; Ray has stopped by now
                table.write()
            return progress, table.select(self.manifest.keys)

    def _check_detector(self) -> None:
        """Create the detector once, to raise an error here rather than in each worker."""
        detector = create_detector(
            self.options.detector, min_face=self.options.min_face, model=self.options.detector_model
        )
        with closing(detector):
            pass

    def find_missing(self, done: set[int]) -> NDArray[np.intp]:
        """Return the manifest indices of the sources whose keys are not in ``done``."""
        complete = np.fromiter(done, np.uint64, len(done))
        return np.flatnonzero(~np.isin(self.manifest.keys, complete))

    def _analyze(
        self,
        context: TaskContext,
        missing: NDArray[np.intp],
        table: SourceTable,
        progress: ArchiveProgress,
    ) -> None:
        indices = {format_key(self.manifest.keys[i]): int(i) for i in missing}
        jobs: Iterator[SourceJob] = (self.manifest.job(int(index)) for index in missing)
        with ray_session(self.cluster, choose_thread_count(self.threads)) as ray:
            progress.started = self._written = time.monotonic()
            scheduler = Scheduler(ray, context, jobs, None if self.cluster is None else self.threads)
            for outcome in scheduler.run():
                if isinstance(outcome, SourceSummary):
                    table.add(outcome, self.manifest.job(indices.pop(outcome.key)).extra_columns)
                    self._count(outcome, progress)
                    self.on_source(outcome)
                elif isinstance(outcome, SectionSummary):
                    progress.video_s += outcome.duration_s
                progress.partly_done = scheduler.partly_done
                self.on_progress(progress)
                self._write_periodically(table)
            progress.ended = time.monotonic()

    def _count(self, summary: SourceSummary, progress: ArchiveProgress) -> None:
        progress.done += 1
        progress.failed += summary.status == "failed"
        progress.damaged += summary.status == "damaged"
        progress.frames += summary.frames
        progress.faces += summary.faces
        if summary.sections == 1:  # otherwise each section has already been counted
            progress.video_s += summary.duration_s

    def _write_periodically(self, table: SourceTable) -> None:
        now = time.monotonic()
        if now > self._written + max(_WRITE_EVERY_S, self._write_s / _WRITE_SHARE):
            table.write()
            self._written = time.monotonic()
            self._write_s = self._written - now
