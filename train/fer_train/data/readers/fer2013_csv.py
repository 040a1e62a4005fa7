"""FER-2013 as a CSV table: a row of 2,304 gray levels for each face, read in chunks with pandas."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import DataError
from fer_edge.models.spec import FER2013_LABELS
from fer_train.optional_packages import import_pandas

if TYPE_CHECKING:
    import pandas

__all__ = ["SIDE", "Table", "read_fer2013_csv"]

SIDE: Final = 48  # pixels
_COLUMNS: Final = ("emotion", "pixels", "usage")
_LONGEST_LINE: Final = 1 << 16  # bytes; a face takes at most 9.3 kB
_CHUNK: Final = 512  # rows; 5 MB of text
_OUTER: Final = ' "\r\n'  # what may stand around a field
# Looking a number up is the fastest way to read it, and to refuse everything else.
_GRAY: Final = {str(value): value for value in range(256)}
_EMOTIONS: Final = {str(value): value for value in range(len(FER2013_LABELS))}
_USAGES: Final = {"Training": 0, "PublicTest": 1, "PrivateTest": 2}

Table = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8]]
"""Pixels, uint8 (n, 48, 48); emotions, int64 (n,); usages, uint8 (n,)."""


def read_fer2013_csv(name: str, stream: IO[bytes], limit: int) -> Table:
    """Read the faces of ``fer2013.csv`` or ``icml_face_data.csv`` in their order.

    Emotions are indices in FER-2013's label order; usages are 0 for Training, 1 for PublicTest and 2 for
    PrivateTest. ``name`` stands for the table in messages; more than ``limit`` bytes are refused. Memory holds
    the faces and one chunk of text. Raises DataError naming the line, counted from 1 with the header;
    MissingExtraError without pandas.
    """
    places, width = _find_columns(name, stream.readline(_LONGEST_LINE))
    faces = _Faces()
    for chunk in _read_chunks(_CheckedLines(name, stream, width, limit), places):
        faces.add(name, chunk)
    if not faces.emotions:
        raise DataError(f"{name}: expected faces, it has none below its header")
    return (
        np.frombuffer(faces.pixels, np.uint8).reshape(-1, SIDE, SIDE),
        np.array(faces.emotions, np.int64),
        np.frombuffer(faces.usages, np.uint8),
    )


class _CheckedLines(io.RawIOBase):
    """The lines below the header as a stream for pandas, each one checked before pandas sees it.

    pandas fills up short rows in silence, takes a line of any length into memory, and ends a field at a NUL
    byte. ``width`` is the number of fields. Reading raises DataError naming the line.
    """

    def __init__(self, name: str, lines: IO[bytes], width: int, limit: int) -> None:
        self._name, self._lines, self._width, self._limit = name, lines, width, limit
        self._number, self._read = 1, 0
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Whether the stream can be read: yes."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer with what is left of a line, or with the next one; 0 bytes at the end."""
        if not self._rest:
            self._rest = memoryview(self._next_line())
        target = memoryview(buffer)
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _next_line(self) -> bytes:
        line = self._lines.readline(_LONGEST_LINE)
        if not line:
            return line
        self._number, self._read = self._number + 1, self._read + len(line)
        place = f"{self._name}, line {self._number}"
        if len(line) >= _LONGEST_LINE or self._read > self._limit:
            raise DataError(
                f"{place}: expected lines of {SIDE * SIDE} pixels, at most {self._limit:,} bytes in all, "
                "got more: it may be a decompression bomb"
            )
        count = line.count(b",") + 1
        if count != self._width and line.strip(_OUTER.encode()):
            raise DataError(f"{place}: expected {self._width} fields, got {count}")
        if b"\0" in line:
            raise DataError(f"{place}: expected text, got a NUL byte")
        return line


class _Faces:
    """The faces read so far; grows in place, so that they are in memory but once."""

    def __init__(self) -> None:
        self.pixels, self.emotions, self.usages = bytearray(), array("q"), bytearray()

    def add(self, name: str, chunk: pandas.DataFrame) -> None:
        """Add the faces of some rows, whose index counts the lines below the header from 0."""
        for index, *fields in chunk.itertuples(name=None):
            emotion, levels, usage = (field.strip(_OUTER) for field in fields)
            if not (emotion or levels or usage):
                continue
            try:
                self.emotions.append(_EMOTIONS[emotion])
                self.usages.append(_USAGES[usage])
                face = bytes(map(_GRAY.__getitem__, levels.split()))
            except KeyError as error:
                raise _describe_bad_row(name, index + 2, emotion, usage, error.args[0]) from None
            if len(face) != SIDE * SIDE:
                raise DataError(
                    f"{name}, line {index + 2}: expected {SIDE * SIDE:,} pixels ({SIDE}×{SIDE}), got {len(face):,}"
                )
            self.pixels += face


def _read_chunks(lines: _CheckedLines, places: tuple[int, ...]) -> Iterator[pandas.DataFrame]:
    """Emotion, pixels and usage of some rows at a time, as text."""
    pandas = import_pandas()
    try:
        chunks = pandas.read_csv(
            lines,
            header=None,
            usecols=sorted(places),
            dtype=object,
            na_filter=False,
            quoting=csv.QUOTE_NONE,  # a quote that is never closed must not swallow the rows below it
            lineterminator="\n",
            skip_blank_lines=False,  # so that row numbers are line numbers
            encoding_errors="replace",
            chunksize=_CHUNK,
        )
    except pandas.errors.EmptyDataError:
        return
    with chunks:
        for chunk in chunks:
            yield chunk[list(places)]


def _find_columns(name: str, header: bytes) -> tuple[tuple[int, ...], int]:
    """Where emotion, pixels and usage stand, and the number of columns."""
    text = header.decode("utf-8-sig", errors="replace")
    columns = [column.strip(_OUTER).lower() for column in text.split(",")]
    missing = [column for column in _COLUMNS if column not in columns]
    if missing:
        raise DataError(
            f"{name}: expected a table with the columns emotion, pixels and Usage, {' and '.join(missing)} "
            f"missing from its first line {text.strip()[:60]!r}"
        )
    return tuple(columns.index(column) for column in _COLUMNS), len(columns)


def _describe_bad_row(name: str, number: int, emotion: str, usage: str, found: str) -> DataError:
    if emotion not in _EMOTIONS:
        expected = f"an emotion from 0 to {len(FER2013_LABELS) - 1}"
    elif usage not in _USAGES:
        expected = "a Usage of " + ", ".join(_USAGES)
    else:
        expected = "pixels that are whole numbers from 0 to 255"
    return DataError(f"{name}, line {number}: expected {expected}, got {found[:40]!r}")
