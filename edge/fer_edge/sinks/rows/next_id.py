"""A search for the first unused face ID in a results file, without parsing rows."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fer_edge.runtime.atomic_files import convert_errors_to_output_error
from fer_edge.sinks.rows.format import MOST_LINE, RowFormat

__all__ = ["find_next_id"]

_CHUNK: Final = 8 << 20


def find_next_id(path: Path, format_: RowFormat, start: int = 0) -> int:
    """Return one more than the highest face ID in a file; 0 if it has no IDs.

    The search begins at byte ``start``, which has to be the start of a row. Raises OutputError.
    """
    highest, rest = -1, b""
    find = format_.face_ids.findall
    with convert_errors_to_output_error(path), path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(_CHUNK):
            chunk = rest + chunk
            complete = chunk.rfind(b"\n") + 1
            rest = chunk[complete:]
            if len(rest) > MOST_LINE:  # not a row
                rest = b""
            # Most IDs occur many times, so the set saves conversions.
            highest = max(highest, max(map(int, set(find(chunk[:complete]))), default=-1))
        return max(highest, max(map(int, find(rest)), default=-1)) + 1
