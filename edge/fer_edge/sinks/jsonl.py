"""A sink for JSON Lines results."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from fer_edge.errors import OutputError, add_hint, reason_of
from fer_edge.rendering.view import View
from fer_edge.runtime.atomic_files import convert_errors_to_output_error
from fer_edge.runtime.json_text import parse_json
from fer_edge.sinks.base import SinkRequest
from fer_edge.sinks.rows.format import MOST_LINE
from fer_edge.sinks.rows.row_file import RowFile
from fer_edge.sinks.rows.row_sink import RowSink, open_rows
from fer_edge.types import SkippedInput

__all__ = ["JsonLinesFormat", "JsonLinesSink", "create_sink", "format_row"]

_FACE_IDS: Final = re.compile(rb'"id": ?(\d{1,18})\b')  # inside a string its quotes would be escaped
_ROW_SOURCES: Final = re.compile(rb'^\{"source": ?("(?:[^"\\\n]|\\.)*+")', re.MULTILINE)
_CHECKED_BYTES: Final = 8 << 20  # searched for a row with a face


class JsonLinesFormat:
    """JSON Lines with one object per frame, with or without faces.

    An image that could not be read has an object with its error. ``labels`` are the labels of the model.
    """

    header = b""
    face_ids = _FACE_IDS
    row_sources = _ROW_SOURCES

    def __init__(self, labels: tuple[str, ...] = ()) -> None:
        self._labels = labels

    def encode_source(self, source: str) -> bytes:
        """Return a source as a JSON string."""
        return json.dumps(source, ensure_ascii=False).encode("utf-8", "backslashreplace")

    def format_result(self, result: View | SkippedInput) -> bytes:
        """Return the row of a result, as UTF-8."""
        return format_row(result)

    def check_content(self, path: Path) -> None:
        """Raise OutputError if the first rows are not frames or have other labels."""
        with convert_errors_to_output_error(path), path.open("rb") as file:
            while file.tell() < _CHECKED_BYTES and (line := file.readline(MOST_LINE)):
                if not line.endswith(b"\n") and file.tell() < path.stat().st_size:
                    raise OutputError(
                        f"{path}: not JSON Lines written by fer-edge: line too long; choose another file"
                    )
                if self._check_row(path, line):
                    return

    def _check_row(self, path: Path, line: bytes) -> bool:
        """Check one row; return whether it contains the labels."""
        try:
            record = parse_json(line)
            faces = record.get("faces", [])
            if "source" not in record:
                raise ValueError("row without a source")
            if faces and tuple(faces[0]["scores"]) != self._labels:
                raise OutputError(f"{path}: the labels differ from those of the model; choose another file")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            half = not line.endswith(b"\n") and line.startswith(b'{"source": "'[: len(line)])
            if half or not line.strip(b"\0"):  # a power failure can leave zero bytes
                return False
            raise OutputError(
                f"{path}: not JSON Lines written by fer-edge: {reason_of(error)}; choose another file"
            ) from error
        return bool(faces)


class JsonLinesSink(RowSink):
    """A sink that writes :class:`JsonLinesFormat` rows."""


def format_row(result: View | SkippedInput) -> bytes:
    """Return a result as one line of JSON, encoded as UTF-8.

    The bytes of a file name that is not UTF-8 are written as JSON escapes.
    """
    record: Any
    if isinstance(result, SkippedInput):
        record = {"source": result.source, "error": add_hint(result.error, result.hint)}
    else:
        record = result.as_record()
    return (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def create_sink(request: SinkRequest) -> JsonLinesSink:
    """Create the sink for a file, or for standard output if the target is ``-``.

    Raises UsageError or OutputError.
    """
    format_ = JsonLinesFormat(request.labels)
    return JsonLinesSink(format_, RowFile(None) if request.target == "-" else open_rows(request, format_))
