"""Open files, pipes and URLs with FFmpeg, or explain why they are not videos."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import av

from fer_edge.errors import SourceError
from fer_edge.runtime.interruptible import CallThread
from fer_edge.sources.object_store import is_object_url, open_object
from fer_edge.sources.pipe import PipeReader
from fer_edge.sources.urls import is_url, redact_credentials

__all__ = [
    "MOST_PIXELS",
    "OPTIONS",
    "READ_TIMEOUT_S",
    "STDIN",
    "UNKNOWN_RATE",
    "OpenVideo",
    "find_video",
    "open_video",
    "title_of",
]

STDIN: Final = "-"
MOST_PIXELS: Final = 1 << 26  # of a frame: twice 8K; even a small file may claim any size
OPEN_TIMEOUT_S: Final = 10.0  # until a connection delivers its first data
READ_TIMEOUT_S: Final = 10.0  # until the next packet of a network stream
UNKNOWN_RATE: Final = Fraction(1_000_000, 39_999)
"""The rate that FFmpeg assumes instead of 25 if it is unknown; no stream states this value."""

OPTIONS: Final = {
    "max_pixels": str(MOST_PIXELS),
    "framerate": f"{UNKNOWN_RATE.numerator}/{UNKNOWN_RATE.denominator}",
    "pattern_type": "none",  # for image files: %d in a name is literal
}
"""FFmpeg options used for every input."""
_TEXT_CODECS: Final = frozenset({"ansi", "bintext", "idf", "xbin"})  # FFmpeg renders text files as video
# Limits how much of a pipe is examined: the first row must not wait for megabytes of input.
_PROBE: Final = {"formatprobesize": "32768", "probesize": "65536", "analyzeduration": "500000"}
_HTTP: Final = ("http://", "https://")
_PAGE_TIMEOUT_S: Final = 5.0
_PAGE_START: Final = 1024  # bytes
_JPEG: Final = b"\xff\xd8\xff"
_PROBE_JPEG: Final = {"probesize": "2048", "analyzeduration": "1"}  # every frame is self-describing


@dataclass(slots=True)
class OpenVideo:
    """An open container, its video stream and its input.

    ``pipe`` reads a pipe. ``file`` is another file that FFmpeg cannot open by itself. ``calls`` runs calls that
    wait for the network.
    """

    container: Any = None
    stream: Any = None
    pipe: PipeReader | None = None
    file: Any = None
    calls: CallThread | None = None

    def interrupt(self) -> None:
        """Unblock a read in another thread."""
        if self.pipe is not None:
            self.pipe.close()
        if self.calls is not None:
            self.calls.close()

    def free(self) -> None:
        """Close everything. No thread may be reading."""
        self.interrupt()
        if self.container is not None:
            self.container.close()
        if self.pipe is not None:
            self.pipe.release()
        if self.file is not None:
            self.file.close()
        self.container = self.stream = None


def open_video(address: str) -> OpenVideo:
    """Open the video at a path, a URL, or ``-`` for standard input.

    Raises SourceError if there is no video, and a signal's exception during a wait.
    """
    video = OpenVideo()
    try:
        _open_container(video, address)
        video.stream = find_video(video.container, title_of(address))
    except TimeoutError as error:
        raise SourceError(
            f"{title_of(address)}: cannot open video: no response within {OPEN_TIMEOUT_S:g} s; "
            "check the address"
        ) from error
    except av.error.FFmpegError as error:
        if video.pipe is not None:
            video.pipe.raise_failure()
        raise SourceError(f"{title_of(address)}: cannot open video: {_reason(address, error)}") from error
    except BaseException:
        video.interrupt()
        raise
    finally:
        if video.stream is None and video.container is not None:
            video.free()
    return video


def title_of(address: str) -> str:
    """Return the name of a source for messages."""
    return "standard input" if address == STDIN else redact_credentials(address)


def _open_container(video: OpenVideo, address: str) -> None:
    if address == STDIN:
        if sys.stdin is None:
            raise SourceError("cannot read a video from standard input: it is closed; specify a file")
        video.pipe = PipeReader(sys.stdin.fileno())
    elif is_object_url(address):
        try:
            video.file = open_object(address)
        except OSError as error:
            reason = " ".join(str(error.strerror or error).split())
            raise SourceError(f"{address}: cannot open video: {reason}") from error
    elif is_url(address) and not address.lower().startswith("file://"):
        video.calls = CallThread()
        limit = {"rw_timeout": f"{READ_TIMEOUT_S * 1e6:.0f}", "timeout": f"{READ_TIMEOUT_S * 1e6:.0f}"}
        if address.lower().startswith(_HTTP):
            # Without it, FFmpeg 8.1 reads on in the previous response after a seek if the server keeps the connection.
            limit["multiple_requests"] = "1"
        video.container = video.calls.run(
            partial(av.open, address, metadata_errors="replace", options=OPTIONS | limit), OPEN_TIMEOUT_S
        )
        return
    else:
        _open_path(video, _local_path(address), address)
    if video.pipe is not None:
        video.container = _open_pipe(video.pipe)
    elif video.file is not None:
        video.container = av.open(video.file, metadata_errors="replace", options=OPTIONS)


def _open_pipe(pipe: PipeReader) -> Any:
    """Open the video in a pipe, examining as little of it as possible."""
    jpeg = pipe.peek(len(_JPEG)) == _JPEG
    pipe.raise_failure()
    options = OPTIONS | (_PROBE_JPEG if jpeg else _PROBE)
    return av.open(pipe, format="mjpeg" if jpeg else None, metadata_errors="replace", options=options)


def _local_path(address: str) -> Path:
    """Return the path that a name or a ``file://`` URL refers to."""
    if not address.lower().startswith("file://"):
        return Path(address)
    name = address[len("file://") :].removeprefix("localhost")
    return Path(name) if os.path.lexists(name) else Path(unquote(name))


