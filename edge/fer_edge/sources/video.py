"""Videos, wherever they come from: files, pipes and streams that are read like files, through FFmpeg (PyAV).

Every frame becomes one row, interlaced ones too: they are not deinterlaced.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import av
import cv2
import numpy as np

from fer_edge.errors import SourceError, SourceLostError
from fer_edge.sources.base import SourceItem, SourceRequest
from fer_edge.sources.pipe import PipeReader
from fer_edge.sources.presentation_clock import PresentationClock
from fer_edge.sources.urls import is_url, redact_credentials
from fer_edge.sources.video_pixels import geometry_of, to_frame
from fer_edge.types import Image, StreamInfo

__all__ = ["VideoSource", "as_bgr", "create_source", "sanitize_frame_rate"]

_MAX_RATE: Final = 1000.0  # frames per second; what is above is not a rate
_ASSUMED_RATE: Final = 25.0  # where the stream states none
_EARLY_S: Final = 1.0  # seconds that may be missing at the end
_OPEN_TIMEOUT_S, _READ_TIMEOUT_S = 10.0, 10.0  # of streams from the network
_STDIN: Final = "-"
_MOST_ERRORS: Final = 100  # of the demuxer in a row; then nothing more comes
_MOST_PIXELS: Final = 1 << 26  # of a frame: twice 8K; a small file may claim any size
# A pipe's first row must not wait for megabytes: so much is looked at to find out what is in it.
_PROBE: Final = {"probesize": "65536", "analyzeduration": "500000"}


class VideoSource:
    """A video file, a URL that FFmpeg reads, or ``-`` for standard input, from its first frame to its last.

    Its name is the path or URL as it is given, without a URL's password. Its clock is the presentation time,
    as players show it. Damaged stretches are skipped; the frames after them keep their times. ``threads``
    bounds the decoder's. Raises SourceError when it cannot be opened or has no frame, and SourceLostError at
    its end when the demuxer or decoder reported damage, or when it ended more than a second before the
    stream's own end.
    """

    def __init__(self, path: Path | str, *, threads: int | None = None) -> None:
        self._address = os.fspath(path)
        self._threads = threads
        self.info = StreamInfo(name=redact_credentials(self._address))
        self._container: Any = None
        self._stream: Any = None
        self._file: Any = None
        self._damage = _Damage()

    def __enter__(self) -> Self:
        try:
            self._container = self._open()
        except av.error.FFmpegError as error:
            self._raise_pipe_failure()
            self._close()
            raise SourceError(f"{self._title}: expected a video, {self._reason(error)}") from error
        try:
            self._stream = self._video_stream()
        except SourceError:
            self._close()
            raise
        context = self._stream.codec_context
        context.thread_type = "AUTO"
        context.thread_count = self._threads or 0
        context.options = {"max_pixels": str(_MOST_PIXELS)}
        rate = self._rate()
        self.info = replace(self.info, frame_rate=rate, frame_count=self._frame_count(rate))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._container is not None:
            self._container.close()
        if self._file is not None:
            self._file.close()
        self._container = self._file = None

    def __iter__(self) -> Iterator[SourceItem]:
        rate = self.info.frame_rate or _ASSUMED_RATE
        start = self._container.start_time
        clock = PresentationClock(
            0.0 if start is None else start / av.time_base, 1 / rate, joins=self._has_restarting_clock()
        )
        index, time_s = 0, 0.0
        for decoded in self._decode():
            time_s = clock.time_of(decoded.time)
            geometry = geometry_of(decoded, self._stream.sample_aspect_ratio)
            yield to_frame(decoded, geometry, self.info.name, index, time_s)
            index += 1
            del decoded  # the decoder wants its memory back
        self._check_end(index, time_s)

    @property
    def _title(self) -> str:
        return "standard input" if self._address == _STDIN else self.info.name

    def _open(self) -> Any:
        timeout = (_OPEN_TIMEOUT_S, _READ_TIMEOUT_S)
        if self._address == _STDIN:
            if sys.stdin is None:
                raise SourceError("expected a video on standard input, it is closed; name a file")
            self._file = PipeReader(sys.stdin.fileno())
            return av.open(self._file, metadata_errors="replace", options=_PROBE)
        if is_url(self._address):
            return av.open(self._address, metadata_errors="replace", timeout=timeout)
        path = Path(self._address)
        _check_file(path, self.info.name)
        try:
            os.fspath(path).encode()
        except UnicodeEncodeError:
            # FFmpeg takes names in UTF-8 alone; it can read an open file, only slower.
            self._file = path.open("rb")
            return av.open(self._file, metadata_errors="replace")
        # A name may hold a colon, and would be taken for a protocol's.
        return av.open(f"file:{path}", metadata_errors="replace")

    def _video_stream(self) -> Any:
        """The first stream that is a video: the cover of a song is not."""
        streams = [
            s for s in self._container.streams.video if not (s.disposition & s.disposition.attached_pic)
        ]
        if streams and streams[0].codec_context is not None:
            return streams[0]
        what = "sound" if self._container.streams.audio else "no stream of images"
        cover = " with a cover" if self._container.streams.video else ""
        raise SourceError(f"{self._title}: expected a video, it holds {what}{cover}; name a video")

    def _rate(self) -> float | None:
        for rate in (self._stream.average_rate, self._stream.guessed_rate, self._stream.base_rate):
            known = sanitize_frame_rate(float(rate)) if rate else None
            if known is not None:
                return known
        return None

    def _frame_count(self, rate: float | None) -> int | None:
        """About how many frames there are, for a progress bar alone."""
        end = self._end_s()
        if end is None or rate is None:
            return None
        count = end * rate
        return round(count) if 0 < count < 1e9 else None

    def _end_s(self) -> float | None:
        """When the video stream itself says that it ends, in seconds of its clock; None where it does not."""
        stream = self._stream
        start = self._container.start_time or 0
        if stream.duration:
            begins = (stream.start_time or 0) * stream.time_base - Fraction(start, av.time_base)
            return float(begins + stream.duration * stream.time_base)
        text = stream.metadata.get("DURATION")  # Matroska's, for each stream
        if text is not None:
            return _seconds(text)
        alone = len(self._container.streams) == 1
        return self._container.duration / av.time_base if alone and self._container.duration else None

    def _has_restarting_clock(self) -> bool:
        return bool(self._container.format.flags & av.format.Flags.ts_discont.value)

    def _decode(self) -> Iterator[Any]:
        """The decoder's frames; what cannot be decoded is counted and skipped."""
        damage = self._damage = _Damage()
        for packet in self._demux():
            damage.packets += bool(packet.size)
            damage.errors += bool(packet.is_corrupt)
            try:
                decoded = packet.decode()
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                damage.errors += 1
                continue
            for frame in decoded:
                damage.errors += bool(frame.is_corrupt)
                yield frame

    def _demux(self) -> Iterator[Any]:
        packets = self._container.demux(self._stream)
        failed = 0
        while failed < _MOST_ERRORS:
            try:
                packet = next(packets)
            except (StopIteration, av.error.EOFError):
                self._raise_pipe_failure()
                return
            except av.error.FFmpegError as error:
                if isinstance(error, OSError) and not isinstance(error, av.error.InvalidDataError):
                    self._damage.lost = str(error.strerror or error)
                    return
                failed += 1
                self._damage.errors += 1
                packets = self._container.demux(self._stream)
                continue
            failed = 0
            yield packet

    def _raise_pipe_failure(self) -> None:
        if isinstance(self._file, PipeReader):
            self._file.raise_failure()

    def _check_end(self, frames: int, last_s: float) -> None:
        if not frames:
            raise SourceError(f"{self._title}: expected a video, it has no frame that can be decoded")
        rate = self.info.frame_rate or _ASSUMED_RATE
        end = self._end_s()
        missing_s = 0.0 if end is None else end - (last_s + 1 / rate)
        damage = self._damage
        if damage.lost is not None or missing_s > _EARLY_S:
            why = f": {damage.lost}" if damage.lost is not None else ""
            until = f", {missing_s:.1f} s before its end" if missing_s > _EARLY_S else ""
            raise SourceLostError(
                f"{self._title}: the video broke off after {frames} frames{until}{why}; what was read is kept"
            )
        if damage.errors:
            lost_s = max(0.0, (last_s + 1 / rate) - frames / rate)
            raise SourceLostError(
                f"{self._title}: the video is damaged, about {lost_s:.1f} s of it cannot be decoded; "
                f"{frames} frames were read and are kept"
            )

    def _reason(self, error: av.error.FFmpegError) -> str:
        if isinstance(error, OSError) and not isinstance(error, av.error.InvalidDataError):
            return f"it cannot be opened: {error.strerror or error}"
        if self._address == _STDIN:
            return (
                "FFmpeg cannot read it as it comes, from its start (.avi, .mkv, .ts and such; .mp4 only where it was "
                "made for it); name a file"
            )
        what = "answers with" if is_url(self._address) else "holds"
        return f"it {what} nothing that FFmpeg can read, or is damaged"


