"""Network cameras: one thread reads packets, the consuming thread decodes them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any, Final

import av

from fer_edge.sources import network_stream
from fer_edge.sources.damaged_frames import DamagedFrames
from fer_edge.sources.live import CameraFault, LiveClock
from fer_edge.sources.live_reader import Backlog, LiveReader, QueuedItem
from fer_edge.sources.network_stream import NetworkStream
from fer_edge.sources.urls import redact_credentials
from fer_edge.sources.video_container import MOST_PIXELS
from fer_edge.sources.video_pixels import GeometryReader, to_frame
from fer_edge.types import Frame

__all__ = ["NetworkCamera"]

_LOG: Final = logging.getLogger(__name__)

OPEN_TIMEOUT_S: Final = 10.0  # to resolve the address, connect and probe the stream
_THREADS: Final = (
    4  # at most, each for a slice of an image; decoding several images at a time would add latency
)
_STALE_S: Final = 0.1  # a frame this old is skipped if another one is waiting
# Skip stale frames for at most this long: a slow decoder produces nothing but stale frames.
_STALE_FOR_S: Final = 0.2
_BEHIND_S: Final = 0.5  # frames this old mean that decoding does not keep up
_CATCH_UP_S: Final = 0.7  # after decoding this long without keeping up, wait for a key frame
_KEY_FRAME_S: Final = 10.0  # a stream without marked key frames is decoded after this wait
_MAX_ERRORS: Final = 100  # decoder errors in a row
_SLOW_REMEDY: Final = "use its smaller stream, or set a lower size or rate in the camera"


class NetworkCamera:
    """One connection to an ``rtsp://``, ``http://`` or other address FFmpeg supports.

    The thread that takes frames decodes them, while another thread reads the packets. Frames start at a key frame. If
    decoding is too slow for the stream, packets are skipped until the next key frame, so that frames are never old.
    Frames that cannot be decoded are added to ``damaged``; like skipped ones, they leave a gap in the frame numbers.
    """

    def __init__(self, address: str, clock: LiveClock, damaged: DamagedFrames) -> None:
        self.size: tuple[int, int] | None = None
        self.frame_rate: float | None = None
        self._name = redact_credentials(address)
        self._clock, self._damaged = clock, damaged
        self._counted = 0  # incomplete images of the stream that have been added to ``damaged``
        backlog: Backlog[Any] = Backlog()
        self._stream = NetworkStream(address, self._name, backlog)
        self.reader = LiveReader(self._stream, backlog, self._name)

    def open(self) -> None:
        """Connect. Raises CameraFault, InterruptedError."""
        try:
            self.reader.open(OPEN_TIMEOUT_S)
        except TimeoutError as error:
            raise CameraFault("no response", "check the address and that the camera is on") from error
        self.size, self.frame_rate = self._stream.size, self._stream.frame_rate

    def close(self) -> None:
        """End the connection, whichever thread is using it."""
        self.reader.close()

    def join(self, timeout_s: float) -> None:
        """Wait until its thread has ended, for at most ``timeout_s`` seconds."""
        self.reader.join(timeout_s)

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames; if they arrive faster than they are consumed, only the newest.

        Raises CameraFault, InterruptedError.
        """
        decoder = _LiveDecoder(self._stream.context, self._name, is_intra=self._stream.is_intra)
        geometries = GeometryReader()
        skipped = 0
        given_s = time.monotonic()
        while True:
            if not self.reader.waiting:
                given_s = time.monotonic()
            waiting = self._take()
            skipped += waiting.skipped + self._count_incomplete()
            started, left_out, damaged = time.perf_counter(), decoder.left_out, decoder.damaged
            images = decoder.decode(waiting)
            skipped += decoder.left_out - left_out
            self._damaged.add(decoder.damaged - damaged)
            if decoder.falls_behind(waiting.arrival.age_s, time.perf_counter() - started):
                self.reader.drop_waiting()
            for number, image in enumerate(images):
                left = len(images) - number - 1 + self.reader.waiting
                stale = waiting.arrival.age_s > _STALE_S and time.monotonic() < given_s + _STALE_FOR_S
                if left and stale:
                    skipped += 1
                    continue
                geometry = geometries.read(image, self._stream.pixel_shape or decoder.pixel_shape)
                stamp = self._clock.stamp(waiting.arrival, skipped)
                skipped = 0
                yield to_frame(image, geometry, self._name, stamp.index, stamp.time_s, stamp.clock)
                given_s = time.monotonic()
            del images, waiting

    def _take(self) -> QueuedItem[Any]:
        silence_s = network_stream.SILENCE_S
        try:
            return self.reader.take(silence_s)
        except TimeoutError as error:
            self._count_incomplete()
            heard_s = self._stream.heard_s
            if heard_s is not None and time.monotonic() - heard_s < silence_s / 2:
                raise CameraFault(
                    f"no complete JPEG image for {silence_s:g} s, although data arrives",
                    "check the camera, and that it sends Motion JPEG",
                ) from error
            raise CameraFault(f"no data for {silence_s:g} s", "check the camera and the network") from error

    def _count_incomplete(self) -> int:
        """Return the number of images that arrived incomplete since the last call."""
        counted, self._counted = self._counted, self._stream.damaged
        self._damaged.add(self._counted - counted)
        return self._counted - counted


