"""Freed memory that is kept for the next frame."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from collections.abc import Callable

import pytest

from fer_edge.runtime.malloc import keep_freed_memory

# Allocates and frees thirty frames repeatedly; prints the page faults after the first round.
_SCRIPT = """
import resource, sys
import numpy as np
from fer_edge.runtime.malloc import keep_freed_memory

if "keep" in sys.argv:
    assert keep_freed_memory()
faults = []
for _ in range(10):
    frames = [np.full((534, 956, 3), 1, np.uint8) for _ in range(30)]
    del frames
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(faults[-1] - faults[0])
"""


def page_faults(*arguments: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *arguments], check=True, capture_output=True, text=True, timeout=60
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc" or sys.maxsize < 2**32, reason="needs 64-bit glibc")
def test_frames_do_not_fault_their_pages_in_again() -> None:
    assert page_faults("keep") < page_faults() / 4


def library(mallopt: Callable[[int, int], int]) -> Callable[[None], object]:
    class Library:
        def __init__(self, name: None) -> None:
            self.mallopt = mallopt

    return Library


def test_where_one_setting_is_refused_the_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    def refuse(name: int, value: int) -> int:
        asked.append((name, value))
        return 0

    monkeypatch.setattr(ctypes, "CDLL", library(refuse))
    assert not keep_freed_memory()
    assert [name for name, _ in asked] == [-3]  # without this threshold, the other settings do harm


def test_another_c_library_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_library(name: None) -> object:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", no_library)
    assert not keep_freed_memory()
