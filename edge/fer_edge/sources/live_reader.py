"""Read a camera in a separate thread.

Nothing waits for a blocked driver, and no items pile up behind a slow consumer.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from fer_edge.runtime.background import BackgroundThread
from fer_edge.runtime.shutdown import raise_if_interrupted
from fer_edge.sources.live import Arrival

__all__ = ["Backlog", "Device", "LiveReader", "QueuedItem"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_POLL_S: Final = 0.1  # how often a wait checks for a signal
_OLD_S: Final = 0.25  # older items are dropped when an item arrives that can be decoded without them
_MAX_ITEMS: Final = 512
_MAX_BYTES: Final = 64 << 20


class Device(Protocol[T_co]):
    """A camera as used by its reader thread.

    All calls except ``interrupt`` are made in that thread.
    """

    def open(self) -> None:
        """Open the camera. Raises CameraFault."""

    def read(self) -> T_co:
        """Wait for the next item. Raises CameraFault if there will be none."""

    def interrupt(self) -> None:
        """Unblock a call in the reader thread, if possible."""

    def close(self) -> None:
        """Free all resources, even after a failed ``open``; called once."""


@dataclass(frozen=True, slots=True)
class QueuedItem(Generic[T]):
    """An item from the backlog.

    ``skipped`` items before it were dropped. ``follows_gap`` means that it does not continue the item taken before it.
    """

    item: T
    arrival: Arrival
    skipped: int
    follows_gap: bool


class Backlog(Generic[T]):
    """A bounded queue of items; not thread-safe by itself.

    A ``whole`` item can be decoded without the items before it. When one is added, the queued items are dropped if
    they are old, or always with ``newest_only``. If the queue exceeds its limits without a whole item, all queued items
    are dropped.
    """

    def __init__(self, *, newest_only: bool = False) -> None:
        self.newest_only = newest_only
        self._items: deque[tuple[T, Arrival, int]] = deque()
        self._bytes = self._skipped = 0
        self._follows_gap = False

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: T, arrival: Arrival, *, size: int = 0, whole: bool = True) -> None:
        """Add an item of ``size`` bytes."""
        if self._items and (
            (self.newest_only and whole)
            or (whole and self._items[0][1].age_s > _OLD_S)
            or len(self._items) >= _MAX_ITEMS
            or self._bytes + size > _MAX_BYTES
        ):
            self.drop()
        self._items.append((item, arrival, size))
        self._bytes += size

    def pop(self) -> QueuedItem[T]:
        """Remove and return the oldest item."""
        item, arrival, size = self._items.popleft()
        self._bytes -= size
        waiting = QueuedItem(item, arrival, self._skipped, self._follows_gap)
        self._skipped, self._follows_gap = 0, False
        return waiting

    def drop(self) -> None:
        """Drop all queued items."""
        self._skipped += len(self._items)
        self._follows_gap = self._follows_gap or bool(self._items)
        self._items.clear()
        self._bytes = 0


class LiveReader(Generic[T]):
    """Opens, reads and closes a device in a separate thread.

    A call that blocks in a driver forever leaves nothing behind but that thread.
    """

    def __init__(self, device: Device[T], backlog: Backlog[T], name: str) -> None:
        self._device, self._backlog = device, backlog
        self._changed = threading.Condition()
        self._opened = self._closed = False
        self._failure: BaseException | None = None
        self._last = Arrival.now()
        self.thread = BackgroundThread(self._run, name=f"camera {name}")

    @property
    def waiting(self) -> int:
        """The number of queued items."""
        return len(self._backlog)

    def open(self, timeout_s: float) -> None:
        """Start the thread and wait until the device is open.

        Raises the exception of opening, TimeoutError after ``timeout_s`` seconds, InterruptedError if the reader is
        closed meanwhile, and a signal's exception.
        """
        self.thread.start()
        deadline_s = Arrival.now().moment_s + timeout_s
        with self._changed:
            while not self._opened:
                self._raise_failure()
                if Arrival.now().moment_s > deadline_s:
                    raise TimeoutError
                self._changed.wait(_POLL_S)
                raise_if_interrupted()
            self._last = Arrival.now()

    def take(self, timeout_s: float) -> QueuedItem[T]:
        """Wait for the next item.

        Raises TimeoutError if none arrives for ``timeout_s`` seconds, the exception of reading once the items before it
        are taken, InterruptedError after ``close``, and a signal's exception.
        """
        with self._changed:
            while not self._backlog:
                self._raise_failure()
                if self._last.age_s > timeout_s:
                    raise TimeoutError
                self._changed.wait(_POLL_S)
                raise_if_interrupted()
            if self._closed:
                raise InterruptedError
            return self._backlog.pop()

    def drop_waiting(self) -> None:
        """Drop the queued items."""
        with self._changed:
            self._backlog.drop()

    def close(self) -> None:
        """Stop reading without waiting for the thread.

        The thread frees the device as soon as its current call returns.
        """
        with self._changed:
            self._closed = True
            self._backlog.drop()
            self._changed.notify_all()
        self._device.interrupt()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end, for at most ``timeout_s`` seconds.

        A thread that is blocked forever is left behind.
        """
        if self.thread.ident is not None:
            self.thread.join(timeout_s)

    def _raise_failure(self) -> None:
        if self._closed:
            raise InterruptedError
        if self._failure is not None:
            failure, self._failure, self._closed = self._failure, None, True
            try:
                raise failure
            finally:
                del failure  # its traceback references this frame

    def _run(self) -> None:
        try:
            self._device.open()
            with self._changed:
                self._opened = True
                self._changed.notify_all()
            while not self._closed:
                self._put(self._device.read())
        except BaseException as error:  # noqa: BLE001  (raised again by ``take``)
            self._failure = _strip_tracebacks(error)
        finally:
            try:
                self._device.close()
            except Exception as error:  # noqa: BLE001  (a driver's error; there is nothing to do about it)
                self._failure = self._failure or error
            with self._changed:
                self._changed.notify_all()

    def _put(self, item: T) -> None:
        arrival, size = Arrival.now(), _get_byte_count(item)
        with self._changed:
            self._last = arrival
            if not self._closed:
                self._backlog.add(item, arrival, size=size, whole=_is_whole(item))
            self._changed.notify_all()


def _strip_tracebacks(error: BaseException) -> BaseException:
    """Strip the tracebacks from an error and its causes.

    Their frames would keep a device alive long after it was closed.
    """
    chained: BaseException | None = error
    while chained is not None:
        chained.__traceback__ = None
        chained = chained.__cause__ or chained.__context__
    return error


def _is_whole(item: Any) -> bool:
    """Return whether an item can be decoded alone: an image or a key frame's packet."""
    return bool(getattr(item, "is_keyframe", True))


def _get_byte_count(item: Any) -> int:
    return int(getattr(item, "size", 0))
