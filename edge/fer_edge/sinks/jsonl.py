"""Results as JSON Lines."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from fer_edge.errors import OutputError, reason_of
from fer_edge.rendering.view import View
from fer_edge.runtime.atomic_files import output_errors
from fer_edge.runtime.json_text import parse_json
from fer_edge.sinks.base import SinkRequest
from fer_edge.sinks.rows.format import MOST_LINE
from fer_edge.sinks.rows.row_file import RowFile
from fer_edge.sinks.rows.row_sink import RowSink, open_rows
from fer_edge.types import SkippedInput

__all__ = ["JsonLinesFormat", "JsonLinesSink", "create_sink", "format_row"]

_FACE_IDS: Final = re.compile(rb'"id": ?(\d{1,18})\b')  # within a text its quotes would be escaped
_CHECKED_BYTES: Final = 8 << 20  # that are looked through for a row with a face


class JsonLinesFormat:
    """One JSON object per frame, faces or not; an image that could not be read has its error instead.

    ``labels`` are the model's.
    """

    header = b""
    face_ids = _FACE_IDS

    def __init__(self, labels: tuple[str, ...] = ()) -> None:
        self._labels = labels

    def format_result(self, result: View | SkippedInput) -> bytes:
        """The result's row."""
        return format_row(result)

    def check_content(self, path: Path) -> None:
        """Raise OutputError where the first rows are not those of frames, or their labels are other ones."""
        with output_errors(path), path.open("rb") as file:
            while file.tell() < _CHECKED_BYTES and (line := file.readline(MOST_LINE)):
                if not line.endswith(b"\n") and file.tell() < path.stat().st_size:
                    raise OutputError(f"{path}: not JSON Lines of fer-edge (a long line); name another file")
                if self._check_row(path, line):
                    return

    def _check_row(self, path: Path, line: bytes) -> bool:
        """Check one row; whether it told the labels."""
        try:
            record = parse_json(line)
            faces = record.get("faces", [])
            if "source" not in record:
                raise ValueError("a row without source")
            if faces and tuple(faces[0]["scores"]) != self._labels:
                raise OutputError(f"{path}: its labels are not the model's; name another file")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            half = not line.endswith(b"\n") and line.startswith(b'{"source": "'[: len(line)])
            if half or not line.strip(b"\0"):  # zeros are what a power cut leaves
                return False
            raise OutputError(
                f"{path}: not JSON Lines of fer-edge ({reason_of(error)}); name another file"
            ) from error
        return bool(faces)


class JsonLinesSink(RowSink):
    """Rows of :class:`JsonLinesFormat`."""


def format_row(result: View | SkippedInput) -> bytes:
    """The result's JSON object in UTF-8, on a line of its own.

    A file name that is not UTF-8 is written as JSON's own escape of its bytes.
    """
    record: Any
    if isinstance(result, SkippedInput):
        record = {"source": result.source, "error": result.error}
    else:
        record = result.as_record()
    return (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def create_sink(request: SinkRequest) -> JsonLinesSink:
    """Make the sink of a file, or of standard output for ``-``; raises OutputError."""
    format_ = JsonLinesFormat(request.labels)
    return JsonLinesSink(format_, RowFile(None) if request.target == "-" else open_rows(request, format_))
