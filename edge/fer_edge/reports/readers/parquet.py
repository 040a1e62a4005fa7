"""The reader of Parquet results with the columns of the CSV.

These are the row files of an archive, or Arrow tables from ``read_results`` that were written to Parquet.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from fer_edge.archive.schema import METADATA_KEY
from fer_edge.errors import SourceError, reason_of
from fer_edge.reports.readers.base import FaceRow, FrameRow, Item, Problem
from fer_edge.reports.readers.values import (
    LABEL_ROWS,
    parse_clock,
    parse_number,
    parse_scores,
    parse_text,
    parse_time,
    parse_whole,
    select_labels,
)
from fer_edge.runtime.json_text import parse_json
from fer_edge.runtime.parquet_files import open_parquet, read_batches
from fer_edge.sinks.csv import COLUMNS

__all__ = ["read_rows"]

_Key = tuple[str, int, float | None, datetime | None]


def read_rows(path: Path | None) -> Iterator[Item]:
    """Yield the rows of a Parquet file.

    See :class:`fer_edge.reports.readers.base.Reader`.
    """
    if path is None:
        raise SourceError("standard input: Parquet cannot be read as a stream; use a file")
    with open_parquet(path) as file:
        labels = _find_labels(path, file)
        try:
            yield from _read_frames(path, file, labels)
        except SourceError as error:  # the preceding rows are valid
            yield Problem("the rest", str(error).removeprefix(f"{path}: "))


def _read_frames(path: Path, file: Any, labels: tuple[str, ...]) -> Iterator[Item]:
    batches = read_batches(path, file, [*COLUMNS, *labels])
    rows = (_parse(row, labels) for batch in batches for row in _list_rows(path, batch))
    for (key, problem), faces in groupby(rows, lambda row: row[:2]):
        if key is None:
            yield from (Problem("a row", problem) for _ in faces)
            continue
        source, frame, time_s, clock = key
        found = tuple(face for *_, face in faces if face is not None)
        yield FrameRow(source, frame, time_s, clock, labels, found)


def _list_rows(path: Path, batch: Any) -> list[dict[str, Any]]:
    try:
        return list(batch.to_pylist())
    except ValueError as error:  # such as invalid UTF-8 or a time out of range
        raise SourceError(f"{path}: the file is damaged: {reason_of(error)}") from error


def _find_labels(path: Path, file: Any) -> tuple[str, ...]:
    """Return the labels in the metadata, or else the float columns after ``score``."""
    schema = file.schema_arrow
    missing = [name for name in COLUMNS if name not in schema.names]
    if missing:
        raise SourceError(
            f"{path}: not results of fer-edge: there is no column {missing[0]!r}; use a file with result rows"
        )
    stated = (schema.metadata or {}).get(METADATA_KEY)
    try:
        if stated is not None:
            return tuple(map(str, parse_json(stated)["labels"]))
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{path}: the metadata cannot be read; run the archive again") from error
    after = schema.names[schema.names.index("score") + 1 :]
    names = [name for name in after if str(schema.field(name).type) in ("float", "double")]
    first = next(read_batches(path, file, ["face_id", *names]), None)
    rows = [] if first is None else first.slice(0, LABEL_ROWS).to_pylist()
    return select_labels(names, [[row[name] for name in names] for row in rows if row["face_id"] is not None])


def _parse(row: dict[str, Any], labels: tuple[str, ...]) -> tuple[_Key | None, str, FaceRow | None]:
    """Return the frame of a row and its face.

    If the row is invalid, returns None and the reason.
    """
    try:
        time_s, clock = row["time_s"], row["clock"]
        key = (
            parse_text(row["source"]),
            parse_whole(row["frame"]),
            None if time_s is None else parse_time(time_s),
            _parse_clock(clock),
        )
        return key, "", None if row["face_id"] is None else _parse_face(row, labels)
    except (ValueError, TypeError) as error:
        return None, str(error), None


def _parse_clock(clock: Any) -> datetime | None:
    if isinstance(clock, datetime):
        return clock if clock.tzinfo is not None else clock.replace(tzinfo=UTC)
    return None if clock is None else parse_clock(clock)


def _parse_face(row: dict[str, Any], labels: tuple[str, ...]) -> FaceRow:
    confidence = row["confidence"]
    x, y, width, height = (parse_whole(row[name]) for name in ("x", "y", "width", "height"))
    return FaceRow(
        parse_whole(row["face_id"]),
        (x, y, width, height),
        None if confidence is None else round(parse_number(confidence), 6),
        parse_text(row["emotion"]),
        round(parse_number(row["score"]), 6),
        tuple([round(score, 6) for score in parse_scores(row[label] for label in labels)]),
    )
