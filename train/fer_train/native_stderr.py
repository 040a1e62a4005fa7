"""Suppression of the messages that Keras backends write to standard error.

They come from C++ code and from loggers of the backends.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from fer_edge.runtime import native_stderr

__all__ = ["suppress_native_stderr"]


@contextmanager
def suppress_native_stderr(debug: bool = False) -> Iterator[None]:
    """Suppress everything on standard error except ``sys.stderr``.

    With ``debug``, nothing is suppressed. Call it before TensorFlow is imported, which is when TensorFlow reads its log
    level.
    """
    if not debug:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        for name in ("tensorflow", "absl", "jax"):
            logging.getLogger(name).setLevel(logging.ERROR)
    with native_stderr.suppress_native_stderr(debug):
        yield
