"""The options that affect rows, which must stay the same when a results file or archive is continued."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["collect_settings", "describe_change"]


_OPTIONS: Final = ("detector", "min_face", "detect_every", "smoothing", "flip_average", "every")


def collect_settings(options: Any) -> dict[str, Any]:
    """Return the options of a video run or archive that affect rows, by their names on the command line.

    The model and the part of the video are not among them.
    """
    return {name.replace("_", "-"): getattr(options, name) for name in _OPTIONS}


def describe_change(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Describe the first setting whose value has changed, such as "every 1, not the default"; None if none has."""
    for name, value in before.items():
        if value != now.get(name):
            return f"{name} {_describe(value)}, not {_describe(now.get(name))}"
    return None


def _describe(value: Any) -> str:
    return "the default" if value is None else f"{value}"
