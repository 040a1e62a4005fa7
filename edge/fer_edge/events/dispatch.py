"""From results to actions: the rules of a run, and what each starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Final

from fer_edge.events.base import Action
from fer_edge.events.engine import Event, RuleEngine
from fer_edge.events.rules import Rule
from fer_edge.types import FrameResult

__all__ = ["EventDispatcher", "Listener"]

Listener = Callable[[Event], None]

_PATIENCE_S: Final = 0.1


class EventDispatcher:
    """Performs the actions of rules as results come in, and tells whoever else wants to know.

    ``pairs`` are rules and what each starts; a rule may be in several, and is followed once. ``counts`` are the events
    of each rule so far.
    """

    def __init__(self, pairs: Sequence[tuple[Rule, Action]]) -> None:
        self._pairs = pairs
        self._listeners: list[Listener] = []
        self._engine = RuleEngine(list(dict.fromkeys(rule for rule, _ in pairs)))
        self.counts: Counter[str] = Counter({rule.text: 0 for rule, _ in pairs})

    def listen(self, listener: Listener) -> None:
        """Tell every event to somebody else, who returns at once and raises nothing."""
        self._listeners.append(listener)

    def take(self, result: FrameResult) -> None:
        """Take the next result of a stream."""
        for event in self._engine.update(result):
            self.counts[event.rule.text] += 1
            for listener in self._listeners:
                listener(event)
            for rule, action in self._pairs:
                if rule == event.rule:
                    action.perform(event)

    def reset(self) -> None:
        """Another stream begins, whose clock and faces are others."""
        self._engine.reset()

    def interrupt(self) -> None:
        """The stream goes on after a time in which nobody saw what happened, with other faces."""
        self._engine.interrupt()

    def close(self) -> None:
        """The run is over: all actions end at the same time, also where another one fails."""
        failures: list[Exception] = []

        def end(action: Action) -> None:
            try:
                action.close()
            except Exception as error:  # noqa: BLE001  (raised below)
                failures.append(error)

        threads = [Thread(target=end, args=(action,), daemon=True) for _, action in self._pairs]
        for thread in threads:
            thread.start()
        try:
            _join(threads)
        except BaseException:  # a signal's, which shortens their waiting
            _join(threads)
            raise
        if failures:
            raise failures[0]


def _join(threads: Sequence[Thread]) -> None:
    for thread in threads:
        while thread.is_alive():
            thread.join(_PATIENCE_S)  # without a limit a signal could not end it everywhere
