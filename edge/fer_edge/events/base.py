"""The ``Action`` interface and a base class for background actions."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from fer_edge.events.engine import Event, EventRecord
from fer_edge.runtime.background import BackgroundThread
from fer_edge.runtime.shutdown import is_interrupted
from fer_edge.runtime.tables import format_count

__all__ = ["Action", "ActionFactory", "ActionRequest", "BackgroundAction", "Publisher"]

_LOG: Final = logging.getLogger(__name__)

_MAX_WAITING: Final = 100  # events
_CLOSE_TIMEOUT_S: Final = 30.0  # how long to wait for pending events at the end of a run
_INTERRUPTED_CLOSE_TIMEOUT_S: Final = 2.0  # the same, once the run has been interrupted
_JOIN_S: Final = 1.0  # how long to wait for threads that have been told to stop
_POLL_S: Final = 0.05


class Action(Protocol):
    """An action that a rule triggers.

    ``perform`` returns at once: slow work runs in the background and never holds up the run.
    """

    def perform(self, event: Event) -> None:
        """Perform the action for an event; a failure is only logged as a warning."""

    def close(self) -> None:
        """Finish pending events at the end of the run, or give them up after a time limit."""


Publisher = Callable[[EventRecord, str], None]
"""A function that publishes an event to an MQTT topic, now or once there is a connection."""


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """The arguments of an action factory.

    ``target`` is the full text after ``--then``. ``publish`` publishes over the run's MQTT connection; None
    if the run has no broker.
    """

    target: str
    publish: Publisher | None = None

    @property
    def rest(self) -> str:
        """The part of the target after the action's name and colon."""
        return self.target.partition(":")[2]


ActionFactory = Callable[[ActionRequest], Action]


class BackgroundAction(ABC):
    """An action that handles events in background threads, with a queue of 100 events.

    ``name`` identifies the action in messages; ``threads`` is how many events are handled at the same time.
    When the queue is full, the oldest event is dropped, counted and reported.
    """

    def __init__(self, name: str, threads: int = 1) -> None:
        self._name = name
        self._max_threads = threads
        self._waiting: deque[Event] = deque()
        self._changed = threading.Condition()
        self._busy = 0
        self._threads: list[BackgroundThread] = []
        self.ended = threading.Event()
        """Set once no more work may start and no more waiting is allowed."""

    @abstractmethod
    def handle_event(self, event: Event) -> None:
        """Handle one event in a background thread; raises nothing."""

    def perform(self, event: Event) -> None:
        """Queue an event."""
        with self._changed:
            if len(self._waiting) >= _MAX_WAITING:
                self._waiting.popleft()
                self.warn("cannot keep up with the events; dropping the oldest")
            self._waiting.append(event)
            if self._busy + len(self._waiting) > len(self._threads) < self._max_threads:
                thread = BackgroundThread(self._serve, name=f"action {self._name}")
                try:
                    thread.start()
                except RuntimeError:  # no threads left in the system; the event waits for the next attempt
                    self.warn("cannot start another thread; events are waiting")
                else:
                    self._threads.append(thread)
            self._changed.notify()

    def warn(self, what: str) -> None:
        """Log a warning; identical warnings are counted."""
        _LOG.warning("%s: %s", self._name, what)

    def close(self) -> None:
        """Wait for pending events: at most 30 seconds, or 2 after an interruption."""
        try:
            self._wait_for_end()
        finally:
            self.ended.set()
            with self._changed:
                left = len(self._waiting) + self._busy
                self._waiting.clear()
                self._changed.notify_all()
            if left:
                self.warn(f"{format_count(left, 'pending event')} dropped at the end of the run")
            deadline = time.monotonic() + _JOIN_S
            for thread in self._threads:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _wait_for_end(self) -> None:
        start = time.monotonic()
        with self._changed:
            while self._waiting or self._busy:
                if time.monotonic() >= start + (
                    _INTERRUPTED_CLOSE_TIMEOUT_S if is_interrupted() else _CLOSE_TIMEOUT_S
                ):
                    break
                self._changed.wait(_POLL_S)

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self.ended.is_set():
                    self._changed.wait()
                if self.ended.is_set():
                    return
                event = self._waiting.popleft()
                self._busy += 1
            try:
                self.handle_event(event)
            except Exception as error:  # noqa: BLE001  (one failing event must not stop the next ones)
                _LOG.debug("%s failed", self._name, exc_info=True)
                self.warn(f"failed: {error or type(error).__name__}")
            finally:
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()
                del event
