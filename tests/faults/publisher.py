"""A slow publisher of a model on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

__all__ = ["CONTENT", "slow_publisher"]

CONTENT: Final = bytes(range(256)) * 900
_CHUNKS: Final = 20
_PAUSE_S: Final = 0.03  # between two parts


class _Publisher(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        size = -(-len(CONTENT) // _CHUNKS)
        for start in range(0, len(CONTENT), size):
            self.wfile.write(CONTENT[start : start + size])
            self.server.stop.wait(_PAUSE_S)  # type: ignore[attr-defined]

    def log_message(self, *_arguments: object) -> None: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Publisher)
        self.stop = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that were killed."""


@contextmanager
def slow_publisher() -> Iterator[str]:
    """Serve a model; yield its URL."""
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/model"
        server.stop.set()
        server.shutdown()
        thread.join()
