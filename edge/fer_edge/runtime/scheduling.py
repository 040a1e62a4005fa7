"""A process that stays an ordinary one for the operating system, whatever a library makes of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

__all__ = ["keep_scheduling"]

_THREADS: Final = Path("/proc/self/task")


@contextmanager
def keep_scheduling() -> Iterator[None]:
    """Take back real-time scheduling that is switched on within the block, in every thread of this process.

    SVT-AV1 does so as root, at the highest priority: the thread that opens an encoder keeps it and hands it on to all
    that it starts, before which whatever else the machine runs has to wait. Linux alone.
    """
    if not hasattr(os, "sched_getscheduler") or os.sched_getscheduler(0) != os.SCHED_OTHER:
        yield  # whoever started this process chose otherwise
        return
    try:
        yield
    finally:
        for thread in _THREADS.iterdir() if _THREADS.is_dir() else ():
            with suppress(OSError):  # it has ended meanwhile
                if os.sched_getscheduler(int(thread.name)) in (os.SCHED_FIFO, os.SCHED_RR):
                    os.sched_setscheduler(int(thread.name), os.SCHED_OTHER, os.sched_param(0))
