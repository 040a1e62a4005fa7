"""A check of the first file of a rotating output, before any input is read."""

from __future__ import annotations

import os
from pathlib import Path

from fer_edge.errors import OutputError
from fer_edge.runtime.atomic_files import check_file
from fer_edge.sinks.rotation.timed_name import TimedName

__all__ = ["check_first_file"]


def check_first_file(name: TimedName, first: Path, *, overwrite: bool) -> None:
    """Raise OutputError if ``first`` cannot be written.

    Without ``overwrite``, the file must not exist. Folders with time fields in their names are created later;
    the folder above them has to exist.
    """
    try:
        if first.parent == name.folder or first.parent.is_dir():
            check_file(first, overwrite=overwrite)
            return
        if not name.folder.is_dir():
            raise OutputError(f"{first}: the folder {name.folder} does not exist; create it first")
        existing = next(folder for folder in first.parents if folder.exists())
    except OSError as error:  # for example, the name is too long
        raise OutputError(f"{first}: cannot write: {error.strerror or error}; choose another name") from error
    if not existing.is_dir():
        raise OutputError(f"{first}: {existing} is a file, not a folder; choose another location")
    if not os.access(existing, os.W_OK):
        raise OutputError(f"{first}: cannot write: permission denied; choose another location")
