"""The names of an archive's files and the columns of its two tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fer_edge.errors import SourceError
from fer_edge.sinks.csv import COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "IDENTITY_FILE",
    "LEAD",
    "METADATA_KEY",
    "ROWS_FOLDER",
    "SOURCES_FILE",
    "build_rows_schema",
    "build_sources_schema",
    "check_extra_columns",
]

IDENTITY_FILE: Final = "archive.json"
SOURCES_FILE: Final = "sources.parquet"
ROWS_FOLDER: Final = "rows"

METADATA_KEY: Final = b"fer_edge"
"""The metadata key of a file that stores the archive's identity and the source's summary as JSON."""

LEAD: Final = "lead"
"""The column of a section's file that is true for lead-in rows, before the start of the section."""

_TYPES: Final = {
    "source": "string", "frame": "int64", "time_s": "float64", "clock": "string", "face_id": "int64",
    "x": "int32", "y": "int32", "width": "int32", "height": "int32",
    "confidence": "float32", "emotion": "string", "score": "float32",
}  # fmt: skip

_SOURCES: Final = {
    "source": "string", "address": "string", "file": "string", "status": "string", "frames": "int64",
    "frames_with_faces": "int64", "faces": "int64", "face_ids": "int64", "duration_s": "float64",
    "sections": "int32", "worker_s": "float64", "finished": "string", "error": "string",
}  # fmt: skip


def build_rows_schema(labels: tuple[str, ...], extra_columns: pa.Schema) -> Any:
    """Return the schema of rows: CSV columns, then labels, then manifest columns."""
    import pyarrow as pa

    fields = [pa.field(name, pa.type_for_alias(_TYPES[name])) for name in COLUMNS]
    return pa.schema([*fields, *(pa.field(label, pa.float32()) for label in labels), *extra_columns])


def build_sources_schema(extra_columns: pa.Schema) -> Any:
    """Return the schema of the table of sources, with the manifest's columns last."""
    import pyarrow as pa

    fields = [pa.field(name, pa.type_for_alias(kind)) for name, kind in _SOURCES.items()]
    return pa.schema([*fields, pa.field("warnings", pa.list_(pa.string())), *extra_columns])


def check_extra_columns(names: list[str], labels: tuple[str, ...], where: str) -> None:
    """Raise SourceError if a manifest column has no name or a name already in use."""
    taken = {*COLUMNS, *labels, *_SOURCES, "warnings", LEAD}
    clash = [name for name in names if name in taken]
    if clash:
        raise SourceError(
            f"{where}: the column name {clash[0]!r} is reserved for the archive; rename the column in the manifest"
        )
    if "" in names or len(set(names)) < len(names):
        raise SourceError(f"{where}: column names must be unique and not empty; rename them in the manifest")
