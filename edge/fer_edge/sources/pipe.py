"""Standard input as FFmpeg reads it: a wait that signals and the end of a run can break off."""

from __future__ import annotations

import os
import select
import sys
from threading import Event
from typing import Final

__all__ = ["PipeReader"]

_PATIENCE_S: Final = 0.1


class PipeReader:
    """Reads a descriptor that may stay silent for ever; the end of data once it is closed.

    FFmpeg swallows what is raised while it reads: :meth:`raise_failure` raises it again.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._closed = Event()
        self._failure: BaseException | None = None

    def read(self, size: int) -> bytes:
        """Up to so many bytes, as soon as there are any; none at the end or after a failure."""
        try:
            while not self._closed.is_set():
                # Windows can select sockets alone.
                if sys.platform == "win32" or select.select([self._descriptor], [], [], _PATIENCE_S)[0]:
                    return os.read(self._descriptor, size)
        except BaseException as error:  # noqa: BLE001  (a signal's, too)
            self._failure = error
            self._closed.set()
        return b""

    def raise_failure(self) -> None:
        """Raise what ended the reading: a signal's exception, or an OSError."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """End a wait in another thread; the descriptor stays open."""
        self._closed.set()
