"""The routes of the live view server."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from fer_edge.sinks.http.live import LiveState
from fer_edge.sinks.http.metrics import METRICS_KIND, format_metrics
from fer_edge.sinks.http.request import Request, RequestError
from fer_edge.sinks.http.response import HTML, JSON, TEXT, Response

__all__ = ["ROUTES", "Route", "Streamer", "read_page_file", "respond_without_token"]

_FOLDER: Final = Path(__file__).parent / "page"
_STATUS_EVERY_S: Final = 1.0
_LOOK_EVERY_S: Final = 1.0  # how often to check idle viewers for closed connections
_SNAPSHOT_S: Final = 3.0
_RETRY_MS: Final = 1000
_BOUNDARY: Final = "fer-edge-image"

Streamer = Callable[[socket.socket, LiveState], None]
"""A function that sends until the run ends, or until the viewer leaves (OSError)."""


@dataclass(frozen=True, slots=True)
class Route:
    """A path that serves a response, or a stream with the content type ``kind``.

    ``is_public``: the path needs no token. ``is_linkable``: other sites may link to it.
    """

    respond: Callable[[LiveState], Response] | None = None
    stream: Streamer | None = None
    kind: str = ""
    is_public: bool = False
    is_linkable: bool = False


def respond_without_token(request: Request) -> Response:
    """Return the response to a request without a token.

    It is a form for the page, and one line for other paths.
    """
    headers = {"WWW-Authenticate": "Bearer"}
    if request.path == "/":
        return Response(read_page_file("token.html"), HTML, 401, headers)
    return Response(b"This address needs the token that fer-edge printed.\n", TEXT, 401, headers)


@cache
def read_page_file(name: str) -> bytes:
    """Return a file of the page."""
    return (_FOLDER / name).read_bytes()


def _page_file(name: str, kind: str, *, is_public: bool = False, is_linkable: bool = False) -> Route:
    return Route(
        lambda live: Response(read_page_file(name), kind), is_public=is_public, is_linkable=is_linkable
    )


def _respond_with_health(live: LiveState) -> Response:
    now = live.status()
    health = {
        "state": now["state"],
        "frames": now["frames"],
        "fps": now["fps"],
        "frame_age_s": now["frame_age_s"],
        "reconnects": now["reconnects"],
    }
    return Response(json.dumps(health).encode() + b"\n", JSON, 200 if now["state"] == "running" else 503)


def _respond_with_metrics(live: LiveState) -> Response:
    return Response(format_metrics(live), METRICS_KIND)


def _respond_with_snapshot(live: LiveState) -> Response:
    with live.images.watch() as number:
        newest = live.images.wait(number, _SNAPSHOT_S)
    jpeg = newest[1].jpeg() if newest is not None else b""
    if not jpeg:
        raise RequestError(503, "No frame has arrived; try again later.")
    return Response(jpeg, "image/jpeg", headers={"Content-Disposition": 'inline; filename="fer-edge.jpg"'})


def _stream_images(connection: socket.socket, live: LiveState) -> None:
    """Send the images as parts of one multipart response."""
    with live.images.watch() as number:
        connection.sendall(f"--{_BOUNDARY}\r\n".encode())
        while not live.images.ended:
            newest = live.images.wait(number, _LOOK_EVERY_S)
            if newest is None:
                _check_viewer(connection)
                continue
            number, image = newest
            jpeg = image.jpeg()
            head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
            # Browsers show a part once they receive the boundary after it, so send it now, not with the next
            # image.
            connection.sendall(b"".join((head, jpeg, f"\r\n--{_BOUNDARY}\r\n".encode())))


def _stream_events(connection: socket.socket, live: LiveState) -> None:
    """Send server-sent events: rows, rule events, and the status every second.

    The first event is ``hello``, the last one ``end``.
    """
    with live.rows.watch() as number:
        connection.sendall(f"retry: {_RETRY_MS}\n\n".encode() + _event("hello", live.describe()))
        status_at, event_number = time.monotonic(), live.event_number
        while not live.rows.ended:
            now = time.monotonic()
            if now >= status_at:
                status_at = now + _STATUS_EVERY_S
                connection.sendall(_event("status", live.status()))
                _check_viewer(connection)
            newest = live.rows.wait(number, max(0.0, status_at - time.monotonic()))
            if newest is not None:
                number, row = newest
                connection.sendall(b"event: frame\ndata: " + row + b"\n\n")
            for sent, event in live.events_after(event_number):
                connection.sendall(b"event: rule\ndata: " + event + b"\n\n")
                event_number = sent
        connection.sendall(_event("end", live.status()))


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def _check_viewer(connection: socket.socket) -> None:
    """Raise OSError if the viewer has closed the connection."""
    with _non_blocking(connection):
        try:
            if not connection.recv(4096):
                raise ConnectionAbortedError
        except BlockingIOError:
            return


@contextmanager
def _non_blocking(connection: socket.socket) -> Iterator[None]:
    timeout = connection.gettimeout()
    connection.setblocking(False)
    try:
        yield
    finally:
        connection.settimeout(timeout)


ROUTES: Final[Mapping[str, Route]] = {
    "/": _page_file("index.html", HTML, is_linkable=True),
    "/theme.css": _page_file("theme.css", "text/css; charset=utf-8", is_public=True),
    "/style.css": _page_file("style.css", "text/css; charset=utf-8", is_public=True),
    "/icon.svg": _page_file("icon.svg", "image/svg+xml", is_public=True),
    "/app.js": _page_file("app.js", "text/javascript; charset=utf-8"),
    "/charts.js": _page_file("charts.js", "text/javascript; charset=utf-8"),
    "/connection.js": _page_file("connection.js", "text/javascript; charset=utf-8"),
    "/faces.js": _page_file("faces.js", "text/javascript; charset=utf-8"),
    "/stream": Route(stream=_stream_images, kind=f"multipart/x-mixed-replace; boundary={_BOUNDARY}"),
    # The same for the page's script, because some browsers split the multipart type themselves.
    "/images": Route(stream=_stream_images, kind="application/octet-stream"),
    "/events": Route(stream=_stream_events, kind="text/event-stream; charset=utf-8"),
    "/snapshot.jpg": Route(_respond_with_snapshot),
    "/healthz": Route(_respond_with_health),
    "/metrics": Route(_respond_with_metrics),
}
