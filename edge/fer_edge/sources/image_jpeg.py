"""What a JPEG says of itself: size, orientation, further pictures, and whether its picture is all there."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from fer_edge.sources.image_exif import exif_orientation

__all__ = ["JPEG_START", "JpegHeader", "completed_jpeg", "read_jpeg_header"]

JPEG_START: Final = b"\xff\xd8"
_END: Final = b"\xff\xd9"
_SCAN, _APP1, _APP2 = 0xDA, 0xE1, 0xE2
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Within picture data each FF is followed by 00, a restart or another FF; what is not is the next segment.
_NEXT_SEGMENT: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# What is put behind data that lack an end: where pictures differ by it, they were not all there.
_FILLINGS: Final = (b"\x5a\xa5\x12\xc3" * 64, b"\x00" * 256, b"\xfe\x81" * 128)
_PREVIEW: Final = 1  # the class of those of an MPO's pictures that are smaller copies
_GAIN_MAP: Final = re.compile(
    rb"hdrgm:|hdrgainmap"
)  # how a second "picture" says that it only brightens the first


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """``size`` is (width, height) before turning, ``orientation`` EXIF's, ``views`` how many pictures of an MPO."""

    size: tuple[int, int]
    orientation: int = 1
    views: int = 1


def read_jpeg_header(jpeg: bytes) -> JpegHeader | None:
    """The header of a JPEG, or None where it makes no sense; OpenCV then says whether it can read it."""
    size, orientation, views = None, 1, 1
    for marker, start, end in _segments(jpeg):
        body = jpeg[start:end]
        if marker in _FRAMES and len(body) >= 5:
            height, width = struct.unpack_from(">xHH", body)
            size = (width, height)
        elif marker == _APP1 and body.startswith(b"Exif\0\0") and orientation == 1:
            orientation = exif_orientation(body)
        elif marker == _APP2 and body.startswith(b"MPF\0"):
            views = 1 if _GAIN_MAP.search(jpeg) else _count_views(body[4:])
        elif marker == _SCAN:
            return None if size is None else JpegHeader(size, orientation, views)
    return None


def completed_jpeg(jpeg: bytes) -> bytes | None:
    """The JPEG with an end marker, without which OpenCV refuses it; None where a part of its picture is missing.

    An end marker that is missing, or overwritten, makes no difference: what counts is whether the picture
    depends on what follows its data, and whether a progressive one has all of its passes. A header that
    makes no sense is left to OpenCV.
    """
    scan = next((start for marker, start, _ in _segments(jpeg) if marker == _SCAN), None)
    if scan is None or jpeg.find(_END, scan) >= 0:
        return jpeg
    try:
        if not _has_all_passes(jpeg):
            return None
    except (IndexError, ValueError):  # within a pass's header
        return None
    data = jpeg.rstrip(jpeg[-1:]) if jpeg[-1:] in (b"\0", b"\xff") else jpeg
    if data.endswith(b"\xff") and jpeg[len(data) : len(data) + 1] == b"\0":
        data += b"\0"
    first, *others = (_decoded(data + filling + _END) for filling in _FILLINGS)
    if first is None or not all(np.array_equal(first, other) for other in others):
        return None
    return data + _END


def _segments(jpeg: bytes) -> Iterator[tuple[int, int, int]]:
    """The segments: marker, and where its content starts and ends; also those between progressive passes."""
    position = len(JPEG_START)
    while position + 4 <= len(jpeg) and jpeg[position] == 0xFF:
        marker = jpeg[position + 1]
        if marker == 0xFF:  # filling
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
    """Whether each component has come, of a progressive one in all of its 64 frequencies to the last bit."""
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


def _decoded(jpeg: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)


def _count_views(mpf: bytes) -> int:
    """The pictures of a Multi-Picture Format index that are views of their own, not previews."""
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
