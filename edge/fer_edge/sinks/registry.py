"""The sinks by name. A new one is a module in this folder and a line here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from fer_edge.errors import UsageError
from fer_edge.runtime.registry import Registry
from fer_edge.sinks.base import Sink, SinkFactory, SinkRequest
from fer_edge.sources.urls import scheme_of

__all__ = ["IMAGE_SINKS", "ROW_SINKS", "create_image_sink", "create_row_sink", "create_window"]

STANDARD_OUTPUT: Final = "-"

ROW_SINKS: Final = Registry[SinkFactory](
    "results format",
    "fer_edge.row_sinks",
    {
        "jsonl": "fer_edge.sinks.jsonl:create_sink",
        "csv": "fer_edge.sinks.csv:create_sink",
    },
)
"""What ``--results`` writes to, by the target's scheme or suffix: ``name:…`` or ``….name``."""

IMAGE_SINKS: Final = Registry[SinkFactory](
    "output",
    "fer_edge.image_sinks",
    {
        "images": "fer_edge.sinks.images:create_sink",
        "video": "fer_edge.sinks.video:create_sink",
        "window": "fer_edge.sinks.window:create_sink",
    },
)
"""What annotated images go to: ``--output`` by the target's scheme, otherwise by the kind of source."""


def create_row_sink(request: SinkRequest) -> Sink:
    """Make the sink for one target of ``--results``; ``-`` is JSON Lines on standard output.

    Raises UsageError for an unknown format, OutputError where the target cannot be written.
    """
    target = request.target
    scheme, suffix = scheme_of(target), Path(target).suffix.lower().removeprefix(".")
    name = scheme if scheme is not None and scheme in ROW_SINKS else suffix
    if target == STANDARD_OUTPUT:
        name = "jsonl"
    if not name or name not in ROW_SINKS:
        formats = " or ".join(f".{known}" for known in ROW_SINKS.names)
        raise UsageError(f"expected results in a {formats} file, or - for standard output, got {target!r}")
    return ROW_SINKS.load(name)(request)


def create_image_sink(request: SinkRequest) -> Sink:
    """Make the sink for ``--output``; raises UsageError, OutputError."""
    scheme = scheme_of(request.target)
    name = "images" if request.stream.still else "video"
    if scheme is not None and scheme in IMAGE_SINKS:
        name = scheme
    return IMAGE_SINKS.load(name)(request)


def create_window(request: SinkRequest) -> Sink:
    """Make the window for ``--show``; raises OutputError where none can be shown."""
    return IMAGE_SINKS.load("window")(replace(request, target=f"fer-edge: {request.stream.name}"))
