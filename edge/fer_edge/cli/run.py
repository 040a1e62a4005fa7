"""Implementation of ``camera``, ``image``, ``folder`` and ``video``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing, nullcontext
from typing import Final

import click
import cv2

from fer_edge.cli.broker import create_tls_files
from fer_edge.cli.closed_reader import survive_closed_reader
from fer_edge.cli.inputs import Inputs, open_videos
from fer_edge.cli.messages import ERROR, say
from fer_edge.cli.outputs import (
    Sinks,
    check_outputs,
    create_events,
    create_publisher,
    create_sinks,
    create_windows,
    has_other_outputs,
    lock_continued,
    open_continuation,
    rotates,
    shows_images,
    wants_window,
)
from fer_edge.cli.report import RunReport
from fer_edge.cli.run_options import RunOptions
from fer_edge.detectors.registry import create_detector
from fer_edge.errors import FerEdgeError, SourceError, UsageError, describe_error
from fer_edge.events.dispatch import EventDispatcher
from fer_edge.models.find_model import ModelFile, find_model
from fer_edge.pipeline import Pipeline
from fer_edge.runtime.atomic_files import write_json
from fer_edge.runtime.malloc import keep_freed_memory
from fer_edge.runtime.native_stderr import suppress_native_stderr
from fer_edge.runtime.shutdown import Terminated, is_interrupted, raise_if_interrupted
from fer_edge.runtime.system import choose_thread_count
from fer_edge.runtime.tables import format_count
from fer_edge.session import Session, StopConditions, build_summary
from fer_edge.sinks.base import RunStatus
from fer_edge.sinks.continuation import Continuation
from fer_edge.sinks.registry import is_standard_output
from fer_edge.types import StreamInfo

__all__ = ["RunOptions", "run", "run_videos"]

# The most frames between two searches that fit into the half second by which --anonymize delays results.
_MAX_UNSEARCHED: Final = 8
_INTERRUPTED: Final = "Interrupted; the results written so far are kept."


def run(inputs: Inputs, options: RunOptions) -> None:
    """Process a source as the options specify; exit with status 1 if an input failed."""
    with nullcontext() if inputs.source.info.live else lock_continued(options):
        _process(inputs, options)


def run_videos(addresses: Sequence[str], options: RunOptions) -> None:
    """Process the videos that are not complete in the existing results; exit with status 1 if one failed."""
    with lock_continued(options):
        missing = _select_videos(addresses, options)
        if missing:
            _process(open_videos(missing, span=options.span, resumable=options.append), options)


def _process(inputs: Inputs, options: RunOptions) -> None:
    keep_freed_memory()
    threads = choose_thread_count(options.threads)
    model = find_model(options.model)
    stream = inputs.source.info
    check_outputs(
        options,
        [*inputs.files, model.path, *([] if options.detector_model is None else [options.detector_model])],
        live=stream.live,
    )
    _check_options(options, stream)
    status = RunStatus()
    publisher = create_publisher(options, model, status)
    events = create_events(options, model, publisher)
    continuation = open_continuation(options, model, live=stream.live)
    sinks = create_sinks(inputs, options, model, status)
    if events is not None:
        status.events = events.counts
        for view in sinks.live_views:
            events.listen(view.send_event)
    with suppress_native_stderr(options.debug), ExitStack() as stack:
        if has_other_outputs(options):
            stack.enter_context(survive_closed_reader())
        for view in sinks.live_views:
            stack.enter_context(closing(view))
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
            # Between two searches, a new face would be visible.
            detect_every=options.detect_every or (1 if options.anonymize else None),
            smoothing=options.smoothing or 0.0,
            flip_average=bool(options.flip_average),
            threads=threads,
            # Writing rows is fast, but drawing, encoding and displaying images takes longer than classification.
            ahead=len(sinks.all) > len(options.results) or wants_window(stream, options),
            first_id=0 if continuation is None else continuation.next_id,
        )
        if publisher is not None:
            sinks.all.append(publisher)
        _Run(pipeline, sinks, inputs, options, model, continuation, status, events).run(threads)


def _check_options(options: RunOptions, stream: StreamInfo) -> None:
    """Raise UsageError for options that do not apply to this kind of source."""
    if stream.still:
        _refuse_video_options(options)
    if options.every is not None and not options.results and options.mqtt is None:
        raise UsageError("--every averages result rows; specify an output with --results")
    if (options.keep_days or options.keep_gb) and not (stream.live and rotates(options)):
        raise UsageError(
            "--keep-days and --keep-gb apply only to a camera's outputs with a time in their names; add one such as "
            "--results rows-%Y-%m-%d.csv"
        )
    if (options.keep_days or options.keep_gb) and options.faces:
        raise UsageError(
            "--keep-days and --keep-gb do not delete the images of --faces, which would fill the disk; "
            "do not combine them"
        )
    if options.mqtt is not None and stream.still:
        raise UsageError("--mqtt works only with a video or a camera")
    create_tls_files(options.mqtt, options.mqtt_ca, options.mqtt_cert, options.mqtt_key)
    if options.span and (stream.still or stream.live):
        raise UsageError("--start and --end apply only to videos; limit a camera run with --duration")
    if (options.encoder or options.preset) and options.output is None:
        raise UsageError("--encoder and --preset apply only to an annotated video; add --output")
    if not shows_images(stream, options):
        if options.ids:
            raise UsageError("--ids needs an output for images; add --output, --show or --serve")
        if options.anonymize:
            raise UsageError("--anonymize needs an output for images; add --output, --show or --serve")
    if options.rules and stream.still:
        raise UsageError("--when works only with a video or a camera")
    if options.anonymize and (options.detect_every or 1) > _MAX_UNSEARCHED:
        raise UsageError(
            f"--anonymize would miss faces that appear between two searches; use --detect-every "
            f"{_MAX_UNSEARCHED} or less, or leave it out so that every frame is searched"
        )
    if options.anonymize and options.faces:
        raise UsageError("--anonymize hides faces and --faces saves them; use one of them")
    if options.serve is not None and stream.still:
        raise UsageError("--serve shows only cameras and videos; view images with --output or --show")


def _refuse_video_options(options: RunOptions) -> None:
    """Raise UsageError for an option that has no effect on still images."""
    for name in ("every", "detect_every", "smoothing", "encoder", "preset"):
        if getattr(options, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')} does not apply to still images; leave it out")


class _Run:
    """A session with its progress display.

    It writes the summary, however the run ends.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        sinks: Sinks,
        inputs: Inputs,
        options: RunOptions,
        model: ModelFile,
        continuation: Continuation | None,
        status: RunStatus,
        events: EventDispatcher | None,
    ) -> None:
        self._pipeline, self._inputs = pipeline, inputs
        self._sinks, self._averaging = sinks.all, sinks.averaging
        self._options, self._model, self._continuation = options, model, continuation
        self._session = Session(
            pipeline,
            sinks.all,
            StopConditions(options.max_frames, options.duration),
            mirror=options.mirror,
            ids=options.ids,
            hide=options.anonymize,
            on_finished=self._finish_source,
            status=status,
            events=events,
        )
        quiet = any(map(is_standard_output, options.results))
        self._report = RunReport(pipeline, self._session.statistics, inputs.files, quiet=quiet)

    def run(self, threads: int) -> None:
        """Run the session and write the summary; exit with status 1 if an input failed."""
        statistics = self._session.statistics
        if self._continuation is not None:
            named = () if self._pipeline.stream.still else self._inputs.files
            self._continuation.begin([self._options.span.name_part(source) for source in named])
        try:
            with self._inputs.source, self._pipeline:
                self._report.begin()
                self._sinks += create_windows(self._pipeline.stream, self._options)
                self._session.run(self._report.handle_result)
            stream = self._pipeline.stream
            if stream.live and self._options.duration is not None and not statistics.frames:
                raise SourceError(f"{stream.name}: no frame arrived within {self._options.duration:g} s")
        except FerEdgeError as error:
            statistics.add_error(describe_error(error))
            if is_interrupted():  # report the error, but exit with the status of the signal
                say(describe_error(error), ERROR)
                say(_INTERRUPTED)
                raise_if_interrupted()
            raise
        except (KeyboardInterrupt, Terminated):
            say(_INTERRUPTED)
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
            for sink in self._averaging:
                sink.flush()
            self._continuation.finish_source(self._options.span.name_part(source))


def _select_videos(addresses: Sequence[str], options: RunOptions) -> list[str]:
    """Return the videos that are not complete in the existing results.

    With ``--append``, also removes the rows of incomplete videos from the results.
    """
    continuation = open_continuation(options, find_model(options.model))
    if continuation is None:
        return list(addresses)
    parts = {options.span.name_part(address): address for address in addresses}
    missing = [parts[part] for part in continuation.select_missing(parts)]
    if len(missing) < len(addresses):
        done = format_count(len(addresses) - len(missing), "video")
        say(f"Skipping {done} of {len(addresses)}, already complete in the results.")
    return missing
