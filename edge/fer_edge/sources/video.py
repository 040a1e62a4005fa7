"""Video files and streams that are read like files: every frame, in order."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import cv2
import numpy as np

from fer_edge.errors import SourceError, SourceLostError
from fer_edge.sources.base import SourceItem, SourceRequest
from fer_edge.sources.urls import is_url, redact_credentials
from fer_edge.types import Frame, Image, StreamInfo

__all__ = ["VideoSource", "as_bgr", "create_source", "sanitize_frame_rate"]

_MAX_RATE: Final = 1000.0  # frames per second; what is above is no rate
_RETRIES: Final = 5  # a damaged frame in the middle is skipped; so many in a row are the end
_EARLY_S: Final = 1.0  # seconds that may be missing at the end
_TIMEOUT_MS: Final = 10_000
_STDIN: Final = "-"


class VideoSource:
    """A video file, a URL that FFmpeg reads, or ``-`` for standard input, from its first frame to its last.

    Its name is the path or URL as it is given, without a URL's password. Its clock is the presentation time.
    Raises SourceError when it cannot be opened or has no frame, and SourceLostError when it ends more than a
    second before its own frame count says.
    """

    def __init__(self, path: Path | str) -> None:
        self._address = os.fspath(path)
        self.info = StreamInfo(name=redact_credentials(self._address))
        self._capture: Any = None

    def __enter__(self) -> Self:
        if self._address == _STDIN:
            if sys.stdin is None:
                raise SourceError("expected a video on standard input, it is closed; name a file")
        elif not is_url(self._address):
            _check_file(Path(self._address), self.info.name)
        self._capture = cv2.VideoCapture(
            "pipe:0" if self._address == _STDIN else self._address,
            cv2.CAP_FFMPEG,
            [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _TIMEOUT_MS],
        )
        if not self._capture.isOpened():
            raise SourceError(f"{self._title}: expected a video, {self._none()}")
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.info = replace(
            self.info,
            frame_rate=sanitize_frame_rate(self._capture.get(cv2.CAP_PROP_FPS)),
            frame_count=int(count) if math.isfinite(count) and 0 < count < 1e9 else None,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def __iter__(self) -> Iterator[SourceItem]:
        index, last = 0, -1.0
        while (image := self._read()) is not None:
            time_s = self._clock(index, last)
            yield Frame(image, self.info.name, index, time_s)
            index, last = index + 1, time_s
        self._check_end(index)

    @property
    def _title(self) -> str:
        return "standard input" if self._address == _STDIN else self.info.name

    def _none(self) -> str:
        if self._address == _STDIN:
            return (
                "it holds none that FFmpeg can read as it comes, from its start (.avi, .mkv, .ts and such; .mp4 "
                "only where it was made for it); name a file"
            )
        what = "answers with" if is_url(self._address) else "holds"
        return f"it {what} none that FFmpeg can read, or is damaged"

    def _read(self) -> Image | None:
        for _ in range(_RETRIES):
            read, image = self._capture.read()
            if read and image is not None and image.size:
                return as_bgr(image)
        return None

    def _clock(self, index: int, last: float) -> float:
        """The presentation time of the frame just read; where it does not run, the nominal rate's."""
        time_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if math.isfinite(time_s) and time_s >= 0 and (index == 0 or time_s > last):
            return float(time_s)
        return last + 1 / (self.info.frame_rate or 25.0) if index else 0.0

    def _check_end(self, read: int) -> None:
        if read == 0:
            none = self._none() if self._address == _STDIN else "it has no frame that can be decoded"
            raise SourceError(f"{self._title}: expected a video, {none}")
        if self.info.frame_count is not None and self.info.frame_rate is not None:
            missing_s = (self.info.frame_count - read) / self.info.frame_rate
            if missing_s > _EARLY_S:
                raise SourceLostError(
                    f"{self._title}: expected {self.info.frame_count} frames, the video broke off after {read}, "
                    f"{missing_s:.1f} s before its end; what was read is kept"
                )


def create_source(request: SourceRequest) -> VideoSource:
    """Make the source of one video."""
    return VideoSource(request.address)


def sanitize_frame_rate(rate: float) -> float | None:
    """Frames per second as a container or camera states them; None for 0, NaN and nonsense."""
    return float(rate) if math.isfinite(rate) and 0 < rate < _MAX_RATE else None


def as_bgr(image: Any) -> Image:
    """A decoded frame, grey, with alpha or 16-bit included, as uint8 (height, width, 3) BGR."""
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    elif image.shape[2] == 4:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
    elif image.shape[2] == 1:
        image = cv2.cvtColor(image[..., 0], cv2.COLOR_GRAY2BGR)
    return np.asarray(image, np.uint8)


def _check_file(path: Path, name: str) -> None:
    if path.is_dir():
        raise SourceError(
            f"{name}: expected a video file, got a folder; for its pictures use: fer-edge folder"
        )
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise SourceError(f"{name}: expected a video, the file is empty")
    except OSError as error:
        raise SourceError(f"{name}: expected a video, the file cannot be read: {error.strerror}") from error
