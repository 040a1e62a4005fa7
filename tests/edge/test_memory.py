"""Freed memory that is kept for the next frame."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from fer_edge.memory import keep_freed_memory

# A frame-sized array made in one thread and freed in another, over and over; prints the page faults.
_SCRIPT = """
import queue, resource, sys, threading
import numpy as np
from fer_edge.memory import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
waiting = queue.Queue(3)

def produce():
    for i in range(200):
        waiting.put(np.full((534, 956, 3), i, np.uint8))
    waiting.put(None)

before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
threading.Thread(target=produce, daemon=True).start()
while waiting.get() is not None:
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's own settings")
def test_frames_do_not_fault_their_pages_in_again() -> None:
    def faults(how: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, how], check=True, capture_output=True, text=True, timeout=60
        )
        return int(done.stdout)

    pages_of_a_frame = 534 * 956 * 3 // 4096
    assert faults("keep") < 20 * pages_of_a_frame


def test_another_c_library_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes

    def no_library(name: None) -> object:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", no_library)
    assert not keep_freed_memory()
