"""Images for viewers: encoded once however many watch, and no more of them than a device can spare the time for."""

from __future__ import annotations

import threading
import time
from typing import Any, Final

import cv2
import numpy as np

from fer_edge.types import Image

__all__ = ["EncodedOnce", "ImageRate"]

_LONGEST_SIDE: Final = 1280
_QUALITY: Final = 75

# Three viewers cost a run about a tenth more with these, and the page does not stutter.
_SHARE: Final = 1 / 30  # of one core
_MOST_PER_S: Final = 15.0
_FEWEST_PER_S: Final = 8.0
_NEW: Final = 0.2  # the weight of the newest encoding's time


class ImageRate:
    """How often viewers get an image, so that encoding takes about a thirtieth of one core.

    Eight to fifteen times a second; what encoding takes is measured, image by image.
    """

    def __init__(self) -> None:
        self._encoding_s = 0.0
        self._due = float("-inf")

    def is_due(self, now: float) -> bool:
        """Whether it is time for another image; ``now`` is in seconds of a monotonic clock."""
        between = min(max(self._encoding_s / _SHARE, 1 / _MOST_PER_S), 1 / _FEWEST_PER_S)
        if now < self._due:
            return False
        # Counted from when it was due, not from the frame after it: 25 of 30 frames a second, not 15.
        self._due = max(self._due, now - between) + between
        return True

    def measured(self, seconds: float) -> None:
        """Take into account what one encoding took, in seconds of processor time."""
        self._encoding_s += _NEW * (seconds - self._encoding_s)


class EncodedOnce:
    """An image that becomes a JPEG when the first viewer asks for it, once however many ask.

    ``image`` is uint8 (height, width, 3) BGR; ``rate`` is told what encoding it took.
    """

    def __init__(self, image: Image, rate: ImageRate) -> None:
        self._image: Image | None = image
        self._rate = rate
        self._jpeg = b""
        self._lock = threading.Lock()

    def jpeg(self) -> bytes:
        """The JPEG; images of more than 1280 pixels a side are made smaller. b"" where it cannot be encoded."""
        with self._lock:
            if self._image is not None:
                started = time.thread_time()
                self._jpeg = _encode(self._image)
                self._rate.measured(time.thread_time() - started)
                self._image = None
            return self._jpeg


def _encode(image: Image) -> bytes:
    height, width = image.shape[:2]
    scale = _LONGEST_SIDE / max(height, width)
    pixels: Any = image
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    done, content = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return content.tobytes() if done else b""
