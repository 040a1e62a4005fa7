"""Turn signals into exceptions in the main thread.

Everything is then flushed and closed before the program exits.
"""

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

_REPEATED_S: Final = 2.0  # signals within this time count as one: closing takes a moment


class Terminated(BaseException):
    """SIGTERM arrived, or the terminal was closed."""


class _Interruption:
    """The exception for the last signal."""

    kind: type[BaseException] | None = None
    raised_at = 0.0  # on the monotonic clock


class _Ending:
    """The way in which :func:`run_program` exits."""

    at_once = False


def install_signal_handlers() -> None:
    """Raise KeyboardInterrupt on SIGINT and Terminated on SIGTERM and SIGHUP.

    Signals that are ignored on purpose stay ignored. Several signals within two seconds interrupt only once, so that
    closing is not interrupted.
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
    have to check for it.
    """
    if _Interruption.kind is not None:
        raise _Interruption.kind
