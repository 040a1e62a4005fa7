"""A network camera on loopback."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import pytest

from fer_edge.types import Image

__all__ = ["loopback_camera", "stream"]


class _Stream(http.server.BaseHTTPRequestHandler):
    """An MJPEG camera that sends the portrait ``frames`` times, about 30 per second; 0 means forever."""

    jpeg = b""
    frames = 0

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        sent = 0
        try:
            while (sent < self.frames or not self.frames) and not self.server.ending.is_set():  # type: ignore[attr-defined]
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(self.jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + self.jpeg + b"\r\n")
                sent += 1
                self.server.ending.wait(1 / 30)  # type: ignore[attr-defined]
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        """Suppress the access log."""


@contextmanager
def loopback_camera(image: Image, frames: int = 0) -> Iterator[str]:
    """Yield the URL of a loopback camera that sends ``frames`` images; 0 means forever."""
    jpeg = bytes(cv2.imencode(".jpg", cv2.resize(image, (410, 480)))[1])
    handler = type("Handler", (_Stream,), {"jpeg": jpeg, "frames": frames})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.ending = threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/stream"
        server.ending.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


@pytest.fixture
def stream(request: pytest.FixtureRequest, portrait: Image) -> Iterator[str]:
    """Yield the URL of a loopback camera; the parameter is its number of frames."""
    with loopback_camera(portrait, request.param) as url:
        yield url
