"""Image orientation: the EXIF tag, and AVIF's rotation and mirroring."""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["apply_orientation", "convert_to_exif_orientation", "read_exif_orientation"]

_ORIENTATION_TAG: Final = 0x0112
_EXIF_HEADER: Final = b"Exif\0\0"

# By counterclockwise quarter turns; then: not mirrored, mirrored top to bottom, mirrored left to right.
_ORIENTATIONS: Final = ((1, 4, 2), (8, 5, 7), (3, 2, 4), (6, 7, 5))


def read_exif_orientation(exif: bytes) -> int:
    """Return the orientation, 1 to 8, from EXIF data with or without the Exif header.

    Returns 1 if there is no valid orientation.
    """
    tiff = exif.removeprefix(_EXIF_HEADER)
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}4xI", tiff)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for index in range(count):
            tag, kind, number, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * index)
            if tag == _ORIENTATION_TAG and (kind, number) == (3, 1):
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def convert_to_exif_orientation(quarter_turns: int, mirror: int | None) -> int:
    """Return the EXIF orientation for AVIF's ``irot`` and ``imir`` properties.

    ``quarter_turns`` are counterclockwise. ``mirror`` is applied after them: 0 is top to bottom, 1 left to right.
    """
    return _ORIENTATIONS[quarter_turns % 4][0 if mirror is None else 1 + mirror % 2]


def apply_orientation(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn an image, (height, width, …), upright given its EXIF orientation, 1 to 8."""
    if orientation in (5, 6, 7, 8):
        image = np.swapaxes(image, 0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image
