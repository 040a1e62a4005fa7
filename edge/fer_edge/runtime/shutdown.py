"""Turn signals into exceptions in the main thread.

Everything is then flushed and closed before the program exits.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final, NoReturn

__all__ = [
    "INTERRUPTED",
    "TERMINATED",
    "Terminated",
    "finish_before_interruption",
    "ignore_signals",
    "install_signal_handlers",
    "is_interrupted",
    "raise_if_interrupted",
    "run_program",
    "skip_finalization",
]

INTERRUPTED: Final = 130
"""The exit status after SIGINT."""

TERMINATED: Final = 143
"""The exit status after SIGTERM and SIGHUP."""

_REPEATED_S: Final = 2.0  # signals within this time count as one: closing takes a moment
_GRACE_S: Final = 1.0  # how long a step may take to finish after a signal


class Terminated(BaseException):
    """SIGTERM arrived, or the terminal was closed."""


class _Interruption:
    """The exception for the last signal."""

    kind: type[BaseException] | None = None
    raised_at = 0.0  # on the monotonic clock
    in_step = False  # a step is in progress that a signal should not cut
    waits = False  # a signal arrived during the step


class _Ending:
    """The way in which :func:`run_program` exits."""

    at_once = False


def install_signal_handlers() -> None:
    """Raise KeyboardInterrupt on SIGINT and Terminated on SIGTERM and SIGHUP.

    Signals that are ignored on purpose stay ignored. Several signals within two seconds interrupt only once, so that
    closing is not interrupted.
    """
    _Interruption.kind = None
    _Interruption.in_step = _Interruption.waits = False
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell's background job ignores it
        signal.signal(signal.SIGINT, _interrupt)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # nohup ignores it
        signal.signal(signal.SIGHUP, _interrupt)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    now = time.monotonic()
    if _Interruption.kind is not None and now < _Interruption.raised_at + _REPEATED_S:
        return
    _Interruption.kind = KeyboardInterrupt if number == signal.SIGINT else Terminated
    _Interruption.raised_at = now
    if _Interruption.in_step and hasattr(signal, "setitimer"):
        _Interruption.waits = True
        signal.signal(signal.SIGALRM, _end_grace)
        signal.setitimer(signal.ITIMER_REAL, _GRACE_S)
        return
    raise _Interruption.kind


def _end_grace(_number: int, _frame: FrameType | None) -> None:
    """Interrupt a step that does not finish, for example because the reader of a pipe has stopped reading."""
    if _Interruption.waits and _Interruption.kind is not None:
        _Interruption.waits = False
        raise _Interruption.kind


@contextmanager
def finish_before_interruption() -> Iterator[None]:
    """Let the block finish before a signal's exception is raised, for up to a second.

    For steps that should be done completely or not at all. On Windows, the exception is raised at once.
    """
    if _Interruption.in_step:
        yield
        return
    _Interruption.in_step = True
    try:
        yield
    finally:
        _Interruption.in_step = False
        waits, _Interruption.waits = _Interruption.waits, False
        if waits:
            signal.setitimer(signal.ITIMER_REAL, 0)
    if waits:
        raise_if_interrupted()


def run_program(run: Callable[[], int]) -> NoReturn:
    """Run the program and exit with its status, or with that of a signal.

    Signals are also handled while ``run`` imports modules.
    """
    sys.unraisablehook = _report_unraisable
    try:
        install_signal_handlers()
        status = run()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except Terminated:
        status = TERMINATED
    ignore_signals()
    if _Ending.at_once:
        _exit_at_once(status)
    sys.exit(status)


def skip_finalization() -> None:
    """Make :func:`run_program` exit without Python's finalization.

    For libraries whose threads outlive their own shutdown, such as Ray's C++ library, which may abort the process
    during finalization. Functions registered with ``atexit`` are still called.
    """
    _Ending.at_once = True


def _exit_at_once(status: int) -> NoReturn:
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(
            OSError, ValueError
        ):  # the disk is full or the stream is closed; there is nowhere to report it
            stream.flush()
    os._exit(status)


def _report_unraisable(dropped: sys.UnraisableHookArgs) -> None:
    """Ignore a signal's exception in a finalizer or callback.

    :func:`raise_if_interrupted` raises it again at the next step.
    """
    if not issubclass(dropped.exc_type, KeyboardInterrupt | Terminated):
        sys.__unraisablehook__(dropped)


def ignore_signals() -> None:
    """Ignore signals from now on.

    The program is over, so a signal must change neither its exit status nor its output.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def is_interrupted() -> bool:
    """Return whether a signal that ends the run has arrived."""
    return _Interruption.kind is not None


def raise_if_interrupted() -> None:
    """Raise the exception of a signal that has arrived.

    Python drops an exception raised in a finalizer or in a library's callback, so long loops that use such a library
    have to check for it. Within :func:`finish_before_interruption`, nothing is raised.
    """
    if _Interruption.kind is not None and not _Interruption.waits:
        raise _Interruption.kind
