"""An iterator in a separate thread: order, bounds, errors, shutdown."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterable, Iterator

import pytest

from fer_edge.runtime.prefetch import ByteBudget, LatestOnly, Prefetcher
from tests.edge.support import wait_until


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """Return an event that stops the threads of a test, set at its end at the latest."""
    event = threading.Event()
    yield event
    event.set()


def failing_after(items: Iterable[int], error: BaseException) -> Iterator[int]:
    yield from items
    raise error


class Endless:
    """Yields 0, 1, 2, …; records how far it was read and the thread that closed it."""

    def __init__(self) -> None:
        self.given = 0
        self.closed_in: threading.Thread | None = None

    def __iter__(self) -> Iterator[int]:
        try:
            for number in itertools.count():
                self.given = number + 1
                yield number
        finally:
            self.closed_in = threading.current_thread()


@pytest.mark.parametrize("depth", [1, 3, 100])
@pytest.mark.parametrize("count", [0, 1, 500])
def test_every_item_arrives_in_order(depth: int, count: int, stop: threading.Event) -> None:
    assert list(Prefetcher(range(count), depth, stop)) == list(range(count))


def test_stages_can_follow_each_other(stop: threading.Event) -> None:
    first = Prefetcher(range(200), 2, stop)
    second = Prefetcher((number * 2 for number in first), 2, stop)
    assert list(second) == [number * 2 for number in range(200)]


def test_items_that_are_none_arrive_too(stop: threading.Event) -> None:
    assert list(Prefetcher([None, 0, None], 1, stop)) == [None, 0, None]


@pytest.mark.parametrize("depth", [1, 3])
def test_it_reads_as_far_ahead_as_its_depth_and_no_further(depth: int, stop: threading.Event) -> None:
    endless = Endless()
    for taken in itertools.islice(Prefetcher(endless, depth, stop), 200):
        # The taken items, the waiting items, and one being handed over.
        most = (taken + 1) + depth + 1
        wait_until(lambda: endless.given >= most)  # noqa: B023
        assert endless.given == most


@pytest.mark.parametrize("stage", [Prefetcher, LatestOnly])
@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), SystemExit(3)])
def test_an_error_arrives_after_the_items_before_it(
    stage: type[Prefetcher[int]], error: BaseException, stop: threading.Event
) -> None:
    items = failing_after([7], error)
    ahead = LatestOnly(items, stop) if stage is LatestOnly else Prefetcher(items, 3, stop)
    arrived = iter(ahead)
    assert next(arrived) == 7
    with pytest.raises(type(error)) as caught:
        next(arrived)
    assert caught.value is error


def test_an_error_before_the_first_item_arrives(stop: threading.Event) -> None:
    with pytest.raises(OSError, match="gone"):
        next(iter(Prefetcher(failing_after([], OSError("gone")), 1, stop)))


@pytest.mark.parametrize("latest", [False, True])
def test_stop_ends_the_thread_and_closes_the_items_in_it(latest: bool, stop: threading.Event) -> None:
    before = set(threading.enumerate())
    endless = Endless()
    ahead = LatestOnly(endless, stop) if latest else Prefetcher(endless, 2, stop)
    (thread,) = set(threading.enumerate()) - before
    assert next(iter(ahead)) >= 0
    stop.set()
    ahead.join()
    assert not thread.is_alive()
    assert endless.closed_in is thread


def test_stop_ends_whoever_waits_for_an_item(stop: threading.Event) -> None:
    never = threading.Event()

    def silent() -> Iterator[int]:
        yield 1
        never.wait()

    ahead = Prefetcher(silent(), 1, stop)
    taken = []
    for item in ahead:
        taken.append(item)
        stop.set()
    assert taken == [1]
    never.set()
    ahead.join()


class TestLatestOnly:
    def test_what_is_not_taken_is_counted(self, stop: threading.Event) -> None:
        latest = LatestOnly(iter(range(100)), stop)
        taken = list(latest)
        assert taken == sorted(set(taken))
        assert taken[-1] == 99
        assert len(taken) + latest.dropped == 100

    def test_a_newer_item_replaces_the_one_that_waits(self, stop: threading.Event) -> None:
        gate = threading.Event()

        def camera() -> Iterator[int]:
            yield 0
            gate.wait()
            yield from range(1, 50)

        latest = LatestOnly(camera(), stop)
        items = iter(latest)
        assert next(items) == 0
        gate.set()
        wait_until(lambda: latest.dropped == 48)
        assert list(items) == [49]
        assert latest.dropped == 48

    def test_a_reader_that_keeps_up_loses_nothing(self, stop: threading.Event) -> None:
        turn = threading.Semaphore(1)

        def camera() -> Iterator[int]:
            for number in range(50):
                turn.acquire()
                yield number

        latest, taken = LatestOnly(camera(), stop), []
        for item in latest:
            taken.append(item)
            turn.release()
        assert taken == list(range(50))
        assert latest.dropped == 0

    @pytest.mark.parametrize("slow", [False, True])
    def test_what_may_not_be_dropped_arrives_in_its_place(self, slow: bool, stop: threading.Event) -> None:
        # Every tenth item is a mark, like a cut or a reconnect between frames.
        latest = LatestOnly(iter(range(1, 301)), stop, droppable=lambda item: item % 10 != 0)
        taken = []
        for item in latest:
            taken.append(item)
            if slow:
                time.sleep(0.0005)
        assert [item for item in taken if item % 10 == 0] == list(range(10, 301, 10))
        assert taken == sorted(set(taken))
        assert len(taken) + latest.dropped == 300

    def test_the_last_item_before_a_mark_is_wanted_too(self, stop: threading.Event) -> None:
        gate = threading.Event()

        def camera() -> Iterator[int]:
            yield 0
            gate.wait()
            yield from (1, 2, 3, -1, 4, 5, 6)

        latest = LatestOnly(camera(), stop, droppable=lambda item: item >= 0)
        items = iter(latest)
        assert next(items) == 0
        gate.set()
        wait_until(lambda: latest.dropped == 2)  # 3 is waiting, and the mark is queued behind it
        rest = list(items)
        assert rest[:2] == [3, -1]
        assert rest[-1] == 6


class TestByteBudget:
    def test_what_fits_is_taken_at_once(self, stop: threading.Event) -> None:
        budget = ByteBudget(10, stop)
        for size in (4, 4, 2):
            budget.take(size)

    def test_an_item_larger_than_all_is_taken_alone(self, stop: threading.Event) -> None:
        budget = ByteBudget(10, stop)
        budget.take(99)
        budget.give_back(99)
        budget.take(1)

    def test_no_more_than_the_budget_is_ever_in_flight(self, stop: threading.Event) -> None:
        budget, sizes = ByteBudget(10, stop), random.Random(0).choices(range(1, 15), k=500)
        lock, in_flight, worst = threading.Lock(), [0, 0], [0]
        given: list[int] = []

        def take_all() -> None:
            for size in sizes:
                budget.take(size)
                with lock:
                    in_flight[0] += size
                    in_flight[1] += 1
                    if in_flight[1] > 1:  # a single item may exceed the budget
                        worst[0] = max(worst[0], in_flight[0])
                    given.append(size)

        thread = threading.Thread(target=take_all)
        thread.start()
        for number in range(len(sizes)):
            wait_until(lambda: len(given) > number)  # noqa: B023
            with lock:
                in_flight[0] -= given[number]
                in_flight[1] -= 1
            budget.give_back(given[number])
        thread.join(30)
        assert not thread.is_alive()
        assert given == sizes
        assert 0 < worst[0] <= 10

    def test_stop_ends_all_waiting(self, stop: threading.Event) -> None:
        budget = ByteBudget(10, stop)
        budget.take(10)
        waiting = threading.Thread(target=budget.take, args=(1,))
        waiting.start()
        stop.set()
        waiting.join(30)
        assert not waiting.is_alive()


@pytest.mark.parametrize("latest", [False, True])
def test_a_waiting_reader_is_notified_that_nothing_arrives(latest: bool, stop: threading.Event) -> None:
    told = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        assert told.wait(10)
        yield 1

    stage = LatestOnly(items(), stop) if latest else Prefetcher(items(), 1, stop)
    told_in: list[threading.Thread] = []
    stage.on_idle = lambda: (told_in.append(threading.current_thread()), told.set())[0]
    assert list(stage) == [0, 1]
    assert set(told_in) == {threading.current_thread()}
