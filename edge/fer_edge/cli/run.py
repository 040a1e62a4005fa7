"""What ``camera``, ``image``, ``folder`` and ``video`` do: build source, detector, sinks; run; report."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import unquote, urlsplit

import click
import cv2

from fer_edge.cli.app import has_standard_output
from fer_edge.cli.inputs import Inputs
from fer_edge.cli.report import RunReport
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
from fer_edge.session import Session, StopConditions, build_summary
from fer_edge.sinks.averaging import AveragingSink
from fer_edge.sinks.base import Sink, SinkRequest
from fer_edge.sinks.continuation import Continuation
from fer_edge.sinks.registry import (
    IMAGE_SINKS,
    ROW_SINKS,
    STANDARD_OUTPUT,
    create_image_sink,
    create_row_sink,
    create_window,
    is_standard_output,
    split_target,
)
from fer_edge.sources.base import Span
from fer_edge.types import StreamInfo

__all__ = ["RunOptions", "run", "select_videos"]

T = TypeVar("T")

STANDARD_INPUT: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options that the four commands share, as the command line gives them."""

    model: str | None
    detector: str
    detector_model: Path | None
    min_face: int | None
    detect_every: int | None
    smoothing: float | None
    flip_average: bool | None
    threads: int | None
    output: str | None
    results: tuple[str, ...]
    summary: Path | None
    overwrite: bool
    show: bool | None
    max_frames: int | None
    duration: float | None
    start: float | None
    end: float | None
    every: float | None
    append: bool
    mirror: bool
    ids: bool
    encoder: str | None
    preset: str | None
    debug: bool

    @property
    def span(self) -> Span:
        """The part of each video that is read; raises UsageError where it is empty."""
        span = Span(self.start or 0.0, self.end)
        if span.end_s is not None and span.end_s <= span.start_s:
            raise UsageError(
                f"--end is {span.end_s:g} s, --start is {span.start_s:g} s; give an end after the start"
            )
        return span


def run(inputs: Inputs, options: RunOptions) -> None:
    """Run a source through everything that the options ask for; leaves with 1 where something failed."""
    keep_freed_memory()
    threads = thread_count(options.threads)
    model = find_model(options.model)
    stream = inputs.source.info
    _check_outputs(options, [*inputs.files, model.path, *_named(options.detector_model)])
    if options.every is not None and stream.still:
        raise UsageError("--every is about time, which still images have not; leave it out")
    if options.every is not None and not options.results:
        raise UsageError("--every makes fewer rows; name where they go with --results")
    if options.span and (stream.still or stream.live):
        raise UsageError("--start and --end are times of a video; end a camera's run with --duration")
    if (options.encoder or options.preset) and (stream.still or options.output is None):
        raise UsageError("--encoder and --preset are those of an annotated video; name one with --output")
    if options.ids and options.output is None and not _wants_window(stream, options):
        raise UsageError("--ids are drawn into images; name those with --output, or give --show")
    continuation = _open_continuation(options, model)
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
        pipeline = Pipeline(
            inputs.source,
            detector,
            model,
            detect_every=options.detect_every,
            smoothing=options.smoothing or 0.0,
            flip_average=bool(options.flip_average),
            threads=threads,
            # Rows are written in no time; drawing, encoding and showing take longer than classification.
            ahead=len(sinks.every) > len(options.results) or _wants_window(stream, options),
            first_id=0 if continuation is None else continuation.next_id,
        )
        _Run(pipeline, sinks, inputs, options, model, continuation).run(threads)


class _Run:
    """A session, what people see of it, and what is written when it ends, however it ends."""

    def __init__(
        self,
        pipeline: Pipeline,
        sinks: _Sinks,
        inputs: Inputs,
        options: RunOptions,
        model: ModelFile,
        continuation: Continuation | None,
    ) -> None:
        self._pipeline, self._inputs = pipeline, inputs
        self._sinks, self._averaged = sinks.every, sinks.averaged
        self._options, self._model, self._continuation = options, model, continuation
        self._session = Session(
            pipeline,
            sinks.every,
            StopConditions(options.max_frames, options.duration),
            mirror=options.mirror,
            ids=options.ids,
            on_finished=self._finish_source,
        )
        quiet = any(map(is_standard_output, options.results))
        self._report = RunReport(pipeline, self._session.statistics, inputs.files, quiet=quiet)

    def run(self, threads: int) -> None:
        """Run, report, write the summary; leaves with 1 where something failed."""
        statistics = self._session.statistics
        if self._continuation is not None:
            self._continuation.begin()
        try:
            with self._inputs.source, self._pipeline:
                self._sinks += _create_window(self._pipeline.stream, self._options)
                self._session.run(self._report.take)
        except FerEdgeError as error:
            statistics.add_error(str(error))
            raise
        except (KeyboardInterrupt, Terminated):
            click.echo("Interrupted; what was written until now is kept.", err=True)
            raise
        finally:
            self._report.end()
            if self._options.summary is not None:
                summary = build_summary(
                    statistics,
                    self._pipeline,
                    model=self._model,
                    detector=self._options.detector,
                    threads=threads,
                    sources=() if self._pipeline.stream.still else self._inputs.files,
                )
                write_json(self._options.summary, summary)
        if statistics.error_count:
            click.get_current_context().exit(1)

    def _finish_source(self, source: str) -> None:
        self._report.finish_source(source)
        if self._continuation is not None:
            for sink in self._averaged:
                sink.flush()
            self._continuation.finish_source(self._options.span.name_part(source))


