"""Reading of a data set's table from archives.

The table is a stream in bounded memory; nothing is unpacked to disk.
"""

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
from fer_edge.sources.left_out import is_system_file
from fer_train.data.readers.foreign_files import refuse_archive_of_another_kind
from fer_train.data.readers.table_choice import KNOWN_TABLES, TABLE_SUFFIXES, choose_table
from fer_train.data.readers.table_text import open_lines

__all__ = [
    "ALWAYS_ALLOWED",
    "OpenTable",
    "compute_unpacked_limit",
    "convert_errors_to_data_error",
    "open_tables",
]

_TAR_MAGIC: Final = slice(257, 262)
_RATIO: Final = 100  # FER-2013 is compressed to a third; a ratio of 100 is suspicious
ALWAYS_ALLOWED: Final = 64 << 20
"""Bytes to which any file may unpack, however small it is."""
_COMPRESSIONS: Final = {b"\x1f\x8b": gzip.GzipFile, b"BZh": bz2.BZ2File, b"\xfd7zXZ\0": lzma.LZMAFile}
"""Class that opens a compressed file, by the file's first bytes."""


@dataclass(frozen=True, slots=True)
class OpenTable:
    """An open table.

    ``name`` names it in messages, ``stream`` yields its bytes, and ``assumptions`` explain why this table was chosen.
    """

    name: str
    stream: IO[bytes]
    assumptions: tuple[str, ...] = ()


def compute_unpacked_limit(path: Path) -> int:
    """Return how many bytes a file may unpack to; more counts as a decompression bomb."""
    return max(ALWAYS_ALLOWED, _RATIO * path.stat().st_size)


def open_tables(path: Path) -> Iterator[OpenTable]:
    """Open the table in a ``.csv``, ``.zip`` or ``.tar`` file.

    The file can be compressed as ``.gz``, ``.bz2`` or ``.xz``. The file type is detected from the content, not from the
    name. Yields once; the stream is valid until the next step, which checks the rest of an archive. Raises DataError if
    there is no table, if several are possible, or if members would unpack outside the archive's folder.
    """
    with path.open("rb") as file:
        start = file.read(512)
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        yield from _open_table_in_zip(path)
        return
    unpack = next((opener for magic, opener in _COMPRESSIONS.items() if start.startswith(magic)), None)
    if unpack is not None:
        with unpack(path) as stream:
            start = stream.read(512)
    if start[_TAR_MAGIC] == b"ustar":
        yield from _open_table_in_tar(path)
        return
    with path.open("rb") if unpack is None else unpack(path) as stream:
        yield OpenTable(str(path), cast(IO[bytes], stream))


@contextmanager
def convert_errors_to_data_error(path: Path) -> Iterator[None]:
    """Convert errors of reading a damaged or missing file to DataError."""
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
        raise DataError(f"{path}: truncated or damaged archive ({reason}); download it again") from error
    except (NotImplementedError, RuntimeError) as error:  # raised by zipfile: unknown method, encrypted
        raise DataError(
            f"{path}: cannot unpack the archive: {error}; unpack it with another program and use the unpacked "
            "file or folder"
        ) from error
    except OSError as error:
        if error.filename is None and error.errno is None:  # raised by bz2: damaged
            raise DataError(f"{path}: damaged archive ({error}); download it again") from error
        raise DataError(
            f"{error.filename or path}: cannot read the data: {error.strerror or error}"
        ) from error


def _open_table_in_tar(path: Path) -> Iterator[OpenTable]:
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
    assert stream is not None  # true for files
    return stream


def _open_table_in_zip(path: Path) -> Iterator[OpenTable]:
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
            f"{path}: the archive contains {name!r}, which would unpack outside its folder; "
            "get the data from a source that you trust"
        )
    if unpacked > compute_unpacked_limit(path):
        raise DataError(
            f"{path}: the archive unpacks to more than {compute_unpacked_limit(path):,} bytes and may be a "
            "decompression bomb; get the data from a source that you trust"
        )


def _list_tables(path: Path, members: list[str]) -> list[str]:
    """List the tables in an archive that contains none of the known ones.

    Raises DataError without a table.
    """
    users = [name for name in members if not any(map(is_system_file, PurePosixPath(name).parts))]
    tables = [name for name in users if name.lower().endswith(TABLE_SUFFIXES)]
    if not tables:
        refuse_archive_of_another_kind(str(path), users)
        held = "it is empty" if not users else f"it contains {', '.join(users[:3])}"
        raise DataError(
            f"{path}: the archive has no table ({' or '.join(KNOWN_TABLES)}, or another .csv): {held}; download it "
            "again, or pack only the table"
        )
    return tables
