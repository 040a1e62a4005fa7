"""Read the lines of a file in constant memory.

Lines that are too long are skipped.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from fer_edge.errors import SourceError
from fer_edge.sinks.rows.format import MOST_LINE

__all__ = ["Line", "open_rows", "read_lines"]

_SKIP = 1 << 20  # bytes to skip at a time


class Line(NamedTuple):
    """A line without its line ending.

    ``content`` is None if the line is too long; ``has_line_ending`` is false if the line ending is missing.
    """

    number: int
    content: bytes | None
    has_line_ending: bool


@contextmanager
def open_rows(path: Path | None) -> Iterator[BinaryIO]:
    """Open a file, or standard input if None.

    An OSError in the block becomes a SourceError.
    """
    name = "standard input" if path is None else str(path)
    try:
        if path is None:
            if sys.stdin is None:
                raise SourceError("standard input is closed; use a file")
            yield sys.stdin.buffer
            return
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise SourceError(f"{name}: cannot read: {error.strerror or error}; check the path") from error


def read_lines(file: BinaryIO) -> Iterator[Line]:
    """Yield the lines of a file, numbered from 1.

    Memory does not grow with their length.
    """
    number = 0
    while line := file.readline(MOST_LINE):
        number += 1
        has_line_ending = line.endswith(b"\n")
        if has_line_ending or len(line) < MOST_LINE:
            yield Line(number, line.rstrip(b"\r\n"), has_line_ending)
            continue
        while (rest := file.readline(_SKIP)) and not rest.endswith(b"\n"):
            pass
        yield Line(number, None, rest.endswith(b"\n"))
