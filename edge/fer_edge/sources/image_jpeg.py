"""JPEG headers, and a check that the image data is complete."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from fer_edge.sources.image_exif import read_exif_orientation

__all__ = ["JPEG_START", "JpegHeader", "complete_jpeg", "read_jpeg_header"]

JPEG_START: Final = b"\xff\xd8"
_END: Final = b"\xff\xd9"
_SCAN, _APP1, _APP2 = 0xDA, 0xE1, 0xE2
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Within image data, FF is followed by 00, a restart marker or another FF; anything else starts the next segment.
_NEXT_SEGMENT: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# Appended to data without an end marker: if the decoded image depends on the padding, data is missing.
_PADDINGS: Final = (b"\x5a\xa5\x12\xc3" * 64, b"\x00" * 256, b"\xfe\x81" * 128)
_PREVIEW: Final = 1  # the MPO class of images that are reduced copies
_GAIN_MAP: Final = re.compile(
    rb"hdrgm:|hdrgainmap"
)  # marks a second image that is only a gain map for the first


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """The header of a JPEG.

    ``size`` is (width, height) before rotation, ``orientation`` the EXIF orientation, and ``views`` the number of
    views in a Multi-Picture file.
    """

    size: tuple[int, int]
    orientation: int = 1
    views: int = 1


def read_jpeg_header(jpeg: bytes) -> JpegHeader | None:
    """Return the header of a JPEG, or None if it is malformed.

    OpenCV may still be able to read a JPEG with a malformed header.
    """
    size, orientation, views = None, 1, 1
    for marker, start, end in _segments(jpeg):
        body = jpeg[start:end]
        if marker in _FRAMES and len(body) >= 5:
            height, width = struct.unpack_from(">xHH", body)
            size = (width, height)
        elif marker == _APP1 and body.startswith(b"Exif\0\0") and orientation == 1:
            orientation = read_exif_orientation(body)
        elif marker == _APP2 and body.startswith(b"MPF\0"):
            views = 1 if _GAIN_MAP.search(jpeg) else _count_views(body[4:])
        elif marker == _SCAN:
            return None if size is None else JpegHeader(size, orientation, views)
    return None


def complete_jpeg(jpeg: bytes) -> bytes | None:
    """Return the JPEG with an end marker, or None if part of its image is missing.

    OpenCV rejects a JPEG without an end marker. A missing or overwritten end marker is harmless: the image is
    complete if it does not depend on the bytes after its data and, for a progressive JPEG, if all passes are present.
    A JPEG with a malformed header is returned unchanged, for OpenCV to decide.
    """
    scan = next((start for marker, start, _ in _segments(jpeg) if marker == _SCAN), None)
    if scan is None or jpeg.find(_END, scan) >= 0:
        return jpeg
    try:
        if not _has_all_passes(jpeg):
            return None
    except (IndexError, ValueError):  # truncated in the header of a pass
        return None
    data = jpeg.rstrip(jpeg[-1:]) if jpeg[-1:] in (b"\0", b"\xff") else jpeg
    if data.endswith(b"\xff") and jpeg[len(data) : len(data) + 1] == b"\0":
        data += b"\0"
    first, *others = (_decode(data + padding + _END) for padding in _PADDINGS)
    if first is None or not all(np.array_equal(first, other) for other in others):
        return None
    return data + _END


def _segments(jpeg: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the marker, content start and content end of each segment.

    Segments between progressive passes are included.
    """
    position = len(JPEG_START)
    while position + 4 <= len(jpeg) and jpeg[position] == 0xFF:
        marker = jpeg[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker == _END[1]:
            return
        end = position + 2 + int.from_bytes(jpeg[position + 2 : position + 4])
        yield marker, position + 4, end
        if marker == _SCAN:
            following = _NEXT_SEGMENT.search(jpeg, end)
            if following is None:
                return
            end = following.start()
        position = end


def _has_all_passes(jpeg: bytes) -> bool:
    """Return whether every component is complete.

    In a progressive JPEG, all 64 frequencies have to be present down to the last bit.
    """
    missing: dict[int, set[int]] = {}
    progressive = False
    for marker, start, _ in _segments(jpeg):
        if marker in _FRAMES:
            progressive = marker in _PROGRESSIVE
            count = jpeg[start + 5]
            missing = {jpeg[start + 6 + 3 * index]: set(range(64)) for index in range(count)}
        elif marker == _SCAN:
            count = jpeg[start]
            first, last, bits = jpeg[start + 1 + 2 * count : start + 4 + 2 * count]
            if not progressive:
                first, last, bits = 0, 63, 0
            if bits & 0x0F == 0:
                for index in range(count):
                    missing.get(jpeg[start + 1 + 2 * index], set()).difference_update(range(first, last + 1))
    return not any(missing.values())


def _decode(jpeg: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)


def _count_views(mpf: bytes) -> int:
    """Return the number of images in a Multi-Picture Format index, without previews."""
    order = {b"II": "<", b"MM": ">"}.get(mpf[:2])
    try:
        (start,) = struct.unpack_from(f"{order}4xI", mpf)
        (count,) = struct.unpack_from(f"{order}H", mpf, start)
        for index in range(count):
            tag, _, size, place = struct.unpack_from(f"{order}HHII", mpf, start + 2 + 12 * index)
            if tag == 0xB002:
                kinds = [struct.unpack_from(f"{order}I", mpf, place + 16 * n)[0] for n in range(size // 16)]
                return max(1, sum(int(kind) >> 16 & 0x0F != _PREVIEW for kind in kinds))
    except struct.error:
        pass
    return 1
