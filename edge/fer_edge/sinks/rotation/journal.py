"""A journal of the files that a rotating output has written, kept beside them."""

from __future__ import annotations

import json
import logging
import math
import os
import stat
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, Final

from fer_edge.errors import OutputError
from fer_edge.runtime.atomic_files import staged_file
from fer_edge.runtime.json_text import parse_json
from fer_edge.sinks.rotation.timed_name import TimedName

__all__ = ["FileJournal", "WrittenFile", "hidden_path"]

_logger = logging.getLogger(__name__)

_SUFFIX: Final = ".jsonl"
_SLACK: Final = 1000  # outdated lines that may collect before the journal is rewritten
_MAX_WAITING: Final = 1000  # lines kept in memory while the journal cannot be written
_MAX_BYTES: Final = 256 << 20
_SAFELY: Final = sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_BINARY"))


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A finished file: its size in bytes and modification time in seconds since 1970."""

    size: int
    modified: float


def hidden_path(name: TimedName, suffix: str) -> Path:
    """Return the path of a hidden file with data about the outputs, beside them."""
    return name.folder / f".fer-edge-files-{zlib.crc32(os.fsencode(name.pattern)):08x}{suffix}"


class FileJournal:
    """Records the files that a rotating output writes.

    ``files`` holds the finished files, oldest first. The journal is a file in the output's fixed folder;
    lines are appended to it, so that a kill loses no entry. Damaged lines, and names that do not match the
    output's, are ignored. ``on_change`` is called after a file was begun or finished. Without ``remember``,
    nothing is kept in memory. ``lock`` is held during changes, in any thread.
    """

    def __init__(
        self,
        name: TimedName,
        *,
        remember: bool = True,
        on_change: Callable[[], None] | None = None,
        lock: RLock | None = None,
    ) -> None:
        self.name = name
        self.files: OrderedDict[str, WrittenFile] = OrderedDict()
        self.total_bytes = 0
        self._path = hidden_path(name, _SUFFIX)
        self._remember, self._on_change = remember, on_change
        self._lock = RLock() if lock is None else lock
        self._open: dict[str, int] = {}
        self._waiting: list[bytes] = []
        self._lines = 0
        self._line_ended = False  # a line left incomplete by a kill is ended before the next one
        self._warned = False
        if remember:
            self._load()

    def begin(self, path: Path) -> None:
        """Record that a file is open for writing; it may have been finished before."""
        relative = self.name.relative(path)
        with self._lock:
            self._forget(relative)
            with suppress(OSError):
                self._open[relative] = path.stat().st_ino
                self._append({"file": relative, "begun": self._open[relative]})
            self.announce()

    def finish(self, path: Path, content: Path | None = None) -> None:
        """Record that a file is complete; raises OSError if it does not exist.

        ``content`` is the file that is about to be renamed to ``path``; the caller then has to call
        :meth:`announce`.
        """
        relative = self.name.relative(path)
        with self._lock:
            self._open.pop(relative, None)
            status = (content or path).stat()
            self._add(relative, WrittenFile(status.st_size, round(status.st_mtime, 3)))
            self._append({"file": relative, "size": status.st_size, "modified": round(status.st_mtime, 3)})
            if content is None:
                self.announce()

    def count_open_bytes(self) -> int:
        """Return the total size of the files being written, in bytes."""
        total = 0
        for relative in self._open:
            with suppress(OSError):
                total += (self.name.folder / relative).stat().st_size
        return total

    def drop(self, relative: str) -> None:
        """Record that a file was deleted or no longer belongs to this output."""
        with self._lock:
            self._forget(relative)
            self._append({"file": relative, "gone": True})
            if self._lines > 2 * len(self.files) + _SLACK:
                self._rewrite()

    def announce(self) -> None:
        """Report a change of the files, so that files over the limits are deleted."""
        if self._on_change is not None:
            self._on_change()

    def _add(self, relative: str, file: WrittenFile) -> None:
        self._forget(relative)
        if self._remember:
            self.files[relative] = file
            self.total_bytes += file.size

    def _forget(self, relative: str) -> None:
        known = self.files.pop(relative, None)
        self.total_bytes -= 0 if known is None else known.size

    def _append(self, line: dict[str, Any]) -> None:
        self._waiting.append(json.dumps(line).encode() + b"\n")
        del self._waiting[:-_MAX_WAITING]
        try:
            with _open_regular_file(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT) as descriptor:
                self._line_ended = self._line_ended or _ends_with_line(descriptor)
                while self._waiting:
                    content = self._waiting[0] if self._line_ended else b"\n" + self._waiting[0]
                    self._line_ended = os.write(descriptor, content) == len(content)
                    if not self._line_ended:
                        return
                    del self._waiting[0]
                    self._lines += 1
        except OSError as error:
            if not self._warned:
                _logger.warning("%s: cannot write the list of files: %s", self._path, error.strerror or error)
            self._warned = True

    def _load(self) -> None:
        """Load the journal of earlier runs; files they had begun count as finished."""
        begun: dict[str, int] = {}
        for line in self._read():
            self._lines += 1
            try:
                record = parse_json(line)
                relative = record["file"]
                if not isinstance(relative, str) or not self.name.matches_relative(relative):
                    continue
                begun.pop(relative, None)
                self._forget(relative)
                if "begun" in record:
                    begun[relative] = int(record["begun"])
                elif "size" in record:
                    self._add(relative, _parse_file(record))
            except (ValueError, KeyError, TypeError, OverflowError):
                continue
        for relative, inode in begun.items():
            path = self.name.folder / relative
            with suppress(OSError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) and status.st_ino == inode:
                    self.finish(path)
        self.files = OrderedDict(sorted(self.files.items(), key=lambda item: item[1].modified))

    def _read(self) -> Iterator[bytes]:
        try:
            with (
                _open_regular_file(self._path, os.O_RDONLY) as descriptor,
                os.fdopen(os.dup(descriptor), "rb") as file,
            ):
                if os.fstat(descriptor).st_size > _MAX_BYTES:
                    raise OSError(0, "file is too large")
                yield from file
        except FileNotFoundError:
            return
        except OSError as error:
            _logger.warning("%s: cannot read the list of files: %s", self._path, error.strerror or error)

    def _rewrite(self) -> None:
        """Rewrite the journal without outdated lines."""
        lines = [
            json.dumps({"file": relative, "size": file.size, "modified": file.modified})
            for relative, file in self.files.items()
        ]
        lines += [json.dumps({"file": relative, "begun": inode}) for relative, inode in self._open.items()]
        with suppress(OutputError), staged_file(self._path) as part:
            part.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        self._lines = len(lines)


def _ends_with_line(descriptor: int) -> bool:
    if not os.lseek(descriptor, 0, os.SEEK_END):
        return True
    os.lseek(descriptor, -1, os.SEEK_END)
    return os.read(descriptor, 1) == b"\n"


def _parse_file(record: dict[str, Any]) -> WrittenFile:
    """Return the file that a line describes.

    Raises ValueError, KeyError, TypeError or OverflowError if the line is invalid.
    """
    file = WrittenFile(int(record["size"]), float(record["modified"]))
    if file.size < 0 or not math.isfinite(file.modified):
        raise ValueError("invalid size or time")
    return file


class _open_regular_file:  # noqa: N801  (used as a function)
    """A context manager that opens a regular file and follows no link; raises OSError."""

    def __init__(self, path: Path, flags: int) -> None:
        self._descriptor = os.open(path, flags | _SAFELY, 0o644)
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            os.close(self._descriptor)
            raise OSError(0, "not a regular file")

    def __enter__(self) -> int:
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