def select_videos(addresses: Sequence[str], options: RunOptions) -> list[str]:
    """Leave out the videos that the results which are continued hold whole; cuts off half-done rows."""
    continuation = _open_continuation(options, find_model(options.model))
    if continuation is None:
        return list(addresses)
    parts = {options.span.name_part(address): address for address in addresses}
    missing = [parts[part] for part in continuation.select_missing(parts)]
    if len(missing) < len(addresses):
        done = counted(len(addresses) - len(missing), "video")
        click.echo(f"{done} of {len(addresses)} already complete in the results.", err=True)
    return missing


def _open_continuation(options: RunOptions, model: ModelFile) -> Continuation | None:
    if not options.append:
        return None
    if options.overwrite:
        raise UsageError("--append and --overwrite contradict each other; give one of them")
    targets = [split_target(target, ROW_SINKS) for target in options.results]
    paths = [Path(target) for name, target in targets if name is None and target != STANDARD_OUTPUT]
    if not paths:
        raise UsageError("--append continues files of --results; name one")
    return Continuation(paths, model.spec.labels)


def _named(value: T | None) -> list[T]:
    return [] if value is None else [value]


@dataclass(slots=True)
class _Sinks:
    """The sinks of a run; ``averaged`` are those among them that hold results back."""

    every: list[Sink]
    averaged: list[AveragingSink]


def _create_sinks(inputs: Inputs, options: RunOptions, model: ModelFile) -> _Sinks:
    def request(target: str) -> SinkRequest:
        return SinkRequest(
            target=target,
            stream=inputs.source.info,
            labels=model.spec.labels,
            inputs=inputs.files,
            root=inputs.root,
            overwrite=options.overwrite,
            append=options.append,
            encoder=options.encoder,
            preset=options.preset,
        )

    rows = [create_row_sink(request(target)) for target in options.results]
    averaged = [] if options.every is None else [AveragingSink(sink, options.every) for sink in rows]
    images = [create_image_sink(request(target)) for target in _named(options.output)]
    return _Sinks([*(averaged or rows), *images], averaged)


def _wants_window(stream: StreamInfo, options: RunOptions) -> bool:
    return options.show if options.show is not None else stream.live


def _create_window(stream: StreamInfo, options: RunOptions) -> list[Sink]:
    """The window that is wanted and can be shown, or none."""
    if not _wants_window(stream, options):
        return []
    try:
        return [create_window(SinkRequest(target="", stream=stream, required=bool(options.show)))]
    except OutputError as error:
        if options.show:
            raise
        click.echo(f"Running without a window, end it with Ctrl-C: {error}", err=True)
        return []


def _identities(path: str | Path) -> Iterator[object]:
    """What tells that two names are one file's: the real path, and the file itself by whatever road.

    A ``file:`` URL and standard input, as ``-``, may be files, too.
    """
    name = os.fspath(path)
    if name.startswith("file:"):
        name = unquote(urlsplit(name).path)
    if name != STANDARD_INPUT:
        yield os.path.realpath(name)
    with suppress(OSError, ValueError, AttributeError):  # not there, a strange name, or closed
        status = os.fstat(sys.stdin.fileno()) if name == STANDARD_INPUT else os.stat(name)  # noqa: PTH116
        if stat.S_ISREG(status.st_mode):
            yield status.st_dev, status.st_ino


def _check_outputs(options: RunOptions, inputs: Sequence[str | Path]) -> None:
    """Refuse outputs that are one another's or an input's file, and a summary that cannot be written."""
    rows = (split_target(target, ROW_SINKS)[1] for target in options.results)
    named = [Path(target) for target in rows if target != STANDARD_OUTPUT]
    named += _named(options.summary)
    named += [Path(split_target(target, IMAGE_SINKS)[1]) for target in _named(options.output)]
    printed = sum(map(is_standard_output, options.results))
    if len({os.path.realpath(path) for path in named}) < len(named) or printed > 1:
        raise UsageError("expected a file of its own for each output, one is named twice")
    read = {identity for path in inputs for identity in _identities(path)}
    for path in named:
        if not read.isdisjoint(_identities(path)):
            raise UsageError(f"{path}: it is an input and would be overwritten; name another output")
    if printed and not has_standard_output():
        raise OutputError("standard output is closed; name a .jsonl file for --results instead of -")
    if options.summary is not None:
        if options.summary == Path(STANDARD_OUTPUT):
            raise UsageError("expected a file for --summary, got -; standard output holds --results - only")
        check_file(options.summary, overwrite=options.overwrite)
