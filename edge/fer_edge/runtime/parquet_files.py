"""Read untrusted Parquet files batch by batch.

Needs pyarrow, which the ``archive`` extra installs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from fer_edge.errors import MissingExtraError, SourceError, reason_of

__all__ = ["open_parquet", "read_batches"]

_BATCH: Final = 1 << 14  # rows


def open_parquet(path: Path) -> Any:
    """Open a file as ``pyarrow.parquet.ParquetFile``.

    Raises SourceError, MissingExtraError.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("pyarrow", "archive") from error
    try:
        file = pq.ParquetFile(path)
        _ = file.schema_arrow.names  # decodes the names
        return file
    except (OSError, ValueError, pa.ArrowException) as error:  # ValueError: a name that is not UTF-8
        raise SourceError(f"{path}: cannot read as Parquet: {reason_of(error)}; check the path") from error


def read_batches(path: Path, file: Any, columns: Sequence[str] | None = None) -> Iterator[Any]:
    """Yield an open file as ``pyarrow.RecordBatch``; raise SourceError if damaged."""
    import pyarrow as pa

    try:
        yield from file.iter_batches(_BATCH, columns=None if columns is None else list(columns))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SourceError(f"{path}: the file is damaged: {reason_of(error)}") from error
