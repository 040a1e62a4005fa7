"""``fer-edge camera`` with a camera on the network."""

from __future__ import annotations

import csv
import http.server
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from fer_edge.types import Image
from tests.edge.support import names_in, read_rows, read_video, run_fer_edge, wait_until


class _Stream(http.server.BaseHTTPRequestHandler):
    """An MJPEG camera: the portrait, about thirty times a second, ``frames`` times (0: for ever)."""

    picture = b""
    frames = 0

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        sent = 0
        try:
            while (sent < self.frames or not self.frames) and not self.server.ending.is_set():  # type: ignore[attr-defined]
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(self.picture)}\r\n\r\n"
                self.wfile.write(head.encode() + self.picture + b"\r\n")
                sent += 1
                self.server.ending.wait(1 / 30)  # type: ignore[attr-defined]
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def stream(request: pytest.FixtureRequest, portrait: Image) -> Iterator[str]:
    """The URL of a camera on loopback; the parameter is the number of its frames."""
    picture = bytes(cv2.imencode(".jpg", cv2.resize(portrait, (410, 480)))[1])
    handler = type("Handler", (_Stream,), {"picture": picture, "frames": request.param})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.ending = threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/stream"
        server.ending.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


class TestCamera:
    @pytest.mark.parametrize("stream", [0], indirect=True)
    def test_a_network_camera_until_max_frames(self, stream: str, tmp_path: Path) -> None:
        done = run_fer_edge("camera", stream, "--max-frames", 10, "-r", "-", "-o", tmp_path / "o.mp4")
        assert done.returncode == 0, done.stderr
        records = read_rows(done.stdout)
        assert len(records) == 10
        assert records[0]["time_s"] == 0
        times = [record["time_s"] for record in records]
        assert times == sorted(times)
        numbers = [record["frame"] for record in records]
        assert numbers == sorted(set(numbers))
        assert all(record["faces"] for record in records)
        assert (tmp_path / "o.mp4").stat().st_size > 0

    @pytest.mark.parametrize("stream", [0], indirect=True)
    def test_duration_ends_it(self, stream: str) -> None:
        done = run_fer_edge("camera", stream, "--duration", 1.5, "-r", "-")
        assert done.returncode == 0
        assert 0 < read_rows(done.stdout)[-1]["time_s"] < 1.5

    @pytest.mark.parametrize("stream", [15], indirect=True)
    def test_a_camera_that_is_lost_keeps_what_it_gave(self, stream: str, tmp_path: Path) -> None:
        done = run_fer_edge("camera", stream, "-r", tmp_path / "r.csv", "--summary", tmp_path / "s.json")
        assert done.returncode == 1
        assert "no more pictures" in done.stderr
        with (tmp_path / "r.csv").open(newline="") as file:
            assert 0 < len(list(csv.DictReader(file))) <= 15
        assert "no more pictures" in json.loads((tmp_path / "s.json").read_text())["errors"][-1]

    @pytest.mark.parametrize("stream", [0], indirect=True)
    @pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_signals_end_it_with_everything_flushed(
        self, stream: str, tmp_path: Path, sent: signal.Signals, status: int
    ) -> None:
        out, results = tmp_path / "o.mp4", tmp_path / "r.jsonl"
        process = subprocess.Popen(
            [sys.executable, "-m", "fer_edge", "camera", stream, "--no-show", "-r", results, "-o", out],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            wait_until(
                lambda: (
                    process.poll() is not None or (results.exists() and results.read_text().count("\n") >= 5)
                )
            )
            assert process.poll() is None
            process.send_signal(sent)
            stdout, stderr = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == status, stderr
        assert "is kept" in stderr
        assert "frames a second" in stdout
        assert all("faces" in record for record in read_rows(results.read_text()))
        assert read_video(out)[0]
        assert names_in(tmp_path) == ["o.mp4", "r.jsonl"]
