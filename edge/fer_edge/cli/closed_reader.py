"""Continue a run after the reader of standard output has gone."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

__all__ = ["survive_closed_reader"]

_LOG: Final = logging.getLogger(__name__)


@contextmanager
def survive_closed_reader() -> Iterator[None]:
    """Log a warning instead of raising BrokenPipeError if the reader of standard output closes the pipe.

    For runs with other outputs, which ``| head`` should not cut short. Further output is discarded.
    """
    ours = sys.stdout
    try:
        descriptor = ours.fileno()
    except (OSError, ValueError, AttributeError):  # not a file, for example in a test
        yield
        return
    ours.flush()
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Output(descriptor, "w", closefd=False)),
        ours.encoding,
        ours.errors,
        line_buffering=ours.isatty(),
    )
    try:
        yield
    finally:
        replaced, sys.stdout = sys.stdout, ours
        with suppress(OSError):  # the failed write has already reported the error
            replaced.flush()


class _Output(io.FileIO):
    """A file that discards what is written after its reader has gone."""

    def write(self, data: Any, /) -> int:
        """Write data; return the number of bytes written."""
        try:
            return super().write(data)
        except BrokenPipeError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            _LOG.warning("standard output: closed by its reader; the run continues with its other outputs")
            return super().write(data)
