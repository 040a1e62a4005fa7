"""Cameras: by index, by device, or over the network."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import cv2
import numpy as np

from fer_edge.errors import SourceError, SourceLostError, UsageError
from fer_edge.sources.base import SourceItem, SourceRequest
from fer_edge.sources.urls import is_url, redact_credentials
from fer_edge.sources.video import sanitize_frame_rate
from fer_edge.types import Frame, Image, StreamInfo

__all__ = ["CameraSource", "as_bgr", "create_source"]

_TIMEOUT_MS: Final = 5_000
_FAILED_READS: Final = 10  # in a row, and the camera is gone
_RELEASE_S: Final = 1.0
_RETRY_S: Final = 0.05
_FIRST_FRAME_S: Final = 5.0  # a USB camera may need a moment for its first picture
_MAX_NOMINAL_RATE: Final = 240.0  # cameras on the network state the ticks of their clock as a rate


class CameraSource:
    """A camera: an index, a device such as /dev/video2, or an rtsp:// or http:// URL.

    Its clock is the seconds since its first frame. Raises SourceError when it cannot be opened or gives
    no picture, and SourceLostError when it stops giving pictures.
    """

    def __init__(self, source: str | int = 0) -> None:
        address = str(source)
        self.info = StreamInfo(name=redact_credentials(address), live=True)
        self._capture: Any = None
        self._reading = threading.Lock()
        self._target: int | str = int(address) if address.isdecimal() else address
        if isinstance(self._target, str) and not is_url(address) and not address.startswith("/dev/"):
            raise UsageError(
                f"expected a camera (an index, /dev/videoN, or an rtsp:// or http:// URL), got {self.info.name!r}; "
                "a file is read with: fer-edge video"
            )

    def __enter__(self) -> Self:
        if isinstance(self._target, str) and is_url(self._target):
            options = [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                _TIMEOUT_MS,
                cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                _TIMEOUT_MS,
            ]
            self._capture = cv2.VideoCapture(self._target, cv2.CAP_FFMPEG, options)
        else:
            _check_device(self._target, self.info.name)
            self._capture = cv2.VideoCapture(self._target)
            # Only compressed do most USB cameras give 30 frames a second; one buffer cuts the lag.
            self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if not self._capture.isOpened():
            raise SourceError(f"camera {self.info.name}: it cannot be opened; {_remedy(self._target)}")
        rate = sanitize_frame_rate(self._capture.get(cv2.CAP_PROP_FPS))
        if rate is not None and rate <= _MAX_NOMINAL_RATE:
            self.info = replace(self.info, frame_rate=rate)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._capture is None:
            return
        # A read that still waits for a camera which is gone must not lose its capture: it would crash.
        if self._reading.acquire(timeout=_RELEASE_S):
            self._capture.release()
            self._capture = None
            self._reading.release()

    def __iter__(self) -> Iterator[SourceItem]:
        opened = time.perf_counter()
        started = 0.0
        index = failed = 0
        while True:
            with self._reading:
                if self._capture is None:
                    return
                read, image = self._capture.read()
            now = time.perf_counter()
            if read and image is not None and image.size:
                failed = 0
                started = started or now
                yield Frame(as_bgr(image), self.info.name, index, now - started)
                index += 1
                continue
            failed += 1
            if index == 0 and now - opened > _FIRST_FRAME_S:
                raise SourceError(
                    f"camera {self.info.name}: it opened, but gave no picture; {_remedy(self._target)}"
                )
            if index > 0 and failed >= _FAILED_READS:
                raise SourceLostError(
                    f"camera {self.info.name}: it gave no more pictures after {index} frames; "
                    "look at its cable or network; what was written is kept"
                )
            time.sleep(_RETRY_S)


def create_source(request: SourceRequest) -> CameraSource:
    """Make the source of one camera."""
    return CameraSource(request.address)


def _check_device(target: int | str, name: str) -> None:
    """OpenCV tries every back end it has before it says no, and says much; a missing device is seen at once."""
    device = Path(f"/dev/video{target}" if isinstance(target, int) else target)
    if sys.platform == "linux" and not device.exists():
        present = sorted(str(path) for path in Path("/dev").glob("video*"))
        raise SourceError(
            f"camera {name}: expected {device}, it is not there; found {', '.join(present) or 'no camera'}: "
            "plug one in, or name it: fer-edge camera /dev/videoN or URL"
        )


def _remedy(target: int | str) -> str:
    if isinstance(target, str) and is_url(target):
        return "check the address and that the camera answers"
    return "check that no other program uses it, and on Linux that you are in the group video"


def as_bgr(image: Any) -> Image:
    """A camera's frame, gray, with alpha or 16-bit included, as uint8 (height, width, 3) BGR."""
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    elif image.shape[2] == 4:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
    elif image.shape[2] == 1:
        image = cv2.cvtColor(image[..., 0], cv2.COLOR_GRAY2BGR)
    return np.asarray(image, np.uint8)
