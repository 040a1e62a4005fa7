"""The registry of sinks: add a module to this folder and a line here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fer_edge.errors import UsageError
from fer_edge.runtime.registry import Registry
from fer_edge.sources.urls import scheme_of

if TYPE_CHECKING:  # the command line's help lists the names without loading NumPy or OpenCV
    from fer_edge.sinks.base import Sink, SinkFactory, SinkRequest

__all__ = [
    "IMAGE_SINKS",
    "ROW_SINKS",
    "STANDARD_OUTPUT",
    "create_faces_sink",
    "create_image_sink",
    "create_row_sink",
    "create_sink",
    "create_window",
    "is_standard_output",
    "split_target",
]

STANDARD_OUTPUT: Final = "-"

ROW_SINKS: Final[Registry[SinkFactory]] = Registry(
    "results format",
    "fer_edge.row_sinks",
    {
        "jsonl": "fer_edge.sinks.jsonl:create_sink",
        "csv": "fer_edge.sinks.csv:create_sink",
    },
)
"""The row sinks for ``--results``, written as ``NAME:target`` or ``file.NAME``."""

IMAGE_SINKS: Final[Registry[SinkFactory]] = Registry(
    "output",
    "fer_edge.image_sinks",
    {
        "faces": "fer_edge.sinks.faces:create_sink",
        "images": "fer_edge.sinks.images:create_sink",
        "video": "fer_edge.sinks.video:create_sink",
        "window": "fer_edge.sinks.window:create_sink",
        "http": "fer_edge.sinks.http.sink:create_sink",
    },
)
"""The image sinks for ``--output``, chosen by the target's scheme or else by the kind of source."""


def create_row_sink(request: SinkRequest) -> Sink:
    """Create the sink for a target of ``--results``.

    The target is ``NAME:target``, ``file.NAME``, or ``-`` for JSON Lines on standard output. Raises
    UsageError if the name is unknown, OutputError if the target cannot be written.
    """
    name, target = split_target(request.target, ROW_SINKS)
    if is_standard_output(request.target):
        name = "jsonl"
    if name is None:
        name = Path(target).suffix.lower().removeprefix(".")
    if not name or name not in ROW_SINKS:
        names = ", ".join(ROW_SINKS.names)
        raise UsageError(
            f"{request.target!r}: unknown results format; specify a file whose suffix is one of {names}, or "
            "NAME:TARGET with one of these names, or - for standard output"
        )
    return ROW_SINKS.load(name)(replace(request, target=target))


def create_image_sink(request: SinkRequest) -> Sink:
    """Create the sink for a target of ``--output``.

    The target is ``NAME:target``, a file or a folder. Raises UsageError or OutputError.
    """
    name, target = split_target(request.target, IMAGE_SINKS)
    if name is None:
        name = "images" if request.stream.still else "video"
    return IMAGE_SINKS.load(name)(replace(request, target=target))


def create_sink(request: SinkRequest) -> Sink:
    """Create a row sink or an image sink, whichever the target names.

    Files with the suffix of a results format, and ``-``, are for rows. Raises UsageError or OutputError.
    """
    name, target = split_target(request.target, ROW_SINKS)
    suffix = Path(target).suffix.lower().removeprefix(".")
    is_rows = name is not None or target == STANDARD_OUTPUT or suffix in ROW_SINKS
    return create_row_sink(request) if is_rows else create_image_sink(request)


def is_standard_output(target: str) -> bool:
    """Return whether a ``--results`` target is standard output: ``-`` or ``jsonl:-``."""
    name, rest = split_target(target, ROW_SINKS)
    return rest == STANDARD_OUTPUT and name in (None, "jsonl")


def split_target(target: str, registry: Registry[SinkFactory]) -> tuple[str | None, str]:
    """Split a target into a registered name and the rest after its first colon.

    Without a registered name, the name is None and the rest is the whole target. An address such as
    ``mqtt://host`` keeps its scheme.
    """
    name = scheme_of(target)
    if name is None or name not in registry:
        return None, target
    rest = target[len(name) + 1 :]
    return name, target if rest.startswith("//") else rest


def create_faces_sink(request: SinkRequest) -> Sink:
    """Create the sink for ``--faces``; raises OutputError if it cannot be written."""
    return IMAGE_SINKS.load("faces")(request)


def create_window(request: SinkRequest) -> Sink:
    """Create the window for ``--show``; raises OutputError if no window can be opened."""
    return IMAGE_SINKS.load("window")(replace(request, target=f"fer-edge: {request.stream.name}"))
