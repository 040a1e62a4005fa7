"""Videos from the network: complete, rejected, silent, stalled, truncated and interrupted."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fer_edge.errors import SourceError, SourceLostError
from fer_edge.sources import video_container, video_decoder
from fer_edge.sources.video import VideoSource
from tests.edge.sources.clips import number_in, write_clip
from tests.edge.support import take_frames

Answer = Callable[[socket.socket], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    """Start a loopback server that handles each connection in a thread; yield its URL."""
    listeners: list[socket.socket] = []

    def start(answer: Answer) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=accept, args=(listener, answer), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/clip.mkv"

    yield start
    for listener in listeners:
        listener.close()


def accept(listener: socket.socket, answer: Answer) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=respond, args=(connection, answer), daemon=True).start()


def respond(connection: socket.socket, answer: Answer) -> None:
    with connection:
        try:
            connection.recv(65536)
            answer(connection)
        except OSError:
            pass


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_clip(tmp_path_factory.mktemp("net") / "clip.mkv", frames=50).read_bytes()


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_container, "OPEN_TIMEOUT_S", 2.0)
    monkeypatch.setattr(video_container, "READ_TIMEOUT_S", 1.0)
    monkeypatch.setattr(video_decoder, "READ_TIMEOUT_S", 1.0)


@pytest.fixture
def file_server(tmp_path: Path) -> Iterator[str]:
    """Serve the files in ``tmp_path`` with ranges and connections that stay open; yield the server's URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = (tmp_path / self.path.lstrip("/")).read_bytes()
            first, _, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
            part = body[int(first) : int(last) + 1 if last else None]
            self.send_response(206 if "Range" in self.headers else 200)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            try:
                self.wfile.write(part)
            except OSError:  # the client has read enough
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def header(length: int, status: str = "200 OK", kind: str = "video/x-matroska") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n".encode()


def send_and_wait(connection: socket.socket, data: bytes) -> None:
    connection.sendall(data)
    time.sleep(30)


def drip(connection: socket.socket, data: bytes) -> None:
    for place in range(0, len(data), 8):
        connection.sendall(data[place : place + 8])
        time.sleep(0.2)


def test_a_whole_video(serve: Callable[[Answer], str], content: bytes) -> None:
    frames, error = take_frames(VideoSource(serve(lambda c: c.sendall(header(len(content)) + content))))
    assert error is None
    assert [number_in(frame.gray) for frame in frames] == [n % 32 for n in range(50)]


@pytest.mark.parametrize(
    ("status", "message"),
    [("404 Not Found", "404"), ("401 Unauthorized", "401"), ("500 Oops", "5")],
)
def test_an_error_is_named(serve: Callable[[Answer], str], status: str, message: str) -> None:
    url = serve(lambda c: c.sendall(header(0, status)))
    frames, error = take_frames(VideoSource(url))
    assert frames == []
    assert message in str(error)
    assert "cannot open video" in str(error)


def test_connection_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = take_frames(VideoSource(f"http://127.0.0.1:{port}/clip.mp4"))[1]
    assert "cannot open video: Connection refused" in str(error)


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize("dripping", [False, True])
def test_a_server_that_gives_nothing(
    serve: Callable[[Answer], str], content: bytes, *, dripping: bool
) -> None:
    answer = drip if dripping else send_and_wait
    url = serve(lambda c: answer(c, header(len(content)) + content[: 200 if dripping else 0]))
    started = time.monotonic()
    frames, error = take_frames(VideoSource(url))
    assert time.monotonic() - started < 6
    assert frames == []
    assert type(error) is SourceError
    assert "no response within 2 s; check the address" in str(error)


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize("dripping", [False, True])
def test_a_stream_that_stalls(serve: Callable[[Answer], str], content: bytes, *, dripping: bool) -> None:
    def answer(connection: socket.socket) -> None:
        half = len(content) // 2
        connection.sendall(header(len(content)) + content[:half])
        if dripping:
            drip(connection, content[half:])
        time.sleep(30)

    started = time.monotonic()
    frames, error = take_frames(VideoSource(serve(answer)))
    assert time.monotonic() - started < 6
    assert len(frames) > 10
    assert isinstance(error, SourceLostError)
    assert "no data for 1 s" in str(error)


def test_a_connection_that_breaks_off(serve: Callable[[Answer], str], content: bytes) -> None:
    url = serve(lambda c: c.sendall(header(len(content)) + content[: len(content) // 2]))
    frames, error = take_frames(VideoSource(url))
    assert len(frames) > 10
    assert isinstance(error, SourceLostError)
    assert "ended early" in str(error)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("beside", [False, True])
def test_a_signal_ends_the_wait_for_the_network(
    serve: Callable[[Answer], str], content: bytes, sent: signal.Signals, *, begun: bool, beside: bool
) -> None:
    script = f"""
import sys, threading
from fer_edge.runtime.prefetch import Prefetcher
from fer_edge.runtime.shutdown import Terminated, install_signal_handlers
from fer_edge.sources.video import VideoSource
install_signal_handlers()
print("ready", flush=True)
try:
    with VideoSource(sys.argv[1]) as source:
        for frame in Prefetcher(source, 3, threading.Event()) if {beside} else source:
            print(frame.index, flush=True)
except (KeyboardInterrupt, Terminated) as error:
    print(type(error).__name__)
"""
    url = serve(lambda c: send_and_wait(c, header(len(content)) + content[: len(content) // 2 * begun]))
    process = subprocess.Popen(
        [sys.executable, "-c", script, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    if begun:
        assert process.stdout.readline() == b"0\n"
    time.sleep(0.5)
    started = time.monotonic()
    process.send_signal(sent)
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - started < 3
    assert (process.returncode, err) == (0, b"")
    assert out.splitlines()[-1] in (b"KeyboardInterrupt", b"Terminated")


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi", "clip.mkv", "clip.ts"])
def test_a_server_that_keeps_connections_open_loses_no_frames(
    name: str, file_server: str, tmp_path: Path
) -> None:
    write_clip(tmp_path / name, frames=200)
    (local, _), (remote, error) = (
        take_frames(VideoSource(address)) for address in (str(tmp_path / name), f"{file_server}/{name}")
    )
    assert error is None
    assert len(local) == 200
    assert [(frame.index, frame.time_s) for frame in remote] == [
        (frame.index, frame.time_s) for frame in local
    ]


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/xhtml+xml", "video/mp4"])
def test_a_web_page_instead_of_a_video_is_named(serve: Callable[[Answer], str], kind: str) -> None:
    page = b"<!DOCTYPE html><html><body>Log in" if kind == "video/mp4" else b"<html><body>Log in"
    url = serve(lambda connection: connection.sendall(header(len(page), kind=kind) + page))
    with pytest.raises(SourceError, match="the server returned a web page, not a video"), VideoSource(url):
        pass
