"""Decoded data sets, kept in the user's cache folder; a change of the source changes the key.

``FER_EDGE_CACHE`` names another folder. A cache that cannot be read or written is no error, only slow.
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
_KEPT: Final = 8  # data sets; the one that has not been used for longest goes first

_LARGEST: Final = 8 << 30  # bytes of a data set, unpacked

Arrays = dict[str, NDArray[Any]]


def find_cache_folder() -> Path:
    """Return the folder of decoded data sets, which need not exist."""
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
    """Load what :func:`save_arrays` kept under a key; None where there is nothing, or it is damaged."""
    try:
        path = _find_path(key)
        arrays = read_arrays(path, _LARGEST)
        os.utime(path)
    except (OSError, RuntimeError, ValueError) as error:
        _LOG.debug("not in the cache: %s", error)
        return None
    return arrays


def save_arrays(key: str, arrays: Arrays) -> None:
    """Keep arrays under a key, all of them or none; readable for the user alone, as faces should be."""
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
        _LOG.debug("the cache cannot be written: %s", error)


def _find_path(key: str) -> Path:
    return find_cache_folder() / f"faces-{key}.npz"
