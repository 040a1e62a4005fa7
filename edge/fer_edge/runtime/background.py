"""Background threads that can be joined while signals arrive."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ["BackgroundThread"]


class BackgroundThread(threading.Thread):
    """A daemon thread whose ``join`` may be interrupted by a signal.

    If a signal raises an exception while ``threading.Thread.join`` waits, Python up to 3.12 marks the thread as ended
    although it is still running (bpo-45274), and joining it again returns at once.

    >>> thread = BackgroundThread(print, "saved")
    >>> thread.start(); thread.join()
    saved
    """

    def __init__(self, target: Callable[..., Any], *arguments: Any, name: str | None = None) -> None:
        super().__init__(target=target, args=arguments, name=name, daemon=True)
        self._has_run = threading.Event()

    def run(self) -> None:
        """Call the target."""
        try:
            super().run()
        finally:
            self._has_run.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread to end, for at most ``timeout`` seconds."""
        if self.ident is None:
            raise RuntimeError("cannot join thread before it is started")
        if self._has_run.wait(timeout):
            super().join()  # takes only a moment now

    def is_running(self) -> bool:
        """Return whether the thread has been started and its target has not returned."""
        return self.ident is not None and not self._has_run.is_set()
