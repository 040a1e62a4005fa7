"""Run an iterator in a separate thread, a bounded number of items ahead."""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from fer_edge.runtime.background import BackgroundThread

__all__ = ["ByteBudget", "LatestOnly", "Prefetcher"]

T = TypeVar("T")

_POLL_S: Final = 0.1  # how often a waiting thread checks whether it should end
_JOIN_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class _Failure:
    error: BaseException


class _End:
    pass


class ByteBudget:
    """A limit on the bytes in flight; a single item may exceed it.

    One thread takes, another gives back. Once ``stop`` is set, ``take`` no longer waits.
    """

    def __init__(self, most: int, stop: threading.Event) -> None:
        self._most, self._stop = most, stop
        self._taken = 0
        self._changed = threading.Condition()

    def take(self, size: int) -> None:
        """Wait until ``size`` more bytes fit into the budget."""
        with self._changed:
            while self._taken and self._taken + size > self._most and not self._stop.is_set():
                self._changed.wait(_POLL_S)
            self._taken += size

    def give_back(self, size: int) -> None:
        """Release the ``size`` bytes of an item that is no longer in use."""
        with self._changed:
            self._taken -= size
            self._changed.notify()


class Prefetcher(Generic[T]):
    """Iterates ``items`` in a thread, up to ``depth`` items ahead of its consumer.

    All items arrive in order; an exception of ``items`` is raised after the items before it. Once ``stop`` is set, the
    thread closes ``items`` and ends. ``dropped`` counts items that were discarded, which never happens in this class.
    While the consumer waits, ``on_idle`` is called from time to time in the consumer's thread.
    """

    def __init__(self, items: Iterable[T], depth: int, stop: threading.Event) -> None:
        self.dropped = 0
        self.on_idle: Callable[[], None] | None = None
        self._items = items
        self._queue: queue.Queue[T | _Failure | _End] = queue.Queue(depth)
        self._stop = stop
        self._thread = BackgroundThread(self._run)
        # A thread still inside OpenCV or LiteRT would crash the process while the interpreter shuts down.
        weakref.finalize(self, _end, stop, self._thread)
        self._thread.start()

    def join(self) -> None:
        """Wait for the thread to end; a thread that is blocked in a driver is left behind."""
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        iterator = iter(self._items)
        last: _Failure | _End = _End()
        try:
            for item in iterator:
                if not self._put(item):
                    break
                del item  # frees it as soon as the consumer does
        except BaseException as error:  # noqa: BLE001  (raised again in the consumer)
            last = _Failure(error)
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()
        self._put(last)

    def _put(self, item: T | _Failure | _End) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False

    def __iter__(self) -> Iterator[T]:
        while not self._stop.is_set():
            try:
                # Use a timeout: without one, Ctrl-C cannot interrupt the wait on every system.
                item = self._queue.get(timeout=_POLL_S)
            except queue.Empty:
                if self.on_idle is not None:
                    self.on_idle()
                continue
            if isinstance(item, _Failure):
                raise item.error
            if isinstance(item, _End):
                return
            yield item
            del item


def _end(stop: threading.Event, thread: BackgroundThread) -> None:
    stop.set()
    if thread is not threading.current_thread():
        thread.join(_JOIN_S)


class LatestOnly(Prefetcher[T]):
    """A :class:`Prefetcher` for live items: newer items replace waiting ones.

    An item that is not ``droppable`` is never replaced, nor is the item before it. Items after it wait.
    """

    def __init__(
        self, items: Iterable[T], stop: threading.Event, droppable: Callable[[T], bool] = lambda item: True
    ) -> None:
        self._droppable = droppable
        super().__init__(items, 1, stop)

    def _put(self, item: T | _Failure | _End) -> bool:
        if isinstance(item, _Failure | _End) or not self._droppable(item):
            return super()._put(item)  # the frame before it must not be dropped
        while not self._stop.is_set():
            try:
                self._queue.put_nowait(item)
            except queue.Full:
                if not self._drop_waiting():
                    return super()._put(item)
            else:
                return True
        return False

    def _drop_waiting(self) -> bool:
        """Drop the waiting item, if it is droppable; return whether there may be room now."""
        with self._queue.mutex:
            waiting = self._queue.queue[0] if self._queue.queue else None
            if waiting is None:
                return True
            if isinstance(waiting, _Failure | _End) or not self._droppable(waiting):
                return False
            self._queue.queue.popleft()
            self._queue.not_full.notify()
        self.dropped += 1
        return True
