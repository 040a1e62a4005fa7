"""Validate MQTT topics for publishing."""

from __future__ import annotations

import unicodedata
from typing import Final

from fer_edge.errors import UsageError

__all__ = ["check_topic"]

_MAX_BYTES: Final = 65_535  # MQTT 3.1.1, section 4.7.3
_MAX_LEVELS: Final = 200  # Mosquitto closes the connection above this limit
_WILDCARDS: Final = "+#"


def check_topic(topic: str, *, spare: int = 0) -> None:
    """Raise UsageError if a topic cannot be published to.

    ``spare`` is the number of bytes, and of levels, that may be appended later.
    """
    if not topic:
        raise UsageError("the MQTT topic is empty; use a topic such as home/door")
    shown = topic if len(topic) <= 60 else f"{topic[:57]}…"
    if any(sign in topic for sign in _WILDCARDS):
        raise UsageError(f"MQTT topic {shown!r}: + and # are subscription wildcards; remove them")
    if topic.startswith("$"):
        raise UsageError(
            f"MQTT topic {shown!r}: topics that begin with $ are reserved for the broker; choose another"
        )
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in topic):
        raise UsageError(f"MQTT topic {shown!r}: contains control characters; remove them")
    if len(topic.encode()) > _MAX_BYTES - spare:
        raise UsageError(f"MQTT topic {shown!r}: longer than {_MAX_BYTES - spare:,} bytes; shorten it")
    if topic.count("/") >= _MAX_LEVELS - spare:
        raise UsageError(f"MQTT topic {shown!r}: has {_MAX_LEVELS - spare} or more levels; use fewer slashes")
