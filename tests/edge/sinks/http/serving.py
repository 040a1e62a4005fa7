"""A live view served on loopback, and clients that read it byte by byte."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from fer_edge.rendering.view import View
from fer_edge.sinks.base import RunStatus, SinkRequest
from fer_edge.sinks.http.sink import HttpSink
from fer_edge.types import StreamInfo
from tests.edge.support import LABELS, make_view, noise

STREAM = StreamInfo(name="camera 0", live=True, frame_rate=30.0)
TOKEN = "a-token-of-the-user_0123456789"


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's response; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Served:
    """An open sink and its address."""

    def __init__(
        self,
        target: str = "0",
        token: str = "",
        stream: StreamInfo = STREAM,
        labels: tuple[str, ...] = LABELS,
        status: RunStatus | None = None,
    ) -> None:
        self.status = status or RunStatus()
        request = SinkRequest(target=target, stream=stream, labels=labels, status=self.status)
        self.sink = HttpSink(request, token)
        self.port = urlsplit(self.sink.url).port or 0
        self._number = 0
        self._stop = Event()
        self.sink.open(stream, self._stop)
        self._feeding: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_feeding()
        self.sink.close()

    def write(self, view: View | None = None) -> None:
        """Write one frame to the sink."""
        self._number += 1
        self.sink.write(view or make_view(self._number, image=noise(), time_s=self._number / 30))
        self.status.frames += 1

    def feed(self, every_s: float = 0.03, make: Callable[[int], View | None] = lambda number: None) -> None:
        """Keep writing frames in a thread; ``make`` creates each from its number."""

        def run() -> None:
            while not self._stop.wait(every_s):
                self.write(make(self._number))

        self._feeding = threading.Thread(target=run)
        self._feeding.start()

    def stop_feeding(self) -> None:
        """Stop writing frames."""
        self._stop.set()
        if self._feeding is not None:
            self._feeding.join()
            self._feeding = None

    # --- clients ---

    def connect(self, buffer: int = 0) -> socket.socket:
        """Open a connection without sending anything; a small ``buffer`` fills up quickly."""
        connection = socket.socket()
        if buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        connection.settimeout(20)
        try:
            connection.connect(("127.0.0.1", self.port))
        except OSError:
            connection.close()
            raise
        return connection

    def send(self, raw: bytes) -> bytes:
        """Send bytes and return everything received until the server closes the connection."""
        with self.connect() as connection:
            connection.sendall(raw)
            return read_all(connection)

    def get(self, path: str = "/", method: str = "GET", **headers: str) -> Answer:
        """Send a request as a browser does; ``host=""`` omits that header."""
        return parse(self.send(format_request(self.port, path, method, **headers)))

    @contextmanager
    def watch(self, path: str, buffer: int = 0, **headers: str) -> Iterator[socket.socket]:
        """Open a connection to a stream and send its request."""
        with self.connect(buffer) as connection:
            connection.sendall(format_request(self.port, path, "GET", **headers))
            yield connection


def format_request(port: int, path: str, method: str = "GET", **headers: str) -> bytes:
    named = {"host": f"127.0.0.1:{port}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items() if value)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def read_all(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def read_until(connection: socket.socket, end: bytes) -> bytes:
    """Read up to and including ``end``, byte by byte."""
    got = b""
    while not got.endswith(end):
        part = connection.recv(1)
        assert part, f"closed after {got[-200:]!r}"
        got += part
    return got


def parse(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    assert first.startswith("HTTP/1.1 "), raw[:200]
    headers = dict(line.split(": ", 1) for line in lines)
    return Answer(int(first.split()[1]), {name.lower(): value for name, value in headers.items()}, body)


class Events:
    """The events of a connection to ``/events``."""

    def __init__(self, connection: socket.socket) -> None:
        self._file = connection.makefile("rb")
        while self._file.readline().strip():  # the head of the response
            pass

    def next(self, name: str) -> Any:
        """Return the data of the next event with that name."""
        kind = ""
        while line := self._file.readline():
            field, _, value = line.decode().rstrip("\n").partition(": ")
            if field == "event":
                kind = value
            elif field == "data" and kind == name:
                return json.loads(value)
        raise AssertionError(f"it ended without {name!r}")


def read_image(connection: socket.socket) -> bytes:
    """Return the JPEG of the next part of ``/stream``."""
    head = read_until(connection, b"\r\n\r\n").decode()
    while "Content-Length" not in head:  # the head of the response
        head = read_until(connection, b"\r\n\r\n").decode()
    size = int(head.split("Content-Length: ")[1].split("\r\n")[0])
    content = b""
    while len(content) < size:
        content += connection.recv(size - len(content))
    return content


def thread_names() -> list[str]:
    """Return the thread names of live views."""
    return [t.name for t in threading.enumerate() if "http" in t.name or "process_request" in t.name]
