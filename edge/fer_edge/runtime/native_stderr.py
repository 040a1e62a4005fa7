"""Suppress or collect messages that native libraries write to standard error.

LiteRT, FFmpeg and the image libraries write from C, which Python's own stream settings do not affect.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Final

__all__ = ["NativeMessages", "capture_native_stderr", "suppress_native_stderr"]

_STDERR: Final = 2
_MAX_KEPT: Final = 1 << 16  # bytes
_CAPTURE: Final = threading.RLock()  # there is only one standard error
_NATIVE_LINE: Final = re.compile(  # of libjpeg and of OpenCV's log
    rb"(Corrupt JPEG|Premature end of|Inconsistent prog|Invalid |Warning: unknown|Unsupported|Application transf"
    rb"|libpng |\[ ?(WARN|ERROR|INFO|FATAL|DEBUG) ?:\d)"
)


@contextmanager
def suppress_native_stderr(debug: bool = False) -> Iterator[None]:
    """Discard standard error except for Python's own ``sys.stderr``.

    With ``debug``, nothing is discarded.
    """
    if debug or sys.stderr is None:
        yield
        return
    ours = sys.stderr
    ours.flush()
    kept = os.dup(_STDERR)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, _STDERR)
        through = os.fdopen(os.dup(kept), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
        try:
            # A stream that does not write to the descriptor, such as a test's or notebook's, is kept.
            if _get_descriptor(ours) == _STDERR:
                sys.stderr = through
            yield
        finally:
            sys.stderr = ours
            with suppress(OSError):  # on a full disk, the last messages are lost
                through.close()
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
        os.close(nowhere)


class NativeMessages:
    """The lines that native libraries wrote to standard error, available after the capture has ended."""

    def __init__(self) -> None:
        self.lines: tuple[str, ...] = ()


@contextmanager
def capture_native_stderr() -> Iterator[NativeMessages]:
    """Collect what image libraries write to standard error, in one thread at a time.

    Lines of other origin, such as those of other threads, are passed on. Collects nothing if standard error is closed.
    """
    messages = NativeMessages()
    with _CAPTURE:
        try:
            kept = os.dup(_STDERR)
        except OSError:
            yield messages
            return
        try:
            with _open_scratch() as scratch:
                os.dup2(scratch.fileno(), _STDERR)
                try:
                    yield messages
                finally:
                    os.dup2(kept, _STDERR)
                    scratch.seek(0)
                    messages.lines = _pass_on(scratch.read(_MAX_KEPT).splitlines(keepends=True), kept)
        finally:
            os.close(kept)


def _open_scratch() -> BinaryIO:
    try:
        return os.fdopen(os.memfd_create("stderr"), "w+b", buffering=0)
    except (AttributeError, OSError):  # not Linux
        import tempfile

        return tempfile.TemporaryFile(buffering=0)


def _pass_on(lines: list[bytes], descriptor: int) -> tuple[str, ...]:
    """Write the lines that no image library wrote to a descriptor; return the others."""
    native = [line for line in lines if _NATIVE_LINE.match(line)]
    with suppress(OSError):
        others = b"".join(line for line in lines if not _NATIVE_LINE.match(line))
        if others:
            os.write(descriptor, others)
    return tuple(line.decode("utf-8", "replace").strip() for line in native)


def _get_descriptor(stream: object) -> int | None:
    try:
        return int(stream.fileno())  # type: ignore[attr-defined]
    except (OSError, AttributeError, ValueError):
        return None
