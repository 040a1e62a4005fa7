"""The newest of something, for any number of watchers: whoever is slow misses what came between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

__all__ = ["Latest"]

T = TypeVar("T")


class Latest(Generic[T]):
    """Holds the newest value while somebody watches; one puts, many wait.

    ``ended`` is True once nothing comes any more.
    """

    def __init__(self) -> None:
        self.ended = False
        self._watchers = 0
        self._number, self._value = 0, None  # type: tuple[int, T | None]
        self._changed = threading.Condition()

    @property
    def watchers(self) -> int:
        """How many watch."""
        return self._watchers

    @contextmanager
    def watch(self) -> Iterator[int]:
        """Count as a watcher within the block; gives the number of the last value before."""
        with self._changed:
            self._watchers += 1
            number = self._number
        try:
            yield number
        finally:
            with self._changed:
                self._watchers -= 1
                if not self._watchers:
                    self._value = None

    def put(self, value: T) -> None:
        """Replace the value, where somebody watches."""
        with self._changed:
            if self._watchers and not self.ended:
                self._number += 1
                self._value = value
                self._changed.notify_all()

    def wait(self, after: int, timeout: float) -> tuple[int, T] | None:
        """The newest value and its number, once it is newer than ``after``; None after the time-out or the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > after or self.ended, timeout)
            if self.ended or self._number <= after or self._value is None:
                return None
            return self._number, self._value

    def end(self) -> None:
        """Nothing comes any more; nobody waits any longer."""
        with self._changed:
            self.ended = True
            self._value = None
            self._changed.notify_all()
