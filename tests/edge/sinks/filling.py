"""Sinks as the command line creates them, and helpers that fill them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from fer_edge.rendering.view import View
from fer_edge.sinks.base import Sink, SinkRequest
from fer_edge.sinks.images import ImageSink
from fer_edge.sinks.registry import create_row_sink
from fer_edge.sinks.video import VideoSink
from fer_edge.types import SkippedInput, StreamInfo
from tests.edge.support import LABELS

STREAM = StreamInfo(name="clip.mp4", frame_rate=10.0)


def row_sink(target: Path | str, *, overwrite: bool = False) -> Sink:
    """Create the sink for ``--results``."""
    return create_row_sink(SinkRequest(target=str(target), stream=STREAM, labels=LABELS, overwrite=overwrite))


def image_sink(target: Path, *, overwrite: bool = False) -> Sink:
    """Create the sink for an ``--output`` file: an image or a video, depending on the suffix."""
    kind = VideoSink if target.suffix in (".mp4", ".avi") else ImageSink
    return kind(target, overwrite=overwrite)


def fill(sink: Sink, results: Iterable[View | SkippedInput], stream: StreamInfo = STREAM) -> None:
    """Open a sink, write the results and close it, as a run does."""
    sink.open(stream, Event())
    try:
        for result in results:
            sink.write(result)
    finally:
        sink.close()


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Limit file sizes to so many bytes within the block, as if the disk were full.

    The limit applies to the whole process, so it ends with the block: pytest's own output may go to a file.
    """
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
