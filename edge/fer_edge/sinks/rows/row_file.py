"""A results file that receives each row as soon as its frame is done."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import FileIO, TextIOWrapper
from pathlib import Path
from typing import Final

from fer_edge.errors import OutputError
from fer_edge.runtime.atomic_files import convert_errors_to_output_error
from fer_edge.runtime.locks import try_lock
from fer_edge.sinks.rows.format import state_path

__all__ = ["RowFile"]

_FLAGS: Final = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_STDOUT: Final = "standard output"


class RowFile:
    """A file opened with its first row; each row is written at once and completely.

    A later failure loses no rows. ``path`` None is standard output. ``append`` continues the file instead of
    replacing it.
    """

    def __init__(self, path: Path | None, *, append: bool = False) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._append = append
        self._created = False
        self._size = path.stat().st_size if append and path is not None and path.is_file() else 0

    @property
    def is_empty(self) -> bool:
        """Whether the file is still empty."""
        return self._size == 0

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with convert_errors_to_output_error(self._path or _STDOUT):
                self._file.close()
        self._file = None

    def write_bytes(self, content: bytes) -> None:
        """Write rows, as UTF-8; raises OutputError, in which case no row is written."""
        with convert_errors_to_output_error(self._path or _STDOUT):
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
                with suppress(OSError):  # a pipe cannot be truncated
                    self._file.truncate(self._size)
                    # Delete a new file without rows, which the next run would refuse because it exists.
                    if self._created and not self._size:
                        self._path.unlink()
                raise
            self._size += len(content)

    def _open(self, path: Path) -> FileIO:
        """Open the file; if it is replaced, delete the state of its old rows first."""
        self._created = not path.exists()
        if self._append or not path.is_file():
            file = FileIO(path, "a")
        else:
            file = FileIO(os.open(path, os.O_WRONLY | _FLAGS), "w")  # truncated below, once it is locked
        try:
            if not path.is_file():
                return file
            if not try_lock(file.fileno()):
                raise OutputError(f"{path}: another program is writing to this file; choose another file")
            if not self._append:
                state_path(path).unlink(missing_ok=True)
                file.truncate(0)
        except BaseException:
            file.close()
            raise
        return file
