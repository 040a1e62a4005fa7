"""Retention: deletes the oldest files of rotating outputs, and nothing else."""

from __future__ import annotations

import logging
import os
import stat
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import RLock
from typing import Final

from fer_edge.sinks.rotation.journal import FileJournal, WrittenFile
from fer_edge.sinks.rotation.timed_name import TimedName

__all__ = ["Retention"]

_logger = logging.getLogger(__name__)

_GIGABYTE: Final = 10**9
_DAY_S: Final = 86_400.0
_TIME_SLACK_S: Final = 2.0  # the resolution of times on FAT
_DOUBT_S: Final = 3600.0  # a larger leap forward of the clock is accepted only after this time
_BY_DESCRIPTOR: Final = os.unlink in os.supports_dir_fd and os.open in os.supports_dir_fd


class Retention:
    """Deletes the oldest files of the registered outputs until both limits are met.

    ``days`` is the maximum age of a file since it was finished, ``gigabytes`` (10⁹ bytes) the maximum total
    size of all files, including those being written. Only files that are in a journal and unchanged since
    they were finished are deleted; links are never followed. Failures are logged as warnings. Files are
    deleted whenever a file is begun or finished.
    """

    def __init__(self, *, days: float | None = None, gigabytes: float | None = None) -> None:
        self._days, self._gigabytes = days, gigabytes
        self._journals: list[FileJournal] = []
        self._lock = RLock()
        self._clock = _LeapTolerantClock()

    @property
    def has_limits(self) -> bool:
        """Whether there is a limit, so that files may be deleted."""
        return self._days is not None or self._gigabytes is not None

    def register(self, name: TimedName) -> FileJournal:
        """Register a rotating output for deletion of old files; return its journal."""
        journal = FileJournal(name, remember=self.has_limits, on_change=self.prune, lock=self._lock)
        with self._lock:
            self._journals.append(journal)
        return journal

    def prune(self) -> None:
        """Delete the files that exceed the limits."""
        with self._lock:
            if self._days is not None:
                oldest = self._clock.now() - self._days * _DAY_S
                for journal in self._journals:
                    for relative, file in list(_older(journal, oldest)):
                        self._delete(journal, relative, file)
            if self._gigabytes is not None:
                most = self._gigabytes * _GIGABYTE
                writing = sum(journal.count_open_bytes() for journal in self._journals)
                while writing + sum(journal.total_bytes for journal in self._journals) > most:
                    filled = [journal for journal in self._journals if journal.files]
                    if not filled:
                        return
                    journal = min(filled, key=lambda each: _first(each)[1].modified)
                    self._delete(journal, *_first(journal))

    def _delete(self, journal: FileJournal, relative: str, file: WrittenFile) -> None:
        folder = journal.name.folder
        try:
            _delete_unchanged(folder, relative, file)
        except FileNotFoundError:
            pass
        except OSError as error:
            _logger.warning("%s: not deleted: %s", folder / relative, error.strerror or error)
        journal.drop(relative)


def _older(journal: FileJournal, than: float) -> list[tuple[str, WrittenFile]]:
    found = []
    for relative, file in journal.files.items():
        if file.modified >= than:
            break
        found.append((relative, file))
    return found


def _first(journal: FileJournal) -> tuple[str, WrittenFile]:
    return next(iter(journal.files.items()))


def _delete_unchanged(folder: Path, relative: str, file: WrittenFile) -> None:
    """Delete a file if it is unchanged, and folders that become empty; raises OSError."""
    *parents, last = relative.split("/")
    with ExitStack() as stack:
        if _BY_DESCRIPTOR:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            above = [os.open(folder, flags)]
            stack.callback(os.close, above[0])
            for name in parents:
                above.append(os.open(name, flags | os.O_NOFOLLOW, dir_fd=above[-1]))
                stack.callback(os.close, above[-1])
            _check_unchanged(os.stat(last, dir_fd=above[-1], follow_symlinks=False), file)
            os.unlink(last, dir_fd=above[-1])
            with suppress(OSError):  # a folder is not empty
                for name, descriptor in zip(reversed(parents), reversed(above[:-1]), strict=True):
                    os.rmdir(name, dir_fd=descriptor)
            return
        path = folder / relative
        if any(part.is_symlink() for part in (path, *path.parents)):
            raise OSError(0, "its path contains a symbolic link")
        _check_unchanged(path.lstat(), file)
        path.unlink()


def _check_unchanged(status: os.stat_result, file: WrittenFile) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "no longer a regular file")
    if status.st_size != file.size or not abs(status.st_mtime - file.modified) <= _TIME_SLACK_S:
        raise OSError(0, "changed since it was written")


class _LeapTolerantClock:
    """The wall clock, except that a leap forward is accepted only after an hour.

    A wrong clock could otherwise make all files too old.
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()
        self._leapt_at: float | None = None

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        wall, steady = time.time(), time.monotonic()
        ahead = wall - steady - self._offset
        if ahead > _DOUBT_S:
            self._leapt_at = steady if self._leapt_at is None else self._leapt_at
            if steady < self._leapt_at + _DOUBT_S:
                return steady + self._offset
        self._leapt_at = None
        self._offset += ahead
        return wall
