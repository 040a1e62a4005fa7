"""Detection of messages that make a broker close the connection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from fer_edge.sinks.mqtt.outbox import Message, MessageKind

__all__ = ["RejectedMessageFinder"]

_MAX_LOSSES: Final = 3

_Key = tuple[str, bytes]


class RejectedMessageFinder:
    """Finds messages that make a broker close the connection.

    Each is given up after three lost connections. In MQTT 3.1.1 a broker can only close the connection if a
    message is larger than its limit or, with some brokers, if the access list forbids the topic. Sent again
    on each connection, such a message would block all others. ``is_searching``: a connection was lost with
    messages in flight, so messages are now sent one at a time to find the one that caused it.
    """

    def __init__(self) -> None:
        self.is_searching = False
        self._losses: Counter[_Key] = Counter()
        self._given_up: set[_Key] = set()

    def note_loss(self, in_flight: Sequence[Message]) -> Message | None:
        """Record the unacknowledged messages of a lost connection.

        Returns the message to give up, or None.
        """
        self.is_searching = bool(in_flight)
        if len(in_flight) != 1:
            return None
        (message,) = in_flight
        key = _identify(message)
        self._losses[key] += 1
        if self._losses[key] < _MAX_LOSSES:
            return None
        del self._losses[key]
        if message.kind is MessageKind.STATE:  # states are published again on each connection
            self._given_up.add(key)
        return message

    def note_acknowledged(self, message: Message) -> None:
        """Record that the broker has acknowledged a message."""
        if self._losses:
            self._losses.pop(_identify(message), None)

    def allows(self, message: Message) -> bool:
        """Return whether a message may be sent, because it has not been given up."""
        return not self._given_up or _identify(message) not in self._given_up

    def forget(self) -> None:
        """Forget all suspects after a stable connection, so that messages are retried."""
        self.is_searching = False
        self._losses.clear()
        self._given_up.clear()


def _identify(message: Message) -> _Key:
    """Return a key that is the same for equal messages.

    For a state it is only the topic, because each state replaces the previous one.
    """
    return message.topic, b"" if message.kind is MessageKind.STATE else message.payload
