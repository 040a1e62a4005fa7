"""Call a function periodically in a separate thread."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from fer_edge.runtime.background import BackgroundThread

__all__ = ["Ticker"]


class Ticker:
    """Calls ``action`` every ``seconds`` seconds until stopped or failing.

    :meth:`raise_failure` raises the action's exception in the calling thread.
    """

    def __init__(self, seconds: float, action: Callable[[], None]) -> None:
        self._seconds, self._action = seconds, action
        self._stop = Event()
        self._failure: Exception | None = None
        self._thread = BackgroundThread(self._run, name="ticker")

    def start(self) -> None:
        """Start the thread unless it has been started."""
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for an action in progress to finish."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def raise_failure(self) -> None:
        """Raise the action's exception, once."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self._action()
            except Exception as error:  # noqa: BLE001  (raised again by raise_failure)
                self._failure = error
                return
