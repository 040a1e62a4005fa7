"""``fer-edge camera`` with a network camera."""

from __future__ import annotations

import csv
import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.edge.cli.loopback_camera import stream as stream
from tests.edge.support import FerEdge, names_in, read_rows, read_video, run_fer_edge, wait_until


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
    def test_a_lost_camera_keeps_its_results(self, stream: str, tmp_path: Path) -> None:
        done = run_fer_edge(
            "camera", stream, "--reconnect", 0, "-r", tmp_path / "r.csv", "--summary", tmp_path / "s.json"
        )
        assert done.returncode == 1
        assert "the server closed the connection" in done.stderr
        assert "the results so far are kept" in done.stderr
        with (tmp_path / "r.csv").open(newline="") as file:
            assert 0 < len(list(csv.DictReader(file))) <= 15
        assert (
            "the server closed the connection" in json.loads((tmp_path / "s.json").read_text())["errors"][-1]
        )

    @pytest.mark.parametrize("stream", [15], indirect=True)
    def test_repeated_disconnects_are_one_run(self, stream: str, tmp_path: Path) -> None:
        done = run_fer_edge("camera", stream, "--max-frames", 40, "-r", "-", "--summary", tmp_path / "s.json")
        assert done.returncode == 0, done.stderr
        records = read_rows(done.stdout)
        numbers = [record["frame"] for record in records]
        assert numbers == sorted(set(numbers))
        times = [record["time_s"] for record in records]
        assert times == sorted(set(times))
        assert all(record["clock"] for record in records)
        assert json.loads((tmp_path / "s.json").read_text())["reconnects"] >= 2
        assert "lost after" in done.stderr
        assert "the server closed the connection; reconnecting" in done.stderr
        assert f"camera {stream}: reconnected, 410×480" in done.stderr

    @pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    @pytest.mark.parametrize("scheme", ["http", "rtsp"])
    def test_a_signal_ends_the_wait_for_a_camera_that_says_nothing(
        self, scheme: str, sent: signal.Signals, status: int
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"{scheme}://127.0.0.1:{server.getsockname()[1]}/"
            process = subprocess.Popen(
                [sys.executable, "-m", "fer_edge", "camera", url, "--no-show"],
                stderr=subprocess.PIPE,
                text=True,
            )
            try:
                connection = server.accept()[0]
                time.sleep(0.3)
                process.send_signal(sent)
                _, stderr = process.communicate(timeout=4)
                connection.close()
            finally:
                process.kill()
        assert process.returncode == status, stderr
        assert "Traceback" not in stderr

    @pytest.mark.parametrize("stream", [15], indirect=True)
    def test_what_it_does_while_the_camera_is_lost_is_shown(
        self, stream: str, monkeypatch: pytest.MonkeyPatch, fer_edge: FerEdge
    ) -> None:
        monkeypatch.setattr("fer_edge.cli.report._STATUS_EVERY_S", 0.1)
        monkeypatch.setattr("fer_edge.sources.reconnecting.FIRST_WAIT_S", 1.4)
        done = fer_edge("camera", stream, "--max-frames", 20, "-r", "-", "--no-show")
        assert done.returncode == 0, done.stderr
        assert re.search(rf"{re.escape(stream)}: reconnecting for \d+ s", done.stderr)

    def test_a_duration_in_which_no_frame_arrived_is_an_error(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        url = f"http://127.0.0.1:{port}/"
        done = run_fer_edge("camera", url, "--reconnect", 600, "--duration", 1, "-r", tmp_path / "r.csv")
        assert done.returncode == 1, done.stderr
        assert "connection refused; waiting for it" in done.stderr
        assert f"Error: {url}: no frame arrived within 1 s" in done.stderr

    @pytest.mark.parametrize("stream", [0], indirect=True)
    def test_rotate_turns_frames_and_coordinates(self, stream: str, tmp_path: Path) -> None:
        output = tmp_path / "o.mp4"
        done = run_fer_edge("camera", stream, "--rotate", 180, "--max-frames", 5, "-o", output)
        assert done.returncode == 0, done.stderr
        assert "410×480" in done.stderr
        frames, _ = read_video(output)
        assert frames[0].shape == (480, 410, 3)
        done = run_fer_edge("camera", stream, "--rotate", 90, "--max-frames", 5, "-o", output, "--overwrite")
        assert read_video(output)[0][0].shape == (410, 480, 3)
        assert "480×410" in done.stderr

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--size", "640x480"], "--size and --rate apply only to local cameras"),
            (["--rate", "15"], "--size and --rate apply only to local cameras"),
            (["--size", "640"], "expected width and height, such as 1280x720"),
            (["--size", "1x1"], "must be 16 to 16384 pixels"),
            (["--rate", "0"], "--rate"),
            (["--rotate", "45"], "--rotate"),
            (["--reconnect", "-1"], "--reconnect"),
            (["--reconnect", "inf"], "--reconnect"),
        ],
    )
    def test_options_that_make_no_sense(self, options: list[str], message: str, fer_edge: FerEdge) -> None:
        done = fer_edge("camera", "rtsp://127.0.0.1:9/x", *options)
        assert done.returncode == 2
        assert message in done.stderr

    @pytest.mark.parametrize("command", ["video", "image", "folder"])
    @pytest.mark.parametrize("option", [["--rotate", "90"], ["--size", "64x64"], ["--reconnect", "1"]])
    def test_camera_options_are_refused_elsewhere(
        self, command: str, option: list[str], fer_edge: FerEdge
    ) -> None:
        done = fer_edge(command, "x", *option)
        assert done.returncode == 2
        assert "No such option" in done.stderr

    def test_a_password_is_in_no_output(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        for scheme in ("http", "rtsp"):
            done = run_fer_edge(
                "camera", f"{scheme}://me:s3cret@127.0.0.1:{port}/", "--summary", tmp_path / f"{scheme}.json"
            )
            assert done.returncode == 1
            assert "me:***@127.0.0.1" in done.stderr
            assert "s3cret" not in done.stderr + done.stdout + (tmp_path / f"{scheme}.json").read_text()

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
        assert "are kept" in stderr
        assert "frames a second" in stdout
        assert all("faces" in record for record in read_rows(results.read_text()))
        assert read_video(out)[0]
        assert names_in(tmp_path) == ["o.mp4", "r.jsonl"]
