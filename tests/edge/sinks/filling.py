"""Sinks as the command line makes them, and what fills them."""

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
    """What ``--results`` writes to."""
    return create_row_sink(SinkRequest(target=str(target), stream=STREAM, labels=LABELS, overwrite=overwrite))


def image_sink(target: Path, *, overwrite: bool = False) -> Sink:
    """What ``--output`` writes to where it names a file: an image or a video, by the suffix."""
    kind = VideoSink if target.suffix in (".mp4", ".avi") else ImageSink
    return kind(target, overwrite=overwrite)


def fill(sink: Sink, results: Iterable[View | SkippedInput], stream: StreamInfo = STREAM) -> None:
    """Open a sink, write the results, close it, as a run does."""
    sink.open(stream, Event())
    try:
        for result in results:
            sink.write(result)
    finally:
        sink.close()


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Within the block no file can grow beyond so many bytes, as if the disk were full.

    Only within it: the limit is the whole process', and pytest's own output may go into a file.
    """
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
