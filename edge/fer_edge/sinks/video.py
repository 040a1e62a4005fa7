"""The annotated video, at the speed of its source."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any, Final

import cv2
import numpy as np

from fer_edge.errors import OutputError, UsageError
from fer_edge.rendering.view import View
from fer_edge.runtime.atomic_files import check_file, staged_file
from fer_edge.sinks.base import SinkRequest
from fer_edge.types import Image, SkippedInput, StreamInfo

__all__ = ["VideoSink", "create_sink"]

_CODECS: Final = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
"""The wheels of OpenCV bring no H.264 encoder."""
_MAX_RATE: Final = 480.0
_FALLBACK_RATE: Final = 25.0
_LIVE_RATE: Final = 15.0
_LONGEST_GAP_S: Final = 5.0  # a pause of a live source that is filled with its last picture


class VideoSink:
    """Writes each frame of a video, or of a live source as many as keep time with its clock.

    A live source's frames come unevenly: its last picture is repeated, or one left out, so that a minute
    lasts a minute. A frame of another size than the first is scaled to that.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        if path.suffix.lower() not in _CODECS:
            raise UsageError(f"expected a video to write to ({', '.join(_CODECS)}), got {str(path)!r}")
        check_file(path, overwrite=overwrite)
        self._path = path
        self._live = False
        self._rate: float | None = None
        self._stack = ExitStack()
        self._writer: Any = None
        self._part = path
        self._size = (0, 0)
        self._written = 0

    def open(self, stream: StreamInfo, stop: Event) -> None:
        """Take over the source's rate; the file is opened with the first frame."""
        self._live, self._rate = stream.live, stream.frame_rate

    def close(self) -> None:
        """Finish the file; raises OutputError where frames are missing in it."""
        if self._writer is None:
            return
        # What was written before an error or an interruption is kept.
        with self._stack:
            self._writer.release()
            self._writer = None
            arrived = _frames_in(self._part)
            if not arrived:
                raise OutputError(f"{self._path}: none of its frames could be written; is the disk full?")
        if arrived < self._written:
            raise OutputError(
                f"{self._path}: expected {self._written} frames in it, {arrived} arrived; is the disk full?"
            )

    def write(self, result: View | SkippedInput) -> None:
        """Append the frame."""
        if isinstance(result, SkippedInput):
            return
        image = result.image()
        if self._writer is None:
            self._start(image)
        if (image.shape[1], image.shape[0]) != self._size:
            image = np.asarray(cv2.resize(image, self._size, interpolation=cv2.INTER_AREA), np.uint8)
        for _ in range(self._repeats(result.time_s)):
            self._writer.write(image)
            self._written += 1

    def _repeats(self, time_s: float | None) -> int:
        if not self._live or time_s is None:
            return 1
        due = int(time_s * self._frame_rate) + 1 - self._written
        return max(0, min(due, int(_LONGEST_GAP_S * self._frame_rate)))

    @property
    def _frame_rate(self) -> float:
        if self._rate is not None and self._rate <= _MAX_RATE:
            return self._rate
        return _LIVE_RATE if self._live else _FALLBACK_RATE

    def _start(self, image: Image) -> None:
        self._size = (image.shape[1], image.shape[0])
        self._part = self._stack.enter_context(staged_file(self._path))
        codec = cv2.VideoWriter.fourcc(*_CODECS[self._path.suffix.lower()])
        # OpenCV's own writer of .avi rounds the rate to a whole number.
        self._writer = cv2.VideoWriter(str(self._part), cv2.CAP_FFMPEG, codec, self._frame_rate, self._size)
        if not self._writer.isOpened():
            self._writer = None
            with self._stack:
                raise OutputError(
                    f"{self._path}: OpenCV cannot write a video of {self._size[0]}×{self._size[1]} pixels "
                    "there; try another suffix (.mp4, .avi) or place"
                )


def create_sink(request: SinkRequest) -> VideoSink:
    """Make the sink of one video file; raises UsageError, OutputError."""
    return VideoSink(Path(request.target), overwrite=request.overwrite)


def _frames_in(path: Path) -> int:
    """The frames of a video that was written: the writer itself does not tell when a disk is full."""
    capture = cv2.VideoCapture(str(path))
    try:
        return int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    finally:
        capture.release()
