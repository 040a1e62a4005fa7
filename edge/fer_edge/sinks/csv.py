"""Results as CSV."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from typing import Any, Final

from fer_edge.errors import UsageError
from fer_edge.rendering.view import View
from fer_edge.runtime.atomic_files import check_file
from fer_edge.sinks.base import SinkRequest
from fer_edge.sinks.rows import RowFile
from fer_edge.types import FrameRecord, SkippedInput

__all__ = ["COLUMNS", "CsvSink", "create_sink"]

COLUMNS: Final = (
    "source", "frame", "time_s", "clock",
    "face_id", "x", "y", "width", "height", "confidence", "emotion", "score",
)  # fmt: skip


class CsvSink(RowFile):
    """One row per face; a frame without a face has one row with the face's columns empty.

    An image that could not be read has none. ``labels`` are the model's, the last columns.
    """

    def __init__(self, path: Path, labels: tuple[str, ...], *, append: bool = False) -> None:
        super().__init__(path, append=append)
        self._labels = labels

    def write(self, result: View | SkippedInput) -> None:
        """Write the result's rows."""
        if isinstance(result, SkippedInput):
            return
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if self.is_empty:
            writer.writerow((*COLUMNS, *self._labels))
        writer.writerows(self._rows(result.as_record()))
        self.write_bytes(text.getvalue().encode("utf-8", "backslashreplace"))

    def _rows(self, record: FrameRecord) -> list[list[Any]]:
        # None becomes an empty field.
        frame = [record["source"], record["frame"], record["time_s"], record["clock"]]
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


def create_sink(request: SinkRequest) -> CsvSink:
    """Make the sink of a file; raises OutputError."""
    if request.target == "-":
        raise UsageError("standard output takes JSON Lines alone; name a .csv file, or give --results -")
    path = Path(request.target)
    check_file(path, overwrite=request.overwrite or request.append)
    return CsvSink(path, request.labels, append=request.append)
