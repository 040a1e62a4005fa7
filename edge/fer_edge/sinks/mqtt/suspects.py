"""Messages after which a broker ends the connection, so that one of them does not hold up all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from fer_edge.sinks.mqtt.outbox import Kind, Message

__all__ = ["Suspects"]

_MOST_LOSSES: Final = 3

_Key = tuple[str, bytes]


class Suspects:
    """Finds the message that a broker answers by ending the connection, and gives it up after three times.

    MQTT 3.1.1 has no other answer to a message that is larger than the broker's limit or, with some brokers, to a topic
    that the access list forbids. Sent again at each connection, such a message would keep everything else from ever
    arriving. ``is_searching``: a connection was lost with messages under way; they are sent one at a time now, so that
    the one that does it is known.
    """

    def __init__(self) -> None:
        self.is_searching = False
        self._losses: Counter[_Key] = Counter()
        self._given_up: set[_Key] = set()

    def note_loss(self, under_way: Sequence[Message]) -> Message | None:
        """Take what was not acknowledged when a broker ended a connection; the message that is given up for it."""
        self.is_searching = bool(under_way)
        if len(under_way) != 1:
            return None
        (message,) = under_way
        key = _identify(message)
        self._losses[key] += 1
        if self._losses[key] < _MOST_LOSSES:
            return None
        del self._losses[key]
        if message.kind is Kind.STATE:  # which is said again at each connection
            self._given_up.add(key)
        return message

    def note_acknowledged(self, message: Message) -> None:
        """The broker has taken a message."""
        if self._losses:
            self._losses.pop(_identify(message), None)

    def allows(self, message: Message) -> bool:
        """Whether a message has not been given up."""
        return not self._given_up or _identify(message) not in self._given_up

    def forget(self) -> None:
        """The connection has lasted: the next one may try everything again."""
        self.is_searching = False
        self._losses.clear()
        self._given_up.clear()


def _identify(message: Message) -> _Key:
    """What makes a message the same as another: of a state the topic, for each one replaces the one before."""
    return message.topic, b"" if message.kind is Kind.STATE else message.payload
