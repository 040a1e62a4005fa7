"""Decoded data sets, kept in the user's cache folder; a change of the source changes the key.

``FER_EDGE_CACHE`` names another folder. A cache that cannot be read or written is no error, only slow.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["cache_folder", "cached_arrays", "keep_arrays"]

_LOG: Final = logging.getLogger(__name__)
_KEPT: Final = 8  # data sets; the one that has not been used for longest goes first

Arrays = dict[str, NDArray[Any]]


def cache_folder() -> Path:
    """Where decoded data sets are kept; the folder need not be there."""
    if named := os.environ.get("FER_EDGE_CACHE"):
        return Path(named)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "fer-edge"


def cached_arrays(key: str) -> Arrays | None:
    """What :func:`keep_arrays` kept under a key, or None."""
    try:
        path = _path(key)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        os.utime(path)
    except (OSError, RuntimeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        _LOG.debug("not in the cache: %s", error)
        return None
    return arrays


def keep_arrays(key: str, arrays: Arrays) -> None:
    """Keep arrays under a key, all of them or none; readable for the user alone, as faces should be."""
    try:
        path = _path(key)
        folder = path.parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(suffix=".part", dir=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
        for old in sorted(folder.glob("faces-*.npz"), key=lambda kept: -kept.stat().st_mtime)[_KEPT:]:
            with contextlib.suppress(OSError):
                old.unlink()
    except (OSError, RuntimeError) as error:
        _LOG.debug("the cache cannot be written: %s", error)


def _path(key: str) -> Path:
    return cache_folder() / f"faces-{key}.npz"
