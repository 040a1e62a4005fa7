"""MQTT topics that may be published to."""

from __future__ import annotations

import unicodedata
from typing import Final

from fer_edge.errors import UsageError

__all__ = ["check_topic"]

_MOST_BYTES: Final = 65_535  # of MQTT 3.1.1, section 4.7.3
_MOST_LEVELS: Final = 200  # of Mosquitto, which ends the connection of whoever uses more
_WILDCARDS: Final = "+#"


def check_topic(topic: str, *, spare: int = 0) -> None:
    """Refuse a topic that no broker takes a message for; raises UsageError.

    ``spare`` is the number of bytes, and of levels, that may be added to it later.
    """
    if not topic:
        raise UsageError("an MQTT topic is empty; write one such as home/door")
    shown = topic if len(topic) <= 60 else f"{topic[:57]}…"
    if any(sign in topic for sign in _WILDCARDS):
        raise UsageError(f"MQTT topic {shown!r}: + and # are wildcards of subscriptions; leave them out")
    if topic.startswith("$"):
        raise UsageError(f"MQTT topic {shown!r}: what begins with $ is the broker's own; name another")
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in topic):
        raise UsageError(f"MQTT topic {shown!r}: it holds control characters; leave them out")
    if len(topic.encode()) > _MOST_BYTES - spare:
        raise UsageError(f"MQTT topic {shown!r}: it is longer than {_MOST_BYTES - spare:,} bytes; shorten it")
    if topic.count("/") >= _MOST_LEVELS - spare:
        raise UsageError(f"MQTT topic {shown!r}: it has {_MOST_LEVELS - spare} levels or more; use fewer /")
