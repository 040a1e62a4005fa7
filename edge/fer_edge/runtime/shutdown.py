"""Signals that end a run, as exceptions in the main thread, so that everything is flushed and closed."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

__all__ = ["Terminated", "install_signal_handlers", "raise_if_interrupted"]


class Terminated(BaseException):
    """SIGTERM arrived, or the terminal was closed."""


class _Interruption:
    """The exception that stands for the signal which arrived last."""

    kind: type[BaseException] | None = None


def install_signal_handlers() -> None:
    """Raise KeyboardInterrupt at SIGINT, Terminated at SIGTERM and SIGHUP, unless they are ignored on purpose."""
    _Interruption.kind = None
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell's background job ignores it
        signal.signal(signal.SIGINT, _interrupt)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # nohup ignores it
        signal.signal(signal.SIGHUP, _interrupt)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    _Interruption.kind = KeyboardInterrupt if number == signal.SIGINT else Terminated
    raise _Interruption.kind


def raise_if_interrupted() -> None:
    """Raise a signal's exception again: Python drops one that arrives in a finalizer or a library's callback.

    For long loops in which such a library does the work.
    """
    if _Interruption.kind is not None:
        raise _Interruption.kind
