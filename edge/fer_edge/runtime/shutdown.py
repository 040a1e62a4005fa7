"""Signals that end a run, as exceptions in the main thread, so that everything is flushed and closed."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Final, NoReturn

__all__ = [
    "INTERRUPTED",
    "TERMINATED",
    "Terminated",
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

_REPEATED_S: Final = 2.0  # within which another signal is the same wish: closing takes a moment


class Terminated(BaseException):
    """SIGTERM arrived, or the terminal was closed."""


class _Interruption:
    """The exception that stands for the signal which arrived last."""

    kind: type[BaseException] | None = None
    raised_at = 0.0  # on the monotonic clock


class _Ending:
    """How :func:`run_program` leaves."""

    at_once = False


def install_signal_handlers() -> None:
    """Raise KeyboardInterrupt at SIGINT, Terminated at SIGTERM and SIGHUP, unless they are ignored on purpose.

    Who is impatient and sends several within two seconds interrupts once: what is being closed is closed.
    """
    _Interruption.kind = None
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
    raise _Interruption.kind


def run_program(run: Callable[[], int]) -> NoReturn:
    """Leave with the exit status that ``run`` returns, or with a signal's, also while it imports modules."""
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
        _leave_at_once(status)
    sys.exit(status)


def skip_finalization() -> None:
    """Let :func:`run_program` leave without Python's finalization, in which a C++ library may abort the process.

    For libraries whose threads outlive their own shutdown, such as Ray's. What is registered with ``atexit`` is called.
    """
    _Ending.at_once = True


def _leave_at_once(status: int) -> NoReturn:
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a full disk, or closed: nobody can be told
            stream.flush()
    os._exit(status)


def _report_unraisable(dropped: sys.UnraisableHookArgs) -> None:
    """Say nothing of a signal's exception in a finalizer or callback: it is raised again at the next step."""
    if not issubclass(dropped.exc_type, KeyboardInterrupt | Terminated):
        sys.__unraisablehook__(dropped)


def ignore_signals() -> None:
    """The program is over: a signal that comes now changes neither its exit status nor what it says."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def is_interrupted() -> bool:
    """Whether a signal has arrived that ends the run."""
    return _Interruption.kind is not None


def raise_if_interrupted() -> None:
    """Raise a signal's exception again: Python drops one that arrives in a finalizer or a library's callback.

    For long loops in which such a library does the work.
    """
    if _Interruption.kind is not None:
        raise _Interruption.kind
