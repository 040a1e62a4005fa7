"""Checks of memory, disk space and permissions."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fer_edge.doctor.finding import Finding

__all__ = ["check_memory", "check_places"]

_MIN_MEMORY, _LITTLE_MEMORY = 200 << 20, 400 << 20  # bytes; a run takes 130 MB, 220 with an annotated video
_LITTLE_DISK: Final = 1 << 30
_MEMINFO: Final = Path("/proc/meminfo")


def check_memory() -> Iterator[Finding]:
    """Check the free memory, on Linux only."""
    try:
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) << 10
    except (OSError, KeyError, ValueError):
        return
    found = f"{free / 1e6:,.0f} MB free"
    if free < _MIN_MEMORY:
        yield Finding("red", "memory", found, "close other programs; a run takes 130 to 220 MB")
    elif free < _LITTLE_MEMORY:
        yield Finding("amber", "memory", found, "do not write annotated video, or close other programs")
    else:
        yield Finding("green", "memory", found)


def check_places() -> Iterator[Finding]:
    """Check the current folder and the folder of temporary files."""
    for name, folder in (("this folder", Path.cwd()), ("temporary files", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(folder).free
        found = f"{folder}, {free / 1e9:,.1f} GB free"
        if not os.access(folder, os.W_OK):
            yield Finding(
                "amber",
                name,
                f"{found}, not writable",
                "write outputs to a folder for which you have permission",
            )
        elif free < _LITTLE_DISK:
            yield Finding(
                "amber", name, found, "free some space; an hour of annotated video takes about 1 GB"
            )
        else:
            yield Finding("green", name, found)
