"""TensorBoard event files, written with tensorboardX for any Keras backend."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fer_edge.errors import MissingExtraError
from fer_edge.runtime.atomic_files import convert_errors_to_output_error, make_folder

__all__ = ["EventFile"]


class EventFile:
    """The event file of one process; scalars are on disk as soon as they are added.

    tensorboardX's SummaryWriter writes in a thread, which loses scalars when the process is killed and ignores the
    error of a full disk. Its file writer does neither.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Append the values of a step, by tag.

        Raises OutputError if the file cannot be written, MissingExtraError if tensorboardX is not installed.
        """
        try:
            from tensorboardX.event_file_writer import EventsWriter
            from tensorboardX.proto.event_pb2 import Event
            from tensorboardX.proto.summary_pb2 import Summary
        except ModuleNotFoundError as error:
            raise MissingExtraError("tensorboardX", "train") from error

        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        make_folder(self._folder)
        with convert_errors_to_output_error(self._folder):
            if self._writer is None:
                self._writer = EventsWriter(str(self._folder / "events"))
            self._writer.write_event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))
            self._writer.flush()

    def close(self) -> None:
        """Close the file; a later :meth:`add` starts a new file."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            with convert_errors_to_output_error(self._folder):
                writer.close()
