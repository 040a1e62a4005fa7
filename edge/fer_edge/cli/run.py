"""What ``camera``, ``image``, ``folder`` and ``video`` do: build source, detector, sinks; run; report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import cv2

from fer_edge.cli.app import has_standard_output, one_line
from fer_edge.cli.progress import progress_bar
from fer_edge.detectors.registry import create_detector
from fer_edge.errors import FerEdgeError, OutputError, UsageError
from fer_edge.models.find_model import find_model
from fer_edge.pipeline import Pipeline
from fer_edge.runtime.atomic_files import check_file
from fer_edge.runtime.malloc import keep_freed_memory
from fer_edge.runtime.native_stderr import suppress_native_stderr
from fer_edge.runtime.shutdown import Terminated
from fer_edge.runtime.system import thread_count
from fer_edge.runtime.tables import counted
from fer_edge.session import Limits, Totals, deliver, summary, write_summary
from fer_edge.sinks.base import Sink
from fer_edge.sinks.images import WRITTEN_SUFFIXES, PictureFolderSink, PictureSink
from fer_edge.sinks.rows import rows_sink
from fer_edge.sinks.video import VideoSink
from fer_edge.sources.base import Source
from fer_edge.sources.camera import CameraSource
from fer_edge.sources.images import PictureSource, find_pictures
from fer_edge.sources.video import VideoSource
from fer_edge.types import FrameResult, Unreadable

__all__ = ["RunOptions", "run_camera", "run_folder", "run_images", "run_video"]

_STDOUT: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options that the four commands share, as the command line gives them."""

    model: str | None
    detector: str
    detector_model: Path | None
    min_face: int | None
    detect_every: int | None
    smoothing: float | None
    threads: int | None
    output: Path | None
    results: tuple[str, ...]
    summary: Path | None
    overwrite: bool
    show: bool | None
    max_frames: int | None
    duration: float | None
    mirror: bool
    debug: bool


def run_images(paths: list[str], options: RunOptions) -> None:
    """The pictures named."""
    output = _picture_output(paths, options)
    _run(PictureSource(paths), options, output, inputs=paths)


def run_folder(directory: str, options: RunOptions, *, recursive: bool) -> None:
    """The pictures of a folder."""
    # An output inside the input: its pictures are an earlier run's copies.
    found = find_pictures(directory, recursive=recursive, without=options.output)
    paths = [os.fspath(path) for path in found]
    output = None
    if options.output is not None:
        root = Path(directory)
        output = PictureFolderSink(options.output, paths, root=root, overwrite=options.overwrite)
    _run(PictureSource(paths, directory), options, output, inputs=paths)


def run_video(path: str, options: RunOptions) -> None:
    """Every frame of a video."""
    output = None if options.output is None else VideoSink(options.output, overwrite=options.overwrite)
    _run(VideoSource(path), options, output, inputs=[path])


def run_camera(source: str, options: RunOptions) -> None:
    """A camera until it is interrupted, closed or at its limit."""
    output = None
    if options.output is not None:
        output = VideoSink(options.output, live=True, overwrite=options.overwrite)
    _run(CameraSource(source), options, output, inputs=[])


def _picture_output(paths: Sequence[str], options: RunOptions) -> Sink | None:
    output = options.output
    if output is None:
        return None
    names_a_file = output.suffix.lower() in WRITTEN_SUFFIXES and not output.is_dir()
    if len(paths) == 1 and (names_a_file or (output.suffix and not output.is_dir())):
        return PictureSink(output, overwrite=options.overwrite)
    if names_a_file:
        raise UsageError(
            f"expected a folder for {len(paths)} annotated pictures, got the file name {str(output)!r}"
        )
    return PictureFolderSink(output, list(paths), overwrite=options.overwrite)


def _run(source: Source, options: RunOptions, output: Sink | None, *, inputs: Sequence[str]) -> None:
    keep_freed_memory()
    threads = thread_count(options.threads)
    model = find_model(options.model)
    models = [model.path, *([] if options.detector_model is None else [options.detector_model])]
    _check_outputs(options, [*inputs, *models])
    sinks = [rows_sink(target, model.spec.labels, overwrite=options.overwrite) for target in options.results]
    outputs: list[Sink] = [*sinks, *([] if output is None else [output])]
    totals = Totals()
    with suppress_native_stderr(options.debug), ExitStack() as stack:
        cv2.setNumThreads(threads)
        thorough = isinstance(source, PictureSource)
        detector = create_detector(
            options.detector, min_face=options.min_face, thorough=thorough, model=options.detector_model
        )
        stack.enter_context(closing(detector))
        stack.enter_context(source)
        if isinstance(output, VideoSink):
            output.set_frame_rate(source.frame_rate)
        window = _window(source, options)
        if window is not None:
            outputs.append(window)
        report = _Report(source, window, quiet=_STDOUT in options.results)
        pipeline = Pipeline(
            source,
            detector,
            model,
            detect_every=options.detect_every,
            smoothing=options.smoothing or 0.0,
            threads=threads,
            # Rows are written in no time; drawing, encoding and showing take longer than classification.
            ahead=output is not None or window is not None,
        )
        stack.enter_context(pipeline)
        try:
            deliver(
                pipeline,
                outputs,
                totals,
                Limits(options.max_frames, options.duration),
                report.take,
                mirror=options.mirror,
            )
        except FerEdgeError as error:
            totals.errors.append(str(error))
            raise
        except (KeyboardInterrupt, Terminated):
            click.echo("Interrupted; what was written until now is kept.", err=True)
            raise
        finally:
            report.end(totals, pipeline)
            if options.summary is not None:
                content = summary(
                    totals,
                    pipeline,
                    source=source.name,
                    model=model,
                    detector=options.detector,
                    threads=threads,
                )
                write_summary(options.summary, content)
    if totals.errors:
        click.get_current_context().exit(1)


