"""Reading from pipes, and calls that may block forever."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator

import pytest

from fer_edge.runtime.interruptible import CallThread
from fer_edge.sources.pipe import PipeReader

unix_only = pytest.mark.skipif(os.name == "nt", reason="select works only on sockets on Windows")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)


@unix_only
def test_what_was_peeked_at_is_read_once_more(pipe: tuple[int, int]) -> None:
    reader = PipeReader(pipe[0])
    os.write(pipe[1], b"ab")
    threading.Timer(0.1, lambda: os.write(pipe[1], b"cdef")).start()
    assert reader.peek(3) == b"abc"
    assert reader.read(2) == b"ab"
    assert reader.read(100) == b"c"
    assert reader.read(100) == b"def"


@unix_only
def test_the_end_of_a_pipe(pipe: tuple[int, int]) -> None:
    reader = PipeReader(pipe[0])
    os.write(pipe[1], b"a")
    os.close(pipe[1])
    assert reader.peek(3) == b"a"
    assert [reader.read(10) for _ in range(3)] == [b"a", b"", b""]
    reader.raise_failure()


@unix_only
def test_closing_ends_a_wait_in_another_thread(pipe: tuple[int, int]) -> None:
    reader = PipeReader(pipe[0])
    threading.Timer(0.1, reader.close).start()
    started = time.monotonic()
    assert reader.read(10) == b""
    assert time.monotonic() - started < 2


@unix_only
def test_a_failure_is_raised_where_it_can_be_seen(pipe: tuple[int, int]) -> None:
    reader = PipeReader(pipe[0])
    os.close(pipe[0])
    assert reader.read(10) == b""
    with pytest.raises(OSError, match="Bad file descriptor"):
        reader.raise_failure()


def test_calls_return_and_raise_what_they_do() -> None:
    calls = CallThread()
    assert calls.run(threading.get_ident, 5.0) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        calls.run(lambda: 1 / 0, 5.0)
    calls.close()


def test_a_call_that_takes_too_long_is_left_behind() -> None:
    calls, go = CallThread(), threading.Event()
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no data for 0\.2 s"):
        calls.run(go.wait, 0.2)
    assert time.monotonic() - started < 2
    go.set()


def test_closing_ends_the_wait_for_a_call() -> None:
    calls, go = CallThread(), threading.Event()
    threading.Timer(0.1, calls.close).start()
    with pytest.raises(InterruptedError):
        calls.run(go.wait, 30.0)
    go.set()
