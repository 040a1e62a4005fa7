"""Keeping the memory of one frame for the next."""

from __future__ import annotations

import ctypes
from typing import Final

__all__ = ["keep_freed_memory"]

# Parameters of mallopt(3), from glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8

_KEPT: Final = 256 << 20  # bytes at the heap's end
_FROM_HEAP: Final = 32 << 20  # bytes: the largest piece that glibc can be told to take from the heap


def keep_freed_memory() -> bool:
    """Tell glibc to keep what is freed in one heap for all threads; whether it does.

    By default a frame that one thread allocates and another frees goes back to the system again and again, and
    each of its pages is zeroed and mapped anew: a twentieth of a run's time. To be called before threads start.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # not Linux, or another C library
        return False
    # Where the first is refused, as on 32-bit systems, the others alone would do harm: all() leaves them out.
    parameters = ((_MMAP_THRESHOLD, _FROM_HEAP), (_TRIM_THRESHOLD, _KEPT), (_ARENA_MAX, 1))
    return all(bool(mallopt(name, value)) for name, value in parameters)
