"""Decode a stream of an open container that another thread may close at any time."""

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

_MAX_ERRORS: Final = 100  # demuxer errors in a row until reading stops
_MAX_BETWEEN: Final = 1024  # bytes that may lie between two packets
_MAX_SKIPS: Final = 8  # gaps that count as damage
_CHUNK_HEADER: Final = 8  # bytes
_CLOSE_S: Final = 1.0  # how long closing waits for the current call


class _ClosedError(Exception):
    """The container was closed while being read."""


class Decoder:
    """Yields the frames of an open video in display order.

    Closing a container frees the memory that FFmpeg works on, so a container must not be closed during a call or
    read afterwards: the last thread that uses it frees it. ``errors`` counts the errors that the demuxer and
    decoder reported and skipped. ``suspects`` counts the packets that follow a gap, which may also be an
    intentional cut. ``lost`` says why reading ended before the stream did, and ``encrypted`` whether the rest of
    it is encrypted.
    """

    def __init__(self, video: OpenVideo, threads: int | None = None) -> None:
        self.errors = self.suspects = 0
        self.lost: str | None = None
        self.encrypted = False
        self._video = video
        self._index = video.stream.index
        self._is_avi = video.container.format.name == "avi"
        self._contiguous = _is_contiguous(video.container)
        self._read_until = self._skips = 0  # the former in bytes from the start of the file
        self._avi_ticks: dict[int, int] | None = None  # by the position of each chunk, from the index
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
    def is_closed(self) -> bool:
        """Whether it was closed, possibly before its end."""
        return self._closing

    @property
    def is_seekable(self) -> bool:
        """Whether the video can be read at any position, as a file can."""
        return self._video.pipe is None

    @property
    def pixel_shape(self) -> Fraction | None:
        """The pixel aspect ratio (width to height) stated by the codec for the last frame."""
        if self._given <= 1 or self._given > self._before_key:
            # The codec states the ratio of the frame decoded last; frames before the last key frame are output first.
            self._shape = self._context.sample_aspect_ratio
        return self._shape

    def close(self) -> None:
        """Stop reading, in whichever thread, and free the container; may be called twice."""
        self._closing = True
        self._video.interrupt()
        if self._busy.acquire(timeout=_CLOSE_S):
            try:
                self._video.free()
            finally:
                self._busy.release()

    def skip_to(self, start_s: float, clock: PacketClock, on_skipped: OnSkipped) -> FrameNumbers | None:
        """Start at the key frame needed to decode the frame at ``start_s``.

        ``start_s`` is in seconds after the video's start. Returns the object that numbers the frames, or None if closed
        meanwhile. On return, ``clock`` is in the state it has at that key frame.
        """
        video = self._video
        start = math.floor((start_s + clock.offset_s) / video.stream.time_base)
        try:
            with suppress(av.error.FFmpegError):  # a damaged index is treated like a missing one
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
        """Yield decoded frames (``av.VideoFrame``) until the end or until it is closed."""
        try:
            for packet in self._packets or self._read_packets():
                self._detect_skipped_bytes(packet)
                if packet.stream.index != self._index:
                    continue
                if packet.has_sidedata("encryption_info"):
                    self.encrypted = True
                    return
                self.suspects += bool(packet.is_corrupt)
                if not packet.size and packet.dts is not None:
                    continue  # repeats the previous frame; sent to the decoder, it would mean the end
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

    def _detect_skipped_bytes(self, packet: Any) -> None:
        """Detect bytes that the demuxer skipped without reporting them.

        In an .avi file, skipped bytes shift the times after them, so the times are corrected from the index.
        """
        if not self._contiguous or packet.pos is None:
            return
        if self._read_until and packet.pos > self._read_until + _MAX_BETWEEN:
            self._skips += 1
            self.suspects += self._skips <= _MAX_SKIPS  # gaps that occur everywhere are stuffing
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
        while failed < _MAX_ERRORS:
            try:
                packet = self._call_patiently(partial(next, packets, None))
            except av.error.EOFError:
                packet = None
            except (av.error.InvalidDataError, av.error.PatchWelcomeError):
                failed += 1
                self.errors += 1
                packets = self._call(self._demux)
                continue
            except TimeoutError:  # includes FFmpeg's timeout error
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
        streams = () if self._contiguous else (video.stream,)  # an empty tuple means all streams
        packets: Iterator[Any] = video.container.demux(*streams)
        return packets

    def _call(self, function: Callable[[], T]) -> T:
        """Call into FFmpeg unless closed; free the container if it is closed meanwhile."""
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
    """Return whether packets follow one another in the file with little in between."""
    name = container.format.name
    return name == "avi" or "matroska" in name or (name == "mpegts" and len(container.streams) == 1)
