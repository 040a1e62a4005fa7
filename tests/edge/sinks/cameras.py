"""Input for camera outputs in tests: results at any wall-clock time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

from fer_edge.rendering.view import View
from fer_edge.sinks.base import Sink, SinkRequest
from fer_edge.sinks.registry import create_image_sink, create_row_sink
from fer_edge.types import FaceBox, Frame, FrameResult, StreamInfo
from tests.edge.support import LABELS, make_face, make_result

CAMERA = StreamInfo(name="0", live=True, frame_rate=10.0)


def local(text: str, fold: int = 0) -> datetime:
    """Parse a local time such as ``2026-11-26 10:00``; ``fold`` 1 selects the second of two equal times."""
    return datetime.fromisoformat(text).replace(fold=fold).astimezone()


def seen(
    clock: datetime, index: int = 0, *, number: int | None = 0, image: Any = None, time_s: float | None = None
) -> View:
    """Return a camera result at that time, with one face of that id or without a face."""
    plain = make_result(index, faces=0, source="0", image=image).frame
    frame = Frame(plain.image, "0", index, index / 10 if time_s is None else time_s, clock=clock)
    faces = () if number is None else (make_face(FaceBox(3, 2, 30, 40), number=number),)
    return View(FrameResult(frame, faces))


def from_then_on(start: datetime, step_s: float, count: int) -> Iterator[View]:
    """Yield results at a fixed interval from a time on."""
    for index in range(count):
        yield seen(start + timedelta(seconds=step_s * index), index)


@contextmanager
def opened(sink: Sink) -> Iterator[Sink]:
    """Open a camera's sink, and close it at the end."""
    sink.open(CAMERA, Event())
    try:
        yield sink
    finally:
        sink.close()


def camera_rows(target: Path | str, **options: Any) -> Sink:
    """Create the sink for ``camera --results``."""
    return create_row_sink(SinkRequest(target=str(target), stream=CAMERA, labels=LABELS, **options))


def camera_video(target: Path | str, **options: Any) -> Sink:
    """Create the sink for ``camera --output``."""
    return create_image_sink(SinkRequest(target=str(target), stream=CAMERA, labels=LABELS, **options))


def write_rows(target: Path | str, *results: View, **options: Any) -> None:
    """Write the rows of one camera run, from start to end."""
    with opened(camera_rows(target, **options)) as sink:
        for result in results:
            sink.write(result)


NOON = datetime(2026, 11, 26, 12, tzinfo=UTC).astimezone()
