"""A device read in a separate thread: the queue is bounded, and nothing blocks forever."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from fer_edge.sources.live import Arrival, CameraFault, LiveClock
from fer_edge.sources.live_reader import Backlog, LiveReader
from tests.edge.support import wait_until


@dataclass
class Packet:
    number: int
    is_keyframe: bool = False
    size: int = 10


class Counter:
    """A device that counts; ``go`` permits each step, and it ends after ``last``."""

    def __init__(self, last: int = 1 << 30, *, opens: bool = True) -> None:
        self.go, self.closed = threading.Semaphore(0), threading.Event()
        self.interrupted = threading.Event()
        self._number, self._last, self._opens = -1, last, opens

    def open(self) -> None:
        if not self._opens:
            raise CameraFault("it does not exist", "plug it in")

    def read(self) -> Packet:
        self.go.acquire()
        self._number += 1
        if self.interrupted.is_set() or self._number > self._last:
            raise CameraFault("it ended", "wait")
        return Packet(self._number)

    def interrupt(self) -> None:
        self.interrupted.set()
        self.go.release()

    def close(self) -> None:
        self.closed.set()


def arrival(age_s: float = 0.0) -> Arrival:
    return Arrival(time.monotonic() - age_s, datetime.now().astimezone())


class TestBacklog:
    def test_items_come_in_order(self) -> None:
        backlog: Backlog[Packet] = Backlog()
        for number in range(3):
            backlog.add(Packet(number), arrival(), whole=number == 0)
        taken = [backlog.pop() for _ in range(3)]
        assert [(w.item.number, w.skipped, w.follows_gap) for w in taken] == [
            (0, 0, False),
            (1, 0, False),
            (2, 0, False),
        ]

    def test_the_newest_alone_where_each_is_whole(self) -> None:
        backlog: Backlog[Packet] = Backlog(newest_only=True)
        for number in range(5):
            backlog.add(Packet(number), arrival())
        waiting = backlog.pop()
        assert (waiting.item.number, waiting.skipped, len(backlog)) == (4, 4, 0)

    def test_a_key_frame_takes_the_place_of_what_is_old(self) -> None:
        backlog: Backlog[Packet] = Backlog()
        backlog.add(Packet(0), arrival(5), whole=True)
        backlog.add(Packet(1), arrival(4), whole=False)
        backlog.add(Packet(2), arrival(), whole=True)
        waiting = backlog.pop()
        assert (waiting.item.number, waiting.skipped, waiting.follows_gap) == (2, 2, True)

    def test_a_key_frame_leaves_what_is_new(self) -> None:
        backlog: Backlog[Packet] = Backlog()
        backlog.add(Packet(0), arrival(), whole=False)
        backlog.add(Packet(1), arrival(), whole=True)
        assert backlog.pop().item.number == 0

    @pytest.mark.parametrize(("size", "most"), [(10, 512), (1 << 20, 64)])
    def test_it_is_bounded_without_any_key_frame(self, size: int, most: int) -> None:
        backlog: Backlog[Packet] = Backlog()
        for number in range(2000):
            backlog.add(Packet(number), arrival(), size=size, whole=False)
            assert len(backlog) <= most
        waiting = backlog.pop()
        assert waiting.follows_gap
        assert waiting.item.number == waiting.skipped


class TestLiveReader:
    def test_items_and_then_the_fault(self) -> None:
        device = Counter(last=1)
        reader = LiveReader(device, Backlog(), "test")
        reader.open(5)
        device.go.release(3)
        assert [reader.take(5).item.number for _ in range(2)] == [0, 1]
        with pytest.raises(CameraFault, match="it ended"):
            reader.take(5)
        assert device.closed.wait(5)

    def test_a_device_that_does_not_open(self) -> None:
        device = Counter(opens=False)
        reader = LiveReader(device, Backlog(), "test")
        with pytest.raises(CameraFault, match="it does not exist"):
            reader.open(5)
        assert device.closed.wait(5)

    def test_silence_is_a_time_out(self) -> None:
        reader = LiveReader(device := Counter(), Backlog(), "test")
        reader.open(5)
        with pytest.raises(TimeoutError):
            reader.take(0.2)
        reader.close()
        assert device.closed.wait(5)

    def test_closing_ends_the_wait_of_another_thread(self) -> None:
        reader = LiveReader(device := Counter(), Backlog(), "test")
        reader.open(5)
        ended: list[BaseException] = []

        def wait() -> None:
            try:
                reader.take(60)
            except InterruptedError as error:
                ended.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        reader.close()
        thread.join(5)
        assert len(ended) == 1
        assert device.closed.wait(5)

    def test_a_call_that_blocks_for_ever_is_left_behind(self) -> None:
        class Stuck(Counter):
            def interrupt(self) -> None:
                """Do nothing: this device cannot be interrupted."""

        reader = LiveReader(device := Stuck(), Backlog(), "test")
        reader.open(5)
        with pytest.raises(TimeoutError):
            reader.take(0.1)
        reader.close()
        assert not device.closed.is_set()
        device.go.release()  # the driver returns after all
        assert device.closed.wait(5)
        wait_until(lambda: not reader.thread.is_alive())


class TestLiveClock:
    def test_times_are_those_of_arrival_and_run_on(self) -> None:
        clock, wall = LiveClock(), datetime(2026, 10, 25, tzinfo=UTC)
        stamps = [clock.stamp(Arrival(100 + at, wall), skipped) for at, skipped in ((0, 7), (0.5, 0), (2, 3))]
        assert [(stamp.index, stamp.time_s) for stamp in stamps] == [(0, 0.0), (1, 0.5), (5, 2.0)]
        assert clock.frames == 6

    def test_times_rise_also_where_two_frames_arrive_at_once(self) -> None:
        clock, wall = LiveClock(), datetime(2026, 10, 25, tzinfo=UTC)
        times = [clock.stamp(Arrival(100, wall)).time_s for _ in range(3)]
        assert times[0] < times[1] < times[2] < 0.001
