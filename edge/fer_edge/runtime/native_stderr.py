"""LiteRT, FFmpeg and the picture libraries talk to standard error from C, past everything Python can set."""

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
    """Let only Python's own ``sys.stderr`` through to standard error; with ``debug`` everything."""
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
            # A test's or notebook's own stream does not end at the descriptor and stays.
            if _descriptor(ours) == _STDERR:
                sys.stderr = through
            yield
        finally:
            sys.stderr = ours
            with suppress(OSError):  # a full disk, on which what was said last is lost
                through.close()
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
        os.close(nowhere)


def _descriptor(stream: object) -> int | None:
    try:
        return int(stream.fileno())  # type: ignore[attr-defined]
    except (OSError, AttributeError, ValueError):
        return None