class _LiveDecoder:
    """Decodes packets from a key frame on, and detects when decoding does not keep up.

    ``left_out`` counts the frames that it does not return, because they precede a key frame or are damaged.
    ``damaged`` counts the packets and frames that are damaged although the frames before them are known.
    """

    def __init__(self, context: Any, name: str, *, is_intra: bool) -> None:
        self._context, self._name, self._is_intra = context, name, is_intra
        self._needs_key, self._waiting_since = True, time.monotonic()
        self.left_out = self.damaged = self._errors = 0
        self._begun = False  # a frame has been decoded since the last gap
        self._spent_s = 0.0  # on decoding since it last kept up
        self._warned = False
        context.thread_type, context.thread_count = "SLICE", _THREADS
        context.options = {"max_pixels": str(MOST_PIXELS)}

    @property
    def pixel_shape(self) -> Any:
        """The pixel aspect ratio (width to height) stated by the codec, or None."""
        return self._context.sample_aspect_ratio

    def decode(self, waiting: QueuedItem[Any]) -> list[Any]:
        """Return the images (``av.VideoFrame``) that a packet completes.

        The result is empty before a key frame. Raises CameraFault.
        """
        packet = waiting.item
        if waiting.follows_gap and not packet.is_keyframe:
            self._restart()
        if self._needs_key and not packet.is_keyframe:
            if time.monotonic() - self._waiting_since < _KEY_FRAME_S:
                self.left_out += 1
                return []
        elif (waiting.follows_gap or self._needs_key) and self._context.is_open:
            self._context.flush_buffers()
        self._needs_key = False
        knows_references = self._begun or packet.is_keyframe
        try:
            decoded = self._context.decode(packet)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError as error:
            self._errors += 1
            self.damaged += knows_references
            self.left_out += self._is_intra  # of other codecs, FFmpeg may still return the frame
            if self._errors >= _MAX_ERRORS:
                raise CameraFault(
                    f"cannot decode its images ({error.strerror})", "restart the camera"
                ) from error
            return []
        images = [image for image in decoded if not image.is_corrupt]
        self.left_out += len(decoded) - len(images)
        self.damaged += len(decoded) - len(images) if knows_references else 0
        self._errors = 0 if images else self._errors
        self._begun = self._begun or bool(images)
        return images

    def falls_behind(self, age_s: float, spent_s: float) -> bool:
        """Return whether decoding does not keep up, and if so wait for a key frame.

        ``age_s`` is the age of the last packet, ``spent_s`` the time spent on decoding it.
        """
        self._spent_s = 0.0 if age_s < _STALE_S else self._spent_s + spent_s
        if age_s < _BEHIND_S or self._spent_s < _CATCH_UP_S:
            return False
        if not self._warned:
            self._warned = True
            _LOG.warning(
                "camera %s: decoding %d×%d is too slow on this machine, so frames are skipped; %s",
                self._name,
                self._context.width,
                self._context.height,
                _SLOW_REMEDY,
            )
        self._restart()
        self._spent_s = 0.0
        return True

    def _restart(self) -> None:
        self._begun = False
        self._needs_key, self._waiting_since = True, time.monotonic()
