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

__all__ = ["JsonLinesSink", "create_sink"]


class JsonLinesSink(RowFile):
    """One JSON object per frame, faces or not; an image that could not be read has its error instead."""

    def write(self, result: View | SkippedInput) -> None:
        """Write the result's row."""
        record: Any
        if isinstance(result, SkippedInput):
            record = {"source": result.source, "error": result.error}
        else:
            record = result.as_record()
        self.write_text(json.dumps(record, ensure_ascii=False) + "\n")


def create_sink(request: SinkRequest) -> JsonLinesSink:
    """Make the sink of a file, or of standard output for ``-``; raises OutputError."""
    if request.target == "-":
        return JsonLinesSink(None)
    path = Path(request.target)
    check_file(path, overwrite=request.overwrite or request.append)
    return JsonLinesSink(path, append=request.append)
