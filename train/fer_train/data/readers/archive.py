"""The table of a data set, wherever it is packed: read in a stream, in bounded memory, never unpacked to disk."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final, cast

from fer_edge.errors import DataError, reason_of
from fer_edge.runtime.zip_files import open_zip
from fer_edge.sources.images import is_system_file
from fer_train.data.readers.foreign_files import refuse_archive_of_another_kind
from fer_train.data.readers.table_choice import KNOWN_TABLES, TABLE_SUFFIXES, choose_table
from fer_train.data.readers.table_text import open_lines

__all__ = ["ALWAYS_ALLOWED", "OpenTable", "compute_unpacked_limit", "open_tables", "raise_data_error"]

_TAR_MAGIC: Final = slice(257, 262)
_RATIO: Final = 100  # FER-2013 packs to a third; text that packs to a hundredth is none
ALWAYS_ALLOWED: Final = 64 << 20
"""Bytes that may come out of any file, however small."""
_COMPRESSIONS: Final = {b"\x1f\x8b": gzip.GzipFile, b"BZh": bz2.BZ2File, b"\xfd7zXZ\0": lzma.LZMAFile}
"""What opens a packed file, by the bytes with which it begins."""


@dataclass(frozen=True, slots=True)
class OpenTable:
    """A table that is open: its name for messages, its bytes, and lines for people on why it is this one."""

    name: str
    stream: IO[bytes]
    assumptions: tuple[str, ...] = ()


def compute_unpacked_limit(path: Path) -> int:
    """Compute how many bytes may come out of a file before it is taken for a decompression bomb."""
    return max(ALWAYS_ALLOWED, _RATIO * path.stat().st_size)


def open_tables(path: Path) -> Iterator[OpenTable]:
    """Open the one table of a ``.csv``, or of a ``.zip``, a ``.tar``, or either packed as ``.gz``, ``.bz2`` or ``.xz``.

    The contents decide what a file is, not its name. Yields once; the stream is good until the next step,
    which looks at what else an archive holds. Raises DataError where there is no table, where it is not
    clear which, and for members that would unpack outside the archive's folder.
    """
    with path.open("rb") as file:
        start = file.read(512)
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        yield from _in_zip(path)
        return
    unpack = next((opener for magic, opener in _COMPRESSIONS.items() if start.startswith(magic)), None)
    if unpack is not None:
        with unpack(path) as stream:
            start = stream.read(512)
    if start[_TAR_MAGIC] == b"ustar":
        yield from _in_tar(path)
        return
    with path.open("rb") if unpack is None else unpack(path) as stream:
        yield OpenTable(str(path), cast(IO[bytes], stream))


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
        reason = reason_of(error)
        raise DataError(f"{path}: the archive is cut off or damaged ({reason}); get it again") from error
    except (NotImplementedError, RuntimeError) as error:  # how zipfile says: unknown method, encrypted
        raise DataError(
            f"{path}: the archive cannot be unpacked: {error}; unpack it with another program, and name "
            "what comes out of it"
        ) from error
    except OSError as error:
        if error.filename is None and error.errno is None:  # how bz2 says: damaged
            raise DataError(f"{path}: the archive is damaged ({error}); get it again") from error
        raise DataError(
            f"{error.filename or path}: the data cannot be read: {error.strerror or error}"
        ) from error


def _in_tar(path: Path) -> Iterator[OpenTable]:
    with tarfile.open(path) as archive:
        members: dict[str, tarfile.TarInfo] = {}
        found, unpacked = False, 0
        for member in archive:
            unpacked += member.size
            _check_member(path, member.name, unpacked)
            if found or not member.isfile():
                continue
            if PurePosixPath(member.name).name.lower() in KNOWN_TABLES:
                found = True
                with _extract(archive, member) as stream:
                    yield OpenTable(f"{path}: {member.name}", stream)
            else:
                members[member.name] = member
        if not found:
            tables = _list_tables(path, list(members))
            name, assumptions = choose_table(
                str(path), tables, lambda name: open_lines(name, _extract(archive, members[name]))
            )
            with _extract(archive, members[name]) as stream:
                yield OpenTable(f"{path}: {name}", stream, assumptions)


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(member)
    assert stream is not None  # it is a file
    return stream


def _in_zip(path: Path) -> Iterator[OpenTable]:
    with open_zip(path) as archive:
        unpacked = 0
        for info in archive.infolist():
            unpacked += info.file_size
            _check_member(path, info.filename, unpacked)
        tables = _list_tables(path, archive.namelist())
        name, assumptions = choose_table(str(path), tables, lambda name: open_lines(name, archive.open(name)))
        with archive.open(name) as stream:
            yield OpenTable(f"{path}: {name}", stream, assumptions)


def _check_member(path: Path, name: str, unpacked: int) -> None:
    normal = name.replace("\\", "/")
    if normal.startswith("/") or ".." in normal.split("/") or re.match("[A-Za-z]:", normal):
        raise DataError(
            f"{path}: the archive holds {name!r}, which would unpack outside its folder; "
            "get the data from a source that you trust"
        )
    if unpacked > compute_unpacked_limit(path):
        raise DataError(
            f"{path}: the archive says that it unpacks to more than {compute_unpacked_limit(path):,} bytes: "
            "it may be a decompression bomb; get the data from a source that you trust"
        )


def _list_tables(path: Path, members: list[str]) -> list[str]:
    """The tables of an archive without a known one; raises DataError where there is none."""
    users = [name for name in members if not any(map(is_system_file, PurePosixPath(name).parts))]
    tables = [name for name in users if name.lower().endswith(TABLE_SUFFIXES)]
    if not tables:
        refuse_archive_of_another_kind(str(path), users)
        held = "it is empty" if not users else f"it holds {', '.join(users[:3])}"
        raise DataError(
            f"{path}: the archive has no table ({' or '.join(KNOWN_TABLES)}, or another .csv): {held}; get it again, "
            "or pack the table alone"
        )
    return tables
