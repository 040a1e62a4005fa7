"""The reader of CSV results, which combines the rows of a frame's faces."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from pathlib import Path
from typing import BinaryIO, Final

from fer_edge.errors import SourceError
from fer_edge.reports.readers.base import FaceRow, FrameRow, Item, Problem
from fer_edge.reports.readers.lines import open_rows, read_lines
from fer_edge.reports.readers.values import (
    INCOMPLETE_ROW,
    LABEL_ROWS,
    parse_clock,
    parse_number,
    parse_scores,
    parse_time,
    parse_whole,
    select_labels,
    sums_to_one,
)

__all__ = ["read_rows"]

_NEEDED: Final = ("source", "frame", "time_s", "face_id", "x", "y", "width", "height", "emotion", "score")


@dataclass(frozen=True, slots=True)
class _Layout:
    """The indices of the columns, and the labels with the indices of their columns.

    The index of a missing optional column is -1, such as ``clock`` in files of version 0.1.
    """

    columns: Mapping[str, int]
    labels: tuple[str, ...]
    label_columns: tuple[int, ...]
    width: int

    def scores_of(self, cells: Sequence[str]) -> Sequence[str]:
        """Return the cells of the scores."""
        return [cells[index] for index in self.label_columns]


def read_rows(path: Path | None) -> Iterator[Item]:
    """Yield the rows of a CSV file; see :class:`fer_edge.reports.readers.base.Reader`."""
    with open_rows(path) as file:
        records = _Records(file)
        header = next(records, None)
        if header is None:
            return
        first_records = list(islice(records, LABEL_ROWS))
        layout = _read_header("standard input" if path is None else str(path), header.cells, first_records)
        parsed = (_parse(record, layout) for record in chain(first_records, records))
        for _, rows in groupby(parsed, key=lambda row: row[:4] if isinstance(row, FrameRow) else object()):
            first, *rest = rows
            if isinstance(first, FrameRow) and rest:
                first = first._replace(
                    faces=first.faces
                    + tuple(row.faces[0] for row in rest if isinstance(row, FrameRow) and row.faces)
                )
            yield first


@dataclass(frozen=True, slots=True)
class _Record:
    """The cells of a record; None if it could not be parsed, with the reason."""

    line: int
    cells: Sequence[str] | None
    reason: str = ""
    has_line_ending: bool = True


class _Records:
    """An iterator over the records of a CSV file."""

    def __init__(self, file: BinaryIO) -> None:
        self._lines = read_lines(file)
        self._number, self._has_line_ending = 0, True
        self._too_long = False
        self._reader = csv.reader(self._decode())

    def _decode(self) -> Iterator[str]:
        for line in self._lines:
            self._number, self._has_line_ending = line.number, line.has_line_ending
            if line.content is None:
                self._too_long = True
                yield ""
                continue
            content = line.content.removeprefix(b"\xef\xbb\xbf") if line.number == 1 else line.content
            yield content.decode("utf-8", "replace") + "\n"

    def __iter__(self) -> Iterator[_Record]:
        return self

    def __next__(self) -> _Record:
        while True:
            number = self._number + 1
            try:
                cells = next(self._reader)
            except csv.Error:  # such as an unclosed quotation mark
                self._reader = csv.reader(self._decode())
                return _Record(number, None, "the quotation marks do not match")
            if self._too_long:
                self._too_long = False
                return _Record(self._number, None, "too long for a row")
            if cells:
                return _Record(number, cells, has_line_ending=self._has_line_ending)


def _read_header(name: str, cells: Sequence[str] | None, records: Sequence[_Record]) -> _Layout:
    header = cells or ()
    if header and header[0].startswith("{"):
        raise SourceError(f"{name}: the file is JSON Lines, not CSV; rename it to end in .jsonl")
    missing = [column for column in _NEEDED if column not in header]
    if missing:
        raise SourceError(
            f"{name}: not CSV written by fer-edge: the first line has no column {missing[0]!r}; use a results "
            "file of fer-edge"
        )
    columns = {column: header.index(column) for column in _NEEDED}
    for optional in ("clock", "confidence"):
        columns[optional] = header.index(optional) if optional in header else -1
    others = [index for index in range(len(header)) if index not in columns.values()]
    # A last line that is incomplete, and a frame without faces, have no scores.
    faces = [
        [record.cells[index] for index in others]
        for record in records
        if record.cells is not None and record.has_line_ending and len(record.cells) == len(header)
        if record.cells[columns["face_id"]]
    ]
    labels = select_labels([header[index] for index in others], faces)
    label_columns = tuple(index for index in others if header[index] in labels)
    return _Layout(columns, labels, label_columns, len(header))


def _parse(record: _Record, layout: _Layout) -> FrameRow | Problem:
    place = f"line {record.line}"
    cells, at = record.cells, layout.columns
    if cells is None:
        return Problem(place, record.reason)
    if len(cells) != layout.width:
        if not record.has_line_ending:
            return Problem(place, INCOMPLETE_ROW)
        return Problem(place, f"{len(cells)} columns instead of {layout.width}")
    try:
        if not record.has_line_ending and not _is_whole(cells, layout):
            return Problem(place, INCOMPLETE_ROW)
        time_s = cells[at["time_s"]]
        clock = cells[at["clock"]] if at["clock"] >= 0 else ""
        return FrameRow(
            cells[at["source"]],
            parse_whole(cells[at["frame"]]),
            parse_time(time_s) if time_s else None,
            parse_clock(clock) if clock else None,
            layout.labels,
            (_parse_face(cells, layout),) if cells[at["face_id"]] else (),
        )
    except (ValueError, OverflowError) as error:
        return Problem(place, str(error) if record.has_line_ending else INCOMPLETE_ROW)


def _is_whole(cells: Sequence[str], layout: _Layout) -> bool:
    """Return whether a last line without a line ending is complete.

    If its last number were truncated, the scores would not sum to 1.
    """
    scores = layout.scores_of(cells)
    return not any(scores) or sums_to_one(parse_scores(scores))


def _parse_face(cells: Sequence[str], layout: _Layout) -> FaceRow:
    at = layout.columns
    confidence = cells[at["confidence"]] if at["confidence"] >= 0 else ""
    return FaceRow(
        parse_whole(cells[at["face_id"]]),
        (
            parse_whole(cells[at["x"]]),
            parse_whole(cells[at["y"]]),
            parse_whole(cells[at["width"]]),
            parse_whole(cells[at["height"]]),
        ),
        parse_number(confidence) if confidence else None,
        cells[at["emotion"]],
        parse_number(cells[at["score"]]),
        parse_scores(layout.scores_of(cells)),
    )
