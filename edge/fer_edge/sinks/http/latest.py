"""A container for the newest value, which any number of watchers can wait for.

Slow watchers skip values.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

__all__ = ["Latest"]

T = TypeVar("T")


class Latest(Generic[T]):
    """Holds the newest value while there are watchers; one producer, many consumers.

    ``ended`` is True once no more values follow.
    """

    def __init__(self) -> None:
        self.ended = False
        self._watchers = 0
        self._number, self._value = 0, None  # type: tuple[int, T | None]
        self._changed = threading.Condition()

    @property
    def watchers(self) -> int:
        """The number of watchers."""
        return self._watchers

    @contextmanager
    def watch(self) -> Iterator[int]:
        """Count as a watcher within the block; yields the number of the last value."""
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
        """Replace the value if there are watchers."""
        with self._changed:
            if self._watchers and not self.ended:
                self._number += 1
                self._value = value
                self._changed.notify_all()

    def wait(self, after: int, timeout: float) -> tuple[int, T] | None:
        """Wait for a value newer than ``after``; return its number and the value.

        Returns None after the timeout, in seconds, or at the end.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._number > after or self.ended, timeout)
            if self.ended or self._number <= after or self._value is None:
                return None
            return self._number, self._value

    def end(self) -> None:
        """Declare that no more values follow, and wake all watchers."""
        with self._changed:
            self.ended = True
            self._value = None
            self._changed.notify_all()
