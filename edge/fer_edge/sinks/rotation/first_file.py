"""The first file of an output whose name changes: refused before anything is read."""

from __future__ import annotations

import os
from pathlib import Path

from fer_edge.errors import OutputError
from fer_edge.runtime.atomic_files import check_file
from fer_edge.sinks.rotation.timed_name import TimedName

__all__ = ["check_first_file"]


def check_first_file(name: TimedName, first: Path, *, overwrite: bool) -> None:
    """Raise OutputError where ``first`` cannot be written, or exists and may not be replaced.

    Folders whose names change are made later; the one above them has to exist.
    """
    try:
        if first.parent == name.folder or first.parent.is_dir():
            check_file(first, overwrite=overwrite)
            return
        if not name.folder.is_dir():
            raise OutputError(f"{first}: its folder {name.folder} does not exist; make it first")
        existing = next(folder for folder in first.parents if folder.exists())
    except OSError as error:  # such as a name that is too long
        raise OutputError(
            f"{first}: it cannot be written: {error.strerror or error}; name another"
        ) from error
    if not existing.is_dir():
        raise OutputError(f"{first}: {existing} is a file, a folder is needed there; name another place")
    if not os.access(existing, os.W_OK):
        raise OutputError(f"{first}: it cannot be written, permission is denied; name another place")
