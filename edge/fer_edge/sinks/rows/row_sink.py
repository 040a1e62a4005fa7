"""A sink that writes results as rows of a format."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from threading import Event

from fer_edge.rendering.view import View
from fer_edge.runtime.atomic_files import check_file
from fer_edge.sinks.base import SinkRequest
from fer_edge.sinks.rotation.timed_name import TimedName, refuse_fields
from fer_edge.sinks.rows.format import RowFormat
from fer_edge.sinks.rows.live_files import LiveRowFiles
from fer_edge.sinks.rows.live_state import LiveState
from fer_edge.sinks.rows.row_file import RowFile
from fer_edge.types import SkippedInput, StreamInfo

__all__ = ["RowSink", "open_rows"]


class RowSink:
    """Writes rows of one format to a file, standard output or rotating files."""

    def __init__(self, format_: RowFormat, rows: RowFile | LiveRowFiles) -> None:
        self._format, self._rows = format_, rows

    def open(self, stream: StreamInfo, stop: Event) -> None:
        """Begin a stream; files are opened with the first row."""
        if isinstance(self._rows, LiveRowFiles):
            self._rows.open()

    def write(self, result: View | SkippedInput) -> None:
        """Write the rows of a result."""
        content = self._format.format_result(result)
        if not content:
            return
        if isinstance(self._rows, RowFile):
            self._rows.write_bytes(self._format.header + content if self._rows.is_empty else content)
            return
        view = result if isinstance(result, View) else None
        clock = None if view is None else view.clock
        highest = max((face.id for face in view.faces), default=-1) if view is not None else -1
        self._rows.write(clock or datetime.now().astimezone(), content, highest)

    def close(self) -> None:
        """Close the file."""
        self._rows.close()


def open_rows(request: SinkRequest, format_: RowFormat) -> RowFile | LiveRowFiles:
    """Return the row file or files for a sink request.

    Raises UsageError or OutputError if the target cannot be written.
    """
    path = Path(request.target)
    if not request.stream.live:
        refuse_fields(request.target)
        check_file(path, overwrite=request.overwrite or request.append)
        return RowFile(path, append=request.append)
    name = TimedName(request.target)
    first = name.expand(datetime.now().astimezone())
    if _is_pipe_or_device(first):
        return RowFile(first, append=True)
    state = LiveState.of(name) if request.append else None
    files = LiveRowFiles(
        name,
        format_,
        first=first,
        overwrite=request.overwrite,
        append=request.append,
        journal=request.retention.register(name) if name.rotates else None,
        state=state,
    )
    if state is not None:
        state.load(format_)
    return files


def _is_pipe_or_device(path: Path) -> bool:
    try:
        return path.exists() and not path.is_file() and not path.is_dir()
    except OSError:  # for example a name that is too long; opening the file reports it
        return False
