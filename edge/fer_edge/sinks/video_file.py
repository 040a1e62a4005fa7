"""The file behind a video that is being written."""

from __future__ import annotations

import errno
import io
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

__all__ = ["VideoFile"]

_HEAD: Final = 1 << 16  # bytes at the start, among which a muxer changes some at the end


class VideoFile:
    """A file, device or pipe to write a video to; ``target`` is the object that a muxer is given.

    Its methods raise OSError.
    """

    def __init__(self, path: Path) -> None:
        self.is_seekable = path.is_file() or not path.exists()
        self._file: Any = path.open("w+b" if self.is_seekable else "wb", buffering=0)
        # What FFmpeg writes at once may arrive in parts: the buffer writes the rest.
        self.target: Any = io.BufferedRandom(self._file) if self.is_seekable else _Pieces()
        self._head = b""
        self._size = 0

    def flush(self) -> None:
        """Send everything on its way."""
        if self.is_seekable:
            self.target.flush()
            return
        rest = memoryview(self.target.getvalue())
        while rest:
            rest = rest[self._file.write(rest) :]
        self.target.seek(0)
        self.target.truncate()

    def check(self) -> None:
        """Raise OSError where the file was deleted meanwhile, or its folder."""
        if self.is_seekable and not os.fstat(self._file.fileno()).st_nlink:
            raise FileNotFoundError(errno.ENOENT, "it was deleted while it was written")

    def remember(self) -> None:
        """Before a muxer finishes the file: remember what :meth:`restore` brings back."""
        if self.is_seekable:
            self.flush()
            self._size = self._file.seek(0, os.SEEK_END)
            self._file.seek(0)
            self._head = self._file.read(_HEAD)
            self._file.seek(self._size)

    def restore(self) -> None:
        """After a muxer failed to finish the file: make it what it was before."""
        if self._head:
            self._file.seek(0)
            self._file.write(self._head)
            self._file.truncate(self._size)

    def close(self) -> None:
        """Close it, without what was not flushed; a muxer that is not done with it then leaves it alone."""
        with suppress(OSError):  # of a file system that reports late, nothing can be done any more
            self._file.close()
        if not self.is_seekable:
            self.target.close()


class _Pieces(io.BytesIO):
    """What a muxer writes where nothing can be gone back to."""

    def seekable(self) -> bool:
        return False
