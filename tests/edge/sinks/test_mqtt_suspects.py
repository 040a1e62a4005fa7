"""The search for the message that makes a broker close the connection."""

from __future__ import annotations

from fer_edge.sinks.mqtt.outbox import Message, MessageKind
from fer_edge.sinks.mqtt.suspects import RejectedMessageFinder

EVENT = Message(MessageKind.EVENT, "a/events", b"1")
OTHER = Message(MessageKind.EVENT, "a/events", b"2")
STATE = Message(MessageKind.STATE, "a/state", b"1")


def test_it_is_searched_for_among_those_that_were_under_way() -> None:
    suspects = RejectedMessageFinder()
    assert suspects.note_loss([EVENT, OTHER]) is None
    assert suspects.is_searching
    assert [suspects.note_loss([EVENT]) for _ in range(3)] == [None, None, EVENT]


def test_one_that_was_taken_after_all_is_none() -> None:
    suspects = RejectedMessageFinder()
    for _ in range(2):
        suspects.note_loss([EVENT])
    suspects.note_acknowledged(EVENT)
    assert suspects.note_loss([EVENT]) is None


def test_a_loss_with_no_message_in_flight_suspects_none() -> None:
    suspects = RejectedMessageFinder()
    assert suspects.note_loss([]) is None
    assert not suspects.is_searching


def test_a_state_is_left_out_whatever_it_says_until_a_connection_lasts() -> None:
    suspects = RejectedMessageFinder()
    newer = Message(MessageKind.STATE, "a/state", b"2")
    found = [suspects.note_loss([message]) for message in (STATE, newer, STATE)]
    assert found == [None, None, STATE]
    assert not suspects.allows(newer)
    assert suspects.allows(EVENT)
    suspects.forget()
    assert suspects.allows(newer)
