"""RTSP cameras: GStreamer's RTSP server on loopback."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from fer_edge.errors import SourceError, SourceLostError
from fer_edge.recognizer import EmotionRecognizer
from fer_edge.sources import network_stream
from fer_edge.types import Frame
from tests.edge.sources.cameras import Watcher, camera, has_rtsp_server, rtsp_camera
from tests.edge.support import read_rows, run_fer_edge, take_frames, wait_until

pytestmark = pytest.mark.skipif(
    not has_rtsp_server(), reason="GStreamer's RTSP server is not installed: make ci-setup"
)

SOURCE = "videotestsrc is-live=true pattern=ball ! video/x-raw,width={},height={},framerate=25/1"
H264 = (
    SOURCE + " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max={} ! rtph264pay name=pay0 pt=96"
    " config-interval=1"
)
MJPEG = SOURCE.replace("raw,", "raw,format=I420,") + " ! jpegenc ! rtpjpegpay name=pay0 pt=26"


def h264(width: int = 320, height: int = 240, gop: int = 25) -> str:
    return H264.format(width, height, gop)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Start an RTSP camera: H.264, 25 frames per second, one key frame per second."""
    with rtsp_camera(h264()) as (address, _):
        yield address


def first_frames(address: str, count: int = 10) -> list[Frame]:
    with camera(address) as source:
        return [item for item, _ in zip(source, range(count), strict=False) if isinstance(item, Frame)]


def test_h264_frames_come_in_order(url: str) -> None:
    with camera(url) as source:
        info = source.info
        frames = [item for item, _ in zip(source, range(15), strict=False) if isinstance(item, Frame)]
        means = [float(frame.gray.mean()) for frame in frames]
        assert frames[0].image.shape == (240, 320, 3)
    assert (info.name, info.live, info.size, info.frame_rate) == (url, True, (320, 240), 25.0)
    times = [frame.time_s for frame in frames if frame.time_s is not None]
    assert times[0] == 0
    assert all(a < b for a, b in pairwise(times))
    assert max(means) < 60  # a white ball on black: no gray frame before the first key frame


def test_motion_jpeg() -> None:
    with rtsp_camera(MJPEG.format(320, 240)) as (address, _):
        frames = first_frames(address)
    assert {frame.size for frame in frames} == {(320, 240)}


def test_udp_where_tcp_is_refused() -> None:
    with rtsp_camera(h264(), "--udp") as (address, _):
        frames = first_frames(address)
    assert len(frames) == 10


def test_a_password() -> None:
    with rtsp_camera(h264(), "--user", "me:s3cret") as (address, _):
        frames = first_frames(address.replace("//", "//me:s3cret@"), 2)
        _, none = take_frames(camera(address))
        _, wrong = take_frames(camera(address.replace("//", "//me:wr0ng@")))
    assert frames[0].source == address.replace("//", "//me:***@")
    assert "the server requires a user name and password (401)" in str(none)
    assert "rtsp://user:password@" in str(none)
    assert "the server rejected the user name or password (401); check both" in str(wrong)
    assert "wr0ng" not in str(wrong)


def test_a_path_that_is_none(url: str) -> None:
    _, error = take_frames(camera(f"{url}/other/path"))
    assert type(error) is SourceError
    assert "the server has nothing at this address (404)" in str(error)


def test_sound_alone_is_no_camera() -> None:
    sound = "audiotestsrc is-live=true ! audioconvert ! rtpL16pay name=pay0 pt=96"
    with rtsp_camera(sound) as (address, _):
        _, error = take_frames(camera(address))
    assert type(error) is SourceError


def test_a_recording_ends_with_a_word_about_it(tmp_path: Path) -> None:
    from tests.edge.sources.clips import write_clip

    clip = write_clip(tmp_path / "clip.mkv", frames=40)
    pipeline = f"filesrc location={clip} ! matroskademux ! rtph264pay name=pay0 pt=96"
    with rtsp_camera(pipeline) as (address, _):
        frames, error = take_frames(camera(address))
    assert len(frames) > 5
    assert isinstance(error, SourceLostError)
    assert "the recording of 2 s that it sent has ended; to read it, use: fer-edge video" in str(error)


def test_a_restarted_server_with_another_size(url: str) -> None:
    with rtsp_camera(h264()) as (address, process), Watcher(camera(address)) as watcher:
        wait_until(lambda: len(watcher.frames) >= 10)
        process.kill()
        process.wait()
        wait_until(lambda: watcher.source.info.lost)
        before = watcher.frames[-1]
        port = int(address.rpartition(":")[2].partition("/")[0])
        with rtsp_camera(h264(480, 360), port=port):
            wait_until(lambda: watcher.frames[-1].size == (480, 360))
        assert watcher.frames[-1].index > before.index
        (change,) = watcher.changes
        assert change.stream is not None
        assert (change.stream.size, change.stream.reconnects) == ((480, 360), 1)


def test_a_server_that_stands_still_is_lost_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_stream, "SILENCE_S", 1.0)
    with rtsp_camera(h264()) as (address, process), Watcher(camera(address)) as watcher:
        wait_until(lambda: len(watcher.frames) >= 10)
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: watcher.source.info.lost)
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: watcher.source.info.reconnects == 1)


def test_a_reader_slower_than_the_stream_is_never_far_behind(url: str) -> None:
    """Runs for 30 seconds; bench/rtsp_lag.py measures ten minutes."""
    with camera(url) as source:
        ages = []
        began = time.monotonic()
        for frame in source:
            assert isinstance(frame, Frame)
            assert frame.clock is not None
            assert frame.gray is not None
            ages.append(time.time() - frame.clock.timestamp())
            time.sleep(0.2)  # five frames
            if time.monotonic() - began > 8:
                break
    late = ages[len(ages) // 2 :]
    assert np.median(late) < 0.5
    assert len(ages) > 15


def test_the_command_line_takes_it(url: str, tmp_path: Path) -> None:
    done = run_fer_edge(
        "camera", url, "--no-show", "--max-frames", 10, "-r", "-", "--summary", tmp_path / "s.json"
    )
    assert done.returncode == 0, done.stderr
    assert len(read_rows(done.stdout)) == 10
    assert f"camera {url}: 320×240 at 25 frames a second" in done.stderr


def test_python_s_stream_takes_it(url: str) -> None:
    with closing(EmotionRecognizer()) as recognizer:
        results = recognizer.stream(url)
        taken = [result for result, _ in zip(results, range(5), strict=False)]
        results.close()  # type: ignore[attr-defined]
    assert [result.frame.size for result in taken] == [(320, 240)] * 5
    assert taken[0].frame.clock is not None


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_for_a_server_that_is_gone(tmp_path: Path, sent: signal.Signals) -> None:
    rows = tmp_path / "r.jsonl"
    with rtsp_camera(h264()) as (address, server):
        process = subprocess.Popen(
            [sys.executable, "-m", "fer_edge", "camera", address, "--no-show", "-r", rows],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            wait_until(lambda: rows.exists() and rows.read_text().count("\n") >= 5)
            server.kill()
            assert process.stderr is not None
            said = ""
            while "reconnecting" not in said:
                said = process.stderr.readline()
                assert said
            time.sleep(1)
            started = time.monotonic()
            process.send_signal(sent)
            stdout, stderr = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == (130 if sent == signal.SIGINT else 143), stderr
    assert time.monotonic() - started < 8
    assert "is kept" in stderr
    assert "frames a second" in stdout
    assert read_rows(rows.read_text())
