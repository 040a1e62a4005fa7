"""Packets from network cameras over HTTP, RTSP and other FFmpeg protocols."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any, Final
from urllib.parse import urlsplit

import av

from fer_edge.errors import SourceError
from fer_edge.sources.http_stream import HttpStream, describe_network_error, describe_status
from fer_edge.sources.jpeg_stream import JpegSplitter
from fer_edge.sources.live import CameraFault, RecordingEnded
from fer_edge.sources.live_reader import Backlog
from fer_edge.sources.video_container import OPTIONS, UNKNOWN_RATE, find_video
from fer_edge.sources.video_facts import sanitize_frame_rate

__all__ = ["SILENCE_S", "NetworkStream"]

SILENCE_S: Final = 5.0  # without a packet until the camera counts as lost
_MAX_RATE: Final = 240.0  # frames per second; higher values are clock ticks
_PEEK: Final = 4096
_MAX_PEEKED: Final = 16 << 20
_MIN_BYTES: Final = 16  # bytes needed to recognize a format
_ENDLESS: Final = 1 << 40  # bytes; some servers state a huge length for an endless stream
_JPEG: Final = b"\xff\xd8\xff"
_PNG: Final = b"\x89PNG"
_MAX_FAILURES: Final = 100  # demuxer errors in a row
_CHECK: Final = "check the address and that the camera is on"
_NAME_STREAM: Final = "use the address of the stream itself; see the camera's manual or settings"
_RECORDING: Final = "the server returned a recording, not a live stream"
_RECORDING_HINT: Final = "to read it, use: fer-edge video"
_PRINTABLE: Final = frozenset(b"\t\r\n" + bytes(range(32, 127)))
_PLAYLIST: Final = b"#EXTM3U"
_PLAYLIST_KINDS: Final = ("mpegurl", "dash+xml")
_INTRA: Final = frozenset({"mjpeg", "mjpegb", "rawvideo", "png", "jpeg2000", "dvvideo", "prores", "dnxhd"})
_HTTP_ERRORS: Final = {
    av.error.HTTPBadRequestError: 400,
    av.error.HTTPUnauthorizedError: 401,
    av.error.HTTPForbiddenError: 403,
    av.error.HTTPNotFoundError: 404,
}

# Probe as little as possible before the first frame: by default, FFmpeg examines 5 s of a stream to find its rate.
# fflags=nobuffer is meant for this, but it discards the probed data, which contain the first key frame.
_LIVE: Final = {
    "probesize": "65536",
    "formatprobesize": "32768",
    "analyzeduration": "500000",
    "fpsprobesize": "0",
}


class NetworkStream:
    """A device whose items are packets (``av.Packet``) of one video stream.

    After opening, ``context`` decodes them. ``pixel_shape`` is the pixel aspect ratio (width to height) and
    ``frame_rate`` the frames per second stated by the container; ``size`` (width, height) is that of the decoded
    images. Each is None if not stated. If every packet is a complete image, ``backlog`` keeps only the newest.
    ``damaged`` counts the images that arrived incomplete, and ``heard_s`` is the monotonic time of the last data of
    an MJPEG stream.
    """

    def __init__(self, address: str, title: str, backlog: Backlog[Any]) -> None:
        self.context: Any = None
        self.pixel_shape: Fraction | None = None
        self.frame_rate: float | None = None
        self.size: tuple[int, int] | None = None
        self.damaged = 0
        self.heard_s: float | None = None
        self._address, self._title, self._backlog = address, title, backlog
        self._container: Any = None
        self._http: HttpStream | None = None
        self._packets: Iterator[Any] = iter(())
        self._recording_s: float | None = None  # the duration, if it is a recording

    def open(self) -> None:
        """Connect and detect the format. Raises CameraFault."""
        try:
            parts = urlsplit(self._address)
            scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
        except ValueError as error:
            raise describe_network_error(error) from error
        if scheme in ("http", "https"):
            self._open_http(scheme)
        else:
            try:
                self._open_container(self._address, _protocol_options(scheme))
            except CameraFault as fault:
                if not isinstance(fault.__cause__, av.error.ProtocolNotFoundError):
                    _resolve(host, port)
                raise
            length_s = (self._container.duration or 0) / av.time_base
            self._recording_s = length_s if length_s > 0 else None
        self._backlog.newest_only = self.is_intra

    @property
    def is_intra(self) -> bool:
        """Whether every packet is a complete image."""
        return self.context.name in _INTRA

    def read(self) -> Any:
        """Return the next packet. Raises CameraFault at the end of the stream."""
        return next(self._packets)

    def interrupt(self) -> None:
        """Unblock an HTTP read; FFmpeg's own reads end with their timeout."""
        http = self._http
        if http is not None:
            http.interrupt()

    def close(self) -> None:
        """Close the connection."""
        self._packets = iter(())
        if self._container is not None:
            with suppress(av.error.FFmpegError):
                self._container.close()
        if self._http is not None:
            self._http.close()

    def _open_http(self, scheme: str) -> None:
        http = self._http = HttpStream(self._address, SILENCE_S)
        http.open()
        start = http.peek(_PEEK)
        multipart = http.kind.startswith("multipart/")
        while not multipart and _is_undecided(start) and http.peek_more():
            start = http.peek(_PEEK)
        multipart = multipart or _is_multipart(start)
        if not multipart:
            _refuse_non_stream(http, start)
        if multipart or start.startswith(_JPEG):
            self.context = av.CodecContext.create("mjpeg", "r")
            self._packets = self._split_jpegs(http)
        elif start.startswith(_PLAYLIST) or http.kind.endswith(_PLAYLIST_KINDS):
            http.close()
            self._http = None
            # FFmpeg fetches the segments of the playlist
            self._open_container(self._address, _protocol_options(scheme))
        else:
            self._open_container(http, {})
            if self._container.duration:
                raise CameraFault(_RECORDING, hint=_RECORDING_HINT, permanent=True)

    def _open_container(self, file: Any, options: dict[str, str]) -> None:
        began_s = time.monotonic()
        try:
            container = av.open(file, metadata_errors="replace", options=OPTIONS | _LIVE | options)
            self._container = container
            stream = find_video(container, self._title)
        except SourceError as error:
            reason = str(error).removeprefix(f"{self._title}: cannot open video: ")
            raise CameraFault(reason.partition("; ")[0], _NAME_STREAM, permanent=True) from error
        except av.error.FFmpegError as error:
            if time.monotonic() - began_s >= SILENCE_S:
                raise CameraFault("no response", _CHECK) from error  # whichever error FFmpeg reports
            raise _describe_ffmpeg_error(error, self._address) from error
        context = self.context = stream.codec_context
        self.pixel_shape = stream.sample_aspect_ratio
        self.size = (context.width, context.height) if context.width and context.height else None
        self.frame_rate = _find_rate(stream)
        self._packets = self._demux(container, stream)

    def _demux(self, container: Any, stream: Any) -> Iterator[Any]:
        failures, packets = 0, container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.error.InvalidDataError, av.error.PatchWelcomeError) as error:
                failures += 1
                if failures >= _MAX_FAILURES:
                    raise CameraFault("the data it sends is damaged", _CHECK) from error
                packets = container.demux(stream)
                continue
            except av.error.EOFError:
                packet = None
            except av.error.FFmpegError as error:
                raise _describe_ffmpeg_error(error, self._address) from error
            failures = 0
            if packet is None or (not packet.size and packet.dts is None):
                break
            if packet.size:
                yield packet
        if self._recording_s is not None:
            raise RecordingEnded(
                f"the recording of {self._recording_s:.0f} s that it sent has ended", hint=_RECORDING_HINT
            )
        raise CameraFault("the server closed the connection", _CHECK)

    def _split_jpegs(self, http: HttpStream) -> Iterator[Any]:
        splitter, images = JpegSplitter(), 0
        while data := http.read():
            self.heard_s = time.monotonic()
            for image in splitter.feed(data):
                images += 1
                self.damaged = splitter.broken
                packet = av.Packet(image)
                packet.is_keyframe = True
                yield packet
            self.damaged = splitter.broken
        if images == 0:
            what = "a truncated image" if splitter.broken else "data without a JPEG image"
            raise CameraFault(f"the server closed the connection after {what}", _NAME_STREAM)
        raise CameraFault("the server closed the connection", _CHECK)


