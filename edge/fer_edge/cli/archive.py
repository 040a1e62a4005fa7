"""Implementation of ``archive``: process many videos and print the progress."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from fer_edge.archive.manifest import read_manifest
from fer_edge.archive.options import AnalysisOptions, require_extra
from fer_edge.archive.run import ArchiveProgress, ArchiveRun
from fer_edge.archive.summary import SourceSummary
from fer_edge.cli.messages import ERROR, WARNING, is_json, say
from fer_edge.cli.progress import progress_bar
from fer_edge.errors import UsageError
from fer_edge.models.find_model import find_model
from fer_edge.runtime.native_stderr import suppress_native_stderr
from fer_edge.runtime.shutdown import Terminated
from fer_edge.runtime.tables import format_count
from fer_edge.sources.base import Span
from fer_edge.sources.object_store import is_object_url

__all__ = ["ArchiveCommand", "run_archive"]

_STATUS_EVERY_S: Final = 30.0
_HOUR_S: Final = 3600.0
_INTERRUPTED: Final = "Interrupted; finished work is kept. Repeat the same command to resume."


@dataclass(frozen=True, slots=True)
class ArchiveCommand:
    """The values of the arguments and options of ``archive``."""

    paths: tuple[str, ...]
    out: str
    cluster: str | None
    section: float
    model: str | None
    detector: str
    detector_model: Path | None
    min_face: int | None
    detect_every: int | None
    smoothing: float | None
    flip_average: bool | None
    threads: int | None
    every: float | None
    start: float | None
    end: float | None
    overwrite: bool
    debug: bool

    def build_options(self) -> AnalysisOptions:
        """Build the options for the workers, with absolute paths."""
        span = Span(self.start or 0.0, self.end)
        if span.end_s is not None and span.end_s <= span.start_s:
            raise UsageError(f"--end ({span.end_s:g} s) must be later than --start ({span.start_s:g} s)")
        if 0 < self.section < _MIN_SECTION_S:
            raise UsageError(
                f"--section must be 0 or at least {_MIN_SECTION_S:g} s, because each section starts 3 s early; "
                f"got {self.section:g} s"
            )
        model = self.model
        if model is not None and Path(model).is_file():
            model = str(Path(model).absolute())
        return AnalysisOptions(
            model=model,
            detector=self.detector,
            detector_model=None if self.detector_model is None else self.detector_model.absolute(),
            min_face=self.min_face,
            detect_every=self.detect_every,
            smoothing=self.smoothing or 0.0,
            flip_average=bool(self.flip_average),
            every=self.every,
            span=span,
            section_s=self.section,
        )


_MIN_SECTION_S: Final = 10.0


def run_archive(command: ArchiveCommand) -> None:
    """Process the videos and print a summary.

    Exits with status 1 if a source failed or is damaged.
    """
    require_extra()
    options = command.build_options()
    manifest = read_manifest(command.paths, find_model(options.model).spec.labels)
    for warning in manifest.warnings:
        say(warning, WARNING)
    for error in manifest.errors:
        say(error, ERROR)
    with suppress_native_stderr(command.debug):
        report = _Report(len(manifest.keys))
        run = ArchiveRun(
            options,
            manifest,
            command.out,
            threads=command.threads,
            cluster=command.cluster,
            overwrite=command.overwrite,
            on_progress=report.show,
            on_source=report.finish_source,
        )
        try:
            progress, sources = run.run()
        except (KeyboardInterrupt, Terminated):
            report.close()
            say(_INTERRUPTED)
            raise
        finally:
            report.close()
    unfinished = _count_unfinished(sources)
    for line in _summary_lines(progress, unfinished, command.out):
        click.echo(line)
    if unfinished or manifest.errors:
        click.get_current_context().exit(1)


class _Report:
    """Progress output: a bar on a terminal, otherwise a line every 30 s."""

    def __init__(self, sources: int) -> None:
        self._sources = sources
        self._is_terminal = sys.stderr.isatty() and not is_json()
        self._bar: Any = None
        self._last_printed = time.monotonic()

    def show(self, progress: ArchiveProgress) -> None:
        """Show the current progress."""
        if self._is_terminal:
            self._advance(progress)
            return
        now = time.monotonic()
        if now - self._last_printed >= _STATUS_EVERY_S:
            self._last_printed = now
            say(_describe(progress))

    def _advance(self, progress: ArchiveProgress) -> None:
        if self._bar is None:
            self._bar = progress_bar(
                None,
                total=self._sources,
                initial=progress.skipped,
                bar_format="{percentage:3.0f}%|{bar}| {desc}",
            )
        self._bar.set_description_str(_describe(progress), refresh=False)
        self._bar.update(progress.skipped + progress.done + progress.partly_done - self._bar.n)

    def finish_source(self, summary: SourceSummary) -> None:
        """Print the error of a source, if any."""
        if summary.error is not None:
            if self._bar is not None:
                self._bar.clear()
            say(summary.error, ERROR)

    def close(self) -> None:
        """Close the progress bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _describe(progress: ArchiveProgress) -> str:
    done = progress.skipped + progress.done
    failed = progress.failed + progress.damaged
    parts = [
        f"{done:,} of {format_count(progress.sources, 'source')}",
        f"{progress.video_s / _HOUR_S:.1f} h of video",
        f"{progress.realtime_factor:.1f} × real time",
    ]
    if progress.left_s is not None:
        parts.append(f"about {_format_time(progress.left_s)} left")
    if failed:
        parts.append(f"{failed:,} failed")
    return ", ".join(parts)


def _format_time(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02d} min" if hours else f"{minutes} min"


def _count_unfinished(sources: Any) -> dict[str, int]:
    """Count the failed and the damaged sources of the manifest, by status."""
    statuses = sources.column("status").to_pylist()
    return {status: count for status in ("failed", "damaged") if (count := statuses.count(status))}


def _summary_lines(progress: ArchiveProgress, unfinished: dict[str, int], out: str) -> list[str]:
    skipped = f", {progress.skipped:,} already complete" if progress.skipped else ""
    lines = [f"{format_count(progress.sources, 'source')}{skipped}"]
    if progress.done:
        lines.append(
            f"{progress.video_s / _HOUR_S:.2f} h of video in {progress.elapsed_s:.1f} s: "
            f"{progress.realtime_factor:.1f} × real time, {format_count(progress.frames, 'frame')}, "
            f"{format_count(progress.faces, 'face')}"
        )
    if unfinished:
        what = ", ".join(f"{count:,} {status}" for status, count in unfinished.items())
        table = f"{out.rstrip('/')}/sources.parquet"
        lines.append(f"{what}; see {table if is_object_url(out) else Path(table)} for the reasons")
    return lines
