"""Waiting messages: the next one to send, and which are dropped when there are too many."""

from __future__ import annotations

from fer_edge.sinks.mqtt.outbox import Message, MessageKind, Outbox


def message(kind: MessageKind, text: str, topic: str = "topic") -> Message:
    return Message(kind, topic, text.encode())


def drain(outbox: Outbox) -> list[str]:
    taken = []
    while (each := outbox.take()) is not None:
        taken.append(each.payload.decode())
    return taken


def test_states_come_first_then_events_then_rows_in_their_order() -> None:
    outbox = Outbox()
    for kind, text in (
        (MessageKind.ROW, "r1"),
        (MessageKind.EVENT, "e1"),
        (MessageKind.ROW, "r2"),
        (MessageKind.STATE, "s"),
        (MessageKind.EVENT, "e2"),
    ):
        outbox.put(message(kind, text))
    assert len(outbox) == 5
    assert drain(outbox) == ["s", "e1", "e2", "r1", "r2"]
    assert len(outbox) == 0


def test_of_a_state_only_the_newest_is_kept() -> None:
    outbox = Outbox()
    for text in ("1", "2", "3"):
        outbox.put(message(MessageKind.STATE, text))
    outbox.put(message(MessageKind.STATE, "other", "other"))
    assert drain(outbox) == ["3", "other"]


def test_what_is_full_drops_the_oldest_rows_and_then_the_oldest_events() -> None:
    outbox = Outbox(most_messages=4)
    for text in ("e1", "e2"):
        outbox.put(message(MessageKind.EVENT, text))
    for text in ("r1", "r2", "r3"):
        outbox.put(message(MessageKind.ROW, text))
    outbox.put(message(MessageKind.STATE, "s"))
    for text in ("e3", "e4", "e5"):
        outbox.put(message(MessageKind.EVENT, text))
    assert drain(outbox) == ["s", "e2", "e3", "e4", "e5"]
    assert outbox.dropped == {MessageKind.ROW: 3, MessageKind.EVENT: 1}


def test_bytes_are_bounded_too() -> None:
    outbox = Outbox(most_bytes=1000)
    for _ in range(10):
        outbox.put(message(MessageKind.ROW, "x" * 200))
    assert len(outbox) == 2
    assert outbox.dropped[MessageKind.ROW] == 8


def test_one_that_alone_is_too_large_is_dropped() -> None:
    outbox = Outbox(most_bytes=1000)
    outbox.put(message(MessageKind.EVENT, "x" * 2000))
    assert outbox.take() is None
    assert outbox.dropped[MessageKind.EVENT] == 1


def test_what_comes_back_is_before_the_rest_but_a_newer_state_stays() -> None:
    outbox = Outbox()
    for kind, text in (
        (MessageKind.STATE, "old"),
        (MessageKind.EVENT, "e1"),
        (MessageKind.EVENT, "e2"),
        (MessageKind.EVENT, "e3"),
    ):
        outbox.put(message(kind, text))
    taken = [outbox.take() for _ in range(3)]
    outbox.put(message(MessageKind.STATE, "new"))
    outbox.put_back([each for each in taken if each is not None])
    assert drain(outbox) == ["new", "e1", "e2", "e3"]


def test_memory_is_counted_back() -> None:
    outbox = Outbox(most_bytes=1000)
    for _ in range(1000):
        outbox.put(message(MessageKind.EVENT, "x" * 300))
        assert outbox.take() is not None
    assert outbox.dropped[MessageKind.EVENT] == 0


def test_only_states_are_retained_and_only_rows_unacknowledged() -> None:
    assert [(kind, each.qos, each.retain) for kind in MessageKind for each in (message(kind, ""),)] == [
        (MessageKind.ROW, 0, False),
        (MessageKind.STATE, 1, True),
        (MessageKind.EVENT, 1, False),
    ]
