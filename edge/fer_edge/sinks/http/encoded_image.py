"""JPEG images for viewers, encoded once for all of them and at a limited rate."""

from __future__ import annotations

import threading
import time
from typing import Any, Final

import cv2
import numpy as np

from fer_edge.types import Image

__all__ = ["ImageRate", "SharedJpeg"]

_MAX_SIDE: Final = 1280
_QUALITY: Final = 75

# With these values, three viewers make a run about a tenth more expensive, and the page does not stutter.
_SHARE: Final = 1 / 30  # of one core
_MAX_PER_S: Final = 15.0
_MIN_PER_S: Final = 8.0
_NEW: Final = 0.2  # the weight of the newest encoding time in the average


class ImageRate:
    """Limits the image rate for viewers so that encoding takes about 1/30 of one core.

    The rate is 8 to 15 images per second, depending on the measured encoding times.
    """

    def __init__(self) -> None:
        self._encoding_s = 0.0
        self._due = float("-inf")

    def is_due(self, now: float) -> bool:
        """Return whether another image is due; ``now`` is a monotonic time in seconds."""
        between = min(max(self._encoding_s / _SHARE, 1 / _MAX_PER_S), 1 / _MIN_PER_S)
        if now < self._due:
            return False
        # Schedule from the previous due time, not from this frame's arrival; otherwise rounding up to the next
        # frame would turn 25 images/s into 15 for a 30 fps camera.
        self._due = max(self._due, now - between) + between
        return True

    def record_encoding_time(self, seconds: float) -> None:
        """Record the processor time of one encoding, in seconds."""
        self._encoding_s += _NEW * (seconds - self._encoding_s)


class SharedJpeg:
    """An image that is encoded as JPEG on first use and then shared by all viewers.

    ``image`` is uint8 (height, width, 3) BGR. The encoding time is reported to ``rate``.
    """

    def __init__(self, image: Image, rate: ImageRate) -> None:
        self._image: Image | None = image
        self._rate = rate
        self._jpeg = b""
        self._lock = threading.Lock()

    def jpeg(self) -> bytes:
        """Return the image as JPEG, at most 1280 pixels a side; b"" if encoding fails."""
        with self._lock:
            if self._image is not None:
                started = time.thread_time()
                self._jpeg = _encode(self._image)
                self._rate.record_encoding_time(time.thread_time() - started)
                self._image = None
            return self._jpeg


def _encode(image: Image) -> bytes:
    height, width = image.shape[:2]
    scale = _MAX_SIDE / max(height, width)
    pixels: Any = image
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    done, content = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return content.tobytes() if done else b""