def _open_path(video: OpenVideo, path: Path, name: str) -> None:
    """Open a file, or only prepare its reader if FFmpeg cannot open it by name."""
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise SourceError(
                f"{name}: cannot open video: it is a folder",
                hint="for the images in it, use: fer-edge folder",
            )
        if stat.S_ISCHR(kind) or stat.S_ISBLK(kind):
            raise SourceError(
                f"{name}: cannot open video: it is a device", hint="for a camera, use: fer-edge camera"
            )
        if stat.S_ISFIFO(kind):
            video.pipe = PipeReader.open(path)
            return
        with path.open("rb") as file:
            if not file.read(1):
                raise SourceError(f"{name}: cannot open video: the file is empty")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"{name}: cannot open video: {reason}") from error
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        # FFmpeg accepts only UTF-8 names, but it can read an open file, although more slowly.
        video.file = path.open("rb")
        return
    # Without the prefix, a name with a colon would be taken for a URL with a protocol.
    video.container = av.open(f"file:{path}", metadata_errors="replace", options=OPTIONS)


def find_video(container: Any, title: str) -> Any:
    """Return the video stream of a container. Raises SourceError if there is none.

    The cover image of an audio file does not count.
    """
    images = container.streams.video
    streams = [s for s in images if not s.disposition & s.disposition.attached_pic]
    # Of several streams, choose the one that players show: the first one marked as default.
    streams.sort(key=lambda s: not s.disposition & s.disposition.default)
    if streams and streams[0].codec_context is not None:
        context = streams[0].codec_context
        if context.name in _TEXT_CODECS:
            raise SourceError(f"{title}: cannot open video: it is a text file; specify a video")
        if context.width * context.height > MOST_PIXELS:
            raise SourceError(
                f"{title}: cannot open video: its frames have {context.width}×{context.height} pixels, more than "
                f"{MOST_PIXELS:,}; scale it down, or check whether the file is damaged"
            )
        return streams[0]
    if streams:
        raise SourceError(f"{title}: cannot open video: FFmpeg has no decoder for its codec; convert it")
    what = "it contains only audio" if container.streams.audio else "it contains no video stream"
    cover = " and a cover image" if images else ""
    raise SourceError(f"{title}: cannot open video: {what}{cover}; specify a video")


def _reason(address: str, error: av.error.FFmpegError) -> str:
    if isinstance(error, OSError | av.error.HTTPError | av.error.HTTPClientError) and not isinstance(
        error, av.error.InvalidDataError
    ):
        return str(error.strerror or error)
    if address == STDIN:
        return (
            "FFmpeg cannot read it as a stream (.avi, .mkv and .ts can be streamed, .mp4 only if it was written for "
            "streaming); specify a file"
        )
    if _returns_page(address):
        return "the server returned a web page, not a video; open it in a browser and download the video"
    return f"unsupported format or damaged {'data' if is_url(address) else 'file'}"


def _returns_page(address: str) -> bool:
    """Return whether a web address leads to a page, such as one that asks for a password."""
    if not address.lower().startswith(_HTTP):
        return False
    from fer_edge.sources.http_stream import HttpStream
    from fer_edge.sources.live import CameraFault

    http = HttpStream(address, _PAGE_TIMEOUT_S)
    try:
        http.open()
        return (
            http.kind.endswith(("html", "xhtml+xml"))
            or http.peek(_PAGE_START).lstrip()[:9].lower() == b"<!doctype"
        )
    except CameraFault:
        return False
    finally:
        http.close()
