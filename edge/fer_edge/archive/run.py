"""Analyzing an archive: what is missing of it, on Ray, into its folder."""

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
from fer_edge.runtime.system import thread_count

__all__ = ["ArchiveProgress", "ArchiveRun"]

_WRITE_EVERY_S: Final = 30.0
_WRITE_SHARE: Final = 0.02  # of the time, at most, goes into writing the table of sources

OnProgress = Callable[["ArchiveProgress"], None]


@dataclass(slots=True)
class ArchiveProgress:
    """How far a run is. ``skipped`` sources were complete before; ``video_s`` are seconds of video of this run."""

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
        """Seconds since Ray was there, until the last source was over."""
        return (time.monotonic() if self.ended is None else self.ended) - self.started

    @property
    def realtime_factor(self) -> float:
        """Seconds of video for each second."""
        return self.video_s / max(1e-9, self.elapsed_s)

    @property
    def left_s(self) -> float | None:
        """About how many seconds are left, if what is left is like what is done; None where nothing is done."""
        done = self.done + self.partly_done
        return self.elapsed_s * (self.sources - self.skipped - done) / done if done else None


@dataclass(slots=True)
class ArchiveRun:
    """One run over a manifest. Raises OutputError, ModelError, ClusterError and others of ``errors``.

    ``cluster`` is the address of a Ray cluster, None starts one here; ``threads`` is how many sources or sections are
    analyzed at a time, None: one for each processor. ``on_source`` is told of each source that is over.
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
        """Do what is missing; how it went, and the rows of the manifest's sources in the table, a ``pyarrow.Table``."""
        model = find_model(self.options.model)
        self._check_detector()
        carried = self.manifest.carried
        identity = Identity.of(self.options, model, {f.name: str(f.type) for f in carried})
        folder = ArchiveFolder(Storage.of(self.out))
        with folder.lock():
            folder.prepare(identity, overwrite=self.overwrite)
            table = SourceTable(folder, carried)
            missing = self.find_missing(table.load())
            progress = ArchiveProgress(len(self.manifest.keys))
            progress.skipped = progress.sources - len(missing)
            try:
                if len(missing):
                    context = TaskContext(self.options, identity, folder.storage)
                    self._analyze(context, missing, table, progress)
            except BaseException:
                raise_if_interrupted()  # Ray makes another exception of a signal's
                raise
            finally:
                folder.storage.remove_half_files()  # of workers that crashed; Ray has ended by now
                table.write()
            return progress, table.select(self.manifest.keys)

    def _check_detector(self) -> None:
        """Fail here rather than in each worker."""
        detector = create_detector(
            self.options.detector, min_face=self.options.min_face, model=self.options.detector_model
        )
        with closing(detector):
            pass

    def find_missing(self, done: set[int]) -> NDArray[np.intp]:
        """The places in the manifest of the sources whose keys are not in ``done``."""
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
        with ray_session(self.cluster, thread_count(self.threads)) as ray:
            progress.started = self._written = time.monotonic()
            scheduler = Scheduler(ray, context, jobs, None if self.cluster is None else self.threads)
            for outcome in scheduler.run():
                if isinstance(outcome, SourceSummary):
                    table.add(outcome, self.manifest.job(indices.pop(outcome.key)).carried)
                    self._count(outcome, progress)
                    self.on_source(outcome)
                elif isinstance(outcome, SectionSummary):
                    progress.video_s += outcome.duration_s
                progress.partly_done = scheduler.partly_done
                self.on_progress(progress)
                self._write_now_and_then(table)
            progress.ended = time.monotonic()

    def _count(self, summary: SourceSummary, progress: ArchiveProgress) -> None:
        progress.done += 1
        progress.failed += summary.status == "failed"
        progress.damaged += summary.status == "damaged"
        progress.frames += summary.frames
        progress.faces += summary.faces
        if summary.sections == 1:  # those of several were counted one by one
            progress.video_s += summary.duration_s

    def _write_now_and_then(self, table: SourceTable) -> None:
        now = time.monotonic()
        if now > self._written + max(_WRITE_EVERY_S, self._write_s / _WRITE_SHARE):
            table.write()
            self._written = time.monotonic()
            self._write_s = self._written - now
