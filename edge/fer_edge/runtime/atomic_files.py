"""Output files: refused before anything is read, complete when they appear under their name."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from fer_edge.errors import OutputError

__all__ = [
    "check_file",
    "check_file_in_folder",
    "check_folder",
    "check_staged_folder",
    "find_leftovers",
    "make_folder",
    "output_errors",
    "part_path",
    "remove_planted_link",
    "staged_file",
    "staged_folder",
    "write_json",
]

_STAGING: Final = ".fer-edge-"
_LONGEST_NAME: Final = 255  # bytes, of most file systems
_PART: Final = re.compile(r"\.(?P<stem>.+)\.(?P<process>[0-9]+)\.part(?P<suffix>\.[^.]+)?", re.DOTALL)


def check_file(path: Path, *, overwrite: bool) -> None:
    """Raise OutputError where a file cannot be written or already exists; a device or pipe may exist."""
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
    """Raise OutputError where a folder neither exists and is writable nor can be made."""
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path}: expected a folder, it is a file; name another")
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())
    if not os.access(existing, os.W_OK):
        raise OutputError(f"{path}: it cannot be written, permission is denied; name another place")


def check_file_in_folder(folder: Path, name: str, *, overwrite: bool) -> None:
    """Raise OutputError where ``folder`` is a file, or holds a file of that name which may not be replaced."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: expected a folder to write into, it is a file; name another")
    if (folder / name).exists() and not overwrite:
        raise OutputError(
            f"{folder / name}: it is there already; replace it with --overwrite, or name another folder"
        )


def check_staged_folder(folder: Path, *, overwrite: bool) -> None:
    """Raise OutputError where :func:`staged_folder` would refuse a folder."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder}: expected a folder to write into, it is a file; name another")
    present = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if present and not overwrite:
        raise OutputError(
            f"{folder}: expected an empty folder, it holds {', '.join(present[:3])}"
            f"{' and more' if len(present) > 3 else ''}; name another or allow it with --overwrite"
        )


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, unless it exists; raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path}: expected a folder to write into: {error.strerror or error}; name another"
        ) from error


@contextmanager
def output_errors(path: Path | str) -> Iterator[None]:
    """Turn an operating system's error in the block into an OutputError that names the file.

    A closed pipe stays what it is: it ends a program quietly.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(
            f"{path}: it cannot be written: {error.strerror or error}; free some space or name another place"
        ) from error


@contextmanager
def staged_file(path: Path, *, sync: bool = False) -> Iterator[Path]:
    """A temporary name beside ``path``, of the same suffix, that takes its place when the block succeeds.

    A link stays, what it leads to is replaced, and keeps its permissions. A device or pipe, such as
    /dev/stdout, is written to as it is. ``sync`` waits until the content is on the disk, so that it survives
    a power cut. What processes that were killed left of the same file is removed. Raises OutputError.
    """
    if path.exists() and not path.is_file():
        with output_errors(path):
            yield path
        return
    target = path.resolve()
    _remove_leftovers(target)
    part = part_path(target)
    try:
        with output_errors(path):
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


@contextmanager
def staged_folder(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """An empty folder whose files move into ``folder`` at the end, all of them or, after an error, none.

    A folder that already holds files is refused without ``overwrite``; with it, files of the same names
    are replaced and others stay, in folders below it too. Raises OutputError.
    """
    check_staged_folder(folder, overwrite=overwrite)
    is_new = not folder.exists()
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"{_STAGING}*-*"):
            if _is_dead(left.name.removeprefix(_STAGING).partition("-")[0]):
                shutil.rmtree(left, ignore_errors=True)
        try:
            with tempfile.TemporaryDirectory(prefix=f"{_STAGING}{os.getpid()}-", dir=folder) as staging:
                yield Path(staging)
                _move_into(Path(staging), folder)
        except BaseException:
            if is_new and not any(folder.iterdir()):
                folder.rmdir()
            raise


def _move_into(staging: Path, folder: Path) -> None:
    for path in sorted(staging.iterdir()):
        target = folder / path.name
        if path.is_dir() and target.is_dir():
            _move_into(path, target)
        else:
            path.replace(target)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object as JSON that people can read; raises OutputError."""
    with staged_file(path) as part:
        part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8", "backslashreplace")


def part_path(target: Path) -> Path:
    """The hidden name beside ``target``, of the same suffix, under which this process writes its file."""
    return target.with_name(_part_name(target, str(os.getpid())))


def remove_planted_link(part: Path) -> None:
    """Remove a link of a temporary name, which somebody else made: what it leads to would be overwritten."""
    if part.is_symlink():
        part.unlink(missing_ok=True)


def find_leftovers(folder: Path) -> Iterator[tuple[Path, Path]]:
    """The hidden files in a folder that killed processes were writing, and the file that each was to become.

    One with this process's own number is taken for such a file: what it writes itself it has to begin later.
    """
    for path in sorted(folder.iterdir()):
        match = _PART.fullmatch(path.name)
        if match is None or path.is_symlink() or not path.is_file():
            continue
        if match["process"] == str(os.getpid()) or _is_dead(match["process"]):
            yield path, path.with_name(match["stem"] + match["suffix"])


def _part_name(target: Path, process: str) -> str:
    """The temporary name of a process, or a pattern for it: two may have been given the same output."""
    stem = target.stem
    if len(os.fsencode(target.name)) > _LONGEST_NAME - 20:  # what is added would make it too long
        stem = f"{os.fsencode(stem)[:100].decode(errors='ignore')}-{zlib.crc32(os.fsencode(target.name)):08x}"
    if process.isdecimal():
        return f".{stem}.{process}.part{target.suffix}"
    return re.escape(f".{stem}.") + process + re.escape(f".part{target.suffix}")


def _remove_leftovers(target: Path) -> None:
    """Remove the temporary files of the same target whose processes were killed."""
    name = re.compile(_part_name(target, r"([0-9]+)"))
    with suppress(OSError):
        for path in target.parent.iterdir():
            match = name.fullmatch(path.name)
            if match is not None and _is_dead(match.group(1)):
                path.unlink()


def _is_dead(process: str) -> bool:
    """Whether that is the number of a process of this machine that does not run any more."""
    if os.name != "posix" or not process.isdecimal() or not process.isascii():
        return False  # asking for a process of Windows ends it
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)  # Windows syncs nothing that is open for reading alone
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
