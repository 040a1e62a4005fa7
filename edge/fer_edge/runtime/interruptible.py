"""Run blocking native calls in a thread, so that signals can end the wait."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from fer_edge.runtime.background import BackgroundThread
from fer_edge.runtime.shutdown import raise_if_interrupted

__all__ = ["CallThread"]

T = TypeVar("T")

_POLL_S: Final = 0.1  # how often a wait checks for a signal or for its end


class CallThread:
    """Runs calls one at a time in a daemon thread.

    Meanwhile, the caller waits where signals reach it. An abandoned call (after a signal's exception, a timeout
    or :meth:`close`) runs to completion, and its result is dropped. FFmpeg's own interrupt callback would do the
    same, but PyAV implements it in Python, and it crashes the process while the interpreter shuts down.
    """

    def __init__(self) -> None:
        self._closed = threading.Event()
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], _Outcome] | None] = queue.SimpleQueue()
        self._thread: BackgroundThread | None = None

    def run(self, function: Callable[[], T], timeout_s: float) -> T:
        """Call the function in the thread; return its result or raise its exception.

        Raises TimeoutError after ``timeout_s`` seconds, InterruptedError after :meth:`close`, and a signal's exception
        in whichever thread is waiting.
        """
        if self._thread is None:
            self._thread = BackgroundThread(_serve, self._calls)
            self._thread.start()
        outcome = _Outcome()
        self._calls.put((function, outcome))
        deadline = time.monotonic() + timeout_s
        while not outcome.done.wait(_POLL_S):
            if self._closed.is_set():
                raise InterruptedError("closed while waiting")
            raise_if_interrupted()
            if time.monotonic() > deadline:
                self.close()
                raise TimeoutError(f"no data for {timeout_s:g} s")
        if outcome.error is not None:
            raise outcome.error
        result: T = outcome.value
        return result

    def close(self) -> None:
        """End the wait for the current call; the thread ends when that call returns."""
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
        except BaseException as error:  # noqa: BLE001  (raised again in the waiting thread)
            outcome.error = error
        outcome.done.set()
        del call, function, outcome  # the result may occupy a lot of memory
