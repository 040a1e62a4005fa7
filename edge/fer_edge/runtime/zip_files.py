"""Read untrusted ZIP archives, bounded by the sizes that they state."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, Final

__all__ = ["ZIP_DAMAGE", "check_zip", "open_zip"]

ZIP_DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, LookupError, ValueError, OverflowError,
    RuntimeError,  # encrypted; also NotImplementedError (unsupported method) and RecursionError
)  # fmt: skip
"""The exceptions, besides OSError, that a damaged or forged archive may cause."""

# zipfile ignores the stated size for other methods: 943 bytes of bzip2 can become a gigabyte.
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def open_zip(file: Path | IO[bytes], most_bytes: int | None = None) -> zipfile.ZipFile:
    """Open an archive for reading, if its members are stored or deflated.

    Unpacked, all members together may have at most ``most_bytes`` bytes. Raises BadZipFile for other archives, one of
    ZIP_DAMAGE if the archive is damaged, and OSError if it cannot be read.
    """
    archive = zipfile.ZipFile(file)
    try:
        for member in archive.infolist():
            if member.compress_type not in _METHODS:
                raise zipfile.BadZipFile(f"{member.filename!r} is neither stored nor deflated")
        if most_bytes is not None and most_bytes < sum(member.file_size for member in archive.infolist()):
            raise zipfile.BadZipFile(f"unpacks to more than {most_bytes:,} bytes")
    except BaseException:
        archive.close()
        raise
    return archive


def check_zip(path: Path, most_bytes: int) -> None:
    """Check an archive as :func:`open_zip` does, before a library reads it by itself."""
    open_zip(path, most_bytes).close()
