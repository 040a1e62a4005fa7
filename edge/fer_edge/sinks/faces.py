"""A sink that saves an image of each face, at most one per second."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Final

from fer_edge.errors import OutputError
from fer_edge.rendering.view import View
from fer_edge.runtime.atomic_files import check_folder, convert_errors_to_output_error, make_folder
from fer_edge.runtime.tables import format_count
from fer_edge.sinks.base import Sink, SinkRequest, StatelessSink
from fer_edge.sinks.images import write_image
from fer_edge.types import FaceResult, SkippedInput

__all__ = ["FacesSink", "create_sink"]

_LOG: Final = logging.getLogger(__name__)

_EVERY_S: Final = 1.0
_MAX_REMEMBERED: Final = 1000  # faces
_UNSAFE: Final = re.compile(r"[^\w.-]+")
_MAX_LENGTH: Final = 80  # characters of a source or label in a file name


class FacesSink(StatelessSink):
    """Saves heads as .jpg files in a folder.

    The files are named by source, time, face ID and emotion. A face that stays in view is saved again after
    one second on the source's clock. A ``live`` source continues if the disk is full or read-only: one
    warning reports that faces are missing, another that saving works again. ``close`` raises OutputError if
    it still fails at the end.
    """

    def __init__(self, folder: Path, *, live: bool = False) -> None:
        check_folder(folder)
        self._folder, self._live = folder, live
        self._written_s: dict[int, float] = {}
        self._trouble: OutputError | None = None
        self._missing = 0

    def write(self, result: View | SkippedInput) -> None:
        """Save the faces that are due; raises OutputError."""
        if isinstance(result, SkippedInput):
            return
        for face in result.faces:
            if self._is_due(face.id, result.time_s):
                self._write(result, face)

    def close(self) -> None:
        """Raise OutputError if faces still cannot be saved at the end."""
        if self._trouble is not None:
            raise OutputError(f"{self._trouble} ({format_count(self._missing, 'face')} not written)")

    def _write(self, view: View, face: FaceResult) -> None:
        try:
            make_folder(self._folder)
            with convert_errors_to_output_error(self._folder):
                path = _free_path(self._folder / _name(view, face))
            write_image(path, view.crop_face(face))
        except OutputError as error:
            if not self._live or not isinstance(error.__cause__, OSError):
                raise
            if self._trouble is None:
                _LOG.warning("%s; the camera continues, and faces are saved once writing works again", error)
            self._trouble = error
            self._missing += 1
            return
        if self._trouble is not None:
            _LOG.warning("%s: saving faces again; %s missing", self._folder, f"{self._missing:,}")
            self._trouble, self._missing = None, 0

    def _is_due(self, face: int, time_s: float | None) -> bool:
        if time_s is None:
            return True
        last_s = self._written_s.get(face)
        if last_s is not None and 0 <= time_s - last_s < _EVERY_S:
            return False
        self._written_s.pop(face, None)  # keeps the face saved longest ago first
        self._written_s[face] = time_s
        if len(self._written_s) > _MAX_REMEMBERED:
            del self._written_s[next(iter(self._written_s))]
        return True


def create_sink(request: SinkRequest) -> Sink:
    """Create the sink for a folder.

    Raises OutputError if the folder has files and neither ``append`` nor ``overwrite`` is set.
    """
    folder = Path(request.target)
    if folder.is_dir() and any(folder.iterdir()) and not (request.append or request.overwrite):
        raise OutputError(
            f"{folder}: the folder for faces is not empty; choose another", hint="or add to it with --append"
        )
    return FacesSink(folder, live=request.stream.live)


def _name(view: View, face: FaceResult) -> str:
    """Return the file name of a face image.

    For example ``clip-00012.400s-face3-happy.jpg``, or ``0-20261126T101500.123-face3-happy.jpg`` if the
    source has a wall clock.
    """
    when = ""
    if view.clock is not None:
        when = f"-{view.clock:%Y%m%dT%H%M%S}.{view.clock.microsecond // 1000:03d}"
    elif view.time_s is not None:
        when = f"-{view.time_s:09.3f}s"
    source = view.source.rstrip("/").rpartition("/")[2].partition("?")[0]
    name = source if view.clock is not None else Path(source).stem
    return f"{_safe(name) or 'video'}{when}-face{face.id}-{_safe(face.emotion)}.jpg"


def _safe(text: str) -> str:
    return _UNSAFE.sub("_", text)[:_MAX_LENGTH].strip("._")


def _free_path(path: Path) -> Path:
    number, free = 2, path
    while free.exists():
        free = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return free
