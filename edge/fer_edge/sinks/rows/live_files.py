"""Row files of a camera, with rotation and a queue for when the disk is full."""

from __future__ import annotations

import errno
import logging
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import RLock
from typing import Final

from fer_edge.errors import OutputError
from fer_edge.runtime.atomic_files import describe_write_failure
from fer_edge.runtime.ticker import Ticker
from fer_edge.sinks.rotation.first_file import check_first_file
from fer_edge.sinks.rotation.journal import FileJournal
from fer_edge.sinks.rotation.timed_name import TimedName, number_path
from fer_edge.sinks.rows.append_file import AppendFile, check_unused, truncate_partial_row
from fer_edge.sinks.rows.format import RowFormat, state_path
from fer_edge.sinks.rows.live_state import LiveState
from fer_edge.sinks.rows.pending import MOST_PENDING, Batch, PendingRows

__all__ = ["LiveRowFiles"]

_logger = logging.getLogger(__name__)

_RETRY_S: Final = 1.0  # after an error
_MAX_NUMBERS: Final = 1000


class LiveRowFiles:
    """Writes each row to the file for its time.

    A file that has been deleted or renamed is created again, and so is its folder. Rows that cannot be
    written wait in memory, in order, and are retried every second; if more than :data:`MOST_PENDING` bytes
    wait, the oldest rows are dropped. ``first`` is the name at the start: without ``append`` or
    ``overwrite``, an existing file of that name is refused. Existing files of later names are continued if
    they have rows of the same format, and otherwise a number is added to the name. Raises OutputError if a
    file is refused, and in ``close`` if rows could not be written.
    """

    def __init__(
        self,
        name: TimedName,
        format_: RowFormat,
        *,
        first: Path,
        overwrite: bool = False,
        append: bool = False,
        journal: FileJournal | None = None,
        state: LiveState | None = None,
    ) -> None:
        check_first_file(name, first, overwrite=overwrite or append)
        if first.is_file():
            check_unused(first)
            if append:
                format_.check_content(first)
        self._name, self._format = name, format_
        self._replaced = first if overwrite else None
        self._journal, self._state = journal, state
        self._file: AppendFile | None = None
        self._named: Path | None = None  # what the open file is for; it may carry a number
        self._oversized: Path | None = None
        self._pending = PendingRows()
        self._trouble: OSError | None = None
        self._retry_at = 0.0
        self._lock = RLock()
        self._ticker = Ticker(_RETRY_S, self._tick)

    def open(self) -> None:
        """Start to retry pending rows even while no frames arrive."""
        self._ticker.start()

    def write(self, clock: datetime, content: bytes, highest_id: int = -1) -> None:
        """Write the rows of a result.

        ``clock`` is the time of the result and ``highest_id`` the highest face ID in the rows.
        """
        with self._lock:
            self._ticker.raise_failure()
            self._pending.add(Batch(self._name.expand(clock), content, highest_id))
            if self._trouble is None or time.monotonic() >= self._retry_at:
                self._drain()

    def close(self) -> None:
        """Write pending rows and close the file; raises OutputError if rows are lost."""
        self._ticker.stop()
        with self._lock:
            self._drain()
            self._leave_file()
            if self._trouble is not None:
                lost = self._pending.count_rows() + self._pending.dropped
                raise OutputError(
                    f"{self._name.text}: {lost:,} rows could not be written: {describe_write_failure(self._trouble)}"
                )
            self._ticker.raise_failure()

    def _tick(self) -> None:
        with self._lock:
            if self._pending.first() is not None:
                self._drain()

    def _drain(self) -> None:
        try:
            while (batch := self._pending.first()) is not None:
                self._write(batch)
                self._pending.remove_first()
        except OSError as error:
            self._retry_at = time.monotonic() + _RETRY_S
            if error.errno == errno.EFBIG and self._file is not None:
                self._oversized = self._file.path  # the file system's limit, such as 4 GB on FAT
                self._leave_file()
            if self._trouble is None:
                _logger.warning(
                    "%s: cannot write rows: %s; up to %d MB of them wait in memory until writing works again",
                    self._name.text,
                    error.strerror or error,
                    MOST_PENDING >> 20,
                )
            self._trouble = error
        else:
            self._recover()

    def _recover(self) -> None:
        if self._trouble is None:
            return
        self._trouble = None
        dropped, self._pending.dropped = self._pending.dropped, 0
        lost = f"{dropped:,} rows dropped while the disk was full" if dropped else "no rows were lost"
        _logger.warning("%s: rows are written again; %s", self._name.text, lost)

    def _write(self, batch: Batch) -> None:
        file = self._file
        if file is None or self._named != batch.path or not file.is_in_place():
            file = self._switch(batch.path)
        file.append(self._format.header + batch.content if not file.size else batch.content)
        if self._state is not None:
            self._state.note(file.path, file.size, batch.highest_id)

    def _switch(self, path: Path) -> AppendFile:
        """Close the current file and open the one for ``path``."""
        self._leave_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        if self._replaced == path:
            state_path(path).unlink(missing_ok=True)  # it describes the rows that are deleted
            file = AppendFile(path, truncate=True, follow=not self._name.rotates)
        else:
            file = self._open_free(path)
        self._replaced = None
        self._file, self._named = file, path
        if self._journal is not None:
            self._journal.begin(file.path)
        return file

    def _open_free(self, path: Path) -> AppendFile:
        """Open the file at ``path``, or a numbered one if that cannot be continued."""
        reason: Exception | None = None
        for number in range(1, _MAX_NUMBERS + 1):
            candidate = number_path(path, number)
            if candidate == self._oversized:
                continue
            try:
                if candidate.exists() and candidate.stat().st_size:
                    self._format.check_content(candidate)
                    truncate_partial_row(candidate)
                file = AppendFile(candidate, follow=not self._name.rotates)
            except (OutputError, IsADirectoryError) as error:
                reason = error
                continue
            except OSError as error:
                if error.errno != errno.ELOOP:  # symbolic link
                    raise
                reason = error
                continue
            if number > 1:
                _logger.warning("%s: cannot continue this file; rows go to %s", path, candidate.name)
            return file
        raise OSError(errno.EEXIST, f"no free file name: {reason}")

    def _leave_file(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        if self._journal is not None:
            with suppress(OSError):
                self._journal.finish(file.path)
        if self._state is not None:
            self._state.save()
        file.close()
