"""Results as JSON Lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fer_edge.rendering.view import View
from fer_edge.runtime.atomic_files import check_file
from fer_edge.sinks.base import SinkRequest
from fer_edge.sinks.rows import RowFile
from fer_edge.types import SkippedInput

__all__ = ["JsonLinesSink", "create_sink", "format_row"]


class JsonLinesSink(RowFile):
    """One JSON object per frame, faces or not; an image that could not be read has its error instead."""

    def write(self, result: View | SkippedInput) -> None:
        """Write the result's row."""
        self.write_bytes(format_row(result))


def format_row(result: View | SkippedInput) -> bytes:
    """The result's JSON object in UTF-8, on a line of its own.

    A file name that is not UTF-8 is written as JSON's own escape of its bytes.
    """
    record: Any
    if isinstance(result, SkippedInput):
        record = {"source": result.source, "error": result.error}
    else:
        record = result.as_record()
    return (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def create_sink(request: SinkRequest) -> JsonLinesSink:
    """Make the sink of a file, or of standard output for ``-``; raises OutputError."""
    if request.target == "-":
        return JsonLinesSink(None)
    path = Path(request.target)
    check_file(path, overwrite=request.overwrite or request.append)
    return JsonLinesSink(path, append=request.append)
