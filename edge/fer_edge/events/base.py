"""What an action is, and one that works beside the run."""

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
from fer_edge.runtime.shutdown import is_interrupted

__all__ = ["Action", "ActionFactory", "ActionRequest", "BackgroundAction", "Publisher"]

_LOG: Final = logging.getLogger(__name__)

_MOST_WAITING: Final = 100  # events
_END_S: Final = 30.0  # for so long the end of a run waits for what is still to be done
_INTERRUPTED_END_S: Final = 2.0  # and that of an interrupted one
_JOIN_S: Final = 1.0  # for threads that were told to end
_PATIENCE_S: Final = 0.05


class Action(Protocol):
    """What a rule starts. ``perform`` returns at once: whatever takes time happens beside the run."""

    def perform(self, event: Event) -> None:
        """Do it for an event, once; a failure is a warning, and ends nothing."""

    def close(self) -> None:
        """End with the run: finish what was asked for or, after a while, give it up."""


Publisher = Callable[[EventRecord, str], None]
"""Publishes an event to an MQTT topic, at once or as soon as there is a connection."""


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """What an action is made from: ``target``, the whole text after ``--then``, and what it may use.

    ``publish`` is the run's way to an MQTT broker; None where it has none.
    """

    target: str
    publish: Publisher | None = None

    @property
    def rest(self) -> str:
        """What follows the action's name and its colon."""
        return self.target.partition(":")[2]


ActionFactory = Callable[[ActionRequest], Action]


class BackgroundAction(ABC):
    """Performs events in threads of its own, a hundred of which may wait.

    ``name`` is what messages call it; ``threads`` how many events are worked on at a time. Where more come than it can
    do, the oldest are dropped, counted and reported.
    """

    def __init__(self, name: str, threads: int = 1) -> None:
        self._name = name
        self._most_threads = threads
        self._waiting: deque[Event] = deque()
        self._changed = threading.Condition()
        self._busy = 0
        self._threads: list[threading.Thread] = []
        self.ended = threading.Event()
        """Set when nothing more shall be begun or waited for."""

    @abstractmethod
    def work_on(self, event: Event) -> None:
        """Do it for an event; raises nothing."""

    def perform(self, event: Event) -> None:
        """Put an event into the queue."""
        with self._changed:
            if len(self._waiting) >= _MOST_WAITING:
                self._waiting.popleft()
                self.warn("more events than it can do; the oldest are dropped")
            self._waiting.append(event)
            if self._busy + len(self._waiting) > len(self._threads) < self._most_threads:
                thread = threading.Thread(target=self._serve, name=f"action {self._name}", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the system gives no more of them; the event waits for the next one's
                    self.warn("the system starts no further thread; its events wait")
                else:
                    self._threads.append(thread)
            self._changed.notify()

    def warn(self, what: str) -> None:
        """Report a failure; equal ones are counted."""
        _LOG.warning("%s: %s", self._name, what)

    def close(self) -> None:
        """Wait for what is still to be done; after half a minute, or two seconds of an interruption, give it up."""
        try:
            self._wait_for_end()
        finally:
            self.ended.set()
            with self._changed:
                left = len(self._waiting) + self._busy
                self._waiting.clear()
                self._changed.notify_all()
            if left:
                self.warn(f"{left} of its events were given up at the end of the run")
            deadline = time.monotonic() + _JOIN_S
            for thread in self._threads:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _wait_for_end(self) -> None:
        begun = time.monotonic()
        with self._changed:
            while self._waiting or self._busy:
                if time.monotonic() >= begun + (_INTERRUPTED_END_S if is_interrupted() else _END_S):
                    break
                self._changed.wait(_PATIENCE_S)

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
                self.work_on(event)
            except Exception as error:  # noqa: BLE001  (one event's failure must not end those to come)
                _LOG.debug("%s failed", self._name, exc_info=True)
                self.warn(f"it failed: {error or type(error).__name__}")
            finally:
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()
                del event
