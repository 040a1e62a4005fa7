"""A camera of this machine through OpenCV, read in a thread of its own: a driver may block for ever."""

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
from fer_edge.sources.live import CameraFault, LiveClock, Stamp
from fer_edge.sources.live_reader import Backlog, Device, LiveReader
from fer_edge.sources.reconnecting import ReconnectingSource
from fer_edge.sources.video_facts import sanitize_frame_rate
from fer_edge.types import Frame, Image

__all__ = [
    "CaptureDevice",
    "FrozenImage",
    "LocalCamera",
    "LocalDevice",
    "as_bgr",
    "create_capture_source",
    "create_local_source",
]

_LOG: Final = logging.getLogger(__name__)

T = TypeVar("T")

OPEN_TIMEOUT_S: Final = 15.0  # OpenCV tries one back end after the other
SILENCE_S: Final = 5.0  # without a frame, and the camera is lost
FROZEN_S: Final = 60.0  # of one and the same image: what a driver gives whose camera is gone
_FAILED_READS: Final = 10  # in a row, and the camera is gone
_RETRY_S: Final = 0.05
_PATIENCE_S: Final = 30.0  # for a camera that was unplugged
_MOST_BLOCKED: Final = 4  # threads that a driver does not let go
_RATE_TOLERANCE: Final = 0.05  # of the rate
_SAMPLE: Final = 4  # of so many rows and columns one tells that an image is the same
_BUSY: Final = "check that no other program uses it, and on Linux that you are in the group video"
_LIBCAMERA: Final = (
    "a camera of the Raspberry Pi is read with: fer-edge camera picamera, or with: "
    "rpicam-vid -t 0 --codec mjpeg --width 1280 --height 720 -o - | fer-edge video -"
)


class LocalDevice(Device[T], Protocol[T]):
    """A camera of this machine: what it gives, and how a frame is made of that."""

    frame_rate: float | None

    def to_frame(self, item: T, name: str, stamp: Stamp) -> Frame:
        """The frame of an item; nothing need be converted yet."""


class LocalCamera:
    """One opening of a camera of this machine: an image every now and then, the newest where they come faster."""

    def __init__(
        self,
        device: LocalDevice[Any],
        name: str,
        clock: LiveClock,
        frozen: FrozenImage,
        asked: _Asked,
        *,
        remedy: str = _BUSY,
    ) -> None:
        self.size: tuple[int, int] | None = None
        self.frame_rate: float | None = None
        self.reader: LiveReader[Any] = LiveReader(device, Backlog(newest_only=True), name)
        self._device, self._name, self._clock, self._frozen = device, name, clock, frozen
        self._asked, self._remedy = asked, remedy

    def open(self) -> None:
        """Open it; raises CameraFault, InterruptedError."""
        try:
            self.reader.open(OPEN_TIMEOUT_S)
        except TimeoutError as error:
            raise CameraFault(f"it did not open within {OPEN_TIMEOUT_S:g} s", self._remedy) from error
        self.frame_rate = self._device.frame_rate

    def close(self) -> None:
        """End it, in whatever thread it is used; a read that blocks in the driver is left behind in its thread."""
        self.reader.close()

    def join(self, timeout_s: float) -> None:
        """Wait until its thread has ended, at most so long."""
        self.reader.join(timeout_s)

    def __iter__(self) -> Iterator[Frame]:
        """The frames; raises CameraFault, InterruptedError."""
        given = False
        self._frozen.begin()
        while True:
            try:
                waiting = self.reader.take(SILENCE_S)
            except TimeoutError as error:
                if not given:
                    raise CameraFault(
                        "it opened, but gave no image", f"{self._remedy}; {_LIBCAMERA}"
                    ) from error
                raise CameraFault(
                    f"it gave no image for {SILENCE_S:g} s", "look at its cable, or plug it in again"
                ) from error
            if self._frozen.holds(waiting.item, waiting.arrival.moment_s):
                raise CameraFault(
                    f"it gave the same image for {FROZEN_S:g} s", "look at its cable, or plug it in again"
                )
            stamp = self._clock.stamp(waiting.arrival, waiting.skipped)
            frame = self._device.to_frame(waiting.item, self._name, stamp)
            if not given:
                given = True
                self._asked.compare(frame.size, self.frame_rate)
            yield frame
            del waiting, frame


class FrozenImage:
    """Notices that a camera gives one and the same image: a sensor's noise makes each of them another.

    It is remembered from one opening to the next: where the camera still gives that image, it really sees it, such as a
    test image or one that a program feeds in.
    """

    def __init__(self) -> None:
        self._digest: int | None = None
        self._since_s: float | None = None
        self._accepted: int | None = None

    def begin(self) -> None:
        """The camera was opened."""
        self._digest = self._since_s = None

    def holds(self, image: Any, moment_s: float) -> bool:
        """Whether this image has been the camera's only one for too long, at that time on the monotonic clock."""
        digest = zlib.crc32(np.ascontiguousarray(image[::_SAMPLE, ::_SAMPLE]).tobytes())
        if digest != self._digest or self._since_s is None:
            self._digest, self._since_s = digest, moment_s
            return False
        if digest == self._accepted or moment_s - self._since_s < FROZEN_S:
            return False
        self._accepted = digest
        return True


