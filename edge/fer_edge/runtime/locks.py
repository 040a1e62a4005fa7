"""Locks that keep two programs from writing to the same file or folder.

The system releases a lock when its process ends, however it ends. On Windows, and on file systems without locks, they
have no effect.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from fer_edge.errors import OutputError
from fer_edge.runtime.atomic_files import convert_errors_to_output_error, shorten_stem

if sys.platform != "win32":
    import fcntl

__all__ = ["LOCK_FILE", "is_in_place", "lock_file", "lock_folder", "try_lock"]

LOCK_FILE: Final = ".lock"
"""Name of the file in a locked folder. A killed process leaves it behind, which locks nothing."""
_ATTEMPTS: Final = 20  # to lock a file that others remove at the same time
_FLAGS: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock a folder against other programs that write to it, until the block ends.

    The folder is created if necessary. If it is empty in the end, it and the parents that were created with it are
    removed. Raises OutputError if another program holds the lock or the folder cannot be written.
    """
    with suppress(OSError):  # one look, because another program may be removing the folder
        if not stat.S_ISDIR(folder.stat().st_mode):
            raise OutputError(f"{folder}: is a file, not a folder; choose another name")
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        with _hold(folder / LOCK_FILE, folder, "folder"):
            yield
    finally:
        _remove_empty(missing)


@contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """Lock a file against other programs that replace it, until the block ends.

    The file need not exist. A device or pipe is not locked. Raises OutputError if another program holds the lock or
    the folder of the file cannot be written.
    """
    if path.exists() and not path.is_file():
        yield
        return
    target = path.resolve()
    with _hold(target.with_name(f".{shorten_stem(target)}{target.suffix}{LOCK_FILE}"), path, "file"):
        yield


@contextmanager
def _hold(lock: Path, output: Path, kind: str) -> Iterator[None]:
    """Create a lock file, hold its lock and remove it; ``output`` is the ``kind`` of thing that it protects."""
    if sys.platform == "win32":
        with convert_errors_to_output_error(output):
            lock.parent.mkdir(parents=True, exist_ok=True)
        yield
        return
    with convert_errors_to_output_error(output):
        descriptor = _acquire(lock, make_parents=kind == "folder")
    if descriptor is None:
        raise OutputError(
            f"{output}: another program is writing to this {kind}; wait until it ends, or choose another {kind}"
        )
    try:
        yield
    finally:
        with suppress(OSError):
            if is_in_place(descriptor, lock):
                lock.unlink()  # while it is locked: afterwards another program may hold the lock
        os.close(descriptor)


def _acquire(lock: Path, *, make_parents: bool) -> int | None:
    """Lock a lock file and return its descriptor, or None if another program holds the lock; raises OSError."""
    left = _ATTEMPTS
    while True:
        left -= 1
        try:
            descriptor = _open(lock, make_parents=make_parents)
        except (FileNotFoundError, FileExistsError):  # the previous holder is removing the folder
            if not make_parents or not left:
                raise
            continue
        if not try_lock(descriptor):
            os.close(descriptor)
            return None
        # The previous holder may have removed the file after it was opened here; the lock of a removed file protects
        # nothing. Some file systems do not number their files reliably: then the lock has to do as it is.
        if is_in_place(descriptor, lock) or not left:
            return descriptor
        os.close(descriptor)


def _open(lock: Path, *, make_parents: bool) -> int:
    if make_parents:
        lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT | _FLAGS, 0o666)
    except PermissionError:
        if not lock.exists():
            raise
        return os.open(lock, os.O_RDONLY | _FLAGS)  # left by a killed process of another user


def try_lock(descriptor: int) -> bool:
    """Lock an open file until it is closed; return False if another program has locked it."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def is_in_place(descriptor: int, path: Path) -> bool:
    """Return whether a path still refers to an open file, which may have been renamed or deleted."""
    try:
        at_path = path.stat()
    except OSError:
        return False
    own = os.fstat(descriptor)
    return (at_path.st_dev, at_path.st_ino) == (own.st_dev, own.st_ino)


def _remove_empty(folders: list[Path]) -> None:
    """Remove empty folders, innermost first, up to one that is not empty."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()
