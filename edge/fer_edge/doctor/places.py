"""Memory, disks and rights."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fer_edge.doctor.finding import Finding

__all__ = ["check_memory", "check_places"]

_LEAST_MEMORY, _LITTLE_MEMORY = 200 << 20, 400 << 20  # bytes: a run takes 130 MB, with an annotated video 220
_LITTLE_DISK: Final = 1 << 30
_MEMINFO: Final = Path("/proc/meminfo")


def check_memory() -> Iterator[Finding]:
    """What is free, where Linux tells."""
    try:
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) << 10
    except (OSError, KeyError, ValueError):
        return
    found = f"{free / 1e6:,.0f} MB free"
    if free < _LEAST_MEMORY:
        yield Finding("red", "memory", found, "end other programs: a run takes 130 to 220 MB")
    elif free < _LITTLE_MEMORY:
        yield Finding("amber", "memory", found, "write no annotated video, or end other programs")
    else:
        yield Finding("green", "memory", found)


def check_places() -> Iterator[Finding]:
    """The folder that one is in, and that of temporary files."""
    for name, folder in (("this folder", Path.cwd()), ("temporary files", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(folder).free
        found = f"{folder}, {free / 1e9:,.1f} GB free"
        if not os.access(folder, os.W_OK):
            yield Finding(
                "amber", name, f"{found}, not writable", "name outputs in a folder that you may write to"
            )
        elif free < _LITTLE_DISK:
            yield Finding(
                "amber", name, found, "free some space: an hour of annotated video takes about 1 GB"
            )
        else:
            yield Finding("green", name, found)
