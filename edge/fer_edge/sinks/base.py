"""The ``Sink`` interface and the arguments of sink factories."""

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
    """Live counters of a run, which any thread may read.

    ``reconnects`` counts how often a source was lost and came back; ``events`` maps the text of each rule to
    its number of events.
    """

    frames: int = 0
    frames_dropped: int = 0
    reconnects: int = 0
    events: Mapping[str, int] = field(default_factory=dict)


class Sink(Protocol):
    """Receives every result of a run, in order.

    After ``close`` the output is complete. The constructor refuses a target that cannot be written, before any
    input is read. Files are opened with the first result, connections in ``open``. Failures raise OutputError.
    A BrokenPipeError ends the program silently; raise it only if the reader closed the pipe (``| head``).

    >>> from fer_edge import EmotionRecognizer, View
    >>> class Counter:
    ...     faces = 0
    ...     def open(self, stream, stop):
    ...         print(stream.name)
    ...     def write(self, result):
    ...         if isinstance(result, View):
    ...             self.faces += len(result.faces)
    ...     def close(self):
    ...         print(self.faces, "faces")
    >>> with EmotionRecognizer() as recognizer:
    ...     statistics = recognizer.run("clip.mp4", [Counter()])
    clip.mp4
    3 faces
    """

    def open(self, stream: StreamInfo, stop: Event) -> None:
        """Begin the stream that ``stream`` describes.

        This is called again for each further stream. A sink that sets ``stop`` ends the run after the current
        result.
        """

    def write(self, result: View | SkippedInput) -> None:
        """Write a result, or an input that could not be read.

        The sink must not keep a reference to ``result``. A slow sink slows down the run; a live source then
        drops frames.
        """

    def close(self) -> None:
        """Finish the output.

        This is called once, even after an error, an interruption or a failed ``open``.
        """


@runtime_checkable
class IdleSink(Protocol):
    """A sink with work to do while a live source delivers no frames, such as a window."""

    def idle(self) -> None:
        """Do the pending work; called several times a second in the writing thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkRequest:
    """The arguments of a sink factory.

    ``target`` is the target that the user gave, without the leading ``NAME:``: a path, ``-`` or an address.
    ``labels`` are the labels of the model, in the order of its scores. ``stream`` describes the source before
    it is opened, ``inputs`` lists the paths it reads if they are known, and ``root`` is the folder the user
    named for them, or None. ``append`` continues an existing file of rows. ``required``: the user asked for
    this output, so it has to work. ``encoder`` and ``preset`` are FFmpeg's names of the encoder and preset of
    an annotated video; None selects the default. ``status`` holds the live counters of the run. ``retention``
    deletes the oldest files of outputs that consist of many files; such outputs register with it.
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
    """Base class of sinks that hold no resources between results."""

    def open(self, stream: StreamInfo, stop: Event) -> None:
        """Do nothing: the sink holds no resources."""

    def close(self) -> None:
        """Do nothing: the sink holds no resources."""
