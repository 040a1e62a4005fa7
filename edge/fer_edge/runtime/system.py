"""Facts about the machine: processors, temperature, throttling, peak memory."""

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

__all__ = [
    "choose_thread_count",
    "count_processors",
    "describe_machine",
    "measure_peak_memory",
    "read_temperature",
    "read_throttling",
]

_MAX_THREADS: Final = 64  # each thread has an interpreter of several megabytes

_MODEL: Final = Path("/proc/device-tree/model")
_THERMAL: Final = Path("/sys/class/thermal/thermal_zone0/temp")

_THROTTLING: Final = {
    0: "under-voltage",
    1: "processor frequency capped",
    2: "throttled",
    3: "soft temperature limit",
}
"""The bits of ``vcgencmd get_throttled`` for the current state.

The bit 16 places higher means the same for any time since boot.

https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
"""
_SINCE_START: Final = 16
_SAMPLED_S: Final = 0.02


def count_processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def choose_thread_count(requested: int | None) -> int:
    """Return the number of threads to use, by default one per processor.

    Raises UsageError if more than 64 are requested.
    """
    if requested is not None and requested > _MAX_THREADS:
        raise UsageError(f"expected at most {_MAX_THREADS} threads, got {requested}")
    return int(requested or 0) or min(_MAX_THREADS, count_processors())


def describe_machine() -> str:
    """Describe this machine: board or system name, architecture and processors."""
    try:
        name = _MODEL.read_text("utf-8", "replace").rstrip("\0")
    except OSError:
        name = platform.system()
    count = count_processors()
    return f"{name}, {platform.machine()}, {count} processor{'' if count == 1 else 's'}"


def read_temperature(path: Path = _THERMAL) -> float | None:
    """Return the processor temperature in degrees Celsius, or None if unknown."""
    try:
        return int(path.read_text()) / 1000
    except (OSError, ValueError):
        return None


def read_throttling() -> tuple[str, ...] | None:
    """Return what throttles a Raspberry Pi now or has since boot.

    Returns () if nothing does, None on other machines.
    """
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


def measure_peak_memory(command: Sequence[str]) -> int | None:
    """Run a command without output and return its peak memory in bytes.

    Returns None if the system does not report it (Windows) or the command failed.
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
    # On Linux, ru_maxrss includes this process's memory at the fork; the samples are the child's own.
    return peak or (usage.ru_maxrss if sys.platform == "darwin" else usage.ru_maxrss * 1024)


def _high_water(status: Path) -> int:
    """Return the VmHWM of a process in bytes, or 0 if the system has no such file."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
