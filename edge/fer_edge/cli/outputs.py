"""Check the outputs of a run before any input is read, and create their sinks."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import unquote, urlsplit

from fer_edge.cli.app import has_standard_output
from fer_edge.cli.broker import create_tls_files
from fer_edge.cli.inputs import Inputs
from fer_edge.cli.messages import is_silent, say
from fer_edge.cli.run_options import RunOptions
from fer_edge.errors import OutputError, UsageError, describe_error
from fer_edge.events.dispatch import EventDispatcher
from fer_edge.events.registry import create_action
from fer_edge.events.rules import parse_rule
from fer_edge.models.find_model import ModelFile
from fer_edge.runtime.atomic_files import check_file
from fer_edge.runtime.locks import lock_file
from fer_edge.runtime.process_title import hide_password
from fer_edge.runtime.service import ServiceNotifier
from fer_edge.sinks.averaging import AveragingSink
from fer_edge.sinks.base import RunStatus, Sink, SinkRequest
from fer_edge.sinks.continuation import ROW_FORMATS, Continuation
from fer_edge.sinks.registry import (
    IMAGE_SINKS,
    ROW_SINKS,
    STANDARD_OUTPUT,
    create_faces_sink,
    create_image_sink,
    create_row_sink,
    create_window,
    is_standard_output,
    split_target,
)
from fer_edge.sinks.rotation.retention import Retention
from fer_edge.sinks.rotation.timed_name import TimedName, has_fields
from fer_edge.sinks.rows.settings import collect_settings
from fer_edge.sinks.service import ServiceSink
from fer_edge.types import StreamInfo

if TYPE_CHECKING:  # imported at run time only if used
    from fer_edge.sinks.http.sink import HttpSink
    from fer_edge.sinks.mqtt.sink import MqttSink

__all__ = [
    "Sinks",
    "check_outputs",
    "create_events",
    "create_publisher",
    "create_sinks",
    "create_windows",
    "has_other_outputs",
    "lock_continued",
    "open_continuation",
    "rotates",
    "shows_images",
    "wants_window",
]

T = TypeVar("T")

STANDARD_INPUT: Final = "-"


def _identities(path: str | Path) -> Iterator[object]:
    """Yield the real path and the inode of a file, which identify it.

    Handles ``file:`` URLs, and ``-`` for standard input, which may be redirected from a file.
    """
    name = os.fspath(path)
    if name.startswith("file:"):
        name = unquote(urlsplit(name).path)
    if name != STANDARD_INPUT:
        yield os.path.realpath(name)
    with suppress(OSError, ValueError, AttributeError):  # missing file, invalid name or closed standard input
        status = os.fstat(sys.stdin.fileno()) if name == STANDARD_INPUT else os.stat(name)  # noqa: PTH116
        if stat.S_ISREG(status.st_mode):
            yield status.st_dev, status.st_ino


def check_outputs(options: RunOptions, inputs: Sequence[str | Path], *, live: bool = False) -> None:
    """Raise UsageError if an output conflicts with an input or another output.

    Also raises OutputError if the summary or standard output cannot be written.
    """
    timed = _timed_names(options) if live else []
    rows = (split_target(target, ROW_SINKS)[1] for target in options.results)
    named = [Path(target) for target in rows if target != STANDARD_OUTPUT]
    named += _as_list(options.summary)
    named += [Path(split_target(target, IMAGE_SINKS)[1]) for target in _as_list(options.output)]
    named += [Path(folder) for folder in _as_list(options.faces)]
    if options.output is not None and split_target(options.output, IMAGE_SINKS)[0] == "http":
        raise UsageError("--output writes files; for a live view in a browser use --serve [HOST:]PORT")
    printed = sum(map(is_standard_output, options.results))
    if (
        len({os.path.realpath(path) for path in named}) < len(named)
        or printed > 1
        or _can_collide(timed, named)
    ):
        raise UsageError("one file is named twice; use a different file for each output")
    read = {identity for path in inputs for identity in _identities(path)}
    for path in named:
        if not read.isdisjoint(_identities(path)):
            raise UsageError(f"{path}: it is an input and would be overwritten; choose another output")
    if _can_collide(timed, inputs):
        raise UsageError("an output with a time in its name could overwrite an input; choose another output")
    if printed and not has_standard_output():
        raise OutputError("standard output is closed; use a .jsonl file for --results instead of -")
    if options.summary is not None:
        if options.summary == Path(STANDARD_OUTPUT):
            raise UsageError("--summary cannot write to standard output; use a file")
        check_file(options.summary, overwrite=options.overwrite or options.append)


def has_other_outputs(options: RunOptions) -> bool:
    """Return whether a run writes anything but standard output."""
    named = (options.output, options.summary, options.faces, options.serve, options.mqtt)
    return (
        any(each is not None for each in named)
        or not all(map(is_standard_output, options.results))
        or any(action.lower() != "print" for action in options.actions)
    )


def _can_collide(names: Sequence[TimedName], paths: Sequence[str | Path]) -> bool:
    """Return whether a timed name can expand to another name or path.

    For example, ``%H.csv`` and ``%M.csv`` can expand to the same name.
    """
    now = datetime.now().astimezone()
    others = {os.fspath(path): Path(path) for path in paths} | {name.text: name.expand(now) for name in names}
    return any(
        name.matches_path(path) for name in names for text, path in others.items() if text != name.text
    )


def open_continuation(options: RunOptions, model: ModelFile, *, live: bool = False) -> Continuation | None:
    """Open the results of an earlier run for ``--append``; None without ``--append``.

    Raises UsageError, OutputError.
    """
    if not options.append:
        return None
    if options.overwrite:
        raise UsageError("--append and --overwrite cannot be combined; use one of them")
    targets = [
        (Path(target), ROW_FORMATS[name](model.spec.labels))
        for name, target in map(_split_rows, options.results)
        if name in ROW_FORMATS and target != STANDARD_OUTPUT
    ]
    if not targets and not (live and rotates(options)):
        raise UsageError("--append needs a results file to append to; specify one with --results")
    if live:
        return Continuation.of_live(targets)
    return Continuation(targets, {"model": model.sha256[:12], **collect_settings(options)})


@contextmanager
def lock_continued(options: RunOptions) -> Iterator[None]:
    """Lock the results files that ``--append`` continues until the block ends.

    Raises OutputError if another program is writing to one of them.
    """
    targets = [target for name, target in map(_split_rows, options.results) if name in ROW_FORMATS]
    with ExitStack() as stack:
        for path in map(Path, targets if options.append else ()):
            if path.parent.is_dir() and path != Path(STANDARD_OUTPUT):
                stack.enter_context(lock_file(path))
        yield


def _split_rows(target: str) -> tuple[str, str]:
    """Split a target of ``--results`` into the name of its format and its path."""
    name, path = split_target(target, ROW_SINKS)
    return name or Path(path).suffix.lower().removeprefix("."), path


def rotates(options: RunOptions) -> bool:
    """Return whether an output is split into files with a time in their names."""
    return any(map(has_fields, _camera_files(options)))


def _camera_files(options: RunOptions) -> list[str]:
    """Return the names of the result and video files that a camera run writes.

    Outputs to other kinds of sinks are left out.
    """
    rows = [target for name, target in map(_split_rows, options.results) if name in ROW_FORMATS]
    images = [split_target(target, IMAGE_SINKS) for target in _as_list(options.output)]
    return [*rows, *(target for name, target in images if name in (None, "video"))]


def _timed_names(options: RunOptions) -> list[TimedName]:
    return [TimedName(target) for target in _camera_files(options) if "%" in target]


def _as_list(value: T | None) -> list[T]:
    return [] if value is None else [value]


@dataclass(slots=True)
class Sinks:
    """The sinks of a run.

    ``all`` lists all sinks, ``averaging`` those of them that average results over time. ``live_views`` are opened
    before the run begins and may be closed twice.
    """

    all: list[Sink]
    averaging: list[AveragingSink]
    live_views: list[HttpSink]


def create_sinks(inputs: Inputs, options: RunOptions, model: ModelFile, status: RunStatus) -> Sinks:
    """Create the sinks for rows and images; raises UsageError, OutputError."""
    retention = Retention(days=options.keep_days, gigabytes=options.keep_gb)

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
            retention=retention,
        )

    rows = [create_row_sink(request(target)) for target in options.results]
    averaging = [] if options.every is None else [AveragingSink(sink, options.every) for sink in rows]
    images = [create_image_sink(request(target)) for target in _as_list(options.output)]
    images += [create_faces_sink(request(target)) for target in _as_list(options.faces)]
    notifier = ServiceNotifier.from_environment()
    service = [] if notifier is None else [ServiceSink(notifier, status)]
    live_views = [_create_live_view(request(target)) for target in _as_list(options.serve)]
    return Sinks([*(averaging or rows), *images, *service, *live_views], averaging, live_views)


def create_publisher(options: RunOptions, model: ModelFile, status: RunStatus) -> MqttSink | None:
    """Create the sink of ``--mqtt``; None if it is not given.

    Raises UsageError, OutputError, MissingExtraError.
    """
    if options.mqtt is None:
        return None
    hide_password(options.mqtt)
    from fer_edge.sinks.mqtt.address import parse_address
    from fer_edge.sinks.mqtt.sink import MqttSink

    files = create_tls_files(options.mqtt, options.mqtt_ca, options.mqtt_cert, options.mqtt_key)
    return MqttSink(
        parse_address(options.mqtt, files),
        labels=model.spec.labels,
        model=model.spec.name,
        rules=options.rules,
        every_s=options.every,
        status=status,
    )


def create_events(
    options: RunOptions, model: ModelFile, publisher: MqttSink | None = None
) -> EventDispatcher | None:
    """Create the dispatcher for the rules of ``--when`` and the actions of ``--then``.

    ``publisher`` also receives every event. Raises UsageError for an invalid rule or action.
    """
    if len(options.rules) != len(options.actions):
        raise UsageError(
            "each --when needs one --then and vice versa, "
            f"got {len(options.rules)} --when and {len(options.actions)} --then"
        )
    if not options.rules:
        return None
    if "print" in options.actions and any(map(is_standard_output, options.results)):
        raise UsageError(
            "--then print and --results - both write to standard output; "
            "use another action or write results to a file"
        )
    rules = [parse_rule(text, model.spec.labels) for text in options.rules]
    publish = None if publisher is None else publisher.publish_event
    actions = [create_action(text, publish) for text in options.actions]
    dispatcher = EventDispatcher(list(zip(rules, actions, strict=True)))
    if publish is not None:
        dispatcher.listen(lambda event: publish(event.as_record()))
    return dispatcher


def _create_live_view(request: SinkRequest) -> HttpSink:
    """Start the live view and print its address."""
    from fer_edge.sinks.http.sink import TOKEN_VARIABLE, create_sink

    view = create_sink(request)
    if is_silent() and view.is_secret:
        view.close()
        raise UsageError(
            f"--quiet would hide the generated address of the live view; specify a port and, unless the host is the "
            f"loopback address, set a token in {TOKEN_VARIABLE}"
        )
    hint = f" (requires the token in {TOKEN_VARIABLE})" if view.own_token else ""
    say(f"Live view: {view.url}{hint}")
    return view


def wants_window(stream: StreamInfo, options: RunOptions) -> bool:
    """Return whether to show the run in a window."""
    return options.show if options.show is not None else stream.live and options.serve is None


def shows_images(stream: StreamInfo, options: RunOptions) -> bool:
    """Return whether annotated images are written, served or shown."""
    return options.output is not None or options.serve is not None or wants_window(stream, options)


def create_windows(stream: StreamInfo, options: RunOptions) -> list[Sink]:
    """Create the window if one is wanted and can be opened."""
    if not wants_window(stream, options):
        return []
    try:
        return [create_window(SinkRequest(target="", stream=stream, required=bool(options.show)))]
    except OutputError as error:
        if options.show:
            raise
        say(f"Running without a window; stop with Ctrl-C: {describe_error(error)}")
        return []
