"""A sink for CSV results."""

from __future__ import annotations

import csv
import re
from io import StringIO
from pathlib import Path
from typing import Any, Final

from fer_edge.errors import OutputError, UsageError
from fer_edge.rendering.view import View
from fer_edge.runtime.atomic_files import convert_errors_to_output_error
from fer_edge.runtime.formulas import is_formula, protect_path
from fer_edge.sinks.base import SinkRequest
from fer_edge.sinks.rows.format import MOST_LINE
from fer_edge.sinks.rows.row_sink import RowSink, open_rows
from fer_edge.types import FrameRecord, SkippedInput

__all__ = ["COLUMNS", "CsvFormat", "CsvSink", "create_sink"]

COLUMNS: Final = (
    "source", "frame", "time_s", "clock",
    "face_id", "x", "y", "width", "height", "confidence", "emotion", "score",
)  # fmt: skip
# The source, which may be quoted, and three fields without commas; if the source has line breaks, its last
# line counts. Matching the rest of the line as well is twice as fast.
_FACE_IDS: Final = re.compile(
    rb'^(?:[^",\n]*+|[^\n]*"),[^",\n]*+,[^",\n]*+,[^",\n]*+,(\d{1,18}),[^\n]*', re.MULTILINE
)
_ROW_SOURCES: Final = re.compile(rb'^("(?:[^"]|"")*+"|[^",\n]*+),', re.MULTILINE)


class CsvFormat:
    """CSV with one row per face.

    A frame without faces has one row with empty face columns. An image that could not be read has no row.
    ``labels`` are the labels of the model, which form the last columns. A source name that a spreadsheet
    would read as a formula is prefixed with ``./``.
    """

    face_ids = _FACE_IDS
    row_sources = _ROW_SOURCES

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._labels = labels
        self.header = _encode([[*COLUMNS, *labels]])

    def encode_source(self, source: str) -> bytes:
        """Return a source as a CSV field."""
        return _encode([[protect_path(source), ""]]).removesuffix(b",\n")

    def format_result(self, result: View | SkippedInput) -> bytes:
        """Return the rows of a result, as UTF-8."""
        return b"" if isinstance(result, SkippedInput) else _encode(self._rows(result.as_record()))

    def check_content(self, path: Path) -> None:
        """Raise OutputError if the file has other columns."""
        with convert_errors_to_output_error(path), path.open("rb") as file:
            first = file.readline(MOST_LINE)
        if first == self.header or (not first.endswith(b"\n") and self.header.startswith(first)):
            return
        if first.replace(b"\r\n", b"\n") != self.header:
            raise OutputError(
                f"{path}: the columns differ from those of this run; append with the model and version of "
                "fer-edge that created the file, or choose another file"
            )

    def _rows(self, record: FrameRecord) -> list[list[Any]]:
        # None becomes an empty field.
        frame = [protect_path(record["source"]), record["frame"], record["time_s"], record["clock"]]
        faces = [
            [
                *frame,
                face["id"],
                *face["box"],
                face["confidence"],
                face["emotion"],
                face["score"],
                *(face["scores"][label] for label in self._labels),
            ]
            for face in record["faces"]
        ]
        return faces or [[*frame, *[None] * (len(COLUMNS) - len(frame) + len(self._labels))]]


class CsvSink(RowSink):
    """A sink that writes :class:`CsvFormat` rows."""


def create_sink(request: SinkRequest) -> CsvSink:
    """Create the sink for a CSV file; raises UsageError or OutputError."""
    if request.target == "-":
        raise UsageError(
            "CSV cannot be written to standard output; specify a .csv file",
            hint="or use --results - for JSON Lines",
        )
    for label in request.labels:
        if is_formula(label):
            raise OutputError(
                f"{request.target}: a spreadsheet would read the model's label {label!r} as a formula; "
                "write a .jsonl file instead"
            )
    format_ = CsvFormat(request.labels)
    return CsvSink(format_, open_rows(request, format_))


def _encode(rows: list[list[Any]]) -> bytes:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")
