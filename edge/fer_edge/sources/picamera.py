"""The Raspberry Pi's own camera, through picamera2.

picamera2 is installed with apt, not with pip.
"""

from __future__ import annotations

import contextlib
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import UsageError, reason_of
from fer_edge.sources.base import Source, SourceRequest
from fer_edge.sources.live import CameraFault, FrameStamp
from fer_edge.sources.local_camera import create_local_source
from fer_edge.sources.video_pixels import compute_geometry, to_frame
from fer_edge.types import Frame

__all__ = ["PicameraDevice", "create_source"]

_SIZE: Final = (1280, 720)
_RATE: Final = 30.0
_INSTALL: Final = (
    "install it with: sudo apt install python3-picamera2, and create fer-edge's virtual environment with: "
    "python3 -m venv --system-site-packages"
)
_CABLE: Final = "check its cable, and whether rpicam-hello shows its image"
_MICROSECONDS: Final = 1_000_000
_BT709: Final = 1  # AVCOL_SPC_BT709, which libcamera uses for video of at least 1280×720
_SMPTE170M: Final = 6  # AVCOL_SPC_SMPTE170M, for smaller video
_LIMITED_RANGE: Final = 1  # AVCOL_RANGE_MPEG


class PicameraDevice:
    """A Raspberry Pi camera, selected by number.

    Its items are YUV 4:2:0 arrays, luma first, padded on the right. ``size`` (width, height) in pixels and ``rate`` in
    frames per second are requested from the camera, which picks the nearest size that it supports.
    """

    def __init__(self, number: int, size: tuple[int, int] | None = None, rate: float | None = None) -> None:
        self.frame_rate: float | None = None
        self.damaged = 0  # always: the images are not compressed
        self._number, self._requested = number, (size or _SIZE, rate or _RATE)
        self._size = self._requested[0]
        self._camera: Any = None

    def open(self) -> None:
        """Start the camera. Raises CameraFault."""
        try:
            from picamera2 import Picamera2
        except (ImportError, ValueError) as error:  # ValueError: built against another numpy version
            reason = reason_of(error)
            missing = isinstance(error, ModuleNotFoundError) and error.name == "picamera2"
            what = "picamera2 is not installed" if missing else f"picamera2 cannot be imported ({reason})"
            raise CameraFault(what, _INSTALL, permanent=True) from error
        present = Picamera2.global_camera_info()
        if self._number >= len(present):
            raise CameraFault(
                f"camera {self._number} is not connected; cameras found: {len(present)}", _CABLE
            )
        size, rate = self._requested
        duration = round(_MICROSECONDS / rate)
        try:
            camera = self._camera = Picamera2(self._number)
            configuration = camera.create_video_configuration(
                main={"size": (size[0] & ~1, size[1] & ~1), "format": "YUV420"},
                controls={"FrameDurationLimits": (duration, duration)},
            )
            camera.configure(configuration)
            camera.start()
            self._size = tuple(camera.camera_configuration()["main"]["size"])
            given = camera.capture_metadata().get("FrameDuration") or duration
        except Exception as error:
            raise CameraFault(f"cannot open the device: {' '.join(str(error).split())}", _CABLE) from error
        self.frame_rate = round(_MICROSECONDS / given, 2)

    def read(self) -> Any:
        """Wait for the next image, uint8 (height × 3 / 2, stride). Raises CameraFault."""
        try:
            return self._camera.capture_array("main")
        except Exception as error:
            raise CameraFault(f"stopped delivering images: {' '.join(str(error).split())}", _CABLE) from error

    def interrupt(self) -> None:
        """Do nothing: a capture ends with the next image."""

    def close(self) -> None:
        """Stop and release the camera."""
        camera, self._camera = self._camera, None
        if camera is not None:
            with contextlib.suppress(Exception):
                camera.stop()
            camera.close()

    def to_frame(self, item: Any, name: str, stamp: FrameStamp) -> Frame:
        """Return the frame of an array: gray is its luma, color is converted on demand."""
        decoded = _to_decoded(item, self._size)
        return to_frame(
            decoded, compute_geometry(decoded, None), name, stamp.index, stamp.time_s, stamp.clock
        )


def create_source(request: SourceRequest) -> Source:
    """Create the source for ``picamera``, or ``picamera:N`` for camera number N."""
    _, _, number = request.address.partition(":")
    if number and not (number.isascii() and number.isdecimal()):
        raise UsageError(f"{request.address}: expected picamera or picamera:N, such as picamera:1")
    chosen = int(number or 0)
    return create_local_source(
        request, lambda: PicameraDevice(chosen, request.size, request.rate), remedy=_CABLE
    )


def _to_decoded(item: NDArray[np.uint8], size: tuple[int, int]) -> Any:
    """Convert a YUV 4:2:0 array to an ``av.VideoFrame`` of ``size`` (width, height)."""
    width, height = size
    stride = item.shape[1]
    chroma = item[height : height * 3 // 2].reshape(2, height // 2, stride // 2)[:, :, : width // 2]
    planes = np.concatenate([item[:height, :width].reshape(-1), chroma.reshape(-1)])
    decoded = av.VideoFrame.from_ndarray(planes.reshape(height * 3 // 2, width), format="yuv420p")
    decoded.colorspace = _BT709 if width >= _SIZE[0] or height >= _SIZE[1] else _SMPTE170M
    decoded.color_range = _LIMITED_RANGE
    return decoded
