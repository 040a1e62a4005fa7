"""The files in a folder that a command does not read."""

from __future__ import annotations

from collections import Counter
from typing import Final

from fer_edge.runtime.tables import format_count

__all__ = ["describe_left_out", "is_system_file"]

_SYSTEM_FILES: Final = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
_SYSTEM_FOLDERS: Final = frozenset({"__macosx", "$recycle.bin", "system volume information", "@eadir"})
_MAX_SUFFIXES: Final = 6  # listed by name; a folder may contain files of any kind


def is_system_file(name: str) -> bool:
    """Return whether a file or folder is hidden or created by the operating system."""
    return name.startswith(".") or name.lower() in _SYSTEM_FILES | _SYSTEM_FOLDERS


def describe_left_out(suffixes: Counter[str]) -> str | None:
    """Summarize files by suffix, such as ``3 files skipped (2 .heic, 1 .tga)``; None if there are none."""
    total = suffixes.total()
    if not total:
        return None
    common = sorted(suffixes.items(), key=lambda item: (-item[1], item[0]))
    kinds = [f"{count} {suffix or 'without a suffix'}" for suffix, count in common[:_MAX_SUFFIXES]]
    if len(common) > _MAX_SUFFIXES:
        kinds.append(f"{sum(count for _, count in common[_MAX_SUFFIXES:])} others")
    return f"{format_count(total, 'file')} skipped ({', '.join(kinds)})"