def _window(source: Source, options: RunOptions) -> Any:
    """The window that is wanted and can be had, or None."""
    wanted = options.show if options.show is not None else source.live
    if not wanted:
        return None
    from fer_edge.sinks.window import WindowSink, has_display

    if options.show is None and not has_display():
        click.echo("No display: running without a window; end it with Ctrl-C.", err=True)
        return None
    try:
        return WindowSink(f"fer-edge: {source.name}", wait=isinstance(source, PictureSource))
    except OutputError as error:
        if options.show:
            raise
        click.echo(f"No window: {error}", err=True)
        return None


def _check_outputs(options: RunOptions, inputs: Sequence[str | Path]) -> None:
    """Refuse outputs that are one another's or an input's file, and a summary that cannot be written."""
    named = [Path(target) for target in options.results if target != _STDOUT]
    named += [path for path in (options.summary, options.output) if path is not None]
    if len({os.path.realpath(path) for path in named}) < len(named) or options.results.count(_STDOUT) > 1:
        raise UsageError("expected a file of its own for each output, one is named twice")
    read = {os.path.realpath(path) for path in inputs}
    for path in named:
        if os.path.realpath(path) in read:
            raise UsageError(f"{path}: it is an input and would be overwritten; name another output")
    if _STDOUT in options.results and not has_standard_output():
        raise OutputError("standard output is closed; name a .jsonl file for --results instead of -")
    if options.summary is not None:
        if options.summary == Path(_STDOUT):
            raise UsageError("expected a file for --summary, got -; standard output holds --results - only")
        check_file(options.summary, overwrite=options.overwrite)


class _Report:
    """What people see of a run: a line per face for pictures, a bar and a summary for the rest."""

    def __init__(self, source: Source, window: Any, *, quiet: bool) -> None:
        self._pictures = isinstance(source, PictureSource)
        self._source, self._window = source, window
        self._quiet = quiet
        self._bar: Any = None

    def take(self, result: FrameResult | Unreadable) -> bool:
        """Show one result; whether to go on: the window, where there is one, has not been closed."""
        if isinstance(result, Unreadable):
            click.echo(one_line(f"Error: {result.error}"), err=True)
        elif not self._pictures:
            self._advance(result)
        elif not self._quiet:
            for line in _face_lines(result):
                click.echo(one_line(line))
        return self._window is None or not self._window.closed

    def _advance(self, result: FrameResult) -> None:
        if self._bar is None:
            total = self._source.frame_count
            self._bar = progress_bar(None, total=total, unit=" frames")
        self._bar.update()
        if self._source.live:
            self._bar.set_postfix_str(", ".join(face.label for face in result.faces), refresh=False)

    def end(self, totals: Totals, pipeline: Pipeline) -> None:
        """Close the bar and, for a video or camera, sum up."""
        if self._bar is not None:
            self._bar.close()
        if not self._pictures and not self._quiet and totals.frames:
            for line in _summary_lines(totals, pipeline):
                click.echo(line)


def _face_lines(result: FrameResult) -> list[str]:
    source = result.frame.source
    if not result.faces:
        return [f"{source}: no face found"]
    return [
        f"{source}: {face.emotion} {face.score:.0%}, "
        f"{face.box.width}×{face.box.height} pixels at {face.box.x}, {face.box.y}"
        for face in result.faces
    ]


def _summary_lines(totals: Totals, pipeline: Pipeline) -> list[str]:
    dropped = f", {pipeline.frames_dropped:,} dropped" if pipeline.frames_dropped else ""
    shares = sorted(totals.emotions.items(), key=lambda item: -item[1])
    stages = [
        f"{stage} {times['p50_ms']:.1f}"
        for stage, times in pipeline.times.as_dict().items()
        if times["p50_ms"] is not None
    ]
    return [
        f"{counted(totals.frames, 'frame')}{dropped} in {totals.duration_s:.2f} s: {totals.fps:.1f} frames a second",
        f"{counted(totals.faces, 'face')} in {totals.frames_with_faces:,} of {counted(totals.frames, 'frame')}"
        + "".join(f", {emotion} {count / totals.faces:.0%}" for emotion, count in shares),
        f"Median milliseconds: {', '.join(stages)}",
    ]