class _Damage:
    """What demuxer and decoder reported: ``errors`` in data that were skipped, ``lost`` why reading ended."""

    def __init__(self) -> None:
        self.packets = self.errors = 0
        self.lost: str | None = None


def create_source(request: SourceRequest) -> VideoSource:
    """Make the source of one video."""
    return VideoSource(request.address)


def sanitize_frame_rate(rate: float) -> float | None:
    """Frames per second as a container or camera states them; None for 0, NaN and nonsense."""
    return float(rate) if math.isfinite(rate) and 0 < rate < _MAX_RATE else None


def as_bgr(image: Any) -> Image:
    """A camera's frame, gray, with alpha or 16-bit included, as uint8 (height, width, 3) BGR."""
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    elif image.shape[2] == 4:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
    elif image.shape[2] == 1:
        image = cv2.cvtColor(image[..., 0], cv2.COLOR_GRAY2BGR)
    return np.asarray(image, np.uint8)


def _seconds(text: str) -> float | None:
    """Seconds of hh:mm:ss.fraction; None for anything else."""
    try:
        hours, minutes, seconds = text.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError:
        return None


def _check_file(path: Path, name: str) -> None:
    if path.is_dir():
        raise SourceError(
            f"{name}: expected a video file, got a folder; for its pictures use: fer-edge folder"
        )
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise SourceError(f"{name}: expected a video, the file is empty")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"{name}: expected a video, the file cannot be read: {reason}") from error
