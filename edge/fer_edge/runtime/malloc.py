"""Keep freed memory in the process, so that the next frame can reuse it."""

from __future__ import annotations

import ctypes
from typing import Final

__all__ = ["keep_freed_memory"]

# Parameters of mallopt(3), from glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8

_KEPT: Final = 256 << 20  # free bytes kept at the end of the heap
_FROM_HEAP: Final = 32 << 20  # bytes: the largest allocation that glibc can serve from the heap


def keep_freed_memory() -> bool:
    """Make glibc keep freed memory in one heap; return whether it does.

    The heap is shared by all threads. By default, a frame that one thread allocates and another frees is returned
    to the system each time, and its pages are zeroed and mapped again, which costs a twentieth of a run's time.
    Call this before starting threads.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # not Linux, or another C library
        return False
    # If the first is refused, as on 32-bit systems, the others alone would do harm; all() then skips them.
    parameters = ((_MMAP_THRESHOLD, _FROM_HEAP), (_TRIM_THRESHOLD, _KEPT), (_ARENA_MAX, 1))
    return all(bool(mallopt(name, value)) for name, value in parameters)
