"""Keep the process's normal scheduling policy when a library changes it."""

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
    """Undo real-time scheduling that is enabled within the block, in all threads.

    When run as root, SVT-AV1 enables it at the highest priority: the thread that opens an encoder keeps it and
    passes it on to all threads that it starts, which then preempt everything else on the machine. Linux only.
    """
    if not hasattr(os, "sched_getscheduler") or os.sched_getscheduler(0) != os.SCHED_OTHER:
        yield  # the process was started with another policy on purpose
        return
    try:
        yield
    finally:
        for thread in _THREADS.iterdir() if _THREADS.is_dir() else ():
            with suppress(OSError):  # the thread has ended meanwhile
                if os.sched_getscheduler(int(thread.name)) in (os.SCHED_FIFO, os.SCHED_RR):
                    os.sched_setscheduler(int(thread.name), os.SCHED_OTHER, os.sched_param(0))
