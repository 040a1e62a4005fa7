"""The output file of a video encoder."""

from __future__ import annotations

import errno
import io
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

__all__ = ["VideoFile"]

_HEAD: Final = 1 << 16  # bytes at the start of the file; a muxer patches some of them when it finishes


class VideoFile:
    """A file, device or pipe that a video is written to.

    ``target`` is the file object for the muxer. All methods raise OSError.
    """

    def __init__(self, path: Path) -> None:
        self.is_seekable = path.is_file() or not path.exists()
        self._file: Any = path.open("w+b" if self.is_seekable else "wb", buffering=0)
        # An unbuffered write may be partial; the buffer writes the rest.
        self.target: Any = io.BufferedRandom(self._file) if self.is_seekable else _PipeBuffer()
        self._head = b""
        self._size = 0

    def flush(self) -> None:
        """Write everything that is buffered."""
        if self.is_seekable:
            self.target.flush()
            return
        rest = memoryview(self.target.getvalue())
        while rest:
            rest = rest[self._file.write(rest) :]
        self.target.seek(0)
        self.target.truncate()

    def check(self) -> None:
        """Raise OSError if the file or its folder has been deleted."""
        if self.is_seekable and not os.fstat(self._file.fileno()).st_nlink:
            raise FileNotFoundError(errno.ENOENT, "file was deleted during writing")

    def remember(self) -> None:
        """Save the state for :meth:`restore`; call it before the muxer finishes the file."""
        if self.is_seekable:
            self.flush()
            self._size = self._file.seek(0, os.SEEK_END)
            self._file.seek(0)
            self._head = self._file.read(_HEAD)
            self._file.seek(self._size)

    def restore(self) -> None:
        """Restore the saved state after the muxer has failed to finish the file."""
        if self._head:
            self._file.seek(0)
            self._file.write(self._head)
            self._file.truncate(self._size)

    def close(self) -> None:
        """Close the file without flushing; an unfinished muxer can then not change it."""
        with suppress(OSError):  # some file systems report errors only here, too late to act on
            self._file.close()
        if not self.is_seekable:
            self.target.close()


class _PipeBuffer(io.BytesIO):
    """A buffer for muxer output to a target that cannot seek."""

    def seekable(self) -> bool:
        return False
