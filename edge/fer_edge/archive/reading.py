"""Read an archive: its table of sources, and its rows as batches or frames.

for path in list_row_files("out"):
    for record in read_frames(path):
        print(record["source"], record["time_s"], [face["emotion"] for face in record["faces"]])
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from fer_edge.archive.options import Identity
from fer_edge.archive.schema import IDENTITY_FILE, METADATA_KEY, ROWS_FOLDER, SOURCES_FILE
from fer_edge.errors import SourceError
from fer_edge.runtime import parquet_files
from fer_edge.runtime.parquet_files import open_parquet
from fer_edge.types import FaceRecord, FrameRecord

__all__ = ["is_archive", "list_row_files", "read_batches", "read_frames", "read_labels", "read_sources"]

_FRAME: Final = ("source", "frame", "time_s", "clock")


def is_archive(path: Path | str) -> bool:
    """Return whether a folder is an archive written by ``fer-edge archive``."""
    return (Path(path) / IDENTITY_FILE).is_file()


def list_row_files(archive: Path | str) -> list[Path]:
    """Return the row files of an archive, one per source, sorted by name.

    Raises SourceError if the folder is not an archive.
    """
    if not is_archive(archive):
        raise SourceError(f"{archive}: not an archive; use a folder written by fer-edge archive")
    found = (Path(archive) / ROWS_FOLDER).glob("*/[!.]*.parquet")  # without files that are being written
    return sorted(found, key=lambda path: (path.name, path))


def read_sources(archive: Path | str) -> Any:
    """Read the table of sources as a ``pyarrow.Table``.

    Raises SourceError, MissingExtraError.
    """
    return open_parquet(Path(archive) / SOURCES_FILE).read()


def read_labels(path: Path | str) -> tuple[str, ...]:
    """Read the model's labels from a row file, in the order of its scores.

    Raises SourceError, MissingExtraError.
    """
    with open_parquet(Path(path)) as file:
        return _labels(Path(path), file)


def read_batches(path: Path | str, columns: list[str] | None = None) -> Iterator[Any]:
    """Yield the rows of a row file as ``pyarrow.RecordBatch``, in constant memory.

    Raises SourceError, MissingExtraError.
    """
    with open_parquet(Path(path)) as file:
        yield from parquet_files.read_batches(Path(path), file, columns)


def read_frames(path: Path | str) -> Iterator[FrameRecord]:
    """Yield the frames of a row file with their faces.

    Raises SourceError, MissingExtraError.
    """
    with open_parquet(Path(path)) as file:
        labels = _labels(Path(path), file)
        rows = (row for batch in parquet_files.read_batches(Path(path), file) for row in batch.to_pylist())
        for (source, frame, time_s, clock), faces in groupby(
            rows, lambda row: tuple(row[name] for name in _FRAME)
        ):
            found = [_build_face(row, labels) for row in faces if row["face_id"] is not None]
            yield {"source": source, "frame": frame, "time_s": time_s, "clock": clock, "faces": found}


def _build_face(row: dict[str, Any], labels: tuple[str, ...]) -> FaceRecord:
    confidence = row["confidence"]
    return {
        "id": row["face_id"],
        "box": [row["x"], row["y"], row["width"], row["height"]],
        "confidence": None if confidence is None else round(confidence, 6),
        "emotion": row["emotion"],
        "score": round(row["score"], 6),
        "scores": {label: round(row[label], 6) for label in labels},
    }


def _labels(path: Path, file: Any) -> tuple[str, ...]:
    try:
        return Identity.parse((file.metadata.metadata or {})[METADATA_KEY]).labels
    except (KeyError, ValueError) as error:
        raise SourceError(
            f"{path}: not a row file of an archive; use a file in the archive's folder {ROWS_FOLDER}"
        ) from error
