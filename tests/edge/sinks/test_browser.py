"""Annotated videos play in headless Chromium, from a loopback server that collects its reports."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import numpy as np
import pytest

from bench.chromium import Browser
from fer_edge.sinks.video import VideoSink
from fer_edge.types import StreamInfo
from tests.edge.sinks.filling import fill
from tests.edge.sinks.movies import every, movie_views, write_movie
from tests.edge.sinks.test_video import stripes

PAGE = """<!doctype html><video id="v" src="/video" preload="auto"></video><script>
const video = document.getElementById("v"), seen = {};
const report = () => fetch("/report", {method: "POST", body: JSON.stringify(seen)});
const pixels = () => {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  return [1, 3, 5].map(n => [...context.getImageData(canvas.width >> 1, canvas.height * n / 6 | 0, 1, 1).data]);
};
video.onerror = () => { seen.error = video.error.message || String(video.error.code); report(); };
video.onended = () => {
  seen.currentTime = video.currentTime; seen.duration = video.duration;
  seen.width = video.videoWidth; seen.height = video.videoHeight;
  seen.audioBytes = video.webkitAudioDecodedByteCount; seen.videoBytes = video.webkitVideoDecodedByteCount;
  seen.tracks = video.captureStream().getAudioTracks().length;
  video.onseeked = () => { seen.soughtTime = video.currentTime; seen.pixels = pixels(); report(); };
  video.currentTime = 0.5;
};
video.play().catch(error => { seen.error = String(error); report(); });
</script>"""


class _Handler(BaseHTTPRequestHandler):
    """Serves the page and the video in byte ranges, and collects the page's reports."""

    protocol_version = "HTTP/1.1"
    video: bytes
    reports: Queue[dict[str, Any]]

    def do_GET(self) -> None:
        content = PAGE.encode() if self.path == "/" else self.video if self.path == "/video" else b""
        kind = "text/html" if self.path == "/" else "application/octet-stream"
        first, _, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        part = content[int(first or 0) : int(last) + 1 if last else None]
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header(
            "Content-Range", f"bytes {first or 0}-{int(first or 0) + len(part) - 1}/{len(content)}"
        )
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def do_POST(self) -> None:
        self.reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Suppress the access log."""


@contextmanager
def _served(video: Path) -> Iterator[tuple[str, Queue[dict[str, Any]]]]:
    reports: Queue[dict[str, Any]] = Queue()
    handler = type("Handler", (_Handler,), {"video": video.read_bytes(), "reports": reports})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", reports
        server.shutdown()


def play(browser: Browser, video: Path) -> dict[str, Any]:
    """Play a video to its end; return the browser's report."""
    with _served(video) as (address, reports):
        browser.open(address)
        try:
            return reports.get(timeout=90)
        except Empty:
            raise AssertionError("the browser reported nothing within 90 s") from None
        finally:
            browser.open("about:blank")


@pytest.mark.parametrize(
    ("suffix", "codec", "size"),
    [
        (".mp4", "aac", (320, 240)),
        (".mp4", "libopus", (1280, 720)),
        (".webm", "aac", (320, 240)),
        (".webm", None, (1280, 720)),
    ],
)
def test_it_plays(
    browser: Browser, suffix: str, codec: str | None, size: tuple[int, int], tmp_path: Path
) -> None:
    sound = write_movie(tmp_path / "s.mkv", codec=codec, rate=48_000) if codec else None
    image = stripes(*size)
    fill(
        VideoSink(tmp_path / f"a{suffix}", sound=str(sound) if sound else None),
        movie_views("", every(0.04, 2), image),
        StreamInfo(name="clip", frame_rate=25.0),
    )
    seen = play(browser, tmp_path / f"a{suffix}")
    assert "error" not in seen
    assert seen["duration"] == pytest.approx(2, abs=0.06)
    assert seen["currentTime"] == pytest.approx(seen["duration"], abs=0.01)
    assert (seen["width"], seen["height"]) == size
    assert seen["videoBytes"] > 0
    assert (seen["audioBytes"] > 0) is (seen["tracks"] > 0) is (codec is not None)
    assert seen["soughtTime"] == pytest.approx(0.5, abs=0.05)
    shown = np.array(seen["pixels"])[:, 2::-1]
    meant = np.array([image[round(size[1] * n / 6), 10] for n in (1, 3, 5)], int)
    # Chromium's conversion of BT.709 has too few bits for blue.
    assert np.all(np.abs(shown - meant) <= (12 if size[1] >= 720 else 6, 6, 6)), shown
