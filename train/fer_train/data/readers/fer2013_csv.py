"""FER-2013's table: a row of 2,304 grey levels for each face."""

from __future__ import annotations

from array import array
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import DataError
from fer_edge.models.spec import FER2013_LABELS

__all__ = ["SIDE", "read_table"]

SIDE: Final = 48  # pixels
_COLUMNS: Final = ("emotion", "pixels", "usage")
_LONGEST_LINE: Final = 1 << 16  # bytes; a face takes at most 9.3 kB
# Looking a number up is the fastest way to read it, and to refuse whatever is none of these.
_GREY: Final = {str(value).encode(): value for value in range(256)}
_EMOTIONS: Final = {str(value).encode(): value for value in range(len(FER2013_LABELS))}
_USAGES: Final = {b"Training": 0, b"PublicTest": 1, b"PrivateTest": 2}

Table = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8]]


def read_table(name: str, stream: IO[bytes], limit: int) -> Table:
    """The faces of ``fer2013.csv`` or ``icml_face_data.csv``, in their order.

    Pixels are uint8 (n, 48, 48), emotions int64 (n,) in FER-2013's label order, usages uint8 (n,): 0
    Training, 1 PublicTest, 2 PrivateTest. ``name`` is the table's in messages; more than ``limit`` bytes
    are refused. Raises DataError naming the line, counted from 1 with the header.
    """
    places, width = _columns(name, stream.readline(_LONGEST_LINE))
    pixels, emotions, usages = bytearray(), array("q"), bytearray()
    number, read = 1, 0
    while line := stream.readline(_LONGEST_LINE):
        number, read = number + 1, read + len(line)
        if len(line) >= _LONGEST_LINE or read > limit:
            raise DataError(
                f"{name}, line {number}: expected lines of {SIDE * SIDE} pixels, at most {limit:,} bytes in all, "
                "got more: it may be a decompression bomb"
            )
        fields = [field.strip(b' "\r\n') for field in line.split(b",")]
        if fields == [b""]:
            continue
        if len(fields) != width:
            raise DataError(f"{name}, line {number}: expected {width} fields, got {len(fields)}")
        emotion, levels, usage = (fields[place] for place in places)
        try:
            emotions.append(_EMOTIONS[emotion])
            usages.append(_USAGES[usage])
            face = bytes(map(_GREY.__getitem__, levels.split()))
        except KeyError as error:
            raise _refused(name, number, emotion, usage, error.args[0]) from None
        if len(face) != SIDE * SIDE:
            raise DataError(
                f"{name}, line {number}: expected {SIDE * SIDE:,} pixels ({SIDE}×{SIDE}), got {len(face):,}"
            )
        pixels += face
    if not emotions:
        raise DataError(f"{name}: expected faces, it has none below its header")
    return (
        np.frombuffer(pixels, np.uint8).reshape(-1, SIDE, SIDE),
        np.array(emotions, np.int64),
        np.frombuffer(usages, np.uint8),
    )


def _columns(name: str, header: bytes) -> tuple[tuple[int, ...], int]:
    """Where emotion, pixels and usage stand, and the number of columns."""
    text = header.decode("utf-8-sig", errors="replace")
    columns = [column.strip(' "\r\n').lower() for column in text.split(",")]
    missing = [column for column in _COLUMNS if column not in columns]
    if missing:
        raise DataError(
            f"{name}: expected a table with the columns emotion, pixels and Usage, {' and '.join(missing)} "
            f"missing from its first line {text.strip()[:60]!r}"
        )
    return tuple(columns.index(column) for column in _COLUMNS), len(columns)


def _refused(name: str, number: int, emotion: bytes, usage: bytes, found: bytes) -> DataError:
    shown = repr(found.decode("utf-8", errors="replace")[:40])
    if emotion not in _EMOTIONS:
        expected = f"an emotion from 0 to {len(FER2013_LABELS) - 1}"
    elif usage not in _USAGES:
        expected = "a Usage of " + ", ".join(known.decode() for known in _USAGES)
    else:
        expected = "pixels that are whole numbers from 0 to 255"
    return DataError(f"{name}, line {number}: expected {expected}, got {shown}")
