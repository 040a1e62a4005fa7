"""Console output of a run.

Still images print one line per face; videos and cameras show progress and a summary.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from fer_edge.cli.camera_watch import CameraWatch
from fer_edge.cli.messages import ERROR, is_json, say
from fer_edge.cli.progress import progress_bar
from fer_edge.errors import add_hint, one_line
from fer_edge.pipeline import Pipeline
from fer_edge.runtime.tables import format_count
from fer_edge.statistics import RunStatistics
from fer_edge.types import FrameResult, SkippedInput

__all__ = ["RunReport"]

_STATUS_EVERY_S: Final = 30.0


class RunReport:
    """Prints the progress of a run and its summary.

    ``sources`` are the videos that are read one after the other. ``quiet`` prints nothing on standard output, which
    then contains only rows.
    """

    def __init__(
        self, pipeline: Pipeline, statistics: RunStatistics, sources: Sequence[str], *, quiet: bool
    ) -> None:
        self._pipeline, self._statistics = pipeline, statistics
        self._stream = pipeline.stream
        self._quiet = quiet
        self._progress = (
            _Bar(pipeline, sources)
            if sys.stderr.isatty() and not is_json()
            else _StatusLines(statistics, self._stream.name)
        )
        self._watch: CameraWatch | None = None

    def begin(self) -> None:
        """Start monitoring the camera, if any; call it after the source is opened."""
        if self._stream.live:
            self._watch = CameraWatch(self._pipeline, self._progress)

    def handle_result(self, result: FrameResult | SkippedInput) -> None:
        """Show one result."""
        if isinstance(result, SkippedInput):
            say(add_hint(result.error, result.hint), ERROR)
        elif not self._stream.still:
            self._progress.advance(result)
        elif not self._quiet:
            for line in _face_lines(result):
                click.echo(one_line(line))

    def finish_source(self, source: str) -> None:
        """Mark one of several sources as finished."""
        self._progress.finish_source(source)

    def end(self) -> None:
        """Close the progress display and, for a video or camera, print the summary."""
        if self._watch is not None:
            self._watch.close()
        self._progress.close()
        if not self._stream.still and not self._quiet and self._statistics.frames:
            for line in _summary_lines(self._statistics, self._pipeline):
                click.echo(line)


class _Bar:
    """A progress bar on a terminal: frames of a single source, or bytes of several.

    Bytes are used for several sources because their sizes are known in advance.
    """

    def __init__(self, pipeline: Pipeline, sources: Sequence[str]) -> None:
        self._pipeline = pipeline
        self._sizes = {source: _size(source) for source in sources} if len(sources) > 1 else {}
        self._bar: Any = None
        self._shown = 0

    def advance(self, result: FrameResult) -> None:
        stream = self._pipeline.stream
        if self._sizes:
            bar = self._open(sum(self._sizes.values()), unit="B", unit_scale=True)
            bar.set_description_str(Path(result.frame.source).name[:30], refresh=False)
            bar.update(0)
            return
        bar = self._open(stream.frame_count, unit=" frames")
        bar.update()
        if stream.live:
            bar.set_postfix_str(", ".join(face.label for face in result.faces), refresh=False)

    def show_state(self, text: str) -> None:
        bar = self._open(self._pipeline.stream.frame_count, unit=" frames")
        bar.set_postfix_str(text)

    def finish_source(self, source: str) -> None:
        if self._sizes:
            self._open(sum(self._sizes.values()), unit="B", unit_scale=True).update(
                self._sizes.get(source, 0)
            )

    def _open(self, total: int | None, **options: Any) -> Any:
        if self._bar is None:
            self._bar = progress_bar(None, total=total, **options)
        return self._bar

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class _StatusLines:
    """Prints a line every 30 s if standard error is not a terminal, such as in a log."""

    def __init__(self, statistics: RunStatistics, name: str) -> None:
        self._statistics, self._name = statistics, name
        self._last = time.monotonic()

    def advance(self, result: FrameResult) -> None:
        now = time.monotonic()
        if now - self._last < _STATUS_EVERY_S:
            return
        self._last = now
        done = self._statistics
        say(
            f"{result.frame.source}: {result.frame.time_s or 0.0:.0f} s, {format_count(done.frames, 'frame')} so far, "
            f"{done.fps:.1f} a second, {format_count(done.faces, 'face')}"
        )

    def show_state(self, text: str) -> None:
        now = time.monotonic()
        if now - self._last >= _STATUS_EVERY_S:
            self._last = now
            say(f"{self._name}: {text}")

    def finish_source(self, source: str) -> None: ...

    def close(self) -> None: ...


def _size(source: str) -> int:
    try:
        return Path(source).stat().st_size
    except (OSError, ValueError):
        return 0


def _face_lines(result: FrameResult) -> list[str]:
    source = result.frame.source
    if not result.faces:
        return [f"{source}: no face found"]
    return [
        f"{source}: {face.emotion} {face.score:.0%}, "
        f"{face.box.width}×{face.box.height} pixels at {face.box.x}, {face.box.y}"
        for face in result.faces
    ]


def _summary_lines(statistics: RunStatistics, pipeline: Pipeline) -> list[str]:
    dropped = f", {pipeline.frames_dropped:,} dropped" if pipeline.frames_dropped else ""
    stages = [
        f"{stage} {times['p50_ms']:.1f}"
        for stage, times in pipeline.latencies.as_dict().items()
        if times["p50_ms"] is not None
    ]
    frames = format_count(statistics.frames, "frame")
    shares = "".join(
        f", {emotion} {count / statistics.faces:.0%}" for emotion, count in statistics.emotions.most_common()
    )
    return [
        f"{frames}{dropped} in {statistics.duration_s:.2f} s: {statistics.fps:.1f} frames a second",
        f"{format_count(statistics.faces, 'face')} in {statistics.frames_with_faces:,} of {frames}{shares}",
        f"Median milliseconds: {', '.join(stages)}",
    ]
