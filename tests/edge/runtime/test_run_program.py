"""Signals that arrive before a command line can handle them, and after it has finished."""

from __future__ import annotations

import signal

import pytest

from tests.edge.support import run_python

PROGRAM = """
import os, sys
from fer_edge.runtime.shutdown import run_program

def run():
    for number in map(int, sys.argv[1:]):
        os.kill(os.getpid(), number)
    return 1

run_program(run)
"""


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 143)])
def test_a_signal_while_modules_are_imported(name: str, status: int) -> None:
    if not hasattr(signal, name):
        pytest.skip("this system has no such signal")
    done = run_python(PROGRAM, int(getattr(signal, name)))
    assert (done.returncode, done.stderr) == (status, "")


DROPPED = """
import os, signal
from fer_edge.runtime.shutdown import raise_if_interrupted, run_program

class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

def run():
    Finalized()
    raise_if_interrupted()
    return 0

run_program(run)
"""


def test_a_signal_in_a_finalizer_prints_no_traceback() -> None:
    done = run_python(DROPPED)
    assert (done.returncode, done.stderr) == (143, "")


def test_without_a_signal_the_status_is_the_programs() -> None:
    assert run_python(PROGRAM).returncode == 1


ABORTING = """
import atexit, os
from fer_edge.runtime.shutdown import run_program, skip_finalization

class Native:
    def __del__(self):
        os.abort()

def run():
    atexit.register(print, "closed")
    skip_finalization()
    print("done")
    return 1

kept = Native()
run_program(run)
"""


def test_a_library_that_would_abort_in_the_end_does_not_change_the_status() -> None:
    done = run_python(ABORTING)
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (1, ["done", "closed"], "")
