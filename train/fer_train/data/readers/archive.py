"""The table of a data set, wherever it is packed: read in a stream, in bounded memory, never unpacked to disk."""

from __future__ import annotations

import gzip
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final, cast

from fer_edge.errors import DataError

__all__ = ["ALWAYS_ALLOWED", "compute_unpacked_limit", "open_tables", "raise_data_error"]

_KNOWN: Final = ("fer2013.csv", "icml_face_data.csv")
_TAR_MAGIC: Final = slice(257, 262)
_RATIO: Final = 100  # FER-2013 packs to a third; text that packs to a hundredth is none
ALWAYS_ALLOWED: Final = 64 << 20
"""Bytes that may come out of any file, however small."""


def compute_unpacked_limit(path: Path) -> int:
    """Compute how many bytes may come out of a file before it is taken for a decompression bomb."""
    return max(ALWAYS_ALLOWED, _RATIO * path.stat().st_size)


def open_tables(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Open the one table of a ``.csv``, or of a ``.gz``, ``.zip``, ``.tar`` or ``.tar.gz``: its name and its bytes.

    The contents decide what a file is, not its name. Yields once; the stream is good until the next step,
    which looks at what else an archive holds. Raises DataError where there is no table, where it is not
    clear which, and for members that would unpack outside the archive's folder.
    """
    with path.open("rb") as file:
        start = file.read(512)
    if start.startswith(b"PK\x03\x04"):
        yield from _in_zip(path)
    elif start.startswith(b"\x1f\x8b"):
        with gzip.open(path) as stream:
            is_tar = stream.read(512)[_TAR_MAGIC] == b"ustar"
        if is_tar:
            yield from _in_tar(path)
        else:
            with gzip.open(path) as stream:
                yield str(path), cast(IO[bytes], stream)
    elif start[_TAR_MAGIC] == b"ustar":
        yield from _in_tar(path)
    else:
        with path.open("rb") as stream:
            yield str(path), stream


@contextmanager
def raise_data_error(path: Path) -> Iterator[None]:
    """Turn what reading a damaged or missing file raises into DataError."""
    try:
        yield
    except (
        EOFError,
        zlib.error,
        lzma.LZMAError,
        gzip.BadGzipFile,
        tarfile.TarError,
        zipfile.BadZipFile,
    ) as error:
        raise DataError(
            f"{path}: expected a complete archive, it is cut off or damaged ({error}); get it again"
        ) from error
    except (NotImplementedError, RuntimeError) as error:  # how zipfile says: unknown method, encrypted
        raise DataError(f"{path}: expected an archive that can be unpacked: {error}; pack it anew") from error
    except OSError as error:
        raise DataError(
            f"{error.filename or path}: the data cannot be read: {error.strerror or error}"
        ) from error


def _in_tar(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(path) as archive:
        others: list[tarfile.TarInfo] = []
        found, unpacked = False, 0
        for member in archive:
            unpacked += member.size
            _check_member(path, member.name, unpacked)
            if found or not member.isfile() or not member.name.lower().endswith(".csv"):
                continue
            if PurePosixPath(member.name).name in _KNOWN:
                found = True
                yield from _member(path, archive, member)
            else:
                others.append(member)
        if not found:
            chosen = _only(path, [member.name for member in others])
            yield from _member(path, archive, next(m for m in others if m.name == chosen))


def _member(path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[tuple[str, IO[bytes]]]:
    stream = archive.extractfile(member)
    assert stream is not None  # it is a file
    with stream:
        yield f"{path}: {member.name}", stream


def _in_zip(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        unpacked = 0
        for info in archive.infolist():
            unpacked += info.file_size
            _check_member(path, info.filename, unpacked)
        tables = [name for name in archive.namelist() if name.lower().endswith(".csv")]
        known = [name for name in tables if PurePosixPath(name).name in _KNOWN]
        name = known[0] if known else _only(path, tables)
        with archive.open(name) as stream:
            yield f"{path}: {name}", stream


def _check_member(path: Path, name: str, unpacked: int) -> None:
    normal = name.replace("\\", "/")
    if normal.startswith("/") or ".." in normal.split("/") or re.match("[A-Za-z]:", normal):
        raise DataError(
            f"{path}: the archive holds {name!r}, which would unpack outside its folder; "
            "get the data from a source that you trust"
        )
    if unpacked > compute_unpacked_limit(path):
        raise DataError(
            f"{path}: expected an archive of at most {compute_unpacked_limit(path):,} bytes unpacked, "
            "it holds more: it may be a decompression bomb"
        )


def _only(path: Path, names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    what = f"{len(names)} tables ({', '.join(names[:3])})" if names else "none"
    raise DataError(
        f"{path}: expected an archive with {' or '.join(_KNOWN)}, or one other .csv, found {what}; "
        "pictures are read from a folder: unpack them"
    )
