"""Continuation of results files: which sources are complete, and the next face ID."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fer_edge.errors import OutputError
from fer_edge.runtime.atomic_files import convert_errors_to_output_error
from fer_edge.sinks.csv import CsvFormat
from fer_edge.sinks.jsonl import JsonLinesFormat
from fer_edge.sinks.rotation.timed_name import TimedName
from fer_edge.sinks.rows.append_file import truncate_partial_row
from fer_edge.sinks.rows.find_sources import find_source
from fer_edge.sinks.rows.format import RowFormat
from fer_edge.sinks.rows.live_state import LiveState
from fer_edge.sinks.rows.next_id import find_next_id
from fer_edge.sinks.rows.settings import describe_change
from fer_edge.sinks.rows.source_state import SourceState
from fer_edge.sources.base import Span

__all__ = ["ROW_FORMATS", "Continuation"]

ROW_FORMATS: Final[dict[str, Callable[[tuple[str, ...]], RowFormat]]] = {
    "csv": CsvFormat,
    "jsonl": JsonLinesFormat,
}
"""The row formats that can be continued, by sink name."""


class Continuation:
    """Results files that a run continues.

    ``settings`` are the model and options of the run that affect rows. Raises OutputError if a file has another format
    or other columns.
    """

    def __init__(
        self, targets: Sequence[tuple[Path, RowFormat]], settings: Mapping[str, Any] | None = None
    ) -> None:
        self._files = [SourceState(path) for path, _ in targets]
        self._settings = settings
        self._formats = [format_ for _, format_ in targets]
        self.next_id = 0
        """One more than the highest face ID in the files."""
        for file, (path, format_) in zip(self._files, targets, strict=True):
            if path.is_file():
                format_.check_content(path)
                with convert_errors_to_output_error(path):
                    truncate_partial_row(path)
                self.next_id = max(self.next_id, find_next_id(path, format_))
            file.read()

    @classmethod
    def of_live(cls, targets: Sequence[tuple[Path, RowFormat]]) -> Continuation:
        """Return the continuation of a camera's run.

        Only the face IDs continue here; the sinks continue the files themselves.
        """
        continuation = cls(())
        for path, format_ in targets:
            name = TimedName(os.fspath(path))
            first = name.expand(datetime.now().astimezone())
            if first.is_file():
                format_.check_content(first)
            continuation.next_id = max(continuation.next_id, LiveState.of(name).load(format_))
        return continuation

    def select_missing(self, sources: Mapping[str, str]) -> list[str]:
        """Return the parts of sources that are not complete in every file.

        ``sources`` maps the name of each part to its source. Rows of incomplete parts are cut off from the files.
        Raises OutputError, also if a file has rows of a missing source that may or may not be complete, rows of an
        overlapping part, or rows that were written with other settings.
        """
        complete = [set(map(_normalize, file.ends)) for file in self._files]
        missing = [part for part in sources if not all(_normalize(part) in parts for parts in complete)]
        for file, format_ in zip(self._files, self._formats, strict=True):
            if self._settings is not None:
                _check_settings(file, self._settings)
            _check_overlaps(file, missing)
            _check_other_rows(file, format_, [sources[part] for part in missing if part not in file.ends])
        redone = set(map(_normalize, missing))
        for file in self._files:
            file.cut_off([part for part in file.ends if _normalize(part) in redone])
        return missing

    def begin(self, sources: Sequence[str] = ()) -> None:
        """Record the sources whose rows come next, so that a kill leaves them incomplete."""
        for file in self._files:
            if sources and self._settings is not None:
                file.settings = dict(self._settings)
            file.begin(sources)

    def finish_source(self, source: str) -> None:
        """Record that all rows of a source have been written."""
        for file in self._files:
            file.finish(source)


def _normalize(part: str) -> str:
    """Return the name of a part with one spelling of its path: a/b.mp4 for ./a/b.mp4 and the absolute path."""
    source, span = Span.split_name(part)
    return part if "://" in source or not source else span.name_part(str(Path(source).resolve()))


def _check_settings(file: SourceState, settings: Mapping[str, Any]) -> None:
    """Raise OutputError if the rows of the file were written with other settings."""
    change = None if file.settings is None or not file.ends else describe_change(file.settings, settings)
    if change is not None:
        raise OutputError(
            f"{file.path}: its rows were written with {change}; use the same options or another results file",
            hint="or replace this one with --overwrite",
        )


def _check_overlaps(file: SourceState, missing: Sequence[str]) -> None:
    """Raise OutputError if the file has rows of a part that overlaps with a missing one."""
    present: defaultdict[str, list[tuple[Span, str]]] = defaultdict(list)
    for part in file.ends:
        source, span = Span.split_name(part)
        present[_normalize(source)].append((span, part))
    for wanted in missing:
        source, span = Span.split_name(wanted)
        for other, part in present.get(_normalize(source), ()):
            if other != span and other.overlaps(span):
                raise OutputError(
                    f"{file.path}: has rows of another part of {source} that overlaps with this one ({part}), so some "
                    "frames would appear twice; choose another results file",
                    hint="or replace this one with --overwrite",
                )


def _check_other_rows(file: SourceState, format_: RowFormat, sources: Sequence[str]) -> None:
    """Raise OutputError if rows that no run with a state wrote belong to one of the sources."""
    end = file.end_of_other_rows
    source = find_source(file.path, format_, sources, end) if end else None
    if source is not None:
        raise OutputError(
            f"{file.path}: has rows of {source} that were written by a run that kept no state, so it is not known "
            "whether they are complete; choose another results file",
            hint="or replace this one with --overwrite",
        )
