"""The first face id that is free in files of rows, found without reading them as rows."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fer_edge.runtime.atomic_files import output_errors
from fer_edge.sinks.rows.format import MOST_LINE, RowFormat

__all__ = ["find_next_id"]

_CHUNK: Final = 8 << 20


def find_next_id(path: Path, format_: RowFormat, start: int = 0) -> int:
    """Above the highest face id from byte ``start`` on, where a row begins; 0 without any. Raises OutputError."""
    highest, rest = -1, b""
    find = format_.face_ids.findall
    with output_errors(path), path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(_CHUNK):
            chunk = rest + chunk
            whole = chunk.rfind(b"\n") + 1
            rest = chunk[whole:]
            if len(rest) > MOST_LINE:  # no row
                rest = b""
            # Most ids come again and again.
            highest = max(highest, max(map(int, set(find(chunk[:whole]))), default=-1))
        return max(highest, max(map(int, find(rest)), default=-1)) + 1
