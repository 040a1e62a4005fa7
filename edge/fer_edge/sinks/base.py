"""What a sink is, and what it is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Protocol, runtime_checkable

from fer_edge.rendering.view import View
from fer_edge.sinks.rotation.retention import Retention
from fer_edge.types import SkippedInput, StreamInfo

__all__ = ["IdleSink", "RunStatus", "Sink", "SinkFactory", "SinkRequest", "StatelessSink"]


@dataclass(slots=True)
class RunStatus:
    """How a run does, kept up to date while it goes on; to be read from any thread.

    ``reconnects`` is how often a source was lost and came back; ``events`` how often each rule came true, by its text.
    """

    frames: int = 0
    frames_dropped: int = 0
    reconnects: int = 0
    events: Mapping[str, int] = field(default_factory=dict)


class Sink(Protocol):
    """Takes every result of a run, in order; after ``close`` what it took is complete.

    What could not be written is refused when the sink is made, before anything is read; files are opened
    when the first result arrives, connections in ``open``. Raises OutputError: a BrokenPipeError ends the
    program quietly, as it should for ``| head`` and for nothing else.
    """

    def open(self, stream: StreamInfo, stop: Event) -> None:
        """Begin a stream, which ``stream`` describes; called again where another one begins.

        A sink that sets ``stop`` ends the run after the result it was given last.
        """

    def write(self, result: View | SkippedInput) -> None:
        """Take one result, or an input that could not be read; no reference to it may be kept afterwards.

        Who is slow slows the run; a live source then drops frames.
        """

    def close(self) -> None:
        """End with the run, an error or an interruption; called once, also where ``open`` failed."""


@runtime_checkable
class IdleSink(Protocol):
    """A sink that also has something to do while a live source gives nothing, such as a window."""

    def idle(self) -> None:
        """Do what is due then; called several times a second, in the thread that writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkRequest:
    """What a sink is made from.

    ``target`` is what the user named, without ``NAME:`` before it: a path, ``-`` or an address. ``labels`` are
    the model's, in the order of its scores. ``stream`` is what is known of the source before it is opened,
    ``inputs`` the paths that it reads, as far as they are known, and ``root`` the folder that was named for
    them, if one was.
    ``append`` continues a file of rows. ``required``: the user asked for it, so that it has to work. ``encoder``
    and ``preset`` are those of an annotated video, by FFmpeg's names; None is the usual one. ``status`` tells while the
    run goes on how it does. ``retention`` deletes the oldest files of outputs in many files, which register there.
    """

    target: str
    stream: StreamInfo
    labels: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    root: Path | None = None
    overwrite: bool = False
    append: bool = False
    required: bool = True
    encoder: str | None = None
    preset: str | None = None
    status: RunStatus = field(default_factory=RunStatus)
    retention: Retention = field(default_factory=Retention)


SinkFactory = Callable[[SinkRequest], Sink]


class StatelessSink:
    """A sink that holds nothing open between results."""

    def open(self, stream: StreamInfo, stop: Event) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing is held open."""
