"""ZIP archives as untrusted input: what one says of itself bounds what is read of it."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, Final

__all__ = ["ZIP_DAMAGE", "check_zip", "open_zip"]

ZIP_DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, LookupError, ValueError, OverflowError,
    RuntimeError,  # encrypted; NotImplementedError: of another method; RecursionError
)  # fmt: skip
"""What reading a damaged or forged archive raises, beside OSError."""

# zipfile unpacks the others without regard to the size that is stated: 943 bytes of bzip2 become a gigabyte.
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def open_zip(file: Path | IO[bytes], most_bytes: int | None = None) -> zipfile.ZipFile:
    """Open an archive to be read, whose members are stored or deflated and at most so large together, unpacked.

    Raises BadZipFile for any other, one of ZIP_DAMAGE where it is damaged, OSError where it cannot be read.
    """
    archive = zipfile.ZipFile(file)
    try:
        for member in archive.infolist():
            if member.compress_type not in _METHODS:
                raise zipfile.BadZipFile(f"{member.filename!r} is neither stored nor deflated")
        if most_bytes is not None and most_bytes < sum(member.file_size for member in archive.infolist()):
            raise zipfile.BadZipFile(f"it unpacks to more than {most_bytes:,} bytes")
    except BaseException:
        archive.close()
        raise
    return archive


def check_zip(path: Path, most_bytes: int) -> None:
    """Raise what :func:`open_zip` raises, before a library reads the archive by itself."""
    open_zip(path, most_bytes).close()
