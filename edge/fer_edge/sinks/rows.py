"""Results as rows: JSON Lines and CSV, each row on its way as soon as its frame is done."""

from __future__ import annotations

import csv
import json
import sys
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TextIO

from fer_edge.errors import UsageError
from fer_edge.results import FrameResult, Unreadable
from fer_edge.sinks import Annotated
from fer_edge.sinks.files import check_file, writing

__all__ = ["CsvSink", "JsonLinesSink", "rows_sink"]

_COLUMNS: Final = (
    "source", "frame", "time_s", "face_id", "x", "y", "width", "height", "confidence", "emotion", "score",
)  # fmt: skip


def rows_sink(target: str, labels: tuple[str, ...], *, overwrite: bool = False) -> JsonLinesSink | CsvSink:
    """The sink for ``--results``: by the file's suffix, ``-`` being JSON Lines on standard output.

    Raises UsageError for another suffix, OutputError where the file cannot be written.
    """
    if target == "-":
        return JsonLinesSink(None)
    path = Path(target)
    suffix = path.suffix.lower()
    if suffix not in (".jsonl", ".csv"):
        raise UsageError(
            f"expected results in a .jsonl or .csv file, or - for standard output, got {target!r}"
        )
    check_file(path, overwrite=overwrite)
    return CsvSink(path, labels) if suffix == ".csv" else JsonLinesSink(path)


class _Rows:
    """A text file that is opened with its first row and flushed with each: a later failure loses none."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None and self._path is not None:
            with writing(self._path):
                self._file.close()
        self._file = None

    def _open(self) -> TextIO:
        # A file name that is no UTF-8 is written as JSON's own escape of its bytes.
        if self._path is not None:
            return self._path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        return sys.stdout


class JsonLinesSink(_Rows):
    """One JSON object per frame, faces or not; a picture that could not be read has its error instead.

    ``path`` None is standard output.
    """

    def write(self, result: FrameResult | Unreadable, annotated: Annotated) -> None:
        """Write and flush the result's row."""
        record: dict[str, Any]
        if isinstance(result, Unreadable):
            record = {"source": result.source, "error": result.error}
        else:
            record = result.as_record()
        with writing(self._path or "standard output"):
            self._file = self._file or self._open()
            self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
            self._file.flush()


class CsvSink(_Rows):
    """One row per face; a frame without a face has one row with the face's columns empty.

    A picture that could not be read has none. ``labels`` are the model's, the last columns.
    """

    def __init__(self, path: Path, labels: tuple[str, ...]) -> None:
        super().__init__(path)
        self._labels = labels

    def write(self, result: FrameResult | Unreadable, annotated: Annotated) -> None:
        """Write and flush the result's rows."""
        if isinstance(result, Unreadable):
            return
        assert self._path is not None
        with writing(self._path):
            if self._file is None:
                self._file = self._open()
                csv.writer(self._file, lineterminator="\n").writerow((*_COLUMNS, *self._labels))
            csv.writer(self._file, lineterminator="\n").writerows(self._rows(result.as_record()))
            self._file.flush()

    def _rows(self, record: dict[str, Any]) -> list[list[Any]]:
        # None becomes an empty field.
        frame = [record["source"], record["frame"], record["time_s"]]
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
        return faces or [[*frame, *[None] * (len(_COLUMNS) - 3 + len(self._labels))]]
