"""A camera's stream on the network, as packets: RTSP and whatever else FFmpeg connects to, and HTTP."""

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

SILENCE_S: Final = 5.0  # without a packet, and the camera is lost
_MAX_RATE: Final = 240.0  # frames per second; what is above is the tick of a clock
_PEEK: Final = 4096
_MOST_PEEKED: Final = 16 << 20
_LEAST: Final = 16  # bytes that tell a kind
_ENDLESS: Final = 1 << 40  # bytes; some servers state a length for a stream, which has none
_JPEG: Final = b"\xff\xd8\xff"
_PNG: Final = b"\x89PNG"
_MOST_FAILURES: Final = 100  # of the demuxer in a row
_CHECK: Final = "check the address and that the camera is on"
_NAME_STREAM: Final = "name the address of the stream itself, which is in the camera's manual or settings"
_RECORDING: Final = "it answers with a recording, which has an end", "read it with: fer-edge video"
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

# The first frame waits for as little as possible: FFmpeg would look at 5 s of a stream to find its rate. Not
# fflags=nobuffer, which is for that, too: what was looked at is lost with it, and the first key frame is in there.
_LIVE: Final = {
    "probesize": "65536",
    "formatprobesize": "32768",
    "analyzeduration": "500000",
    "fpsprobesize": "0",
}


class NetworkStream:
    """A device whose items are packets (``av.Packet``) of one stream of images.

    Once it is open, ``context`` decodes them; ``pixel_shape`` is what the container says of a pixel's width to its
    height, ``frame_rate`` what it says of the frames a second, ``size`` (width, height) that of the decoded images;
    each is None where it is not stated. Where each packet is an image, ``backlog`` then holds the newest alone.
    """

    def __init__(self, address: str, title: str, backlog: Backlog[Any]) -> None:
        self.context: Any = None
        self.pixel_shape: Fraction | None = None
        self.frame_rate: float | None = None
        self.size: tuple[int, int] | None = None
        self._address, self._title, self._backlog = address, title, backlog
        self._container: Any = None
        self._http: HttpStream | None = None
        self._packets: Iterator[Any] = iter(())
        self._recording_s: float | None = None  # the length that a recording states

    def open(self) -> None:
        """Connect and find out what comes; raises CameraFault."""
        try:
            parts = urlsplit(self._address)
            scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
        except ValueError as error:
            raise describe_network_error(error) from error
        if scheme in ("http", "https"):
            self._open_http()
        else:
            _resolve(host, port)
            self._open_container(self._address, _rtsp_options() if scheme.startswith("rtsp") else _timeouts())
            length_s = (self._container.duration or 0) / av.time_base
            self._recording_s = length_s if length_s > 0 else None
        self._backlog.newest_only = _is_intra(self.context)

    def read(self) -> Any:
        """The next packet; raises CameraFault at the end or where the connection is lost."""
        return next(self._packets)

    def interrupt(self) -> None:
        """End a wait for HTTP; FFmpeg's own end with its time-out."""
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

    def _open_http(self) -> None:
        http = self._http = HttpStream(self._address, SILENCE_S)
        http.open()
        start = http.peek(_PEEK)
        multipart = http.kind.startswith("multipart/")
        while not multipart and _is_undecided(start) and http.peek_more():
            start = http.peek(_PEEK)
        multipart = multipart or _is_multipart(start)
        if not multipart:
            _refuse_what_is_no_stream(http, start)
        if multipart or start.startswith(_JPEG):
            self.context = av.CodecContext.create("mjpeg", "r")
            self._packets = self._split_jpegs(http)
        elif start.startswith(_PLAYLIST) or http.kind.endswith(_PLAYLIST_KINDS):
            http.close()
            self._http = None
            self._open_container(self._address, _timeouts())  # FFmpeg fetches the parts that it names
        else:
            self._open_container(http, {})
            if self._container.duration:
                raise CameraFault(*_RECORDING, permanent=True)

    def _open_container(self, file: Any, options: dict[str, str]) -> None:
        began_s = time.monotonic()
        try:
            container = av.open(file, metadata_errors="replace", options=OPTIONS | _LIVE | options)
            self._container = container
            stream = find_video(container, self._title)
        except SourceError as error:
            reason = str(error).removeprefix(f"{self._title}: expected a video, ")
            raise CameraFault(reason.partition("; ")[0], _NAME_STREAM, permanent=True) from error
        except av.error.FFmpegError as error:
            if time.monotonic() - began_s >= SILENCE_S:
                raise CameraFault("there was no answer", _CHECK) from error  # whatever FFmpeg calls it
            raise _describe_ffmpeg_error(error, self._address) from error
        context = self.context = stream.codec_context
        self.pixel_shape = stream.sample_aspect_ratio
        self.size = (context.width, context.height) if context.width and context.height else None
        self.frame_rate = _stated_rate(stream)
        self._packets = self._demux(container, stream)

    def _demux(self, container: Any, stream: Any) -> Iterator[Any]:
        failures, packets = 0, container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.error.InvalidDataError, av.error.PatchWelcomeError) as error:
                failures += 1
                if failures >= _MOST_FAILURES:
                    raise CameraFault("what it sends is damaged", _CHECK) from error
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
                f"it sent a recording of {self._recording_s:.0f} s, which has ended", _RECORDING[1]
            )
        raise CameraFault("it closed the connection", _CHECK)

    def _split_jpegs(self, http: HttpStream) -> Iterator[Any]:
        splitter, images = JpegSplitter(), 0
        while data := http.read():
            for image in splitter.feed(data):
                images += 1
                packet = av.Packet(image)
                packet.is_keyframe = True
                yield packet
        if images == 0:
            what = "an image that is cut off" if splitter.broken else "nothing that is a JPEG"
            raise CameraFault(f"it closed the connection after {what}", _NAME_STREAM)
        raise CameraFault("it closed the connection", _CHECK)


