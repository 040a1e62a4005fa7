"""The state of a camera's results: the next face ID after a restart.

It saves reading a year of rows to find the IDs that are in use.
"""

from __future__ import annotations

import logging
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fer_edge.errors import OutputError
from fer_edge.runtime.atomic_files import convert_errors_to_output_error, write_json
from fer_edge.runtime.json_text import parse_json
from fer_edge.sinks.rotation.journal import hidden_path
from fer_edge.sinks.rotation.timed_name import TimedName
from fer_edge.sinks.rows.append_file import truncate_partial_row
from fer_edge.sinks.rows.format import STATE_SUFFIX, STATE_VERSION, RowFormat, state_path
from fer_edge.sinks.rows.next_id import find_next_id

__all__ = ["LiveState"]

_logger = logging.getLogger(__name__)

_SAVE_EVERY_S: Final = 60.0
_TAIL: Final = 4096  # bytes before the saved position that have to be unchanged
_NEWEST: Final = 3  # files to search if there is no saved state


@dataclass(slots=True)
class _Place:
    """The position up to which face IDs are known.

    ``tail`` is a checksum of the bytes before it.
    """

    file: str
    size: int
    tail: int


class LiveState:
    """The next free face ID of a camera's results, saved beside them every minute.

    If the saved state is missing or does not match the file, the file is searched for IDs.
    """

    def __init__(self, name: TimedName, path: Path) -> None:
        self._name, self._path = name, path
        self.next_id = 0
        self._complete: dict[str, Any] = {}
        self._written: tuple[Path, int] | None = None
        self._saved_at = time.monotonic()
        self._warned = False

    @classmethod
    def of(cls, name: TimedName) -> LiveState:
        """Return the state for the files of a name."""
        if name.rotates:
            return cls(name, hidden_path(name, STATE_SUFFIX))
        return cls(name, state_path(name.folder / name.pattern.replace("%%", "%")))

    def load(self, format_: RowFormat) -> int:
        """Return the first face ID that earlier runs have not used; raises OutputError.

        Incomplete rows at the end of files are cut off. The result is saved at once, so that the search is
        not repeated.
        """
        place = self._read()
        files = list(self._list_files(place, format_))
        if not files and not self._name.rotates:
            self.next_id = 0
        for path in files:
            start = 0
            if place is not None and self._name.relative(path) == place.file:
                start = place.size if _read_tail(path, place.size) == place.tail else 0
            self.next_id = max(self.next_id, find_next_id(path, format_, start))
            if place is None and self.next_id and self._name.rotates:
                break
        if files:
            self._written = (files[0], files[0].stat().st_size)
            self.save()
        return self.next_id

    def note(self, path: Path, size: int, highest_id: int) -> None:
        """Record that rows have been written up to byte ``size`` of a file."""
        self.next_id = max(self.next_id, highest_id + 1)
        self._written = (path, size)
        if time.monotonic() >= self._saved_at + _SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        """Save the state; if that fails, the next start only takes longer."""
        self._saved_at = time.monotonic()
        if self._written is None:
            return
        path, size = self._written
        place = {"file": self._name.relative(path), "size": size, "tail": _read_tail(path, size)}
        complete = {} if self._name.rotates else self._complete | {"": size}
        try:
            write_json(
                self._path,
                {
                    "version": STATE_VERSION,
                    "complete": complete,
                    "in_progress": [],  # later rows come from a camera and are kept
                    "next_id": self.next_id,
                    "live": place,
                },
            )
        except OutputError as error:
            if not self._warned:
                _logger.warning("%s", error)
            self._warned = True

    def _read(self) -> _Place | None:
        try:
            state = parse_json(self._path.read_text("utf-8"))
            self._complete = dict(state.get("complete", {}))
            place = state["live"]
            self.next_id = max(0, int(state["next_id"]))
            return _Place(str(place["file"]), int(place["size"]), int(place["tail"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
            self.next_id = 0
            return None

    def _list_files(self, place: _Place | None, format_: RowFormat) -> Iterator[Path]:
        """Yield the files to search, newest first.

        If the name rotates, files of another format are skipped.
        """
        if not self._name.rotates:
            path = self._name.folder / self._name.pattern.replace("%%", "%")
            if path.is_file():
                _prepare(path, format_)
                yield path
            return
        found = sorted(self._name.find_files(), key=lambda path: -path.stat().st_mtime)
        if place is None:
            found = found[:_NEWEST]
        else:
            saved = self._path.stat().st_mtime - 2 * _SAVE_EVERY_S
            found = [path for path in found if path.stat().st_mtime >= saved]
        for path in found:
            with suppress(OutputError):
                _prepare(path, format_)
                yield path


def _prepare(path: Path, format_: RowFormat) -> None:
    format_.check_content(path)
    with convert_errors_to_output_error(path):
        truncate_partial_row(path)


def _read_tail(path: Path, size: int) -> int:
    """Return the checksum of the bytes before a position; -1 if the file is shorter."""
    try:
        with path.open("rb") as file:
            if file.seek(0, os.SEEK_END) < size:
                return -1
            file.seek(max(0, size - _TAIL))
            return zlib.crc32(file.read(min(size, _TAIL)))
    except OSError:
        return -1
