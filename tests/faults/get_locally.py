"""``fer-edge get`` from a slow publisher on loopback: ``python -m tests.faults.get_locally URL FOLDER``."""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import click

from fer_edge.cli.app import run_command
from fer_edge.models.detector_files import DetectorFile
from fer_edge.models.download import download_detector
from fer_edge.runtime.shutdown import run_program

__all__ = ["slow_publisher"]

_CONTENT: Final = bytes(range(256)) * 900
_CHUNKS: Final = 20
_PAUSE_S: Final = 0.03  # between two of them


class _Publisher(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(_CONTENT)))
        self.end_headers()
        size = -(-len(_CONTENT) // _CHUNKS)
        for start in range(0, len(_CONTENT), size):
            self.wfile.write(_CONTENT[start : start + size])
            self.server.stop.wait(_PAUSE_S)  # type: ignore[attr-defined]

    def log_message(self, *_arguments: object) -> None: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Publisher)
        self.stop = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is nothing to report."""


@contextmanager
def slow_publisher() -> Iterator[str]:
    """Serve a model; the address of it."""
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/model"
        server.stop.set()
        server.shutdown()
        thread.join()


@click.command()
@click.argument("address")
@click.argument("folder")
def download(address: str, folder: str) -> None:
    """Download the model into a folder."""
    file = DetectorFile(
        detector="yunet",
        file_name="face.onnx",
        addresses=(address,),
        licence="MIT",
        size=len(_CONTENT),
        sha256=hashlib.sha256(_CONTENT).hexdigest(),
    )
    download_detector(file, Path(folder))


if __name__ == "__main__":
    run_program(lambda: run_command(download, sys.argv[1:], "get_locally"))
