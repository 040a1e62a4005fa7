"""Which sources a results file holds whole: kept beside it, so that a run can go on after a kill."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fer_edge.errors import OutputError, reason_of
from fer_edge.runtime.atomic_files import output_errors, write_json
from fer_edge.runtime.json_text import parse_json
from fer_edge.sinks.rows.format import STATE_VERSION, state_path

__all__ = ["SourceState"]

_logger = logging.getLogger(__name__)

_BEFORE: Final = ""  # stands for the rows that no source of a run has written


@dataclass(slots=True)
class SourceState:
    """A results file, where the rows of each complete source end in it, and which sources are being written.

    ``ends`` are in bytes, the end of all rows that are to stay whatever comes is under "". Rows after the last end
    are half done where ``in_progress`` names their source; elsewhere somebody else wrote them, and they stay.
    """

    path: Path
    ends: dict[str, int] = field(default_factory=dict)
    in_progress: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of the results file; 0 where it does not exist."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def read(self) -> None:
        """Read the state; raises OutputError for a file of another kind, or one that is not about these rows."""
        if not state_path(self.path).is_file() or not self.path.is_file():
            return
        try:
            state = parse_json(state_path(self.path).read_text("utf-8"))
            if state["version"] != STATE_VERSION:
                raise ValueError(f"version {state['version']}")
            ends = {str(source): int(end) for source, end in state["complete"].items()}
            in_progress = [str(source) for source in state.get("in_progress", [])]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise OutputError(
                f"{state_path(self.path)}: not a state file of fer-edge ({reason_of(error)}); "
                "remove it to append without it"
            ) from error
        self._take(ends, in_progress)

    def _take(self, ends: dict[str, int], in_progress: list[str]) -> None:
        """Take over what fits the rows: a power cut may have kept the state and lost rows that came before it."""
        size = self.size
        self.ends = {source: end for source, end in ends.items() if end <= size}
        lost = [source for source in ends if source not in self.ends and source != _BEFORE]
        self.in_progress = [*in_progress, *lost]
        if not all(map(self._is_row_end, self.ends.values())):
            raise OutputError(
                f"{state_path(self.path)}: {self.path.name} was changed since it was written; "
                "remove it to append without it"
            )

    def _is_row_end(self, end: int) -> bool:
        if end <= 0:
            return end == 0
        with output_errors(self.path), self.path.open("rb") as file:
            file.seek(end - 1)
            return file.read(1) == b"\n"

    def write(self) -> None:
        """Write the state, for a pipe or device nothing; raises OutputError."""
        if self.path.exists() and not self.path.is_file():
            return
        write_json(
            state_path(self.path),
            {"version": STATE_VERSION, "complete": self.ends, "in_progress": self.in_progress},
        )

    def cut_off(self, again: Collection[str]) -> None:
        """Cut off half-done rows, and those of complete sources that are to be done ``again``.

        Raises OutputError where rows of those that are to stay follow them.
        """
        kept = {source: end for source, end in self.ends.items() if source not in again}
        limit, last = max(kept.values(), default=0), max(self.ends.values(), default=0)
        redone = [source for source in self.ends if source not in kept]
        blocked = any(self.ends[source] < limit for source in redone)
        if redone and (blocked or (self.size > last and not self.in_progress)):
            raise OutputError(
                f"{self.path}: other rows follow those of {redone[0]}, which is not complete in the other results "
                "file; append to one of them alone"
            )
        if not redone and (not self.in_progress or not self.ends):
            return
        self.in_progress = sorted({*self.in_progress, *redone})
        self.ends = kept
        if self.size > limit:
            self.write()  # first: a kill between the two leaves rows that are known to be half done
            with output_errors(self.path):
                os.truncate(self.path, limit)

    def begin(self, sources: Iterable[str]) -> None:
        """Note which sources are going to be written; the rows that are there stay. Raises OutputError."""
        size = self.size
        others = size > max(self.ends.values(), default=-1)
        if others and self.in_progress:
            _logger.warning(
                "%s: it holds half the rows of a video that was interrupted; they stay, and come again when that "
                "video is done again",
                self.path,
            )
        if others:
            self.ends[_BEFORE] = size
        self.in_progress = list(sources)
        self.write()

    def finish(self, source: str) -> None:
        """Note that a source's rows are all written; raises OutputError."""
        with output_errors(self.path):
            self.ends[source] = self.size
        self.in_progress = [other for other in self.in_progress if other != source]
        self.write()
