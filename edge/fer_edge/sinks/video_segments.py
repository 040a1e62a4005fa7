"""A sink that records a camera's video in consecutive files."""

from __future__ import annotations

import logging
import shutil
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Event, RLock
from typing import Final

from fer_edge.errors import OutputError
from fer_edge.rendering.view import View
from fer_edge.runtime.atomic_files import convert_errors_to_output_error, part_path, remove_planted_link
from fer_edge.runtime.ticker import Ticker
from fer_edge.sinks.rotation.first_file import check_first_file
from fer_edge.sinks.rotation.journal import FileJournal
from fer_edge.sinks.rotation.publish import publish_file, recover_files
from fer_edge.sinks.rotation.segment_clock import SegmentClock
from fer_edge.sinks.rotation.timed_name import TimedName
from fer_edge.sinks.video_encoder import VideoEncoder, is_playable
from fer_edge.sinks.video_kinds import choose_encoder, find_video_kind
from fer_edge.types import Image, SkippedInput, StreamInfo

__all__ = ["SegmentedVideoSink"]

_logger = logging.getLogger(__name__)

_RATE: Final = 15.0  # frames per second, for cameras that report no rate
_TICK_S: Final = 1.0
_IDLE_S: Final = 3.0  # after this time without a frame, the clock alone ends a segment
_RETRY_S: Final = 10.0  # after an error
_STEADY_S: Final = 5.0  # an error is over once a segment has reached this length
_ROOM: Final = 8 << 20  # bytes that have to be free before the next attempt


class _Segment:
    """A video being written under a hidden name; ``path`` is its final name."""

    def __init__(self, path: Path, size: tuple[int, int], encoder: VideoEncoder, part: Path) -> None:
        self.path, self.size, self.encoder, self.part = path, size, encoder, part
        self.frames = 0

    def write(self, image: Image, time_s: float) -> None:
        self.encoder.write(image, time_s)
        self.frames += 1


class SegmentedVideoSink:
    """Records a camera's video in segments.

    A new segment begins whenever the file name or the frame size changes; its first frame has time 0. Each
    file appears under its name when it is complete, with a number if the name is taken. Playable segments
    left by a killed run are recovered first. ``first`` is the name at the start: without ``append`` or
    ``overwrite``, an existing file of that name is refused. While writing fails, frames are not recorded and
    the sink keeps retrying. Raises OutputError if the very first segment cannot be encoded for a reason other
    than the disk.
    """

    def __init__(
        self,
        name: TimedName,
        journal: FileJournal,
        *,
        first: Path,
        overwrite: bool = False,
        append: bool = False,
        encoder: str | None = None,
        preset: str | None = None,
    ) -> None:
        self._kind = find_video_kind(Path(name.pattern))
        self._settings = choose_encoder(self._kind, encoder, preset)
        check_first_file(name, first, overwrite=overwrite or append)
        self._name, self._journal = name, journal
        self._replaced = first if overwrite else None
        self._rate = _RATE
        self._clock = SegmentClock()
        self._segment: _Segment | None = None
        self._trouble: OutputError | None = None
        self._retry_at = 0.0
        self._lost = 0
        self._opened = self._recorded = False
        self._lock = RLock()
        self._ticker = Ticker(_TICK_S, self._tick)

    def open(self, stream: StreamInfo, stop: Event) -> None:
        """Set the nominal frame rate; on the first call, recover files of killed runs."""
        self._rate = stream.frame_rate or _RATE
        if not self._opened:
            self._opened = True
            recover_files(self._name, self._journal, is_playable)
            self._ticker.start()

    def write(self, result: View | SkippedInput) -> None:
        """Append the frame to the segment for its time; raises OutputError."""
        if isinstance(result, SkippedInput):
            return
        clock = result.clock or datetime.now().astimezone()
        image = result.image()
        with self._lock:
            self._ticker.raise_failure()
            self._write(self._name.expand(clock), clock, image)

    def close(self) -> None:
        """Finish the current segment; raises OutputError if frames were not recorded."""
        self._ticker.stop()
        with self._lock:
            self._end_segment()
            if self._trouble is not None:
                raise OutputError(f"{self._trouble} ({self._lost:,} frames not recorded)")
            self._ticker.raise_failure()

    def _write(self, path: Path, clock: datetime, image: Image) -> None:
        size = (image.shape[1], image.shape[0])
        if self._segment is not None and (self._segment.path, self._segment.size) != (path, size):
            self._end_segment()
        if self._segment is None and not self._may_begin(path):
            self._lost += 1
            return
        try:
            segment = self._segment = self._segment or self._begin(path, size)
            seconds = self._clock.update(clock)
            segment.write(image, seconds)
        except OutputError as error:
            self._abandon(error)
            return
        if self._trouble is not None and seconds >= _STEADY_S:
            self._recover()

    def _begin(self, path: Path, size: tuple[int, int]) -> _Segment:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{path.parent}: cannot create the folder: {error.strerror or error}; choose another location"
            ) from error
        part = part_path(path)
        with convert_errors_to_output_error(path):
            remove_planted_link(part)
        encoder = VideoEncoder(part, self._kind, self._settings, size=size, rate=self._rate, name=path)
        self._clock.restart()
        return _Segment(path, size, encoder, part)

    def _end_segment(self) -> None:
        """Close the segment and publish it; after an error, only if it can be played."""
        segment, self._segment = self._segment, None
        if segment is None:
            return
        failure: BaseException | None = None
        try:
            segment.encoder.close()
        except BaseException as error:  # noqa: BLE001  (raised below)
            failure = error
        complete = failure is None and not segment.encoder.failed
        try:
            if complete or is_playable(segment.part):
                replace = self._replaced == segment.path
                self._replaced = None
                publish_file(segment.part, segment.path, self._journal, replace=replace)
                self._recorded = True
            else:
                self._lost += segment.frames
                segment.part.unlink(missing_ok=True)
        except OSError as error:
            self._lost += segment.frames
            wrapped = OutputError(f"{segment.path}: cannot write: {error.strerror or error}")
            wrapped.__cause__ = error
            failure = failure or wrapped
        if isinstance(failure, OutputError):
            self._note_trouble(failure)
        elif failure is not None:
            raise failure
        elif complete and self._trouble is not None:
            self._recover()

    def _abandon(self, error: OutputError) -> None:
        """Handle an error: keep what can be played and retry later."""
        self._note_trouble(error)
        with suppress(OutputError):
            self._end_segment()

    def _note_trouble(self, error: OutputError) -> None:
        if not isinstance(error.__cause__, OSError) and not self._recorded:
            raise error
        self._retry_at = time.monotonic() + _RETRY_S
        if self._trouble is None:
            _logger.warning("%s; the camera continues, and recording resumes once writing works", error)
        self._trouble = error

    def _recover(self) -> None:
        lost, self._lost, self._trouble = self._lost, 0, None
        _logger.warning("%s: recording again; %s frames are missing", self._name.text, f"{lost:,}")

    def _may_begin(self, path: Path) -> bool:
        if self._trouble is None:
            return True
        if time.monotonic() < self._retry_at:
            return False
        self._retry_at = time.monotonic() + _RETRY_S
        existing = next((folder for folder in path.absolute().parents if folder.is_dir()), None)
        try:
            return existing is None or shutil.disk_usage(existing).free >= _ROOM
        except OSError:
            return True

    def _tick(self) -> None:
        """End a segment whose time is over, even if no frame arrives."""
        with self._lock:
            now, idle = self._clock.estimate()
            if self._segment is None or now is None or idle < _IDLE_S:
                return
            if self._name.expand(now) != self._segment.path:
                self._end_segment()
