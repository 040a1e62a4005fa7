"""What ``camera``, ``image``, ``folder`` and ``video`` do: build source, detector, sinks; run; report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import cv2

from fer_edge.cli.app import has_standard_output, one_line
from fer_edge.cli.progress import progress_bar
from fer_edge.detectors.registry import create_detector
from fer_edge.errors import FerEdgeError, OutputError, UsageError
from fer_edge.models.find_model import ModelFile, find_model
from fer_edge.pipeline import Pipeline
from fer_edge.runtime.atomic_files import check_file, write_json
from fer_edge.runtime.malloc import keep_freed_memory
from fer_edge.runtime.native_stderr import suppress_native_stderr
from fer_edge.runtime.shutdown import Terminated
from fer_edge.runtime.system import thread_count
from fer_edge.runtime.tables import counted
from fer_edge.session import RunStatistics, Session, StopConditions, build_summary
from fer_edge.sinks.base import Sink, SinkRequest
from fer_edge.sinks.registry import (
    IMAGE_SINKS,
    ROW_SINKS,
    STANDARD_OUTPUT,
    create_image_sink,
    create_row_sink,
    create_window,
    split_target,
)
from fer_edge.sources.base import Source
from fer_edge.sources.registry import create_source
from fer_edge.types import FrameResult, SkippedInput, StreamInfo

__all__ = ["Inputs", "RunOptions", "open_folder", "open_inputs", "run"]

T = TypeVar("T")


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
    output: str | None
    results: tuple[str, ...]
    summary: Path | None
    overwrite: bool
    show: bool | None
    max_frames: int | None
    duration: float | None
    mirror: bool
    debug: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """A source and what is known of the files behind it.

    ``files`` are the paths that are read, none of which may be written to; ``root`` is the folder that was
    named for them, if one was.
    """

    source: Source
    files: tuple[str, ...] = ()
    root: Path | None = None


def open_inputs(kind: str, *addresses: str) -> Inputs:
    """Make the source that a command names."""
    source = create_source(kind, *addresses)
    return Inputs(source=source, files=() if source.info.live else addresses)


def open_folder(directory: str, *, recursive: bool, output: str | None) -> Inputs:
    """Make the source of a folder's images; those in ``output``, an earlier run's copies, are left out."""
    from fer_edge.sources.images import ImageSource, find_images

    paths = tuple(
        map(
            os.fspath,
            find_images(directory, recursive=recursive, without=None if output is None else Path(output)),
        )
    )
    return Inputs(source=ImageSource(paths, directory), files=paths, root=Path(directory))


def run(inputs: Inputs, options: RunOptions) -> None:
    """Run a source through everything that the options ask for; leaves with 1 where something failed."""
    keep_freed_memory()
    threads = thread_count(options.threads)
    model = find_model(options.model)
    stream = inputs.source.info
    _check_outputs(options, [*inputs.files, model.path, *_named(options.detector_model)])
    sinks = _create_sinks(inputs, options, model)
    with suppress_native_stderr(options.debug), ExitStack() as stack:
        cv2.setNumThreads(threads)
        detector = create_detector(
            options.detector,
            min_face=options.min_face,
            still_image=stream.still,
            model=options.detector_model,
        )
        stack.enter_context(closing(detector))
        stack.enter_context(inputs.source)
        sinks += _create_window(stream, options)
        pipeline = Pipeline(
            inputs.source,
            detector,
            model,
            detect_every=options.detect_every,
            smoothing=options.smoothing or 0.0,
            threads=threads,
            # Rows are written in no time; drawing, encoding and showing take longer than classification.
            ahead=len(sinks) > len(options.results),
        )
        stack.enter_context(pipeline)
        session = Session(
            pipeline,
            sinks,
            StopConditions(options.max_frames, options.duration),
            mirror=options.mirror,
        )
        _run_session(session, pipeline, options, model, threads)
    if session.statistics.errors:
        click.get_current_context().exit(1)


def _run_session(
    session: Session, pipeline: Pipeline, options: RunOptions, model: ModelFile, threads: int
) -> None:
    """Run and report; the summary is written however the run ends."""
    report = _Report(pipeline, quiet=STANDARD_OUTPUT in options.results)
    try:
        session.run(report.take)
    except FerEdgeError as error:
        session.statistics.errors.append(str(error))
        raise
    except (KeyboardInterrupt, Terminated):
        click.echo("Interrupted; what was written until now is kept.", err=True)
        raise
    finally:
        report.end(session.statistics)
        if options.summary is not None:
            summary = build_summary(
                session.statistics, pipeline, model=model, detector=options.detector, threads=threads
            )
            write_json(options.summary, summary)


def _named(value: T | None) -> list[T]:
    return [] if value is None else [value]


def _create_sinks(inputs: Inputs, options: RunOptions, model: ModelFile) -> list[Sink]:
    def request(target: str) -> SinkRequest:
        return SinkRequest(
            target=target,
            stream=inputs.source.info,
            labels=model.spec.labels,
            inputs=inputs.files,
            root=inputs.root,
            overwrite=options.overwrite,
        )

    sinks = [create_row_sink(request(target)) for target in options.results]
    return sinks + [create_image_sink(request(target)) for target in _named(options.output)]


def _create_window(stream: StreamInfo, options: RunOptions) -> list[Sink]:
    """The window that is wanted and can be shown, or none."""
    wanted = options.show if options.show is not None else stream.live
    if not wanted:
        return []
    try:
        return [create_window(SinkRequest(target="", stream=stream, required=bool(options.show)))]
    except OutputError as error:
        if options.show:
            raise
        click.echo(f"Running without a window, end it with Ctrl-C: {error}", err=True)
        return []


def _check_outputs(options: RunOptions, inputs: Sequence[str | Path]) -> None:
    """Refuse outputs that are one another's or an input's file, and a summary that cannot be written."""
    rows = (split_target(target, ROW_SINKS)[1] for target in options.results)
    named = [Path(target) for target in rows if target != STANDARD_OUTPUT]
    named += _named(options.summary)
    named += [Path(split_target(target, IMAGE_SINKS)[1]) for target in _named(options.output)]
    if len({os.path.realpath(path) for path in named}) < len(named) or (
        options.results.count(STANDARD_OUTPUT) > 1
    ):
        raise UsageError("expected a file of its own for each output, one is named twice")
    read = {os.path.realpath(path) for path in inputs}
    for path in named:
        if os.path.realpath(path) in read:
            raise UsageError(f"{path}: it is an input and would be overwritten; name another output")
    if STANDARD_OUTPUT in options.results and not has_standard_output():
        raise OutputError("standard output is closed; name a .jsonl file for --results instead of -")
    if options.summary is not None:
        if options.summary == Path(STANDARD_OUTPUT):
            raise UsageError("expected a file for --summary, got -; standard output holds --results - only")
        check_file(options.summary, overwrite=options.overwrite)


class _Report:
    """What people see of a run: a line per face for still images, a bar and a summary for the rest."""

    def __init__(self, pipeline: Pipeline, *, quiet: bool) -> None:
        self._pipeline = pipeline
        self._stream = pipeline.stream
        self._quiet = quiet
        self._bar: Any = None

    def take(self, result: FrameResult | SkippedInput) -> None:
        """Show one result."""
        if isinstance(result, SkippedInput):
            click.echo(one_line(f"Error: {result.error}"), err=True)
        elif not self._stream.still:
            self._advance(result)
        elif not self._quiet:
            for line in _face_lines(result):
                click.echo(one_line(line))

    def _advance(self, result: FrameResult) -> None:
        if self._bar is None:
            self._bar = progress_bar(None, total=self._stream.frame_count, unit=" frames")
        self._bar.update()
        if self._stream.live:
            self._bar.set_postfix_str(", ".join(face.label for face in result.faces), refresh=False)

    def end(self, statistics: RunStatistics) -> None:
        """Close the bar and, for a video or camera, sum up."""
        if self._bar is not None:
            self._bar.close()
        if not self._stream.still and not self._quiet and statistics.frames:
            for line in _summary_lines(statistics, self._pipeline):
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


def _summary_lines(statistics: RunStatistics, pipeline: Pipeline) -> list[str]:
    dropped = f", {pipeline.frames_dropped:,} dropped" if pipeline.frames_dropped else ""
    shares = sorted(statistics.emotions.items(), key=lambda item: -item[1])
    stages = [
        f"{stage} {times['p50_ms']:.1f}"
        for stage, times in pipeline.latencies.as_dict().items()
        if times["p50_ms"] is not None
    ]
    frames = counted(statistics.frames, "frame")
    return [
        f"{frames}{dropped} in {statistics.duration_s:.2f} s: {statistics.fps:.1f} frames a second",
        f"{counted(statistics.faces, 'face')} in {statistics.frames_with_faces:,} of {frames}"
        + "".join(f", {emotion} {count / statistics.faces:.0%}" for emotion, count in shares),
        f"Median milliseconds: {', '.join(stages)}",
    ]