def _refuse_non_stream(http: HttpStream, start: bytes) -> None:
    """Raise CameraFault if the response is not a video stream, naming what it is."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    what = None
    if not start:
        what = "an empty response"
    elif (
        start.startswith(_PNG)
        or http.kind.startswith("image/")
        or (start.startswith(_JPEG) and _is_one_image(http))
    ):
        what = "one image, not a stream"
    elif text.startswith(b"<mpd") or (text.startswith(b"<?xml") and b"<mpd" in text):
        return
    elif text.startswith((b"<!doctype html", b"<html")) or http.kind in (
        "text/html",
        "application/xhtml+xml",
    ):
        what = "a web page, not a stream"
    elif text.startswith((b"{", b"[")) or http.kind.endswith("json"):
        what = "JSON, not a stream"
    elif text.startswith(b"<?xml") or http.kind.endswith("/xml"):
        what = "XML, not a stream"
    elif (http.length or _ENDLESS) < _ENDLESS and not start.startswith(_PLAYLIST):
        if http.kind.startswith("text/"):
            what = "text, not a stream"
        else:
            raise CameraFault(_RECORDING, hint=_RECORDING_HINT, permanent=True)
    if what is not None:
        raise CameraFault(f"the server returned {what}", _NAME_STREAM, permanent=True)


def _is_multipart(start: bytes) -> bool:
    """Return whether the first bytes are a multipart header followed by a JPEG.

    The content type is not considered.
    """
    place = start.find(_JPEG)
    return place > 0 and all(byte in _PRINTABLE for byte in start[:place])


def _is_undecided(start: bytes) -> bool:
    """Return whether more bytes are needed to recognize the format."""
    if not start or len(start) >= _PEEK or _JPEG in start:
        return False
    return len(start) < _MIN_BYTES or (all(byte in _PRINTABLE for byte in start) and b"--" in start[:8])


def _is_one_image(http: HttpStream) -> bool:
    """Return whether a body that begins with a JPEG ends after it."""
    if (http.length or _ENDLESS) < _ENDLESS:
        return True
    splitter, place = JpegSplitter(), 0
    while len(start := http.peek(_PEEK)) < _MAX_PEEKED:
        images = list(splitter.feed(start[place:]))
        place = len(start)
        if images:
            return not http.peek_more()
        if not http.peek_more():
            return False
    return False


def _find_rate(stream: Any) -> float | None:
    """Return the frames per second stated by the stream, or None.

    FFmpeg's estimate from the first packets is not used: it is often twice too high.
    """
    for rate in (stream.average_rate, stream.codec_context.framerate):
        known = sanitize_frame_rate(float(rate)) if rate and rate != UNKNOWN_RATE else None
        # Some network cameras state their clock's tick rate as the frame rate.
        if known is not None and known <= _MAX_RATE:
            return known
    return None


def _resolve(host: str | None, port: int | None) -> None:
    """Raise CameraFault for an unknown host, which FFmpeg does not report as such."""
    if host:
        try:
            socket.getaddrinfo(host, port)
        except (OSError, UnicodeError) as error:
            raise describe_network_error(error) from error


def _protocol_options(scheme: str) -> dict[str, str]:
    """Return FFmpeg's timeouts for a protocol, and for RTSP options that prefer TCP and request only video."""
    microseconds = f"{SILENCE_S * 1e6:.0f}"
    if scheme.startswith("rtmp"):  # whose option "timeout" would make FFmpeg wait for a client
        return {"rw_timeout": microseconds}
    options = {"timeout": microseconds, "rw_timeout": microseconds}
    if scheme.startswith("rtsp"):
        options |= {"rtsp_flags": "prefer_tcp", "allowed_media_types": "video"}
    return options


def _describe_ffmpeg_error(error: av.error.FFmpegError, address: str) -> CameraFault:
    """Return the fault for an FFmpeg error."""
    for kind, status in _HTTP_ERRORS.items():
        if isinstance(error, kind):
            return describe_status(status, error.strerror, address)
    if isinstance(error, av.error.HTTPServerError):
        return CameraFault("the server responded with an error (5xx)", _CHECK)
    if isinstance(error, av.error.ProtocolNotFoundError):
        return CameraFault(
            "the bundled FFmpeg does not support this kind of address",
            "use rtsp:// or http://",
            permanent=True,
        )
    if isinstance(error, av.error.InvalidDataError):
        # An RTSP server reports this while its camera has not started yet.
        lasting = not address.lower().startswith("rtsp")
        return CameraFault(
            "the server returned data in a format that FFmpeg cannot read", _NAME_STREAM, permanent=lasting
        )
    if isinstance(error, av.error.EOFError):
        return CameraFault("the server closed the connection", _CHECK)
    return describe_network_error(error)
