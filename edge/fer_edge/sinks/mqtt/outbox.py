"""A bounded queue of messages to a broker."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from threading import Lock
from typing import Final

__all__ = ["Message", "MessageKind", "Outbox"]

_MAX_MESSAGES: Final = 1000
_MAX_BYTES: Final = 4 << 20
_OVERHEAD: Final = 200  # approximate bytes of memory in addition to topic and payload


class MessageKind(Enum):
    """The kind of a message, which decides what is dropped when the queue is full.

    Rows are dropped first, events last; of the states of a topic, only the newest is kept.
    """

    ROW = "row"
    STATE = "state"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Message:
    """A message to a topic.

    States are retained. All messages except rows are acknowledged (QoS 1).
    """

    kind: MessageKind
    topic: str
    payload: bytes

    @property
    def qos(self) -> int:
        """The MQTT quality of service: 0 sends once, 1 until the broker acknowledges."""
        return 0 if self.kind is MessageKind.ROW else 1

    @property
    def retain(self) -> bool:
        """Whether the broker keeps the message for later subscribers."""
        return self.kind is MessageKind.STATE

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        return len(self.topic) + len(self.payload) + _OVERHEAD


class Outbox:
    """A thread-safe queue with at most 1000 messages and 4 MiB.

    States are taken first, only the newest of each topic; then events, then rows, in order. When the queue is
    full, the oldest row is dropped, or the oldest event if there are no rows. ``dropped`` counts both.
    """

    def __init__(self, most_messages: int = _MAX_MESSAGES, most_bytes: int = _MAX_BYTES) -> None:
        self._most_messages, self._most_bytes = most_messages, most_bytes
        self._lock = Lock()
        self._states: dict[str, Message] = {}
        self._events: deque[Message] = deque()
        self._rows: deque[Message] = deque()
        self._bytes = 0
        self.dropped = dict.fromkeys((MessageKind.ROW, MessageKind.EVENT), 0)

    def put(self, message: Message) -> None:
        """Append a message."""
        with self._lock:
            if message.kind is MessageKind.STATE:
                self._states.pop(message.topic, None)
                self._states[message.topic] = message
                return
            (self._events if message.kind is MessageKind.EVENT else self._rows).append(message)
            self._bytes += message.size
            self._make_room()

    def put_back(self, messages: Sequence[Message]) -> None:
        """Put unacknowledged messages back at the front, in order."""
        with self._lock:
            for message in reversed(messages):
                if message.kind is MessageKind.STATE:
                    newer = self._states.get(message.topic, message)
                    self._states[message.topic] = newer
                elif message.kind is MessageKind.EVENT:
                    self._events.appendleft(message)
                    self._bytes += message.size
            self._make_room()

    def take(self) -> Message | None:
        """Remove and return the next message; None if the queue is empty."""
        with self._lock:
            if self._states:
                return self._states.pop(next(iter(self._states)))
            queue = self._events or self._rows
            if not queue:
                return None
            message = queue.popleft()
            self._bytes -= message.size
            return message

    def count(self, kind: MessageKind) -> int:
        """Return the number of waiting messages of a kind."""
        with self._lock:
            waiting = {
                MessageKind.STATE: self._states,
                MessageKind.EVENT: self._events,
                MessageKind.ROW: self._rows,
            }
            return len(waiting[kind])

    def __len__(self) -> int:
        with self._lock:
            return len(self._states) + len(self._events) + len(self._rows)

    def _make_room(self) -> None:
        while (
            len(self._events) + len(self._rows) > self._most_messages or self._bytes > self._most_bytes
        ) and (queue := self._rows or self._events):
            message = queue.popleft()
            self._bytes -= message.size
            self.dropped[message.kind] += 1
