"""The state of a results file: the complete sources, to continue a killed run."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fer_edge.errors import OutputError, reason_of
from fer_edge.runtime.atomic_files import convert_errors_to_output_error, write_json
from fer_edge.runtime.json_text import parse_json
from fer_edge.sinks.rows.format import STATE_VERSION, state_path

__all__ = ["SourceState"]

_logger = logging.getLogger(__name__)

_BEFORE: Final = ""  # stands for rows that were not written by a source of a run


@dataclass(slots=True)
class SourceState:
    """The state of a results file.

    ``ends`` maps each complete source to the end of its rows in the file, in bytes; the key "" marks the end
    of rows that are always kept. ``in_progress`` lists the sources being written. Rows after the last end are
    incomplete if ``in_progress`` has their source; otherwise another program wrote them, and they are kept.
    ``settings`` are the model and options that the rows were written with, None if unknown.
    """

    path: Path
    ends: dict[str, int] = field(default_factory=dict)
    in_progress: list[str] = field(default_factory=list)
    settings: dict[str, Any] | None = None

    @property
    def size(self) -> int:
        """The size of the results file in bytes; 0 if it does not exist."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def read(self) -> None:
        """Read the state file; raises OutputError if it is invalid or does not match."""
        if not state_path(self.path).is_file() or not self.path.is_file():
            return
        try:
            state = parse_json(state_path(self.path).read_text("utf-8"))
            if state["version"] != STATE_VERSION:
                raise ValueError(f"version {state['version']}")
            ends = {str(source): int(end) for source, end in state["complete"].items()}
            in_progress = [str(source) for source in state.get("in_progress", [])]
            settings = state.get("settings")
            self.settings = None if settings is None else dict(settings)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise OutputError(
                f"{state_path(self.path)}: not a valid fer-edge state file: {reason_of(error)}; "
                "remove it to append without it"
            ) from error
        self._take(ends, in_progress)

    def _take(self, ends: dict[str, int], in_progress: list[str]) -> None:
        """Use the state as far as it matches the rows.

        After a power failure the state may be newer than the rows.
        """
        size = self.size
        self.ends = {source: end for source, end in ends.items() if end <= size}
        lost = [source for source in ends if source not in self.ends and source != _BEFORE]
        self.in_progress = [*in_progress, *lost]
        if not all(map(self._is_row_end, self.ends.values())):
            raise OutputError(
                f"{state_path(self.path)}: does not match {self.path.name}, which was changed since; "
                "remove the state file to append without it"
            )

    def _is_row_end(self, end: int) -> bool:
        if end <= 0:
            return end == 0
        with convert_errors_to_output_error(self.path), self.path.open("rb") as file:
            file.seek(end - 1)
            return file.read(1) == b"\n"

    def write(self) -> None:
        """Write the state file, except for a pipe or device; raises OutputError."""
        if self.path.exists() and not self.path.is_file():
            return
        write_json(
            state_path(self.path),
            {
                "version": STATE_VERSION,
                "complete": self.ends,
                "in_progress": self.in_progress,
                "settings": self.settings,
            },
        )

    def cut_off(self, to_redo: Collection[str]) -> None:
        """Truncate incomplete rows, and the rows of the complete sources in ``to_redo``.

        These sources will be processed again. Raises OutputError if rows that have to be kept follow theirs.
        """
        kept = {source: end for source, end in self.ends.items() if source not in to_redo}
        limit, last = max(kept.values(), default=0), max(self.ends.values(), default=0)
        redone = [source for source in self.ends if source not in kept]
        blocked = any(self.ends[source] < limit for source in redone)
        if redone and (blocked or (self.size > last and not self.in_progress)):
            raise OutputError(
                f"{self.path}: other rows follow those of {redone[0]}, which is incomplete in the other "
                "results file; append to only one of the files"
            )
        if not redone and (not self.in_progress or not self.ends):
            return
        self.in_progress = sorted({*self.in_progress, *redone})
        self.ends = kept
        if self.size > limit:
            self.write()  # first, so that a kill before truncation leaves rows marked as incomplete
            with convert_errors_to_output_error(self.path):
                os.truncate(self.path, limit)

    @property
    def end_of_other_rows(self) -> int:
        """The end of the last rows that no run with this state wrote, in bytes; 0 if there are none."""
        if self.size > max(self.ends.values(), default=0) and not self.in_progress:
            return self.size
        return self.ends.get(_BEFORE, 0)

    def begin(self, sources: Iterable[str]) -> None:
        """Record the sources to be written; existing rows are kept. Raises OutputError."""
        size = self.size
        others = size > max(self.ends.values(), default=-1)
        if others and self.in_progress:
            _logger.warning(
                "%s: contains only part of the rows of an interrupted video; they are kept, and will appear "
                "twice once that video is processed again",
                self.path,
            )
        if others:
            self.ends[_BEFORE] = size
        self.in_progress = list(sources)
        self.write()

    def finish(self, source: str) -> None:
        """Record that all rows of a source have been written; raises OutputError."""
        with convert_errors_to_output_error(self.path):
            self.ends[source] = self.size
        self.in_progress = [other for other in self.in_progress if other != source]
        self.write()
