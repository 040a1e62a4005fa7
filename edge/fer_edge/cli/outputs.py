"""What a run writes: checked before anything is read, made into sinks."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import unquote, urlsplit

import click

from fer_edge.cli.app import has_standard_output
from fer_edge.cli.inputs import Inputs
from fer_edge.cli.run_options import RunOptions
from fer_edge.errors import OutputError, UsageError
from fer_edge.models.find_model import ModelFile
from fer_edge.runtime.atomic_files import check_file
from fer_edge.sinks.averaging import AveragingSink
from fer_edge.sinks.base import RunStatus, Sink, SinkRequest
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
from fer_edge.types import StreamInfo

__all__ = ["Sinks", "check_outputs", "create_sinks", "create_windows", "open_continuation", "wants_window"]

T = TypeVar("T")

STANDARD_INPUT: Final = "-"


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


def check_outputs(options: RunOptions, inputs: Sequence[str | Path]) -> None:
    """Refuse outputs that are one another's or an input's file, and a summary that cannot be written."""
    rows = (split_target(target, ROW_SINKS)[1] for target in options.results)
    named = [Path(target) for target in rows if target != STANDARD_OUTPUT]
    named += _named(options.summary)
    named += [Path(split_target(target, IMAGE_SINKS)[1]) for target in _named(options.output)]
    if options.output is not None and split_target(options.output, IMAGE_SINKS)[0] == "http":
        raise UsageError("--output writes files; a live view in a browser is --serve [HOST:]PORT")
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


def open_continuation(options: RunOptions, model: ModelFile) -> Continuation | None:
    """What the results files of an earlier run hold, where they are continued; raises UsageError, OutputError."""
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
class Sinks:
    """The sinks of a run; ``averaged`` are those among them that hold results back.

    ``views`` are those that hold something open before the run begins, and may be closed twice.
    """

    every: list[Sink]
    averaged: list[AveragingSink]
    views: list[Sink]


def create_sinks(inputs: Inputs, options: RunOptions, model: ModelFile, status: RunStatus) -> Sinks:
    """Make the sinks of rows and images; raises UsageError, OutputError for what cannot be written."""

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
            status=status,
        )

    rows = [create_row_sink(request(target)) for target in options.results]
    averaged = [] if options.every is None else [AveragingSink(sink, options.every) for sink in rows]
    images = [create_image_sink(request(target)) for target in _named(options.output)]
    views = [_create_live_view(request(target)) for target in _named(options.serve)]
    return Sinks([*(averaged or rows), *images, *views], averaged, views)


def _create_live_view(request: SinkRequest) -> Sink:
    """Serve the run to browsers, and say where."""
    from fer_edge.sinks.http.sink import TOKEN_VARIABLE, create_sink

    view = create_sink(request)
    hint = f" (it asks for the token in {TOKEN_VARIABLE})" if view.own_token else ""
    click.echo(f"Live view: {view.url}{hint}", err=True)
    return view


def wants_window(stream: StreamInfo, options: RunOptions) -> bool:
    """Whether a window shall show the run."""
    return options.show if options.show is not None else stream.live and options.serve is None


def create_windows(stream: StreamInfo, options: RunOptions) -> list[Sink]:
    """The window that is wanted and can be shown, or none."""
    if not wants_window(stream, options):
        return []
    try:
        return [create_window(SinkRequest(target="", stream=stream, required=bool(options.show)))]
    except OutputError as error:
        if options.show:
            raise
        click.echo(f"Running without a window, end it with Ctrl-C: {error}", err=True)
        return []
