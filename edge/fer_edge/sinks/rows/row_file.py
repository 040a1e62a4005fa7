"""A file of rows, each on its way as soon as its frame is done."""

from __future__ import annotations

import sys
from contextlib import suppress
from io import FileIO, TextIOWrapper
from pathlib import Path
from typing import Final

from fer_edge.runtime.atomic_files import output_errors
from fer_edge.sinks.rows.format import state_path

__all__ = ["RowFile"]

_STDOUT: Final = "standard output"


class RowFile:
    """A file that is opened with its first row and takes each at once and whole: a later failure loses none.

    ``path`` None is standard output. ``append`` goes on where the file ends, instead of replacing it.
    """

    def __init__(self, path: Path | None, *, append: bool = False) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._append = append
        self._created = False
        self._size = path.stat().st_size if append and path is not None and path.is_file() else 0

    @property
    def is_empty(self) -> bool:
        """Whether the file holds nothing yet."""
        return self._size == 0

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with output_errors(self._path or _STDOUT):
                self._file.close()
        self._file = None

    def write_bytes(self, content: bytes) -> None:
        """Write one or more rows in UTF-8, all of them or, after an error, none; raises OutputError."""
        with output_errors(self._path or _STDOUT):
            if self._path is None:
                if isinstance(sys.stdout, TextIOWrapper):
                    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
                sys.stdout.write(content.decode())
                sys.stdout.flush()
                self._size += len(content)
                return
            self._file = self._file or self._open(self._path)
            rest = content
            try:
                while rest:
                    rest = rest[self._file.write(rest) :]
            except OSError:
                with suppress(OSError):  # a pipe
                    self._file.truncate(self._size)  # no part of a row stays
                    if (
                        self._created and not self._size
                    ):  # nor a file without any, which the next run would refuse
                        self._path.unlink()
                raise
            self._size += len(content)

    def _open(self, path: Path) -> FileIO:
        """Open the file; where it is replaced, what is known about the old one's rows goes first."""
        self._created = not path.exists()
        if self._append:
            return FileIO(path, "a")
        if path.is_file():
            state_path(path).unlink(missing_ok=True)
        return FileIO(path, "w")
