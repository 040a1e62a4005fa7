"""A cache of decoded data sets, in the user's cache folder.

The key of a data set changes when its source changes. ``FER_EDGE_CACHE`` sets a different folder. If the cache cannot
be read or written, data sets are decoded every time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import OutputError
from fer_edge.runtime.atomic_files import staged_file
from fer_train.data.array_files import read_arrays

__all__ = ["find_cache_folder", "load_arrays", "save_arrays"]

_LOG: Final = logging.getLogger(__name__)
_KEPT: Final = 8  # data sets; the least recently used ones are deleted

_MAX_BYTES: Final = 8 << 30  # bytes of an unpacked data set

Arrays = dict[str, NDArray[Any]]


def find_cache_folder() -> Path:
    """Return the cache folder, which may not exist."""
    if named := os.environ.get("FER_EDGE_CACHE"):
        return Path(named)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "fer-edge"


def load_arrays(key: str) -> Arrays | None:
    """Load the arrays stored under a key.

    Returns None if they do not exist or are damaged.
    """
    try:
        path = _find_path(key)
        arrays = read_arrays(path, _MAX_BYTES)
        os.utime(path)
    except (OSError, RuntimeError, ValueError) as error:
        _LOG.debug("not in the cache: %s", error)
        return None
    return arrays


def save_arrays(key: str, arrays: Arrays) -> None:
    """Store arrays under a key, atomically.

    Only the user can read the file, as it contains faces.
    """
    try:
        path = _find_path(key)
        folder = path.parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with staged_file(path) as part:
            part.touch(0o600)
            np.savez(part, **arrays)  # type: ignore[arg-type]
        for old in sorted(folder.glob("faces-*.npz"), key=lambda kept: -kept.stat().st_mtime)[_KEPT:]:
            with contextlib.suppress(OSError):
                old.unlink()
    except (OSError, OutputError, RuntimeError) as error:
        _LOG.debug("cannot write the cache: %s", error)


def _find_path(key: str) -> Path:
    return find_cache_folder() / f"faces-{key}.npz"
