"""The reader of JSON Lines results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NoReturn

from fer_edge.errors import SourceError
from fer_edge.reports.readers.base import ErrorRow, FaceRow, FrameRow, Item, Problem
from fer_edge.reports.readers.lines import open_rows, read_lines
from fer_edge.reports.readers.values import (
    INCOMPLETE_ROW,
    parse_clock,
    parse_number,
    parse_scores,
    parse_time,
    parse_whole,
)

__all__ = ["read_rows"]

_BAD = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, IndexError)


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)


def read_rows(path: Path | None) -> Iterator[Item]:
    """Yield the rows of a JSON Lines file.

    See :class:`fer_edge.reports.readers.base.Reader`.
    """
    with open_rows(path) as file:
        for line in read_lines(file):
            place = f"line {line.number}"
            if line.content is None:
                yield Problem(place, "too long for a row")
                continue
            content = line.content.strip(b" \t\r\0")  # a power failure can leave null bytes
            if line.number == 1:
                content = content.removeprefix(b"\xef\xbb\xbf")
                _refuse_other_formats(path, content)
            if not content:
                if line.content.strip():
                    yield Problem(place, "null bytes, probably from a power failure")
                continue
            try:
                yield _parse(content)
            except _BAD as error:
                yield Problem(place, _describe(error, content, has_line_ending=line.has_line_ending))


def _refuse_other_formats(path: Path | None, content: bytes) -> None:
    name = "standard input" if path is None else str(path)
    if content.startswith(b"source,"):
        raise SourceError(f"{name}: the file is CSV, not JSON Lines; rename it to end in .csv")
    if content and not content.startswith(b"{"):
        raise SourceError(f"{name}: not JSON Lines written by fer-edge; use a results file of fer-edge")


def _parse(content: bytes) -> FrameRow | ErrorRow:
    record = _DECODER.decode(content.decode())
    source = record["source"]
    if not isinstance(source, str):
        raise TypeError("source is not a string")
    if "error" in record and "faces" not in record:
        return ErrorRow(source, str(record["error"]))
    faces: list[FaceRow] = []
    labels: tuple[str, ...] = ()
    for face in record["faces"]:
        labels = labels or tuple(face["scores"])
        faces.append(_parse_face(face, labels))
    time_s, clock = record["time_s"], record.get("clock")  # version 0.1 wrote no clock
    return FrameRow(
        source,
        parse_whole(record["frame"]),
        None if time_s is None else parse_time(time_s),
        None if clock is None else parse_clock(clock),
        labels,
        tuple(faces),
    )


def _parse_face(face: Any, labels: tuple[str, ...]) -> FaceRow:
    scores = face["scores"]
    if tuple(scores) != labels:
        raise ValueError("the faces have different labels")
    values = parse_scores(scores.values())
    x, y, width, height = face["box"]
    confidence = face["confidence"]
    return FaceRow(
        parse_whole(face["id"]),
        (parse_whole(x), parse_whole(y), parse_whole(width), parse_whole(height)),
        None if confidence is None else parse_number(confidence),
        str(face["emotion"]),
        parse_number(face["score"]),
        values,
    )


def _describe(error: Exception, content: bytes, *, has_line_ending: bool) -> str:
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return "not valid JSON" if has_line_ending else INCOMPLETE_ROW
    if isinstance(error, KeyError):
        return f"not a row written by fer-edge: it has no {error}"
    if isinstance(error, ValueError) and str(error):
        return str(error)
    return "not a row written by fer-edge"
