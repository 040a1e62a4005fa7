"""Write result rows to Parquet files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from fer_edge.archive.manifest import SourceJob
from fer_edge.archive.schema import LEAD, METADATA_KEY, build_rows_schema
from fer_edge.rendering.view import View
from fer_edge.sinks.base import StatelessSink
from fer_edge.types import FrameRecord, SkippedInput

__all__ = ["RowFile", "RowSink", "open_rows"]

_ROWS: Final = 1 << 15  # buffered in memory


class RowFile:
    """A Parquet file written in batches.

    A context manager that completes the file on exit.
    """

    def __init__(self, path: Path, schema: Any) -> None:
        import pyarrow.parquet as pq

        # Dictionaries are small for labels and source names, but useless for scores, which are all different.
        self._writer = pq.ParquetWriter(
            path, schema, compression="zstd", use_dictionary=_repetitive(schema), store_schema=True
        )
        self.schema = schema

    def write(self, table: Any) -> None:
        """Write a ``pyarrow.Table`` of the file's schema."""
        self._writer.write_table(table)

    def add_metadata(self, metadata: bytes) -> None:
        """Add ``metadata`` to the file under the fer-edge key."""
        self._writer.add_key_value_metadata({METADATA_KEY: metadata})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()


def _repetitive(schema: Any) -> list[str]:
    """Return the names of the columns with few distinct values."""
    import pyarrow as pa

    return [f.name for f in schema if pa.types.is_string(f.type) or f.name in ("face_id", "width", "height")]


def open_rows(path: Path, labels: tuple[str, ...], job: SourceJob, *, section: bool = False) -> RowFile:
    """Create the row file of a source or of a section.

    The file of a section has an additional column that marks the lead-in.
    """
    import pyarrow as pa

    schema = build_rows_schema(labels, job.extra_columns.schema)
    return RowFile(path, schema.append(pa.field(LEAD, pa.bool_())) if section else schema)


class RowSink(StatelessSink):
    """Writes results to a :class:`RowFile`.

    A frame without faces is written as a row with empty face columns. In the file of a section, rows before
    ``begin_s`` are marked as lead-in. ``frames``, ``frames_with_faces``, ``faces``, ``ids`` (the ids of the faces) and
    ``last_s`` (the time of the last frame) exclude the lead-in.
    """

    def __init__(
        self, file: RowFile, job: SourceJob, labels: tuple[str, ...], begin_s: float | None = None
    ) -> None:
        self._file, self._job, self._labels, self._begin_s = file, job, labels, begin_s
        self._rows: list[list[Any]] = []
        self.frames = self.frames_with_faces = self.faces = 0
        self.ids: set[int] = set()
        self.last_s = 0.0

    def write(self, result: View | SkippedInput) -> None:
        """Add the rows of a frame."""
        if isinstance(result, SkippedInput):
            return
        record = result.as_record()
        time_s = record["time_s"] or 0.0
        leads = self._begin_s is not None and time_s < self._begin_s
        if not leads:
            self.frames += 1
            self.faces += len(record["faces"])
            self.frames_with_faces += bool(record["faces"])
            self.ids.update(face["id"] for face in record["faces"])
            self.last_s = time_s
        self._rows += self._format(record, leads)
        if len(self._rows) >= _ROWS:
            self._flush()

    def close(self) -> None:
        """Write the buffered rows."""
        self._flush()

    def compute_duration_s(self, begin_s: float, end_s: float | None, rate: float | None) -> float:
        """Return the seconds from ``begin_s`` to the end of the last frame.

        Time after ``end_s`` is not counted; without frames, the result is 0.
        """
        if not self.frames:
            return 0.0
        last_s = self.last_s + (1 / rate if rate else 0.0)
        return max(0.0, (last_s if end_s is None else min(last_s, end_s)) - begin_s)

    def _format(self, record: FrameRecord, leads: bool) -> Sequence[list[Any]]:
        frame = [record["frame"], record["time_s"], record["clock"]]
        if not record["faces"]:
            return [[*frame, *[None] * (8 + len(self._labels)), leads]]
        return [
            [
                *frame,
                face["id"],
                *face["box"],
                face["confidence"],
                face["emotion"],
                face["score"],
                *(face["scores"][label] for label in self._labels),
                leads,
            ]
            for face in record["faces"]
        ]

    def _flush(self) -> None:
        import pyarrow as pa

        if not self._rows:
            return
        columns = list(zip(*self._rows, strict=True))
        count, fields = len(self._rows), list(self._file.schema)
        self._rows = []
        arrays = [pa.repeat(pa.scalar(self._job.source, pa.string()), count)]
        own = len(columns) - 1  # without the lead-in column
        arrays += [pa.array(columns[i], fields[i + 1].type) for i in range(own)]
        for column in self._job.extra_columns.columns:
            arrays.append(_repeat(column[0], count))
        if self._begin_s is not None or fields[-1].name == LEAD:
            arrays.append(pa.array(columns[-1], pa.bool_()))
        self._file.write(pa.Table.from_arrays(arrays, schema=self._file.schema))


def _repeat(value: Any, count: int) -> Any:
    import pyarrow as pa

    return pa.nulls(count, value.type) if not value.is_valid else pa.repeat(value, count)