def _refuse_what_is_no_stream(http: HttpStream, start: bytes) -> None:
    """Raise a CameraFault that says what a server answers with, where that is no stream of images."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    what = None
    if not start:
        what = "nothing"
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
            what = "a text, not a stream"
        else:
            raise CameraFault(*_RECORDING, permanent=True)
    if what is not None:
        raise CameraFault(f"it answers with {what}", _NAME_STREAM, permanent=True)


def _is_multipart(start: bytes) -> bool:
    """Whether these first bytes are the head of a part and a JPEG, whatever the server calls it."""
    place = start.find(_JPEG)
    return place > 0 and all(byte in _PRINTABLE for byte in start[:place])


def _is_undecided(start: bytes) -> bool:
    """Whether more bytes are needed to tell what a server sends."""
    if not start or len(start) >= _PEEK or _JPEG in start:
        return False
    return len(start) < _LEAST or (all(byte in _PRINTABLE for byte in start) and b"--" in start[:8])


def _is_one_image(http: HttpStream) -> bool:
    """Whether a body that begins with a JPEG ends with it."""
    if (http.length or _ENDLESS) < _ENDLESS:
        return True
    splitter, place = JpegSplitter(), 0
    while len(start := http.peek(_PEEK)) < _MOST_PEEKED:
        images = list(splitter.feed(start[place:]))
        place = len(start)
        if images:
            return not http.peek_more()
        if not http.peek_more():
            return False
    return False


def _stated_rate(stream: Any) -> float | None:
    """Frames a second as the stream states them; FFmpeg's guess after the first packets is often twice as much."""
    for rate in (stream.average_rate, stream.codec_context.framerate):
        known = sanitize_frame_rate(float(rate)) if rate and rate != UNKNOWN_RATE else None
        # Cameras on the network state the ticks of their clock as a rate.
        if known is not None and known <= _MAX_RATE:
            return known
    return None


def _resolve(host: str | None, port: int | None) -> None:
    """Raise a CameraFault for a host that is unknown, which FFmpeg does not say."""
    if host:
        try:
            socket.getaddrinfo(host, port)
        except (OSError, UnicodeError) as error:
            raise describe_network_error(error) from error


def _is_intra(context: Any) -> bool:
    """Whether each packet of a codec is an image that needs no other."""
    return context.name in _INTRA


def _rtsp_options() -> dict[str, str]:
    """TCP first, UDP where the camera refuses that; the images alone."""
    return _timeouts() | {"rtsp_flags": "prefer_tcp", "allowed_media_types": "video"}


def _timeouts() -> dict[str, str]:
    microseconds = f"{SILENCE_S * 1e6:.0f}"
    return {"timeout": microseconds, "rw_timeout": microseconds}


def _describe_ffmpeg_error(error: av.error.FFmpegError, address: str) -> CameraFault:
    """The fault that an error of FFmpeg stands for."""
    for kind, status in _HTTP_ERRORS.items():
        if isinstance(error, kind):
            return describe_status(status, error.strerror, address)
    if isinstance(error, av.error.HTTPServerError):
        return CameraFault("it answers with an error of its own (5xx)", _CHECK)
    if isinstance(error, av.error.ProtocolNotFoundError):
        return CameraFault(
            "FFmpeg does not know this kind of address", "use rtsp:// or http://", permanent=True
        )
    if isinstance(error, av.error.InvalidDataError):
        # Of RTSP that is what a server gives whose camera has not started yet.
        lasting = not address.lower().startswith("rtsp")
        return CameraFault("it answers with nothing that FFmpeg can read", _NAME_STREAM, permanent=lasting)
    if isinstance(error, av.error.EOFError):
        return CameraFault("it closed the connection", _CHECK)
    return describe_network_error(error)
