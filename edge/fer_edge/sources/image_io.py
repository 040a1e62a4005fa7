"""One image file, decoded as OpenCV does, whatever its name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from fer_edge.errors import SourceError
from fer_edge.types import Image

__all__ = ["can_list", "read_image"]

_JPEG_START: Final = b"\xff\xd8"
_JPEG_END: Final = b"\xff\xd9"
_JPEG_MARKER, _JPEG_SCAN = 0xFF, 0xDA


def read_image(path: Path | str) -> Image:
    """A picture as uint8 (height, width, 3) BGR, turned as its EXIF data say; raises SourceError.

    Greyscale, 16-bit and transparent pictures are converted. The reading does not depend on the file's
    name, and names of any script work on every system.
    """
    name = os.fspath(path)
    try:
        if Path(path).is_dir():
            if not can_list(Path(path)):
                raise SourceError(f"{name}: the folder cannot be read; its pictures are left out")
            raise SourceError(
                f"{name}: expected a picture, got a folder; for its pictures use: fer-edge folder"
            )
        if Path(path).is_char_device() or Path(path).is_block_device():  # which may never end
            raise SourceError(f"{name}: expected a picture, got a device; for a camera use: fer-edge camera")
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"{name}: expected a picture, the file cannot be read: {reason}") from error
    if not content:
        raise SourceError(f"{name}: expected a picture, the file is empty")
    if content.startswith(_JPEG_START) and _is_truncated_jpeg(content):
        raise SourceError(f"{name}: the JPEG ends before its picture does; get the whole file")
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE_PIXELS" in error.err:
            limit = os.environ.get("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 30))
            raise SourceError(
                f"{name}: expected at most {limit} pixels, the picture has more; "
                "make it smaller, or set OPENCV_IO_MAX_IMAGE_PIXELS"
            ) from error
        raise SourceError(f"{name}: the picture cannot be decoded: {error.err or error}") from error
    if image is None:
        raise SourceError(
            f"{name}: expected a picture, the file is none that OpenCV can read, or is damaged; "
            "for a video use: fer-edge video"
        )
    return np.asarray(image, np.uint8)


def _is_truncated_jpeg(jpeg: bytes) -> bool:
    """Whether a JPEG's picture data lack their end; OpenCV would fill up the rest with grey.

    Neither a thumbnail in the header counts, which has an end of its own, nor what a telephone appends,
    such as a short film, in which any bytes occur. A header that makes no sense is left to OpenCV.
    """
    position = len(_JPEG_START)
    while position + 4 <= len(jpeg) and jpeg[position] == _JPEG_MARKER:
        if jpeg[position + 1] == _JPEG_SCAN:
            # Within the data each FF is followed by 00 or a restart marker: this is the end and no other.
            return _JPEG_END not in jpeg[position:]
        position += 2 + int.from_bytes(jpeg[position + 2 : position + 4])
    return False


def can_list(folder: Path) -> bool:
    """Whether a folder's entries can be listed."""
    try:
        with os.scandir(folder):
            return True
    except OSError:
        return False
