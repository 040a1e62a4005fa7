"""Limits on the packets of a broker, however their bytes arrive."""

from __future__ import annotations

import pytest

from fer_edge.sinks.mqtt.incoming import IncomingLimits, PacketError


def packet(first: int, body: bytes) -> bytes:
    """Return a packet with its length."""
    digits, left = bytearray(), len(body)
    while True:
        left, digit = left >> 7, left & 0x7F
        digits.append(digit | (0x80 if left else 0))
        if not left:
            return bytes((first,)) + bytes(digits) + body


def feed(limits: IncomingLimits, data: bytes, step: int) -> None:
    """Check data in pieces of ``step`` bytes."""
    for at in range(0, len(data), step):
        limits.check(data[at : at + step])


CONNECTED = packet(0x20, b"\x00\x00")
MESSAGE = packet(0x30, b"\x00\x01aonline")
EXACTLY_ONCE = packet(0x34, b"\x00\x01a\x00\x07online")
RELEASE = packet(0x62, b"\x00\x07")
LONGEST = packet(0x30, bytes(1 << 16))


@pytest.mark.parametrize("step", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        CONNECTED + MESSAGE * 2000,
        (EXACTLY_ONCE + RELEASE) * 400,
        LONGEST + CONNECTED,
        packet(0xD0, b"") * 2000,
        packet(0x40, b"\x00\x01") * 2000,
    ],
)
def test_what_a_broker_may_send_is_accepted(data: bytes, step: int) -> None:
    feed(IncomingLimits(), data, step)


@pytest.mark.parametrize("step", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x30\xff\xff\xff\x7f", "more than 65,536 bytes"),
        (packet(0x30, bytes((1 << 16) + 1)), "more than 65,536 bytes"),
        (MESSAGE + EXACTLY_ONCE * 65, "does not release"),
        (packet(0x32, b"\x00\x01a\x00\x07online") * 1001, "without reading"),
        (packet(0xC0, b"") * 1001, "without reading"),
    ],
)
def test_what_would_fill_the_memory_is_refused(data: bytes, said: str, step: int) -> None:
    with pytest.raises(PacketError, match=said):
        feed(IncomingLimits(), data, step)


def test_answers_that_were_sent_no_longer_count() -> None:
    limits = IncomingLimits()
    for _ in range(5):
        limits.check(packet(0x32, b"\x00\x01a\x00\x07online") * 900)
        limits.note_answered()
