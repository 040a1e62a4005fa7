"""Suppress messages that native libraries write to standard error.

LiteRT, FFmpeg and the image libraries write from C, which Python's own stream settings do not affect.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

__all__ = ["suppress_native_stderr"]

_STDERR: Final = 2


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


def _get_descriptor(stream: object) -> int | None:
    try:
        return int(stream.fileno())  # type: ignore[attr-defined]
    except (OSError, AttributeError, ValueError):
        return None
