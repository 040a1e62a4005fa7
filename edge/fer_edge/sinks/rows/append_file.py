"""A file that rows are appended to, whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from fer_edge.errors import OutputError
from fer_edge.sinks.rows.format import MOST_LINE

if sys.platform != "win32":
    import fcntl

__all__ = ["AppendFile", "check_unused", "cut_off_half_row"]

_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class AppendFile:
    """An open file; its methods raise OSError.

    ``truncate`` empties it first. Without ``follow`` a symbolic link is refused. Raises OutputError where another
    program has it open in this way: the rows of both, with the same ids, would be in one file.
    """

    def __init__(self, path: Path, *, truncate: bool = False, follow: bool = True) -> None:
        self.path = path
        self._torn_at: int | None = None
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _BINARY | (0 if follow else _NO_LINK)
        self._descriptor = os.open(path, flags, 0o666)
        try:
            _lock(self._descriptor, path)
            if truncate:
                os.ftruncate(self._descriptor, 0)
        except BaseException:
            os.close(self._descriptor)
            raise

    @property
    def size(self) -> int:
        """Its size in bytes, whoever else wrote to it or emptied it."""
        return os.fstat(self._descriptor).st_size

    def is_in_place(self) -> bool:
        """Whether its path still leads to it: it may have been renamed or deleted."""
        try:
            there = self.path.stat()
        except OSError:
            return False
        own = os.fstat(self._descriptor)
        return (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino)

    def append(self, content: bytes) -> None:
        """Write at its end; after an error nothing of ``content`` stays."""
        self._mend()
        start, rest = self.size, content
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            if len(rest) < len(content):
                self._torn_at = start
                with suppress(OSError):  # it is tried again before the next row
                    self._mend()
            raise

    def _mend(self) -> None:
        """Cut off the part of a row that was written before an error."""
        if self._torn_at is not None:
            os.ftruncate(self._descriptor, self._torn_at)
            self._torn_at = None

    def close(self) -> None:
        """Close it; of a file system that reports late, nothing can be done any more."""
        with suppress(OSError):
            os.close(self._descriptor)


def check_unused(path: Path) -> None:
    """Raise OutputError where another program is appending to a file."""
    with suppress(OSError):  # what else is wrong with it is seen when it is opened
        AppendFile(path).close()


def _lock(descriptor: int, path: Path) -> None:
    """Keep others of this kind from a file until it is closed, where its file system knows locks."""
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(f"{path}: another program is writing to it; name another file") from None
    except OSError:
        return


def cut_off_half_row(path: Path) -> None:
    """Cut off what follows the last line's end, as a power cut or a kill leaves it; raises OSError."""
    with path.open("rb+") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - MOST_LINE)
        file.seek(start)
        tail = file.read()
        whole = tail.rfind(b"\n") + 1
        if whole < len(tail) and (whole or not start):
            file.truncate(start + whole)
