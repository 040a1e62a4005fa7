"""Something done now and then in a thread of its own, while nobody else does it."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

__all__ = ["Ticker"]


class Ticker:
    """Calls ``action`` each ``seconds`` until it is stopped, or until it fails.

    What it raised is raised again by :meth:`raise_failure`, in the thread of whoever has to hear of it.
    """

    def __init__(self, seconds: float, action: Callable[[], None]) -> None:
        self._seconds, self._action = seconds, action
        self._stop = Event()
        self._failure: Exception | None = None
        self._thread = Thread(target=self._run, name="ticker", daemon=True)

    def start(self) -> None:
        """Begin, unless it has begun already."""
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        """End it, and wait until an action that is under way is done."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def raise_failure(self) -> None:
        """Raise what the action raised, once."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self._action()
            except Exception as error:  # noqa: BLE001  (raised where it can be handled)
                self._failure = error
                return
