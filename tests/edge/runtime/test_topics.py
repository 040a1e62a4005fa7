"""Topics that a broker would reject are rejected before anything is opened."""

from __future__ import annotations

import pytest

from fer_edge.errors import UsageError
from fer_edge.runtime.topics import check_topic


@pytest.mark.parametrize("topic", ["a", "home/door", "/home", "Küche/Tür", "a b/c", "x" * 65_535, "a/$b"])
def test_a_topic_may_be_anything_that_a_broker_takes(topic: str) -> None:
    check_topic(topic)


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ("", "is empty"),
        ("home/+/door", "wildcards"),
        ("home/#", "wildcards"),
        ("$SYS/broker", "reserved for the broker"),
        ("$share/group/topic", "reserved for the broker"),
        ("a\0b", "control characters"),
        ("a\nb", "control characters"),
        ("a\udcffb", "control characters"),
        ("x" * 65_536, "longer than 65,535 bytes"),
        ("ü" * 33_000, "longer than"),
        ("/" * 200, "200 or more levels"),
    ],
)
def test_what_no_broker_takes_is_refused(topic: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        check_topic(topic)
    assert len(str(raised.value)) < 200
    assert "\n" not in str(raised.value)


def test_what_comes_below_it_has_to_fit_too() -> None:
    check_topic("x" * 65_500, spare=35)
    with pytest.raises(UsageError, match="65,500"):
        check_topic("x" * 65_501, spare=35)
