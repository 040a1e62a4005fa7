"""Continuing results files: what is in them, and which sources are complete."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from fer_edge.errors import OutputError, reason_of
from fer_edge.runtime.atomic_files import output_errors, write_json
from fer_edge.runtime.json_text import parse_json
from fer_edge.sinks.csv import CsvFormat
from fer_edge.sinks.jsonl import JsonLinesFormat
from fer_edge.sinks.rotation.timed_name import TimedName
from fer_edge.sinks.rows.append_file import cut_off_half_row
from fer_edge.sinks.rows.format import RowFormat
from fer_edge.sinks.rows.live_state import STATE_SUFFIX, STATE_VERSION, LiveState
from fer_edge.sinks.rows.next_id import find_next_id

__all__ = ["ROW_FORMATS", "Continuation"]

ROW_FORMATS: Final[dict[str, Callable[[tuple[str, ...]], RowFormat]]] = {
    "csv": CsvFormat,
    "jsonl": JsonLinesFormat,
}
"""The formats of rows that can be continued, by their names among the sinks."""


@dataclass(slots=True)
class _ResultsFile:
    """A results file, and where the rows of each complete source end in it, in bytes."""

    path: Path
    ends: dict[str, int] = field(default_factory=dict)

    @property
    def state_path(self) -> Path:
        return self.path.with_name(self.path.name + STATE_SUFFIX)

    def read_state(self) -> None:
        """Read which sources are complete; raises OutputError for a state file of another kind."""
        if not self.state_path.is_file() or not self.path.is_file():
            return
        try:
            state = parse_json(self.state_path.read_text("utf-8"))
            if state["version"] != STATE_VERSION:
                raise ValueError(f"version {state['version']}")
            self.ends = {str(source): int(end) for source, end in state["complete"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise OutputError(
                f"{self.state_path}: not a state file of fer-edge ({reason_of(error)}); remove it to append without it"
            ) from error

    def write_state(self) -> None:
        write_json(self.state_path, {"version": STATE_VERSION, "complete": self.ends})


class Continuation:
    """Results files that a run goes on with.

    Raises OutputError where one is of another format or has other columns.
    """

    def __init__(self, targets: Sequence[tuple[Path, RowFormat]]) -> None:
        self._files = [_ResultsFile(path) for path, _ in targets]
        self.next_id = 0
        """Above the highest face id in the files."""
        for file, (path, format_) in zip(self._files, targets, strict=True):
            file.read_state()
            if path.is_file():
                format_.check_content(path)
                with output_errors(path):
                    cut_off_half_row(path)
                self.next_id = max(self.next_id, find_next_id(path, format_))

    @classmethod
    def of_live(cls, targets: Sequence[tuple[Path, RowFormat]]) -> Continuation:
        """What a camera's run goes on with: its sinks take care of their files, the ids go on."""
        continuation = cls(())
        for path, format_ in targets:
            name = TimedName(os.fspath(path))
            first = name.expand(datetime.now().astimezone())
            if first.is_file():
                format_.check_content(first)
            continuation.next_id = max(continuation.next_id, LiveState.of(name).load(format_))
        return continuation

    def select_missing(self, sources: Iterable[str]) -> list[str]:
        """The sources that are not complete in every file, whose half-done rows are cut off."""
        complete = set.intersection(*(set(file.ends) for file in self._files)) if self._files else set()
        for file in self._files:
            kept = {source: end for source, end in file.ends.items() if source in complete}
            if file.ends and file.path.is_file():
                with output_errors(file.path):
                    os.truncate(file.path, max(kept.values(), default=0))
            file.ends = kept
        return [source for source in sources if source not in complete]

    def begin(self) -> None:
        """Rows that were there before any source is known to be complete stay."""
        for file in self._files:
            if not file.ends and file.path.is_file():
                file.ends[""] = file.path.stat().st_size
                file.write_state()

    def finish_source(self, source: str) -> None:
        """Remember that a source's rows are all written."""
        for file in self._files:
            with output_errors(file.path):
                file.ends[source] = file.path.stat().st_size if file.path.is_file() else 0
            file.write_state()
