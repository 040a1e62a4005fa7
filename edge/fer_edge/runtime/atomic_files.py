"""What all outputs share: refused before anything is read, complete when they appear."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fer_edge.errors import OutputError

__all__ = ["check_file", "check_folder", "replacing", "writing"]


def check_file(path: Path, *, overwrite: bool) -> None:
    """Raise OutputError where a file cannot be written or is already there; a device or pipe may be."""
    parent = path.parent
    if path.is_dir():
        raise OutputError(f"{path}: expected the name of a file, it is a folder")
    if not parent.is_dir():
        raise OutputError(f"{path}: its folder {parent} is not there; make it first")
    if path.is_file() and not overwrite:
        raise OutputError(f"{path}: it is already there; replace it with --overwrite or name another")
    if not os.access(path if path.exists() else parent, os.W_OK):
        raise OutputError(f"{path}: it cannot be written, permission is denied; name another place")


def check_folder(path: Path) -> None:
    """Raise OutputError where a folder neither is there and writable nor can be made."""
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path}: expected a folder, it is a file; name another")
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())
    if not os.access(existing, os.W_OK):
        raise OutputError(f"{path}: it cannot be written, permission is denied; name another place")


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Turn an operating system's error in the block into an OutputError that names the file."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"{path}: it cannot be written: {error.strerror or error}") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``, of the same suffix, that takes its place when the block succeeds.

    Of a link what it leads to is replaced. A device or pipe, such as /dev/stdout, is written to as it is.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        with writing(path):
            yield path
        return
    # Its own for each process: two of them may have been given the same output.
    part = target.with_name(f".{target.stem}.{os.getpid()}.part{path.suffix}")
    try:
        with writing(path):
            yield part
            part.replace(target)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
