"""Reading of a table's text, in any encoding and with any line endings."""

from __future__ import annotations

import codecs
import csv
import io
from array import array
from typing import IO, Any, Final, Protocol

from fer_edge.errors import DataError
from fer_train.data.readers.foreign_files import refuse_foreign_file
from fer_train.data.readers.row_problems import RowProblems
from fer_train.data.readers.table_layout import PIXELS, TableLayout, read_layout

__all__ = ["LONGEST_LINE", "CheckedRows", "Lines", "open_lines", "read_header"]

LONGEST_LINE: Final = 1 << 16
"""Longest line in bytes; a face takes at most 9.3 kB with 48×48 pixels, 37 kB with 96×96."""
_MAX_BLANK: Final = 1_000_000  # lines
_START: Final = 1 << 16  # bytes inspected to detect the kind of file
_BOMS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is a prefix of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Lines(Protocol):
    """A source of lines of bytes."""

    def readline(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes of the next line; empty at the end.

        The line ending is included.
        """


def open_lines(name: str, stream: IO[bytes]) -> Lines:
    """Open the lines of a table as UTF-8 with line feeds.

    UTF-16 and UTF-32 are recognized by their byte-order mark, UTF-16 also by its NUL bytes; lines may end with only a
    CR. Any other text is passed through unchanged, because all relevant text is ASCII. Raises DataError if the first
    bytes are not those of a table; ``name`` names the table in messages.
    """
    buffered = io.BufferedReader(_Unowned(stream), _START)
    start = buffered.peek(_START)[:_START]
    encoding = _detect_encoding(start)
    if encoding is None:
        refuse_foreign_file(name, start)
        if b"\r" not in start or b"\n" in start:
            return buffered
    return _Recoded(io.TextIOWrapper(buffered, encoding or "utf-8", errors="replace", newline=None))


def read_header(name: str, lines: Lines) -> tuple[TableLayout, int]:
    """Read the header of a table, after blank lines and Excel's ``sep=;``.

    Returns its layout and its line number. Raises DataError as
    :func:`~fer_train.data.readers.table_layout.read_layout` does.
    """
    number, text = 0, ""
    while not text.strip() or text.strip().lower().startswith("sep="):
        line = lines.readline(LONGEST_LINE)
        if not line:
            raise DataError(f"{name}: the table is empty; download it again")
        number, text = number + 1, line.decode("utf-8-sig", errors="replace")
    return read_layout(name, text), number


class CheckedRows(io.RawIOBase):
    """The rows below the header, checked and passed on to pandas as a stream.

    pandas silently fills up short rows, reads lines of any length into memory, and ends a field at a NUL byte. This
    stream passes on rows as one line each, without quotes and with the number of fields in the layout; other rows are
    added to ``problems``. ``lines`` and ``numbers``, arrays of int64, contain for each row passed on its line, counted
    from 1 with the header, and its number among all rows, counted from 0. Raises DataError after ``limit`` bytes.
    """

    def __init__(
        self, name: str, source: Lines, layout: TableLayout, problems: RowProblems, *, first: int, limit: int
    ) -> None:
        self._name, self._source, self._layout, self._problems = name, source, layout, problems
        self._number, self._read, self._limit = first, 0, limit
        self._delimiter = layout.delimiter.encode()
        self._blank = b" \t\"'\r\n" + self._delimiter  # characters allowed in an empty row
        self._rest = memoryview(b"")
        self.lines, self.numbers = array("q"), array("q")
        self.last_line = first
        self._blank_lines = 0
        self.ends_within_line = False

    def readable(self) -> bool:
        """Return True, as the stream can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer with the rest of a row or with the next row.

        Returns 0 at the end.
        """
        if not self._rest:
            self._rest = memoryview(self._next_row())
        target = memoryview(buffer)
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _next_row(self) -> bytes:
        while line := self._next_line():
            if not line.strip(self._blank):
                self._blank_lines += 1
                if self._blank_lines > _MAX_BLANK:
                    raise DataError(
                        f"{self._name}, line {self._number}: more than {_MAX_BLANK:,} lines are blank: the file is "
                        "damaged or a decompression bomb; get the data from a source that you trust"
                    )
                continue
            self.last_line = self._number
            self._problems.count_row()
            row = self._unquote(line) if b'"' in line else line
            if row and (row := self._check_width(row)):
                self.lines.append(self.last_line)
                self.numbers.append(self._problems.rows - 1)
                return row
        return b""

    def _next_line(self) -> bytes:
        line = self._source.readline(LONGEST_LINE)
        if line:
            self._number, self._read = self._number + 1, self._read + len(line)
            self.ends_within_line = not line.endswith(b"\n")
        if len(line) >= LONGEST_LINE:
            raise DataError(
                f"{self._name}, line {self._number}: the line is longer than {LONGEST_LINE:,} bytes, which is too "
                f"long for a face of {PIXELS:,} pixels; the file is damaged, not a table of faces, or a "
                "decompression bomb"
            )
        if self._read > self._limit:
            raise DataError(
                f"{self._name}, line {self._number}: the file unpacks to more than {self._limit:,} bytes and may be "
                "a decompression bomb; get the data from a source that you trust"
            )
        return line

    def _unquote(self, line: bytes) -> bytes:
        """Return the row that starts with a line, without quotes.

        Reads further lines if the row has several. Returns no bytes if the row cannot be read.
        """
        while line.count(b'"') % 2:
            more = self._next_line()
            if not more:
                self._problems.add(self.last_line, "a quote that is never closed")
                return b""
            if len(line) + len(more) > LONGEST_LINE:
                raise DataError(
                    f"{self._name}, line {self.last_line}: a quote is never closed; close or remove it"
                )
            line += more
        text = line.decode("latin-1").rstrip("\r\n")  # decodes any bytes without loss
        delimiter = self._layout.delimiter
        try:
            fields = next(csv.reader([text], delimiter=delimiter, skipinitialspace=delimiter != "\t"))
        except csv.Error as error:
            self._problems.add(self.last_line, "quotes that cannot be read", str(error))
            return b""
        blanks = str.maketrans(dict.fromkeys((delimiter, "\r", "\n"), " "))
        return (delimiter.join(field.translate(blanks) for field in fields) + "\n").encode("latin-1")

    def _check_width(self, row: bytes) -> bytes:
        """Return the row, or no bytes if it has too many or too few fields."""
        count = row.count(self._delimiter) + 1
        layout = self._layout
        if b"\0" in row:
            self._problems.add(self.last_line, "a NUL byte")
        elif count == layout.width:
            return row
        elif len(layout.pixels) == 1 and count == layout.width - 1 + PIXELS:
            # The pixels are separated by the delimiter of the fields.
            fields = row.split(self._delimiter)
            (place,) = layout.pixels
            fields[place : place + PIXELS] = [b" ".join(fields[place : place + PIXELS])]
            return self._delimiter.join(fields)
        else:
            self._problems.add(
                self.last_line, f"the wrong number of fields (expected {layout.width:,})", f"{count:,}"
            )
        return b""


class _Unowned(io.RawIOBase):
    """The bytes of a stream that is not closed with this object."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        content = self._stream.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


class _Recoded:
    """Lines of text in another encoding, converted to UTF-8."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text

    def readline(self, size: int, /) -> bytes:
        return self._text.readline(size).encode()


def _detect_encoding(start: bytes) -> str | None:
    for bom, encoding in _BOMS:
        if start.startswith(bom):
            return encoding
    sample = start[:200]
    if len(sample) >= 20 and sample.count(0) >= len(sample) * 0.4:
        if not any(sample[0::2]) and all(sample[1::2]):
            return "utf-16-be"
        if not any(sample[1::2]) and all(sample[0::2]):
            return "utf-16-le"
    return None
