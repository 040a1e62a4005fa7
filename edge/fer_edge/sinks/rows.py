"""Results as rows: JSON Lines and CSV, each row on its way as soon as its frame is done."""

from __future__ import annotations

import csv
import json
import sys
from contextlib import suppress
from io import FileIO, StringIO, TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from fer_edge.errors import UsageError
from fer_edge.runtime.atomic_files import check_file, output_errors
from fer_edge.sinks.base import Annotated
from fer_edge.types import FrameResult, Unreadable

__all__ = ["CsvSink", "JsonLinesSink", "rows_sink"]

_STDOUT: Final = "standard output"
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
    """A file that is opened with its first row and takes each at once and whole: a later failure loses none."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with output_errors(self._path or _STDOUT):
                self._file.close()
        self._file = None

    def _put(self, text: str) -> None:
        with output_errors(self._path or _STDOUT):
            if self._path is None:
                if isinstance(sys.stdout, TextIOWrapper):
                    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
                sys.stdout.write(text)
                sys.stdout.flush()
                return
            self._file = self._file or FileIO(self._path, "w")
            # A file name that is no UTF-8 is written as JSON's own escape of its bytes.
            rest = content = text.encode("utf-8", "backslashreplace")
            try:
                while rest:
                    rest = rest[self._file.write(rest) :]
            except OSError:
                with suppress(OSError):  # a pipe
                    self._file.truncate(self._size)  # no part of a row stays
                raise
            self._size += len(content)


class JsonLinesSink(_Rows):
    """One JSON object per frame, faces or not; a picture that could not be read has its error instead.

    ``path`` None is standard output.
    """

    def write(self, result: FrameResult | Unreadable, annotated: Annotated) -> None:
        """Write the result's row."""
        record: dict[str, Any]
        if isinstance(result, Unreadable):
            record = {"source": result.source, "error": result.error}
        else:
            record = result.as_record()
        self._put(json.dumps(record, ensure_ascii=False) + "\n")


class CsvSink(_Rows):
    """One row per face; a frame without a face has one row with the face's columns empty.

    A picture that could not be read has none. ``labels`` are the model's, the last columns.
    """

    def __init__(self, path: Path, labels: tuple[str, ...]) -> None:
        super().__init__(path)
        self._labels = labels

    def write(self, result: FrameResult | Unreadable, annotated: Annotated) -> None:
        """Write the result's rows."""
        if isinstance(result, Unreadable):
            return
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if self._file is None:
            writer.writerow((*_COLUMNS, *self._labels))
        writer.writerows(self._rows(result.as_record()))
        self._put(text.getvalue())

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
