"""A file to which rows are appended atomically."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from fer_edge.errors import OutputError
from fer_edge.runtime.locks import is_in_place, try_lock
from fer_edge.sinks.rows.format import MOST_LINE

__all__ = ["AppendFile", "check_unused", "truncate_partial_row"]

_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class AppendFile:
    """A file opened for appending; methods raise OSError.

    ``truncate`` empties the file first. Without ``follow``, a symbolic link is refused. The constructor
    raises OutputError if another program is appending to the file: one file would then hold the rows of two
    runs with the same face IDs.
    """

    def __init__(self, path: Path, *, truncate: bool = False, follow: bool = True) -> None:
        self.path = path
        self._torn_at: int | None = None
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _BINARY | (0 if follow else _NO_LINK)
        self._descriptor = os.open(path, flags, 0o666)
        try:
            if not try_lock(self._descriptor):
                raise OutputError(f"{path}: another program is writing to this file; choose another file")
            if truncate:
                os.ftruncate(self._descriptor, 0)
        except BaseException:
            os.close(self._descriptor)
            raise

    @property
    def size(self) -> int:
        """The current size in bytes, including changes by other programs."""
        return os.fstat(self._descriptor).st_size

    def is_in_place(self) -> bool:
        """Return whether the path still refers to this file.

        The file may have been renamed or deleted.
        """
        return is_in_place(self._descriptor, self.path)

    def append(self, content: bytes) -> None:
        """Append ``content``; after an error no part of it remains."""
        self._repair()
        start, rest = self.size, content
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            if len(rest) < len(content):
                self._torn_at = start
                with suppress(OSError):  # retried before the next row
                    self._repair()
            raise

    def _repair(self) -> None:
        """Cut off a row that was only partly written because of an error."""
        if self._torn_at is not None:
            os.ftruncate(self._descriptor, self._torn_at)
            self._torn_at = None

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):  # some file systems report errors only here, too late to act on
            os.close(self._descriptor)


def check_unused(path: Path) -> None:
    """Raise OutputError if another program is appending to a file."""
    with suppress(OSError):  # opening the file later reports any other problem
        AppendFile(path).close()


def truncate_partial_row(path: Path) -> None:
    """Cut off an incomplete last line left by a kill or power failure; raises OSError."""
    with path.open("rb+") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - MOST_LINE)
        file.seek(start)
        tail = file.read()
        complete = tail.rfind(b"\n") + 1
        if complete < len(tail) and (complete or not start):
            file.truncate(start + complete)
