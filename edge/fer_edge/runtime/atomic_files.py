"""Write output files atomically, and check them before any input is read.

A file appears under its name only when it is complete.
"""

from __future__ import annotations

import errno
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from fer_edge.errors import OutputError
from fer_edge.runtime.json_text import format_json

__all__ = [
    "check_file",
    "check_file_in_folder",
    "check_folder",
    "convert_errors_to_output_error",
    "describe_write_failure",
    "find_leftovers",
    "is_dead",
    "make_folder",
    "part_path",
    "remove_planted_link",
    "shorten_stem",
    "staged_file",
    "write_json",
]

_DISK_FULL: Final = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_MAX_NAME_LENGTH: Final = 255  # bytes; the limit of most file systems
_PART: Final = re.compile(r"\.(?P<stem>.+)\.(?P<process>[0-9]+)\.part(?P<suffix>\.[^.]+)?", re.DOTALL)


def check_file(path: Path, *, overwrite: bool) -> None:
    """Raise OutputError if a file cannot be written or already exists.

    A device or pipe may exist.
    """
    parent = path.parent
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; choose a file name")
    if not parent.is_dir():
        raise OutputError(f"{path}: folder {parent} does not exist; create it first")
    if path.is_file() and not overwrite:
        raise OutputError(
            f"{path}: already exists; choose another name", hint="or replace it with --overwrite"
        )
    if not os.access(path if path.exists() else parent, os.W_OK):
        raise OutputError(f"{path}: cannot write: permission denied; choose another location")


def check_folder(path: Path) -> None:
    """Raise OutputError if a folder is not writable and cannot be created."""
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path}: is a file, not a folder; choose another name")
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())
    if not os.access(existing, os.W_OK):
        raise OutputError(f"{path}: cannot write: permission denied; choose another location")


def check_file_in_folder(folder: Path, name: str, *, overwrite: bool) -> None:
    """Raise OutputError if ``name`` cannot be written in ``folder``.

    That is if ``folder`` is a file, or if it contains a file of that name that must not be replaced.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file, not a folder; choose another name")
    if (folder / name).exists() and not overwrite:
        raise OutputError(
            f"{folder / name}: already exists; choose another folder", hint="or replace it with --overwrite"
        )


def make_folder(path: Path) -> None:
    """Create a folder and its parents unless they exist. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot create folder: {error.strerror or error}; choose another location"
        ) from error


@contextmanager
def convert_errors_to_output_error(path: Path | str) -> Iterator[None]:
    """Turn an OSError in the block into an OutputError that names the file.

    BrokenPipeError is not changed: it ends a program quietly.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"{path}: cannot write: {describe_write_failure(error)}") from error


def describe_write_failure(error: OSError) -> str:
    """Describe why a file could not be written, and what to do."""
    remedy = ""
    if error.errno in _DISK_FULL:
        remedy = "free some space or "
    elif error.errno in (errno.EACCES, errno.EPERM):
        remedy = "check the permissions or "
    return f"{error.strerror or error}; {remedy}choose another location"


@contextmanager
def staged_file(path: Path, *, sync: bool = False) -> Iterator[Path]:
    """Provide a temporary path that replaces ``path`` when the block succeeds.

    It is in the same folder and has the same suffix. If ``path`` is a symbolic link, the link stays and its target
    is replaced, keeping its permissions. A device or pipe, such as /dev/stdout, is written to directly. ``sync``
    waits until the content is on disk, so that it survives a power failure. Temporary files that killed processes
    left for the same target are removed. Raises OutputError.
    """
    if path.exists() and not path.is_file():
        with convert_errors_to_output_error(path):
            yield path
        return
    target = path.resolve()
    _remove_leftovers(target)
    part = part_path(target)
    try:
        with convert_errors_to_output_error(path):
            remove_planted_link(part)
            yield part
            if target.exists():
                part.chmod(target.stat().st_mode & 0o777)
            if sync:
                _sync(part)
            part.replace(target)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object as indented JSON. Raises OutputError."""
    with staged_file(path) as part:
        part.write_text(format_json(content), "utf-8")


def part_path(target: Path) -> Path:
    """Return the hidden temporary path for ``target``.

    It is in the same folder, has the same suffix and is unique to this process.
    """
    return target.with_name(_part_name(target, str(os.getpid())))


def remove_planted_link(part: Path) -> None:
    """Remove a symbolic link at a temporary path, which would redirect the writing."""
    if part.is_symlink():
        part.unlink(missing_ok=True)


def find_leftovers(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the unfinished files of killed processes in a folder, with their targets.

    Files with this process's own PID count too: this process has not written anything yet, so they are left from an
    earlier process with the same PID.
    """
    for path in sorted(folder.iterdir()):
        match = _PART.fullmatch(path.name)
        if match is None or path.is_symlink() or not path.is_file():
            continue
        if match["process"] == str(os.getpid()) or is_dead(match["process"]):
            yield path, path.with_name(match["stem"] + match["suffix"])


def _part_name(target: Path, process: str) -> str:
    """Return the temporary file name for a process ID.

    For a pattern instead of a number, returns a regular expression. The number keeps processes with the same output
    apart.
    """
    stem = shorten_stem(target)
    if process.isdecimal():
        return f".{stem}.{process}.part{target.suffix}"
    return re.escape(f".{stem}.") + process + re.escape(f".part{target.suffix}")


def shorten_stem(target: Path) -> str:
    """Return the stem of a file's name, shortened if up to 20 more characters would make the name too long."""
    if len(os.fsencode(target.name)) <= _MAX_NAME_LENGTH - 20:
        return target.stem
    start = os.fsencode(target.stem)[:100].decode(errors="ignore")
    return f"{start}-{zlib.crc32(os.fsencode(target.name)):08x}"


def _remove_leftovers(target: Path) -> None:
    """Remove temporary files that killed processes left for the same target."""
    name = re.compile(_part_name(target, r"([0-9]+)"))
    with suppress(OSError):
        for path in target.parent.iterdir():
            match = name.fullmatch(path.name)
            if match is not None and is_dead(match.group(1)):
                path.unlink()


def is_dead(process: str) -> bool:
    """Return whether a process ID belongs to no running process on this machine."""
    if os.name != "posix" or not process.isdecimal() or not process.isascii():
        return False  # on Windows, os.kill would terminate the process
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)  # Windows cannot sync a file that is opened read-only
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
