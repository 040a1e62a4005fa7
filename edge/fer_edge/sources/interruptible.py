"""Native calls that may block for seconds, made in a thread of their own so that signals end the wait."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from fer_edge.runtime.shutdown import raise_if_interrupted

__all__ = ["CallThread"]

T = TypeVar("T")

_PATIENCE_S: Final = 0.1  # how often a wait looks for a signal or its end


class CallThread:
    """Makes calls one after another in a daemon thread, while the caller waits where signals reach it.

    A call that is abandoned (by a signal's exception, after too long, or by :meth:`close`) runs on to its own
    end; its result is dropped. FFmpeg's own interrupt callback would do that too, but PyAV's needs the
    interpreter, and crashes the process where that is going.
    """

    def __init__(self) -> None:
        self._closed = threading.Event()
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], _Outcome] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, function: Callable[[], T], timeout_s: float) -> T:
        """Return what the function returns and raise what it raises.

        Raises TimeoutError after so many seconds, InterruptedError after :meth:`close`, and a signal's exception
        in whatever thread this waits.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=_serve, args=(self._calls,), daemon=True)
            self._thread.start()
        outcome = _Outcome()
        self._calls.put((function, outcome))
        deadline = time.monotonic() + timeout_s
        while not outcome.done.wait(_PATIENCE_S):
            if self._closed.is_set():
                raise InterruptedError("closed while it waited")
            raise_if_interrupted()
            if time.monotonic() > deadline:
                self.close()
                raise TimeoutError(f"nothing came for {timeout_s:g} s")
        if outcome.error is not None:
            raise outcome.error
        result: T = outcome.value
        return result

    def close(self) -> None:
        """End the wait for the call that is under way; the thread ends after that call."""
        self._closed.set()
        self._calls.put(None)


class _Outcome:
    def __init__(self) -> None:
        self.done = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None


def _serve(calls: queue.SimpleQueue[tuple[Callable[[], Any], _Outcome] | None]) -> None:
    while (call := calls.get()) is not None:
        function, outcome = call
        try:
            outcome.value = function()
        except BaseException as error:  # noqa: BLE001  (raised again where it is waited for)
            outcome.error = error
        outcome.done.set()
        del call, function, outcome  # a result may hold much memory
