"""Suppression of what Keras backends write to standard error from C++ and their loggers."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from fer_edge.runtime import native_stderr

__all__ = ["suppress_native_stderr"]


@contextmanager
def suppress_native_stderr(debug: bool = False) -> Iterator[None]:
    """Suppress everything on standard error but ``sys.stderr``; with ``debug`` nothing.

    Call it before TensorFlow is imported, which is when TensorFlow reads its log level.
    """
    if not debug:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        for name in ("tensorflow", "absl", "jax"):
            logging.getLogger(name).setLevel(logging.ERROR)
    with native_stderr.suppress_native_stderr(debug):
        yield
