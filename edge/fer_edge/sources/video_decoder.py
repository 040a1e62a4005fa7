"""Decoding one stream of an open container, which another thread may close at any time."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from functools import partial
from itertools import chain
from typing import Any, Final, TypeVar

import av

from fer_edge.sources.video_container import MOST_PIXELS, READ_TIMEOUT_S, OpenVideo
from fer_edge.sources.video_seek import FrameNumbers, OnSkipped, PacketClock, seek_by_index, skip_packets

__all__ = ["Decoder"]

T = TypeVar("T")

_MOST_ERRORS: Final = 100  # of the demuxer in a row; then nothing more comes
_MOST_BETWEEN: Final = 1024  # bytes that a container may have between two packets
_MOST_SKIPS: Final = 8  # that are holes
_CHUNK_HEADER: Final = 8  # bytes
_CLOSE_S: Final = 1.0  # how long closing waits for a call that is under way


class _ClosedError(Exception):
    """The container was closed while it was read."""


class Decoder:
    """The frames of a video that is open, in the order in which they are shown.

    FFmpeg frees what it works on when it is closed, so a container is never closed during a call, nor read
    after it: whichever of the two threads is the last one frees it. ``errors`` counts what demuxer and
    decoder reported and skipped, ``suspects`` packets that follow a break, which may be a cut of the maker's;
    ``lost`` says why reading ended before the stream did, ``encrypted`` whether that is because the rest is encrypted.
    """

    def __init__(self, video: OpenVideo, threads: int | None = None) -> None:
        self.errors = self.suspects = 0
        self.lost: str | None = None
        self.encrypted = False
        self._video = video
        self._index = video.stream.index
        self._is_avi = video.container.format.name == "avi"
        self._contiguous = _is_contiguous(video.container)
        self._read_until = self._skips = 0  # bytes from the file's start; how often some were skipped
        self._avi_ticks: dict[int, int] | None = None  # of each chunk's place, from the index
        self._shape: Fraction | None = None
        self._fed = self._given = self._before_key = 0  # packets, frames, packets before the last key frame
        self._packets: Iterator[Any] | None = None
        self._numbers: FrameNumbers | None = None
        self._busy = threading.Lock()
        self._closing = False
        context = self._context = video.stream.codec_context
        context.thread_type = "AUTO"
        context.thread_count = threads or 0
        context.options = {"max_pixels": str(MOST_PIXELS)}

    @property
    def closed(self) -> bool:
        """Whether it was closed, perhaps before its end."""
        return self._closing

    @property
    def is_seekable(self) -> bool:
        """Whether any place in the video can be read, as of a file."""
        return self._video.pipe is None

    @property
    def pixel_shape(self) -> Fraction | None:
        """A pixel's width to its height, as the codec states it for the frame that it gave last."""
        if self._given <= 1 or self._given > self._before_key:
            # The codec states that of the frame it decoded last; those before the last key frame come first.
            self._shape = self._context.sample_aspect_ratio
        return self._shape

    def close(self) -> None:
        """End the reading, in whatever thread it is, and free the container; may be called twice."""
        self._closing = True
        self._video.interrupt()
        if self._busy.acquire(timeout=_CLOSE_S):
            try:
                self._video.free()
            finally:
                self._busy.release()

    def skip_to(self, start_s: float, clock: PacketClock, on_skipped: OnSkipped) -> FrameNumbers | None:
        """Begin at the key frame from which the frame at that time, in seconds after the start, is decoded.

        Returns what numbers the frames then, None where closed meanwhile. ``clock`` is then set as it is there.
        """
        video = self._video
        start = math.floor((start_s + clock.offset_s) / video.stream.time_base)
        try:
            with suppress(av.error.FFmpegError):  # a damaged index: then as without one
                self._numbers = self._call_patiently(
                    lambda: seek_by_index(video.container, video.stream, start)
                )
            self._packets = self._read_packets()
            if self._numbers is None:
                own = (packet for packet in self._packets if packet.stream.index == self._index)
                self._numbers, held = skip_packets(own, start_s, clock, on_skipped)
                self._packets = chain(held, self._packets)
        except (_ClosedError, InterruptedError):
            if not self._closing:
                raise
            self._packets = iter(())
        return self._numbers

    def __iter__(self) -> Iterator[Any]:
        """The decoder's frames (``av.VideoFrame``), until the end or until it is closed."""
        try:
            for packet in self._packets or self._read_packets():
                self._notice_skipped(packet)
                if packet.stream.index != self._index:
                    continue
                if packet.has_sidedata("encryption_info"):
                    self.encrypted = True
                    return
                self.suspects += bool(packet.is_corrupt)
                if not packet.size and packet.dts is not None:
                    continue  # the frame before it is shown once more; sent to the decoder, it would end it
                if self._numbers is not None:
                    self._numbers.add(packet)
                if packet.is_keyframe:
                    self._before_key = self._fed
                self._fed += 1
                for frame in self._decode(packet):
                    self._given += 1
                    self.errors += bool(frame.is_corrupt)
                    yield frame
        except (_ClosedError, InterruptedError):
            if not self._closing:
                raise

    def _notice_skipped(self, packet: Any) -> None:
        """Where a demuxer says nothing of bytes that it skips, find them; in .avi, they shift the times after."""
        if not self._contiguous or packet.pos is None:
            return
        if self._read_until and packet.pos > self._read_until + _MOST_BETWEEN:
            self._skips += 1
            self.suspects += self._skips <= _MOST_SKIPS  # what is found everywhere is stuffing
            if self._avi_ticks is None and self._is_avi:
                entries = self._call(lambda: list(self._video.stream.index_entries))
                self._avi_ticks = {entry.pos + _CHUNK_HEADER: entry.timestamp for entry in entries}
        self._read_until = max(self._read_until, packet.pos + packet.size * 33 // 32)
        if self._avi_ticks and packet.stream.index == self._index:
            packet.dts = self._avi_ticks.get(packet.pos, packet.dts)

    def _decode(self, packet: Any) -> Any:
        try:
            return self._call(packet.decode)
        except av.error.EOFError:
            return ()
        except av.error.FFmpegError:
            self.errors += 1
            return ()

    def _read_packets(self) -> Iterator[Any]:
        video = self._video
        packets, failed = self._call(self._demux), 0
        while failed < _MOST_ERRORS:
            try:
                packet = self._call_patiently(partial(next, packets, None))
            except av.error.EOFError:
                packet = None
            except (av.error.InvalidDataError, av.error.PatchWelcomeError):
                failed += 1
                self.errors += 1
                packets = self._call(self._demux)
                continue
            except TimeoutError:  # FFmpeg's is one of these
                self.lost = f"no data for {READ_TIMEOUT_S:g} s"
                packet = None
            except av.error.FFmpegError as error:
                self.lost = str(error.strerror or error)
                packet = None
            if packet is None:
                break
            failed = 0
            yield packet
        if video.pipe is not None:
            video.pipe.raise_failure()

    def _demux(self) -> Iterator[Any]:
        video = self._video
        streams = () if self._contiguous else (video.stream,)  # none: all
        packets: Iterator[Any] = video.container.demux(*streams)
        return packets

    def _call(self, function: Callable[[], T]) -> T:
        """Call into FFmpeg unless it is closed; free the container if it is closed meanwhile."""
        with self._busy:
            try:
                if self._closing:
                    raise _ClosedError
                return function()
            finally:
                if self._closing:
                    self._video.free()

    def _call_patiently(self, function: Callable[[], T]) -> T:
        calls = self._video.calls
        return (
            self._call(function) if calls is None else calls.run(lambda: self._call(function), READ_TIMEOUT_S)
        )


def _is_contiguous(container: Any) -> bool:
    """Whether packets follow one another in the file, with little in between."""
    name = container.format.name
    return name == "avi" or "matroska" in name or (name == "mpegts" and len(container.streams) == 1)