class CaptureDevice:
    """A device that OpenCV opens; its items are images as OpenCV gives them.

    ``size`` (width, height) and ``rate`` in frames per second are what the camera is asked for; None is its own choice.
    """

    def __init__(
        self, target: int | str, size: tuple[int, int] | None = None, rate: float | None = None
    ) -> None:
        self.frame_rate: float | None = None
        self._target, self._size, self._rate = target, size, rate
        self._capture: Any = None

    def open(self) -> None:
        """Open it; raises CameraFault."""
        _check_device(self._target)
        capture = self._capture = cv2.VideoCapture(self._target)
        # Only compressed do most USB cameras give 30 frames a second; one buffer cuts the lag.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        if self._size is not None:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._size[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size[1])
        if self._rate is not None:
            capture.set(cv2.CAP_PROP_FPS, self._rate)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if not capture.isOpened():
            raise CameraFault("it cannot be opened", _BUSY)
        self.frame_rate = sanitize_frame_rate(capture.get(cv2.CAP_PROP_FPS))

    def read(self) -> Any:
        """The next image; raises CameraFault after ten reads without one."""
        for _ in range(_FAILED_READS):
            read, image = self._capture.read()
            if read and image is not None and image.size:
                return image
            time.sleep(_RETRY_S)
        raise CameraFault("it gave no more images", "look at its cable, or plug it in again")

    def interrupt(self) -> None:
        """OpenCV's calls cannot be ended early."""

    def close(self) -> None:
        """Release the device."""
        if self._capture is not None:
            self._capture.release()

    def to_frame(self, item: Any, name: str, stamp: Stamp) -> Frame:
        """The frame of an image of any kind."""
        return Frame(as_bgr(item), name, stamp.index, stamp.time_s, clock=stamp.clock)


def _check_device(target: int | str) -> None:
    """OpenCV tries every back end it has before it says no, and says much; a missing device is seen at once."""
    device = Path(f"/dev/video{target}" if isinstance(target, int) else target)
    if sys.platform == "linux" and not device.exists():
        present = sorted(str(path) for path in Path("/dev").glob("video*"))
        raise CameraFault(
            f"{device} does not exist; found {', '.join(present) or 'no camera'}",
            "plug one in, or name it: fer-edge camera /dev/videoN or URL",
        )


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


class _Asked:
    """What a camera was asked for, held against what it gives; each difference is told once."""

    def __init__(self, name: str, size: tuple[int, int] | None, rate: float | None) -> None:
        self._name, self._size, self._rate = name, size, rate
        self._told: tuple[tuple[int, int], float | None] | None = None

    def compare(self, size: tuple[int, int], rate: float | None) -> None:
        """Warn where size (width, height) or rate in frames per second are others than asked for."""
        if (size, rate) == self._told:
            return
        self._told = size, rate
        if self._size is not None and size != self._size:
            _LOG.warning("camera %s: asked for %d×%d, it gives %d×%d", self._name, *self._size, *size)
        if (
            self._rate is not None
            and rate is not None
            and abs(rate - self._rate) > _RATE_TOLERANCE * self._rate
        ):
            _LOG.warning(
                "camera %s: asked for %g frames a second, it states %g", self._name, self._rate, rate
            )


def create_local_source(
    request: SourceRequest, create: Callable[[], LocalDevice[Any]], *, remedy: str = _BUSY
) -> ReconnectingSource:
    """Make the source of a camera of this machine, of which ``create`` makes what is opened each time."""
    frozen, asked = FrozenImage(), _Asked(request.address, request.size, request.rate)
    threads: list[Thread] = []

    def connect(clock: LiveClock) -> LocalCamera:
        threads[:] = [thread for thread in threads if thread.is_alive()]
        if len(threads) >= _MOST_BLOCKED:
            raise CameraFault("its driver does not answer any more", "plug it in again, or restart")
        camera = LocalCamera(create(), request.address, clock, frozen, asked, remedy=remedy)
        threads.append(camera.reader.thread)
        return camera

    patience_s = _PATIENCE_S if request.reconnect_s is None else request.reconnect_s
    return ReconnectingSource(
        request.address, connect, patience_s=patience_s, waits=bool(request.reconnect_s)
    )


def create_capture_source(request: SourceRequest) -> ReconnectingSource:
    """Make the source of a camera that OpenCV opens, by its index or its device."""
    target = int(request.address) if request.address.isdecimal() else request.address
    return create_local_source(request, lambda: CaptureDevice(target, request.size, request.rate))
