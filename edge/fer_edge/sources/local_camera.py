"""Local cameras through OpenCV.

Each camera is read in a separate thread, because a driver may block forever.
"""

from __future__ import annotations

import logging
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any, Final, Protocol, TypeVar

import cv2
import numpy as np

from fer_edge.sources.base import SourceRequest
from fer_edge.sources.damaged_frames import DamagedFrames
from fer_edge.sources.live import CameraFault, FrameStamp, LiveClock
from fer_edge.sources.live_reader import Backlog, Device, LiveReader
from fer_edge.sources.reconnecting import ReconnectingSource
from fer_edge.sources.video_facts import sanitize_frame_rate
from fer_edge.types import Frame, Image

__all__ = [
    "CaptureDevice",
    "FrozenImageDetector",
    "LocalCamera",
    "LocalDevice",
    "as_bgr",
    "create_capture_source",
    "create_local_source",
]

_LOG: Final = logging.getLogger(__name__)

T = TypeVar("T")

OPEN_TIMEOUT_S: Final = 15.0  # OpenCV tries its backends one after another
SILENCE_S: Final = 5.0  # without a frame until the camera counts as lost
FROZEN_S: Final = 60.0  # of identical images, which some drivers return once the camera is gone
_FAILED_READS: Final = 10  # in a row until the camera counts as lost
_RETRY_S: Final = 0.05
_PATIENCE_S: Final = 30.0  # retries for a camera that was unplugged
_MAX_BLOCKED: Final = 4  # threads blocked in a driver
_RATE_TOLERANCE: Final = 0.05  # relative difference in frame rate
_SAMPLE: Final = 4  # every fourth row and column are enough to detect identical images
_BUSY: Final = "check that no other program uses it and, on Linux, that you are in the video group"
_LIBCAMERA_HINT: Final = (
    "to read the Raspberry Pi's own camera, use: fer-edge camera picamera, or: "
    "rpicam-vid -t 0 --codec mjpeg --width 1280 --height 720 -o - | fer-edge video -"
)


class LocalDevice(Device[T], Protocol[T]):
    """A local camera and how its items become frames.

    ``damaged`` counts the images that arrived but could not be decoded.
    """

    frame_rate: float | None
    damaged: int

    def to_frame(self, item: T, name: str, stamp: FrameStamp) -> Frame:
        """Return the frame of an item; conversion may be deferred."""


class LocalCamera:
    """One connection to a local camera, which delivers the newest image."""

    def __init__(
        self,
        device: LocalDevice[Any],
        name: str,
        clock: LiveClock,
        frozen: FrozenImageDetector,
        requested: _RequestedMode,
        damaged: DamagedFrames,
        *,
        remedy: str = _BUSY,
    ) -> None:
        self.size: tuple[int, int] | None = None
        self.frame_rate: float | None = None
        self.reader: LiveReader[Any] = LiveReader(device, Backlog(newest_only=True), name)
        self._device, self._name, self._clock, self._frozen = device, name, clock, frozen
        self._requested, self._remedy = requested, remedy
        self._damaged, self._counted = damaged, 0

    def open(self) -> None:
        """Open the camera. Raises CameraFault, InterruptedError."""
        try:
            self.reader.open(OPEN_TIMEOUT_S)
        except TimeoutError as error:
            raise CameraFault(f"opening took longer than {OPEN_TIMEOUT_S:g} s", self._remedy) from error
        self.frame_rate = self._device.frame_rate

    def close(self) -> None:
        """End the connection, whichever thread is using it.

        A read that is blocked in the driver is left behind in its thread.
        """
        self.reader.close()

    def join(self, timeout_s: float) -> None:
        """Wait until its thread has ended, for at most ``timeout_s`` seconds."""
        self.reader.join(timeout_s)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames. Raises CameraFault, InterruptedError."""
        given = False
        self._frozen.begin()
        while True:
            try:
                waiting = self.reader.take(SILENCE_S)
            except TimeoutError as error:
                if not given:
                    raise CameraFault(
                        "opened but delivered no image", self._remedy, hint=_LIBCAMERA_HINT
                    ) from error
                raise CameraFault(
                    f"no image for {SILENCE_S:g} s", "check its cable, or plug it in again"
                ) from error
            if self._frozen.is_frozen(waiting.item, waiting.arrival.moment_s):
                raise CameraFault(
                    f"image has not changed for {FROZEN_S:g} s", "check its cable, or plug it in again"
                )
            stamp = self._clock.stamp(waiting.arrival, waiting.skipped + self._count_damaged())
            frame = self._device.to_frame(waiting.item, self._name, stamp)
            if not given:
                given = True
                self._requested.compare(frame.size, self.frame_rate)
            yield frame
            del waiting, frame

    def _count_damaged(self) -> int:
        """Return the number of images that could not be decoded since the last call."""
        counted, self._counted = self._counted, self._device.damaged
        self._damaged.add(self._counted - counted)
        return self._counted - counted


class FrozenImageDetector:
    """Detects that a camera delivers the same image over and over.

    Sensor noise makes every real image different. The state is kept across reconnections: if the camera still delivers
    that image after reopening, the image is taken to be real, such as a test image or one that a program feeds in.
    """

    def __init__(self) -> None:
        self._digest: int | None = None
        self._since_s: float | None = None
        self._accepted: int | None = None

    def begin(self) -> None:
        """Start over after the camera was opened."""
        self._digest = self._since_s = None

    def is_frozen(self, image: Any, moment_s: float) -> bool:
        """Return whether the camera has delivered only this image for too long.

        ``moment_s`` is the image's time on the monotonic clock.
        """
        digest = zlib.crc32(np.ascontiguousarray(image[::_SAMPLE, ::_SAMPLE]).tobytes())
        if digest != self._digest or self._since_s is None:
            self._digest, self._since_s = digest, moment_s
            return False
        if digest == self._accepted or moment_s - self._since_s < FROZEN_S:
            return False
        self._accepted = digest
        return True


class CaptureDevice:
    """A device that OpenCV opens; its items are OpenCV images.

    ``size`` (width, height) in pixels and ``rate`` in frames per second are requested from the camera; None keeps its
    default.
    """

    def __init__(
        self, target: int | str, size: tuple[int, int] | None = None, rate: float | None = None
    ) -> None:
        self.frame_rate: float | None = None
        self.damaged = 0
        self._target, self._size, self._rate = target, size, rate
        self._capture: Any = None

    def open(self) -> None:
        """Open the device. Raises CameraFault."""
        _check_device(self._target)
        capture = self._capture = cv2.VideoCapture(self._target)
        # Most USB cameras reach 30 frames per second only with compression. A single buffer reduces the lag.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        if self._size is not None:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._size[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size[1])
        if self._rate is not None:
            capture.set(cv2.CAP_PROP_FPS, self._rate)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if not capture.isOpened():
            raise CameraFault("cannot open the device", _BUSY)
        self.frame_rate = sanitize_frame_rate(capture.get(cv2.CAP_PROP_FPS))

    def read(self) -> Any:
        """Return the next image. Raises CameraFault after ten failed reads in a row."""
        for _ in range(_FAILED_READS):
            if self._capture.grab():
                decoded, image = self._capture.retrieve()
                if decoded and image is not None and image.size:
                    return image
                self.damaged += 1
            time.sleep(_RETRY_S)
        raise CameraFault("stopped delivering images", "check its cable, or plug it in again")

    def interrupt(self) -> None:
        """Do nothing: OpenCV's calls cannot be interrupted."""

    def close(self) -> None:
        """Release the device."""
        if self._capture is not None:
            self._capture.release()

    def to_frame(self, item: Any, name: str, stamp: FrameStamp) -> Frame:
        """Return the frame of an image, which may be gray, 16-bit or have alpha."""
        return Frame(as_bgr(item), name, stamp.index, stamp.time_s, clock=stamp.clock)


