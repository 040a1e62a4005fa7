"""Dispatch of events: check the rules of a run and perform their actions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from fer_edge.events.base import Action
from fer_edge.events.engine import Event, RuleEngine
from fer_edge.events.rules import Rule
from fer_edge.runtime.background import BackgroundThread
from fer_edge.types import FrameResult

__all__ = ["EventDispatcher", "Listener"]

Listener = Callable[[Event], None]

_POLL_S: Final = 0.1


class EventDispatcher:
    """Checks rules on each result, performs their actions and calls listeners.

    ``pairs`` are rules with their actions. A rule may appear in several pairs; it is evaluated once.
    ``counts`` holds the number of events of each rule so far.
    """

    def __init__(self, pairs: Sequence[tuple[Rule, Action]]) -> None:
        self._pairs = pairs
        self._listeners: list[Listener] = []
        self._engine = RuleEngine(list(dict.fromkeys(rule for rule, _ in pairs)))
        self.counts: Counter[str] = Counter({rule.text: 0 for rule, _ in pairs})

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` with every event; it must return at once and raise nothing."""
        self._listeners.append(listener)

    def handle_result(self, result: FrameResult) -> None:
        """Check the rules against the next result of a stream and perform their actions."""
        for event in self._engine.update(result):
            self.counts[event.rule.text] += 1
            for listener in self._listeners:
                listener(event)
            for rule, action in self._pairs:
                if rule == event.rule:
                    action.perform(event)

    def reset(self) -> None:
        """Start over for another stream, with a new clock and new faces."""
        self._engine.reset()

    def interrupt(self) -> None:
        """Continue the stream after a gap without frames, with new faces."""
        self._engine.interrupt()

    def close(self) -> None:
        """Close all actions in parallel, even if one of them fails."""
        failures: list[Exception] = []

        def close_action(action: Action) -> None:
            try:
                action.close()
            except Exception as error:  # noqa: BLE001  (raised below)
                failures.append(error)

        threads = [BackgroundThread(close_action, action) for _, action in self._pairs]
        for thread in threads:
            thread.start()
        try:
            _join(threads)
        except BaseException:  # raised by a signal, which also shortens the wait of the actions
            _join(threads)
            raise
        if failures:
            raise failures[0]


def _join(threads: Sequence[BackgroundThread]) -> None:
    for thread in threads:
        while thread.is_running():
            thread.join(_POLL_S)  # on some platforms a signal cannot interrupt a join without a timeout
