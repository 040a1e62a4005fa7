"""Keras' backends talk to standard error from C++, and through loggers of their own."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from fer_edge.runtime import native_stderr

__all__ = ["suppress_native_stderr"]


@contextmanager
def suppress_native_stderr(debug: bool = False) -> Iterator[None]:
    """Let only Python's own ``sys.stderr`` through to standard error; with ``debug`` everything.

    TensorFlow must not be imported before: it reads its log level then.
    """
    if not debug:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        for name in ("tensorflow", "absl", "jax"):
            logging.getLogger(name).setLevel(logging.ERROR)
    with native_stderr.suppress_native_stderr(debug):
        yield
