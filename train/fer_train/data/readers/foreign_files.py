"""Errors for files that are not tables, recognized by their first bytes."""

from __future__ import annotations

import re
from typing import Final

from fer_edge.errors import DataError

__all__ = ["refuse_archive_of_another_kind", "refuse_foreign_file"]

_GET: Final = (
    'get FER-2013 from Kaggle ("Challenges in Representation Learning: Facial Expression Recognition")'
)
_EXPORT: Final = (
    "write its faces as a CSV with the columns emotion, pixels and Usage, or as images in train/<label>/"
)
_UNPACK: Final = "unpack it and use the unpacked file or folder"
_FOLDERS: Final = (
    "put images into folders, train/<label>/ and test/<label>/, and use the folder that contains train"
)
_PAGE: Final = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|body|\?xml|!--)", re.IGNORECASE)
_JSON: Final = re.compile(rb'\s*(?:\{\s*"|\[\s*[\[{"])')
_MAGIC: Final = (
    (
        b"version https://git-lfs",
        "a Git LFS pointer instead of the file",
        "fetch the file with: git lfs pull",
    ),
    (b"PAR1", "a Parquet table, which is not supported", _EXPORT),
    (b"\x93NUMPY", "a NumPy array, which is not supported", _EXPORT),
    (b"\x89HDF", "an HDF5 file, which is not supported", _EXPORT),
    (b"SQLite format 3", "an SQLite database, which is not supported", _EXPORT),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook, which is not supported", "save it as CSV"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive, which is not supported", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive, which is not supported", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive, which is not supported", _UNPACK),
    (b"%PDF", "a PDF document", _GET),
    (b"\x89PNG", "a single image", _FOLDERS),
    (b"\xff\xd8\xff", "a single image", _FOLDERS),
    (b"GIF8", "a single image", _FOLDERS),
    (b"RIFF", "a single image or recording", _FOLDERS),
)


def refuse_foreign_file(name: str, start: bytes) -> None:
    """Raise DataError if the first bytes of a file are not those of a table.

    ``start`` are the first few hundred bytes. The message states the kind of file and what to do; ``name`` names the
    file in it.
    """
    if not start.strip():
        raise DataError(f"{name}: the file is empty; download it again")
    for magic, what, remedy in _MAGIC:
        if start.startswith(magic):
            raise DataError(f"{name}: this is {what}; {remedy}")
    if re.match(rb"\x80[\x02-\x05]", start):
        raise DataError(
            f"{name}: this is a Python pickle, which could execute arbitrary code and is not supported; {_EXPORT}"
        )
    if b"\0" in start.partition(b"\n")[0]:
        raise DataError(f"{name}: this is binary data instead of a table; {_GET}")
    if _PAGE.match(start):
        raise DataError(
            f"{name}: this is a web page instead of the file, as the download needs a login; {_GET} "
            "with a browser after logging in, or with the kaggle program"
        )
    if _JSON.match(start):
        found = " ".join(start[:80].decode(errors="replace").split())
        raise DataError(
            f"{name}: this is JSON instead of a table: {found}; if it is a server's message, download the file "
            f"again, otherwise {_EXPORT}"
        )


def refuse_archive_of_another_kind(path: str, members: list[str]) -> None:
    """Raise DataError if an archive's members identify another kind of file.

    The archive contains no ``.csv``. ``path`` names the archive in the message.
    """
    names = [name.lower() for name in members]
    if "xl/workbook.xml" in names:
        raise DataError(f"{path}: this is an Excel workbook, which is not supported; save it as CSV")
    if names and all(name.endswith(".npy") for name in names):
        raise DataError(
            f"{path}: this is an archive of NumPy arrays (.npz), which is not supported; {_EXPORT}"
        )
    packed = [name for name in members if re.search(r"\.(zip|tar|tgz|gz|bz2|xz|7z|rar)$", name.lower())]
    if packed:
        raise DataError(f"{path}: the archive contains another archive, {packed[0]}; {_UNPACK}")
    tables = [name for name in members if name.lower().endswith((".parquet", ".npz", ".h5", ".pkl", ".xlsx"))]
    if tables:
        raise DataError(f"{path}: the archive contains {tables[0]}, which is not supported; {_EXPORT}")
    if any(name.endswith((".png", ".jpg", ".jpeg", ".bmp", ".webp")) for name in names):
        raise DataError(
            f"{path}: the archive contains images, which can only be read from a folder; "
            "unpack it and use the unpacked folder"
        )
