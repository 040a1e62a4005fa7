"""A search for sources that already have rows in a results file, without parsing rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from fer_edge.runtime.atomic_files import convert_errors_to_output_error
from fer_edge.sinks.rows.format import RowFormat

__all__ = ["find_source"]

_CHUNK: Final = 8 << 20


def find_source(path: Path, format_: RowFormat, sources: Iterable[str], end: int) -> str | None:
    """Return one of the sources that has rows in the first ``end`` bytes of a file, or None. Raises OutputError."""
    encoded = {format_.encode_source(source): source for source in sources}
    with convert_errors_to_output_error(path), path.open("rb") as file:
        rest = b""
        while chunk := file.read(min(_CHUNK, end - file.tell())):
            chunk = rest + chunk
            complete = chunk.rfind(b"\n") + 1
            rest = chunk[complete:]
            for found in set(format_.row_sources.findall(chunk[:complete])):
                if found in encoded:
                    return encoded[found]
    return None
