"""Loopback cameras that can be stopped, stalled and restarted: MJPEG and H.264 over HTTP, and RTSP."""

from __future__ import annotations

import io
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Self

import av
import cv2
import numpy as np

from fer_edge.sources.base import Source, SourceItem
from fer_edge.sources.registry import create_source
from fer_edge.types import Discontinuity, Frame, Image
from tests.edge.sources.clips import numbered
from tests.edge.support import encode

BOUNDARY: Final = b"frame"
RTSP_SERVER: Final = Path(__file__).with_name("rtsp_server.py")
SYSTEM_PYTHON: Final = "/usr/bin/python3"  # Debian's Python, which has GStreamer


class Client:
    """A connection to a server: its request, and methods that send until the server stops."""

    def __init__(self, connection: socket.socket, server: CameraServer) -> None:
        self._connection, self._server = connection, server
        self.request = b""
        while b"\r\n\r\n" not in self.request and (data := connection.recv(65536)):
            self.request += data
        self.path = self.request.split(b" ")[1].decode() if self.request else ""

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._connection.sendall(data)

    def head(
        self, kind: str = "", *, status: str = "200 OK", length: int | None = None, more: str = ""
    ) -> None:
        """Send the head of a response."""
        lines = [f"HTTP/1.1 {status}", "Connection: close"]
        lines += [f"Content-Type: {kind}"] if kind else []
        lines += [] if length is None else [f"Content-Length: {length}"]
        lines += [more] if more else []
        self.send("\r\n".join([*lines, "", ""]).encode())

    def wait(self, seconds: float) -> bool:
        """Wait; return whether the server is still running."""
        return not self._server.ending.wait(seconds)


Answer = Callable[[Client], None]


class CameraServer:
    """A loopback server that handles each connection in a thread and keeps its port across restarts."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.ending = threading.Event()
        self.requests: list[bytes] = []
        self.port = 0
        self._listener: socket.socket | None = None
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"http://127.0.0.1:{self.port}/stream"

    def start(self) -> None:
        """Start listening."""
        self.ending = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._begin(self._accept, self._listener)

    def stop(self) -> None:
        """Close the server and all connections at once."""
        self.ending.set()
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self.break_off()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def break_off(self) -> None:
        """Close all open connections."""
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._connections.clear()

    def _begin(self, function: Callable[..., None], *arguments: Any) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection = listener.accept()[0]
                self._connections.append(connection)
                self._begin(self._respond, connection)

    def _respond(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            client = Client(connection, self)
            self.requests.append(client.request)
            self.answer(client)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def jpegs(count: int = 32, size: tuple[int, int] = (256, 192)) -> list[bytes]:
    """Return the numbered frames as JPEGs."""
    return [encode(".jpg", numbered(number, size)) for number in range(count)]


def part(jpeg: bytes, *, boundary: bytes = b"--" + BOUNDARY, length: bool = True) -> bytes:
    """Return a JPEG as one part of a multipart stream."""
    stated = b"Content-Length: %d\r\n" % len(jpeg) if length else b""
    return boundary + b"\r\nContent-Type: image/jpeg\r\n" + stated + b"\r\n" + jpeg + b"\r\n"


def mjpeg(images: list[bytes], *, rate: float = 25.0, count: int | None = None) -> Answer:
    """Return an MJPEG camera that loops over images: forever, or ``count`` times, then it disconnects."""

    def answer(client: Client) -> None:
        client.head(f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}")
        number = 0
        while (count is None or number < count) and client.wait(1 / rate):
            client.send(part(images[number % len(images)]))
            number += 1

    return answer


def encode_ts(
    frames: int = 75,
    size: tuple[int, int] = (256, 192),
    *,
    rate: int = 25,
    gop: int = 25,
    codec: str = "libx264",
    intra_refresh: bool = False,
) -> list[bytes]:
    """Encode the numbered frames as MPEG-TS; return the bytes of each frame."""
    target = io.BytesIO()
    chunks: list[bytes] = []
    options = {"preset": "ultrafast", "tune": "zerolatency"} if codec == "libx264" else {}
    options |= {"intra-refresh": "1"} if intra_refresh else {}
    with av.open(target, "w", format="mpegts", options={"flush_packets": "1"}) as output:
        stream: Any = output.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.gop_size = gop
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(numbered(number, size), format="bgr24").reformat(
                format="yuv420p"
            )
            frame.pts, frame.time_base = number, Fraction(1, rate)
            output.mux(stream.encode(frame))
            chunks.append(target.getvalue())
            target.seek(0)
            target.truncate()
        output.mux(stream.encode(None))
    return [chunk for chunk in chunks if chunk]


def transport_stream(
    chunks: list[bytes], *, rate: float = 25.0, first: int = 0, kind: str = "video/mp2t"
) -> Answer:
    """Return a camera that sends MPEG-TS in a loop, ``rate`` chunks per second, from chunk ``first`` on."""

    def answer(client: Client) -> None:
        client.head(kind)
        number = first
        while client.wait(1 / rate):
            client.send(chunks[number % len(chunks)])
            number += 1

    return answer


@contextmanager
def rtsp_camera(pipeline: str, *options: str, port: int = 0) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start GStreamer's RTSP server on a pipeline whose payloader is ``pay0``; return its URL and process."""
    process = subprocess.Popen(
        [SYSTEM_PYTHON, str(RTSP_SERVER), str(port), pipeline, *options], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        bound = process.stdout.readline().strip()
        assert bound, "GStreamer's RTSP server did not start"
        yield f"rtsp://127.0.0.1:{bound}/live", process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def has_rtsp_server() -> bool:
    """Return whether Debian's GStreamer with its RTSP server is installed."""
    if shutil.which(SYSTEM_PYTHON) is None:
        return False
    done = subprocess.run(
        [SYSTEM_PYTHON, str(RTSP_SERVER), "--check"], capture_output=True, timeout=60, check=False
    )
    return done.returncode == 0


def camera(address: str, **options: Any) -> Source:
    """Create the source for a camera, as the command line does."""
    return create_source("camera", address, **options)


class Watcher:
    """Reads a camera in a thread; records its frames without pixels, its discontinuities and its error."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.items: list[SourceItem] = []
        self.grays: list[Any] = []
        self.arrived: list[float] = []
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def frames(self) -> list[Frame]:
        """The frames so far."""
        return [item for item in list(self.items) if isinstance(item, Frame)]

    @property
    def changes(self) -> list[Discontinuity]:
        """The discontinuities so far."""
        return [item for item in list(self.items) if isinstance(item, Discontinuity)]

    def _run(self) -> None:
        try:
            for item in self.source:
                if isinstance(item, Frame):
                    self.grays.append(item.gray[-8].copy())
                    item = Frame(
                        lambda: np.zeros((1, 1, 3), np.uint8), item.source, item.index, item.time_s,
                        size=item.size, clock=item.clock,
                    )  # fmt: skip
                self.items.append(item)
                self.arrived.append(time.monotonic())
        except BaseException as error:  # noqa: BLE001  (looked at by the test)
            self.error = error

    def __enter__(self) -> Self:
        self.source.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.source.__exit__(None, None, None)
        self._thread.join(10)
        assert not self._thread.is_alive()


def shown(image: Image) -> Image:
    """Return an image after JPEG compression."""
    return np.asarray(
        cv2.imdecode(np.frombuffer(encode(".jpg", image), np.uint8), cv2.IMREAD_COLOR), np.uint8
    )
