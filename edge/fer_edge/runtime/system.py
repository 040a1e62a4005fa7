"""What the machine says of itself: processors, temperature, throttling, a process's memory."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fer_edge.errors import UsageError

__all__ = ["describe_machine", "peak_memory", "processor_count", "temperature", "thread_count", "throttling"]

_MOST_THREADS: Final = 64  # each has an interpreter of some megabytes

_MODEL: Final = Path("/proc/device-tree/model")
_THERMAL: Final = Path("/sys/class/thermal/thermal_zone0/temp")

_THROTTLING: Final = {
    0: "under-voltage",
    1: "processor frequency capped",
    2: "throttled",
    3: "soft temperature limit",
}
"""The bits of ``vcgencmd get_throttled`` for now; 16 above each is its bit for since the start.

https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
"""
_SINCE_START: Final = 16
_SAMPLED_S: Final = 0.02


def processor_count() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count(asked: int | None) -> int:
    """The threads to use: those asked for, otherwise one for each processor; raises UsageError for too many."""
    if asked is not None and asked > _MOST_THREADS:
        raise UsageError(f"expected at most {_MOST_THREADS} threads, got {asked}")
    return asked or min(_MOST_THREADS, processor_count())


def describe_machine() -> str:
    """What people call this machine: a board's own name or the system's, and its processors."""
    try:
        name = _MODEL.read_text("utf-8", "replace").rstrip("\0")
    except OSError:
        name = platform.system()
    count = processor_count()
    return f"{name}, {platform.machine()}, {count} processor{'' if count == 1 else 's'}"


def temperature(path: Path = _THERMAL) -> float | None:
    """The processor's temperature in degrees Celsius; None where Linux tells none."""
    try:
        return int(path.read_text()) / 1000
    except (OSError, ValueError):
        return None


def throttling() -> tuple[str, ...] | None:
    """What holds a Raspberry Pi back or has since its start, () where nothing; None on other machines."""
    try:
        done = subprocess.run(["vcgencmd", "get_throttled"], capture_output=True, text=True, timeout=5)
        flags = int(done.stdout.partition("=")[2], 16)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    now = [what for bit, what in _THROTTLING.items() if flags >> bit & 1]
    before = [
        f"{what} earlier"
        for bit, what in _THROTTLING.items()
        if flags >> (bit + _SINCE_START) & 1 and what not in now
    ]
    return (*now, *before)


def peak_memory(command: Sequence[str]) -> int | None:
    """Run a command to its end in silence; the most bytes of memory it had at once.

    None where the system does not tell (Windows) or the command failed.
    """
    if not hasattr(os, "wait4"):
        return None
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        status_file = Path(f"/proc/{process.pid}/status")
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            peak = max(peak, _high_water(status_file))
            time.sleep(_SAMPLED_S)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        return None
    # On Linux ru_maxrss holds what this process had when it forked: the last sample is the child's own.
    return peak or (usage.ru_maxrss if sys.platform == "darwin" else usage.ru_maxrss * 1024)


def _high_water(status: Path) -> int:
    """VmHWM of a process in bytes; 0 where the system has no such file."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
