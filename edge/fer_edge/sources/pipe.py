"""Read pipes for FFmpeg in such a way that signals and closing end the wait."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path
from threading import Event
from typing import Final

from fer_edge.runtime.shutdown import raise_if_interrupted

__all__ = ["PipeReader"]

_POLL_S: Final = 0.1


class PipeReader:
    """Reads a file descriptor that may stay silent forever.

    After :meth:`close`, it reports the end of the data. FFmpeg swallows exceptions raised while it reads;
    :meth:`raise_failure` raises them again. With ``owned``, the descriptor is closed at the end.
    """

    def __init__(self, descriptor: int, *, owned: bool = False) -> None:
        self._descriptor, self._owned = descriptor, owned
        self._closed = Event()
        self._failure: BaseException | None = None
        self._peeked = b""

    @classmethod
    def open(cls, path: Path) -> PipeReader:
        """Open a named pipe without waiting for its writer. Raises OSError."""
        return cls(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), owned=True)

    def peek(self, size: int) -> bytes:
        """Return the first ``size`` bytes without consuming them.

        Returns fewer at the end or after a failure.
        """
        while len(self._peeked) < size and (more := self._read(size - len(self._peeked))):
            self._peeked += more
        return self._peeked

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes as soon as any are available.

        Returns ``b""`` at the end or after a failure.
        """
        if self._peeked:
            peeked, self._peeked = self._peeked[:size], self._peeked[size:]
            return peeked
        return self._read(size)

    def _read(self, size: int) -> bytes:
        try:
            while not self._closed.is_set():
                # On Windows, select works only with sockets.
                if sys.platform == "win32" or select.select([self._descriptor], [], [], _POLL_S)[0]:
                    try:
                        return os.read(self._descriptor, size)
                    except BlockingIOError:  # another reader was faster
                        continue
                raise_if_interrupted()
        except BaseException as error:  # noqa: BLE001  (includes a signal's exception)
            self._failure = error
            self._closed.set()
        return b""

    def raise_failure(self) -> None:
        """Raise the exception that ended reading: a signal's exception or an OSError."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Unblock a read in another thread."""
        self._closed.set()

    def release(self) -> None:
        """Close an owned descriptor. No thread may be reading from it."""
        self.close()
        if self._owned:
            self._owned = False
            os.close(self._descriptor)
