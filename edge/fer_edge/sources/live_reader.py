"""Reading a camera in a thread of its own: nobody waits for a driver, and nothing queues up behind a slow reader."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from fer_edge.runtime.shutdown import raise_if_interrupted
from fer_edge.sources.live import Arrival

__all__ = ["Backlog", "Device", "LiveReader", "Waiting"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_PATIENCE_S: Final = 0.1  # how often a wait looks for a signal
_OLD_S: Final = 0.25  # what waits longer is dropped where a later item needs nothing before it
_MOST_ITEMS: Final = 512
_MOST_BYTES: Final = 64 << 20


class Device(Protocol[T_co]):
    """A camera as one thread uses it: everything but ``interrupt`` is called in that thread alone."""

    def open(self) -> None:
        """Open it; raises CameraFault."""

    def read(self) -> T_co:
        """Wait for what comes next; raises CameraFault where nothing will come."""

    def interrupt(self) -> None:
        """End a call in the other thread early, where that is possible."""

    def close(self) -> None:
        """Free everything, also after a failed ``open``; called once."""


@dataclass(frozen=True, slots=True)
class Waiting(Generic[T]):
    """An item that waited to be taken.

    ``skipped`` items before it were dropped; ``broken`` says whether it does not continue what was taken before.
    """

    item: T
    arrival: Arrival
    skipped: int
    broken: bool


class Backlog(Generic[T]):
    """Items that wait, within bounds; not thread-safe by itself.

    Items that are ``whole`` need nothing before them: what waits when one comes is dropped, once it is old, or at
    once with ``newest_only``. Where too much waits without any whole item, everything does.
    """

    def __init__(self, *, newest_only: bool = False) -> None:
        self.newest_only = newest_only
        self._items: deque[tuple[T, Arrival, int]] = deque()
        self._bytes = self._skipped = 0
        self._broken = False

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: T, arrival: Arrival, *, size: int = 0, whole: bool = True) -> None:
        """Let an item wait; ``size`` is in bytes."""
        if self._items and (
            (self.newest_only and whole)
            or (whole and self._items[0][1].age_s > _OLD_S)
            or len(self._items) >= _MOST_ITEMS
            or self._bytes + size > _MOST_BYTES
        ):
            self.drop()
        self._items.append((item, arrival, size))
        self._bytes += size

    def pop(self) -> Waiting[T]:
        """The oldest item."""
        item, arrival, size = self._items.popleft()
        self._bytes -= size
        waiting = Waiting(item, arrival, self._skipped, self._broken)
        self._skipped, self._broken = 0, False
        return waiting

    def drop(self) -> None:
        """Drop everything that waits."""
        self._skipped += len(self._items)
        self._broken = self._broken or bool(self._items)
        self._items.clear()
        self._bytes = 0


class LiveReader(Generic[T]):
    """Opens a device in a thread, reads it there again and again, and closes it there.

    A call that blocks in a driver for ever leaves that thread behind and nothing else. ``is_whole`` says of an item
    whether it needs nothing before it.
    """

    def __init__(self, device: Device[T], backlog: Backlog[T], name: str) -> None:
        self._device, self._backlog = device, backlog
        self._changed = threading.Condition()
        self._opened = self._closed = False
        self._failure: BaseException | None = None
        self._last = Arrival.now()
        self.thread = threading.Thread(target=self._run, name=f"camera {name}", daemon=True)

    @property
    def waiting(self) -> int:
        """How many items wait."""
        return len(self._backlog)

    def open(self, timeout_s: float) -> None:
        """Start, and wait until the device is open.

        Raises what opening raises, TimeoutError after so many seconds, InterruptedError where it is closed meanwhile,
        and a signal's exception.
        """
        self.thread.start()
        deadline_s = Arrival.now().moment_s + timeout_s
        with self._changed:
            while not self._opened:
                self._raise_failure()
                if Arrival.now().moment_s > deadline_s:
                    raise TimeoutError
                self._changed.wait(_PATIENCE_S)
                raise_if_interrupted()
            self._last = Arrival.now()

    def take(self, timeout_s: float) -> Waiting[T]:
        """Wait for the next item.

        Raises TimeoutError where none came for so many seconds, what reading raised after the items before it,
        InterruptedError once it is closed, and a signal's exception.
        """
        with self._changed:
            while not self._backlog:
                self._raise_failure()
                if self._last.age_s > timeout_s:
                    raise TimeoutError
                self._changed.wait(_PATIENCE_S)
                raise_if_interrupted()
            if self._closed:
                raise InterruptedError
            return self._backlog.pop()

    def drop_waiting(self) -> None:
        """Drop what waits."""
        with self._changed:
            self._backlog.drop()

    def close(self) -> None:
        """End it without waiting for the thread, which frees the device as soon as its call returns."""
        with self._changed:
            self._closed = True
            self._backlog.drop()
            self._changed.notify_all()
        self._device.interrupt()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread's end, at most so long; one that blocks for ever is left behind."""
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
                del failure  # its traceback holds this frame

    def _run(self) -> None:
        try:
            self._device.open()
            with self._changed:
                self._opened = True
                self._changed.notify_all()
            while not self._closed:
                self._put(self._device.read())
        except BaseException as error:  # noqa: BLE001  (raised again where the items are taken)
            self._failure = _without_frames(error)
        finally:
            try:
                self._device.close()
            except Exception as error:  # noqa: BLE001  (a driver's; nobody can do anything about it)
                self._failure = self._failure or error
            with self._changed:
                self._changed.notify_all()

    def _put(self, item: T) -> None:
        arrival, size = Arrival.now(), _bytes_of(item)
        with self._changed:
            self._last = arrival
            if not self._closed:
                self._backlog.add(item, arrival, size=size, whole=_is_whole(item))
            self._changed.notify_all()


def _without_frames(error: BaseException) -> BaseException:
    """The error without the frames of its traceback, which would hold a device long after it is closed."""
    chained: BaseException | None = error
    while chained is not None:
        chained.__traceback__ = None
        chained = chained.__cause__ or chained.__context__
    return error


def _is_whole(item: Any) -> bool:
    """Whether it needs nothing before it: an image, a key frame's packet."""
    return bool(getattr(item, "is_keyframe", True))


def _bytes_of(item: Any) -> int:
    return int(getattr(item, "size", 0))
