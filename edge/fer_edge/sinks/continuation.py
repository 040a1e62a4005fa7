"""Continuing results files: what is in them, and which sources are complete."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Final

from fer_edge.errors import OutputError
from fer_edge.runtime.atomic_files import output_errors, write_json
from fer_edge.sinks.csv import COLUMNS

__all__ = ["Continuation"]

_STATE_SUFFIX: Final = ".state.json"
_STATE_VERSION: Final = 1
_MOST_LINE: Final = 1 << 20  # bytes of a row: a thousand faces


@dataclass(slots=True)
class _ResultsFile:
    """A results file, and where the rows of each complete source end in it, in bytes."""

    path: Path
    ends: dict[str, int] = field(default_factory=dict)

    @property
    def state_path(self) -> Path:
        return self.path.with_name(self.path.name + _STATE_SUFFIX)

    def read_state(self) -> None:
        """Read which sources are complete; raises OutputError for a state file of another kind."""
        if not self.state_path.is_file() or not self.path.is_file():
            return
        try:
            state = json.loads(self.state_path.read_text("utf-8"))
            if state["version"] != _STATE_VERSION:
                raise ValueError(f"version {state['version']}")
            self.ends = {str(source): int(end) for source, end in state["complete"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise OutputError(
                f"{self.state_path}: not a state file of fer-edge ({error}); remove it to append without it"
            ) from error

    def write_state(self) -> None:
        write_json(self.state_path, {"version": _STATE_VERSION, "complete": self.ends})


class Continuation:
    """Results files that a run goes on with.

    Raises OutputError where one is of another format or has other columns.
    """

    def __init__(self, paths: Sequence[Path], labels: tuple[str, ...]) -> None:
        self._files = [_ResultsFile(path) for path in paths]
        self.next_id = 0
        """Above the highest face id in the files."""
        for file in self._files:
            file.read_state()
            if file.path.is_file():
                self.next_id = max(self.next_id, _read_next_id(file.path, labels))

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


def _read_next_id(path: Path, labels: tuple[str, ...]) -> int:
    """Check a file's format and columns, cut off a half-written row, and find the first free id."""
    with output_errors(path), path.open("rb+") as file:
        _cut_off_half_row(file)
        file.seek(0)
        ids = _csv_ids(file, path, labels) if path.suffix.lower() == ".csv" else _json_ids(file, path, labels)
        return max(ids, default=-1) + 1


def _cut_off_half_row(file: Any) -> None:
    size = file.seek(0, os.SEEK_END)
    if not size:
        return
    start = max(0, size - _MOST_LINE)
    file.seek(start)
    tail = file.read()
    whole = tail.rfind(b"\n") + 1
    if whole < len(tail):
        file.truncate(start + whole)


def _csv_ids(file: Any, path: Path, labels: tuple[str, ...]) -> Iterable[int]:
    header = file.readline(_MOST_LINE).decode("utf-8", "replace")
    if not header:
        return
    columns = next(csv.reader(StringIO(header)), [])
    if columns != [*COLUMNS, *labels]:
        raise OutputError(
            f"{path}: its columns are not those of this run; append with the model and the version of fer-edge "
            "that began it, or name another file"
        )
    place = COLUMNS.index("face_id")
    for line in file:
        row = next(csv.reader(StringIO(line.decode("utf-8", "replace"))), [])
        if len(row) > place and row[place].isdecimal():
            yield int(row[place])


def _json_ids(file: Any, path: Path, labels: tuple[str, ...]) -> Iterable[int]:
    checked = False
    for line in file:
        try:
            faces = json.loads(line).get("faces", [])
            if faces and not checked:
                checked = True
                if tuple(faces[0]["scores"]) != labels:
                    raise OutputError(f"{path}: its labels are not the model's; name another file")
            yield from (int(face["id"]) for face in faces)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OutputError(f"{path}: not JSON Lines of fer-edge ({error}); name another file") from error
