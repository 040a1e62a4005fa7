"""Limits on what a broker sends, so that a hostile one cannot fill the memory."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

__all__ = ["IncomingLimits", "PacketError", "create_limited_client", "read_topic"]

_MAX_PACKET: Final = 1 << 16  # bytes; the messages we subscribe to have fewer than a hundred
_MAX_UNRELEASED: Final = 64  # QoS 2 messages, which Paho keeps until the broker releases them
_MAX_UNANSWERED: Final = 1000  # packets whose answers wait in Paho's buffer, because the broker reads nothing

# Packet types of MQTT 3.1.1, section 2.2.1
_CONNACK, _PUBLISH, _PUBACK, _PUBREL, _PUBCOMP = 2, 3, 4, 6, 7
_SUBACK, _UNSUBACK, _PINGRESP = 9, 11, 13
_NO_ANSWER: Final = frozenset({_CONNACK, _PUBACK, _PUBCOMP, _SUBACK, _UNSUBACK, _PINGRESP})


class PacketError(Exception):
    """The broker sent something that a client should not accept."""


class IncomingLimits:
    """Follows the packets in the bytes from a broker and limits their size and number.

    MQTT 3.1.1 allows packets of 256 MiB and 65,535 unreleased messages of QoS 2, and Paho keeps all of them in
    memory. We subscribe with QoS 0, but some brokers can be set to deliver with the QoS of the publisher.
    """

    def __init__(self) -> None:
        self._first: int | None = None  # the first byte of the packet: its type and flags
        self._length = self._digits = 0
        self._body = 0  # bytes of the packet that are still to come
        self._unreleased = self._unanswered = 0

    def check(self, data: bytes) -> None:
        """Follow received bytes. Raises PacketError as soon as a limit is exceeded."""
        at = 0
        while at < len(data):
            if self._body:
                taken = min(self._body, len(data) - at)
                self._body -= taken
                at += taken
            else:
                self._read_header(data[at])
                at += 1

    def note_answered(self) -> None:
        """Record that all answers have been sent."""
        self._unanswered = 0

    def _read_header(self, byte: int) -> None:
        """Read a byte of the header: the type, or a digit of the length (to base 128, lowest first)."""
        if self._first is None:
            self._first, self._length, self._digits = byte, 0, 0
            return
        self._length |= (byte & 0x7F) << 7 * self._digits
        self._digits += 1
        if self._length > _MAX_PACKET:
            raise PacketError(f"the broker sends a packet of more than {_MAX_PACKET:,} bytes")
        if byte < 0x80:
            self._count_packet(self._first >> 4, self._first >> 1 & 3)
            self._first, self._body = None, self._length

    def _count_packet(self, kind: int, qos: int) -> None:
        if kind == _PUBLISH and qos == 2:
            self._unreleased += 1
        elif kind == _PUBREL:
            self._unreleased = max(0, self._unreleased - 1)
        if self._unreleased > _MAX_UNRELEASED:
            raise PacketError(f"the broker does not release its messages (more than {_MAX_UNRELEASED})")
        if kind not in _NO_ANSWER and (kind != _PUBLISH or qos):
            self._unanswered += 1
        if self._unanswered > _MAX_UNANSWERED:
            raise PacketError("the broker sends packets without reading the answers")


def create_limited_client(limits: IncomingLimits, *arguments: Any, **options: Any) -> Any:
    """Create a Paho client that lets ``limits`` check every byte before it is stored.

    The other parameters are those of ``paho.mqtt.client.Client``. Its ``loop_read`` raises PacketError.
    """
    return _client_class()(limits, *arguments, **options)


@cache
def _client_class() -> Any:
    from paho.mqtt.client import Client

    class LimitedClient(Client):
        def __init__(self, limits: IncomingLimits, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._limits = limits

        # Paho has no public limit, and no other place through which all bytes pass, with and without TLS.
        def _sock_recv(self, bufsize: int) -> bytes:
            data = super()._sock_recv(bufsize)
            self._limits.check(data)
            return data

    return LimitedClient


def read_topic(message: Any) -> str:
    """Return the topic of a received message (``MQTTMessage``). Raises PacketError if it is not UTF-8."""
    try:
        topic: str = message.topic
    except UnicodeDecodeError as error:
        raise PacketError("the broker sends a topic that is not UTF-8") from error
    return topic
