"""Threads that can be joined while signals arrive."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from fer_edge.runtime.background import BackgroundThread
from fer_edge.runtime.shutdown import Terminated, install_signal_handlers


@pytest.mark.skipif(os.name == "nt", reason="Windows terminates processes immediately")
def test_a_signal_during_join_does_not_make_a_running_thread_count_as_ended() -> None:
    install_signal_handlers()
    go = threading.Event()
    thread = BackgroundThread(go.wait, 10)
    thread.start()
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with pytest.raises(Terminated):
        thread.join(5)
    assert thread.is_running()
    thread.join(0.05)
    assert thread.is_running()
    go.set()
    thread.join()
    assert not thread.is_running()
    assert not thread.is_alive()


def test_join_gives_up_in_time() -> None:
    go = threading.Event()
    thread = BackgroundThread(go.wait)
    assert not thread.is_running()
    with pytest.raises(RuntimeError):
        thread.join()
    thread.start()
    started = time.monotonic()
    thread.join(0.05)
    assert time.monotonic() - started < 5
    assert thread.is_running()
    go.set()
    thread.join()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_failed_has_ended() -> None:
    thread = BackgroundThread(int, "x", name="failing")
    thread.start()
    thread.join()
    assert not thread.is_running()
    assert (thread.name, thread.daemon) == ("failing", True)
