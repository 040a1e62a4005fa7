"""An iterator in a thread of its own: order, bounds, errors, the end."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterable, Iterator

import pytest

from fer_edge.runtime.prefetch import Ahead, Allowance, Newest


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """The event that ends the threads of a test, at its end at the latest."""
    event = threading.Event()
    yield event
    event.set()


def failing_after(items: Iterable[int], error: BaseException) -> Iterator[int]:
    yield from items
    raise error


class Endless:
    """0, 1, 2, …: remembers how far it was read, and the thread in which it was closed."""

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


def wait_until_steady(endless: Endless) -> int:
    """How far it was read once nothing more is read."""
    before = -1
    while endless.given != before:
        before = endless.given
        time.sleep(0.25)
    return before


@pytest.mark.parametrize("depth", [1, 3, 100])
@pytest.mark.parametrize("count", [0, 1, 500])
def test_every_item_arrives_in_order(depth: int, count: int, stop: threading.Event) -> None:
    assert list(Ahead(range(count), depth, stop)) == list(range(count))


def test_stages_can_follow_each_other(stop: threading.Event) -> None:
    first = Ahead(range(200), 2, stop)
    second = Ahead((number * 2 for number in first), 2, stop)
    assert list(second) == [number * 2 for number in range(200)]


def test_items_that_are_none_arrive_too(stop: threading.Event) -> None:
    assert list(Ahead([None, 0, None], 1, stop)) == [None, 0, None]


@pytest.mark.parametrize("depth", [1, 3])
def test_no_more_than_the_depth_is_read_ahead(depth: int, stop: threading.Event) -> None:
    endless = Endless()
    taken = next(iter(Ahead(endless, depth, stop)))
    # One was taken, one is in the thread's hand, the rest waits.
    assert (taken, wait_until_steady(endless)) == (0, depth + 2)


@pytest.mark.parametrize("stage", [Ahead, Newest])
@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), SystemExit(3)])
def test_an_error_arrives_after_the_items_before_it(
    stage: type[Ahead[int]], error: BaseException, stop: threading.Event
) -> None:
    items = failing_after([7], error)
    ahead = Newest(items, stop) if stage is Newest else Ahead(items, 3, stop)
    arrived = iter(ahead)
    assert next(arrived) == 7
    with pytest.raises(type(error)) as caught:
        next(arrived)
    assert caught.value is error


def test_an_error_before_the_first_item_arrives(stop: threading.Event) -> None:
    with pytest.raises(OSError, match="gone"):
        next(iter(Ahead(failing_after([], OSError("gone")), 1, stop)))


@pytest.mark.parametrize("newest", [False, True])
def test_stop_ends_the_thread_and_closes_the_items_in_it(newest: bool, stop: threading.Event) -> None:
    endless = Endless()
    ahead = Newest(endless, stop) if newest else Ahead(endless, 2, stop)
    assert next(iter(ahead)) >= 0
    stop.set()
    ahead.join()
    assert not ahead._thread.is_alive()
    assert endless.closed_in is ahead._thread


def test_stop_ends_whoever_waits_for_an_item(stop: threading.Event) -> None:
    never = threading.Event()

    def silent() -> Iterator[int]:
        yield 1
        never.wait()

    ahead = Ahead(silent(), 1, stop)
    taken = []
    for item in ahead:
        taken.append(item)
        stop.set()
    assert taken == [1]
    never.set()
    ahead.join()


def test_what_is_not_taken_is_counted(stop: threading.Event) -> None:
    newest = Newest(iter(range(100)), stop)
    taken = list(newest)
    assert taken == sorted(set(taken))
    assert taken[-1] == 99
    assert len(taken) + newest.dropped == 100


def test_a_newer_item_replaces_the_one_that_waits(stop: threading.Event) -> None:
    gate = threading.Event()

    def camera() -> Iterator[int]:
        yield 0
        gate.wait()
        yield from range(1, 50)

    newest = Newest(camera(), stop)
    items = iter(newest)
    assert next(items) == 0
    gate.set()
    while newest.dropped < 48:
        time.sleep(0.01)
    assert list(items) == [49]
    assert newest.dropped == 48


def test_whoever_keeps_up_loses_nothing(stop: threading.Event) -> None:
    turn = threading.Semaphore(1)

    def camera() -> Iterator[int]:
        for number in range(50):
            turn.acquire()
            yield number

    newest, taken = Newest(camera(), stop), []
    for item in newest:
        taken.append(item)
        turn.release()
    assert taken == list(range(50))
    assert newest.dropped == 0


class TestAllowance:
    @staticmethod
    def taking(allowance: Allowance, size: int) -> threading.Thread:
        """A thread that takes so much, given time to get it."""
        thread = threading.Thread(target=allowance.take, args=(size,), daemon=True)
        thread.start()
        thread.join(0.3)
        return thread

    def test_what_fits_is_taken_at_once(self, stop: threading.Event) -> None:
        allowance = Allowance(10, stop)
        assert not any(self.taking(allowance, size).is_alive() for size in (4, 4, 2))

    def test_what_does_not_fit_waits_until_enough_is_given_back(self, stop: threading.Event) -> None:
        allowance = Allowance(10, stop)
        allowance.take(4)
        allowance.take(6)
        waiting = self.taking(allowance, 6)
        allowance.give_back(4)
        waiting.join(0.3)
        assert waiting.is_alive()
        allowance.give_back(6)
        waiting.join(5)
        assert not waiting.is_alive()

    def test_an_item_larger_than_all_is_taken_alone(self, stop: threading.Event) -> None:
        allowance = Allowance(10, stop)
        assert not self.taking(allowance, 99).is_alive()
        assert self.taking(allowance, 1).is_alive()

    def test_nobody_waits_after_the_stop(self, stop: threading.Event) -> None:
        allowance = Allowance(10, stop)
        allowance.take(10)
        waiting = self.taking(allowance, 1)
        assert waiting.is_alive()
        stop.set()
        waiting.join(5)
        assert not waiting.is_alive()