def _check_device(target: int | str) -> None:
    """Raise CameraFault if a device does not exist.

    OpenCV would try all of its backends and print many messages before it gives up.
    """
    device = Path(f"/dev/video{target}" if isinstance(target, int) else target)
    if sys.platform == "linux" and not device.exists():
        present = sorted(str(path) for path in Path("/dev").glob("video*"))
        raise CameraFault(
            f"{device} does not exist; found {', '.join(present) or 'no cameras'}",
            "plug in a camera",
            hint="or specify one: fer-edge camera /dev/videoN or URL",
        )


def as_bgr(image: Any) -> Image:
    """Convert a camera image to uint8 (height, width, 3) BGR.

    The image may be gray, 16-bit or have alpha.
    """
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    elif image.shape[2] == 4:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
    elif image.shape[2] == 1:
        image = cv2.cvtColor(image[..., 0], cv2.COLOR_GRAY2BGR)
    return np.asarray(image, np.uint8)


class _RequestedMode:
    """The size and rate requested from a camera, to warn once about each deviation."""

    def __init__(self, name: str, size: tuple[int, int] | None, rate: float | None) -> None:
        self._name, self._size, self._rate = name, size, rate
        self._warned: tuple[tuple[int, int], float | None] | None = None

    def compare(self, size: tuple[int, int], rate: float | None) -> None:
        """Warn if the actual size (width, height) or frame rate differs from the request."""
        if (size, rate) == self._warned:
            return
        self._warned = size, rate
        if self._size is not None and size != self._size:
            _LOG.warning("camera %s: requested %d×%d, but it delivers %d×%d", self._name, *self._size, *size)
        if (
            self._rate is not None
            and rate is not None
            and abs(rate - self._rate) > _RATE_TOLERANCE * self._rate
        ):
            _LOG.warning(
                "camera %s: requested %g frames a second, but it reports %g", self._name, self._rate, rate
            )


def create_local_source(
    request: SourceRequest, create: Callable[[], LocalDevice[Any]], *, remedy: str = _BUSY
) -> ReconnectingSource:
    """Create the source for a local camera.

    ``create`` makes the device for each connection.
    """
    frozen, requested = FrozenImageDetector(), _RequestedMode(request.address, request.size, request.rate)
    damaged = DamagedFrames(request.address)
    threads: list[Thread] = []

    def connect(clock: LiveClock) -> LocalCamera:
        threads[:] = [thread for thread in threads if thread.is_alive()]
        if len(threads) >= _MAX_BLOCKED:
            raise CameraFault("driver does not respond", "plug it in again, or restart the machine")
        camera = LocalCamera(create(), request.address, clock, frozen, requested, damaged, remedy=remedy)
        threads.append(camera.reader.thread)
        return camera

    patience_s = _PATIENCE_S if request.reconnect_s is None else request.reconnect_s
    return ReconnectingSource(
        request.address, connect, patience_s=patience_s, wait_at_startup=bool(request.reconnect_s)
    )


def create_capture_source(request: SourceRequest) -> ReconnectingSource:
    """Create the source for a camera that OpenCV opens by index or device."""
    target = int(request.address) if request.address.isdecimal() else request.address
    return create_local_source(request, lambda: CaptureDevice(target, request.size, request.rate))
