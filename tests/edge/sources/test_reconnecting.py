"""Cameras that disconnect and return: one run across all connections."""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from fer_edge.errors import SourceError, SourceLostError
from fer_edge.sources import network_stream, reconnecting
from fer_edge.sources.live import CameraFault
from fer_edge.sources.reconnecting import _next_wait
from fer_edge.types import Frame
from tests.edge.sources.cameras import (
    CameraServer,
    Client,
    Watcher,
    camera,
    encode_ts,
    jpegs,
    mjpeg,
    part,
    transport_stream,
)
from tests.edge.sources.clips import number_in, remux, write_clip
from tests.edge.support import take_frames, wait_until

JPEGS = jpegs()


@pytest.fixture
def server() -> Iterator[CameraServer]:
    """Start an MJPEG camera at 50 images per second."""
    with CameraServer(mjpeg(JPEGS, rate=50)) as running:
        yield running


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the timeout for silent cameras to 0.7 s."""
    monkeypatch.setattr(network_stream, "SILENCE_S", 0.7)


def test_a_stream_that_comes_back_goes_on(server: CameraServer, caplog: pytest.LogCaptureFixture) -> None:
    with Watcher(camera(server.url)) as watcher:
        wait_until(lambda: len(watcher.frames) >= 10)
        assert not watcher.source.info.lost
        server.stop()
        wait_until(lambda: watcher.source.info.lost)
        before = watcher.frames[-1]
        time.sleep(0.3)
        server.start()
        wait_until(lambda: watcher.frames[-1].index >= before.index + 10)
        assert not watcher.source.info.lost
        assert watcher.source.info.reconnects == 1
    (change,) = watcher.changes
    assert change.reason == "reconnect"
    assert change.stream is not None
    assert (change.stream.reconnects, change.stream.size, change.stream.lost) == (1, (256, 192), False)
    at = watcher.items.index(change)
    last, first = watcher.items[at - 1], watcher.items[at + 1]
    assert isinstance(last, Frame)
    assert isinstance(first, Frame)
    assert first.index == last.index + 1
    # Times continue through the interruption, like wall-clock time.
    assert last.time_s is not None
    assert first.time_s is not None
    assert last.clock is not None
    assert first.clock is not None
    assert first.time_s - last.time_s >= 0.3
    assert (first.clock - last.clock) == pytest.approx(
        timedelta(seconds=first.time_s - last.time_s), abs=timedelta(seconds=0.1)
    )
    assert [text for text in caplog.messages if "lost after" in text] == [
        f"camera {server.url}: lost after 0 s: the server closed the connection; reconnecting"
    ]


@pytest.mark.usefixtures("impatient")
def test_a_stream_that_falls_silent_is_lost_and_comes_back() -> None:
    calls: list[int] = []

    def answer(client: Client) -> None:
        calls.append(len(calls))
        mjpeg(JPEGS, rate=50, count=10 if len(calls) == 1 else None)(client)
        client.wait(30)  # silent, with the connection open

    with CameraServer(answer) as server, Watcher(camera(server.url)) as watcher:
        wait_until(lambda: len(watcher.frames) >= 30)
        assert [change.reason for change in watcher.changes] == ["reconnect"]
    times = [frame.time_s for frame in watcher.frames if frame.time_s is not None]
    assert all(a < b for a, b in pairwise(times))
    assert max(b - a for a, b in pairwise(times)) >= 0.7


@pytest.mark.usefixtures("impatient")
def test_while_it_is_gone_errors_of_any_kind_are_waited_for(server: CameraServer) -> None:
    """After a first success, a web page, a wrong password or a single image mean that the camera is starting."""
    answers = [
        lambda client: client.head("text/html", status="404 Not Found", length=0),
        lambda client: client.head("text/html", status="401 Unauthorized", length=0),
        lambda client: (client.head("text/html"), client.send(b"<html>starting</html>")),
        lambda client: (client.head("image/jpeg", length=len(JPEGS[0])), client.send(JPEGS[0])),
        lambda client: client.head("multipart/x-mixed-replace; boundary=frame"),
        lambda client: client.send(b"what?\r\n"),
    ]
    good = server.answer
    with Watcher(camera(server.url)) as watcher:
        wait_until(lambda: len(watcher.frames) >= 5)
        asked = len(server.requests)
        server.answer = lambda client: answers[(len(server.requests) - asked - 1) % 6](client)
        server.break_off()
        wait_until(lambda: len(server.requests) >= asked + 6)
        server.answer = good
        wait_until(lambda: not watcher.source.info.lost and len(watcher.frames) >= 10)
        assert watcher.source.info.reconnects == 1
    assert watcher.error is None


def test_it_comes_back_with_another_size_and_codec() -> None:
    large, small = transport_stream(encode_ts(50), rate=50), mjpeg(jpegs(size=(128, 96)), rate=50)
    with CameraServer(large) as server, Watcher(camera(server.url)) as watcher:
        wait_until(lambda: len(watcher.frames) >= 5)
        server.answer = small
        server.break_off()
        wait_until(lambda: watcher.frames[-1].size == (128, 96))
        server.answer = transport_stream(encode_ts(50, (192, 128), codec="mpeg2video"), rate=50)
        server.break_off()
        wait_until(lambda: watcher.frames[-1].size == (192, 128))
    sizes = [change.stream.size for change in watcher.changes if change.stream is not None]
    assert sizes == [(128, 96), (192, 128)]
    assert [change.reason for change in watcher.changes] == ["reconnect"] * 2


def test_a_size_that_changes_within_a_connection_is_told() -> None:
    def answer(client: Client) -> None:
        mjpeg(JPEGS, rate=50, count=10)(client)
        for image in jpegs(5, (128, 96)) * 100:
            client.send(part(image))
            client.wait(0.02)

    with CameraServer(answer) as server, Watcher(camera(server.url)) as watcher:
        wait_until(lambda: watcher.frames[-1:] != [] and watcher.frames[-1].size == (128, 96))
        assert watcher.source.info.size == (128, 96)
    (change,) = watcher.changes
    assert change.stream is not None
    assert (change.reason, change.stream.size, change.stream.reconnects) == ("size", (128, 96), 0)


def test_after_a_return_in_the_middle_nothing_gray_is_shown() -> None:
    chunks = encode_ts(64, gop=16)
    with CameraServer(transport_stream(chunks, rate=80)) as server, Watcher(camera(server.url)) as watcher:
        wait_until(lambda: len(watcher.frames) >= 20)
        server.answer = transport_stream(chunks, rate=80, first=5)
        server.break_off()
        wait_until(
            lambda: bool(watcher.changes) and len(watcher.items) - watcher.items.index(watcher.changes[0]) > 5
        )
    place = len(
        [item for item in watcher.items[: watcher.items.index(watcher.changes[0])] if isinstance(item, Frame)]
    )
    assert number_in([watcher.grays[place]] * 8) in (0, 16)  # a key frame


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("wild_s", [37_600.0, -9_800.0])
def test_stamps_that_jump_or_begin_again_do_not_matter(tmp_path: Path, wild_s: float) -> None:
    clip = write_clip(tmp_path / "clip.ts", frames=50)
    shifted = remux(clip, tmp_path / "shifted.ts", 20_000.0 + wild_s)
    lone = remux(clip, tmp_path / "lone.ts", lambda number: abs(wild_s) if number in (7, 8, 20) else 0.0)
    content = b"".join(path.read_bytes() for path in (lone, shifted, clip))

    def answer(client: Client) -> None:
        client.head("video/mp2t")
        for at in range(0, len(content), len(content) // 150):
            client.send(content[at : at + len(content) // 150])
            client.wait(0.01)

    with CameraServer(answer) as server, Watcher(camera(server.url)) as watcher:
        wait_until(lambda: watcher.source.info.reconnects >= 2)  # each connection restarts at its old time
        elapsed = watcher.arrived[-1] - watcher.arrived[0]
    times = [frame.time_s for frame in watcher.frames if frame.time_s is not None]
    assert all(0 <= a < b for a, b in pairwise(times))
    assert times[-1] == pytest.approx(elapsed, abs=0.5)


def test_a_camera_that_stamps_25_and_delivers_21_lasts_as_long_as_the_wall_says() -> None:
    with (
        CameraServer(transport_stream(encode_ts(200), rate=21)) as server,
        Watcher(camera(server.url)) as watcher,
    ):
        assert watcher.source.info.frame_rate == pytest.approx(25)
        wait_until(lambda: len(watcher.frames) >= 63)
    first, last = watcher.frames[0], watcher.frames[62]
    assert first.clock is not None
    assert last.clock is not None
    assert last.time_s is not None
    assert last.time_s == pytest.approx(watcher.arrived[62] - watcher.arrived[0], abs=0.3)
    assert last.time_s == pytest.approx((last.clock - first.clock).total_seconds(), abs=0.05)
    assert last.time_s > 62 / 25 + 0.3


class TestGivingUp:
    def test_after_the_time_that_was_named(self, server: CameraServer) -> None:
        with Watcher(camera(server.url, reconnect_s=0.6)) as watcher:
            wait_until(lambda: len(watcher.frames) >= 3)
            server.stop()
            wait_until(lambda: watcher.error is not None)
        assert isinstance(watcher.error, SourceLostError)
        assert ": lost after" in str(watcher.error)
        assert "connection refused, and no reconnection within 0.6 s" in str(watcher.error)

    def test_zero_gives_up_at_once(self, server: CameraServer) -> None:
        with Watcher(camera(server.url, reconnect_s=0)) as watcher:
            wait_until(lambda: len(watcher.frames) >= 3)
            server.stop()
            wait_until(lambda: watcher.error is not None)
        assert isinstance(watcher.error, SourceLostError)
        assert watcher.source.info.reconnects == 0


class TestAtTheStart:
    def test_a_wrong_address_is_an_error_at_once(self) -> None:
        with CameraServer(mjpeg(JPEGS)) as server:
            pass
        _, error = take_frames(camera(server.url))
        assert type(error) is SourceError

    def test_with_a_time_named_it_is_waited_for(self, caplog: pytest.LogCaptureFixture) -> None:
        server = CameraServer(mjpeg(JPEGS, rate=50))
        with server:
            pass  # occupies a port
        with Watcher(camera(server.url, reconnect_s=60)) as watcher:
            assert watcher.source.info.lost
            assert watcher.source.info.size is None
            time.sleep(0.3)
            with server:
                wait_until(lambda: len(watcher.frames) >= 3)
                info = watcher.source.info
        assert (info.lost, info.reconnects, info.size) == (False, 0, (256, 192))
        assert [change.reason for change in watcher.changes] == ["connect"]
        assert watcher.items[0] is watcher.changes[0]
        assert watcher.frames[0].time_s == 0
        assert "connection refused; waiting for it" in caplog.text

    def test_errors_that_waiting_cannot_fix_are_raised(self) -> None:
        with CameraServer(lambda client: client.head(status="404 Not Found", length=0)) as server:
            _, error = take_frames(camera(server.url, reconnect_s=60))
        assert type(error) is SourceError
        assert "(404)" in str(error)

    def test_it_is_given_up(self) -> None:
        with CameraServer(mjpeg(JPEGS)) as server:
            pass
        _, error = take_frames(camera(server.url, reconnect_s=0.3))
        assert type(error) is SourceError
        assert "no reconnection within 0.3 s" in str(error)


class TestClosing:
    def test_while_it_is_lost(self, server: CameraServer) -> None:
        with Watcher(camera(server.url)) as watcher:
            wait_until(lambda: len(watcher.frames) >= 3)
            server.stop()
            wait_until(lambda: watcher.source.info.lost)
            time.sleep(0.5)
            started = time.monotonic()
        assert time.monotonic() - started < 1
        assert watcher.error is None

    def test_while_a_connection_gives_no_answer(self, server: CameraServer) -> None:
        with Watcher(camera(server.url)) as watcher:
            wait_until(lambda: len(watcher.frames) >= 3)
            server.answer = lambda client: client.wait(60)  # type: ignore[assignment]
            asked = len(server.requests)
            server.break_off()
            wait_until(lambda: len(server.requests) > asked)
            started = time.monotonic()
        assert time.monotonic() - started < 1
        assert watcher.error is None


def test_waits_grow_to_a_second_or_two_and_after_ten_minutes_to_half_a_minute() -> None:
    waits, wait_s = [], 0.0
    for _ in range(10):
        wait_s = _next_wait(wait_s, 1.0)
        waits.append(wait_s)
    assert waits[0] <= 0.25
    assert 0.75 <= waits[-1] <= 2
    assert all(20 < _next_wait(wait_s, 601.0) <= 30 for _ in range(20))
    assert len({_next_wait(wait_s, 601.0) for _ in range(20)}) > 1


def test_a_camera_that_breaks_off_at_once_is_not_called_without_pause(server: CameraServer) -> None:
    server.answer = mjpeg(JPEGS, rate=1000, count=1)
    with Watcher(camera(server.url)) as watcher:
        wait_until(lambda: len(watcher.frames) >= 1)
        time.sleep(1)
    assert len(server.requests) < 12


def count_handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="file handles can be counted only on Linux")
@pytest.mark.parametrize("kind", ["mjpeg", "ts"])
def test_ten_interruptions_leave_no_thread_and_no_handle(
    kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    monkeypatch.setattr(reconnecting, "LASTED_S", 0.0)
    answer = mjpeg(JPEGS, rate=100) if kind == "mjpeg" else transport_stream(encode_ts(50, gop=5), rate=100)
    with CameraServer(answer) as server, Watcher(camera(server.url)) as watcher:

        def interrupt(number: int) -> tuple[int, int]:
            frames = len(watcher.frames)
            server.break_off()
            wait_until(lambda: watcher.source.info.reconnects >= number and len(watcher.frames) > frames)
            wait_until(lambda: sum("camera" in thread.name for thread in threading.enumerate()) == 1)
            wait_until(lambda: len(server._threads) <= 2 or not server.ending.is_set())
            return threading.active_count(), count_handles()

        for number in range(1, 3):
            interrupt(number)
        gc.collect()
        threads, handles = interrupt(3)
        for number in range(4, 13):
            after = interrupt(number)
        # The server's own connection may add one for a moment.
        assert after[0] <= threads + 1
        assert after[1] <= handles + 1
    assert os.getpid()


def test_a_fault_says_what_to_do() -> None:
    fault = CameraFault("it is gone", "look at its cable")
    assert str(fault) == "it is gone; look at its cable"
    assert not fault.permanent
