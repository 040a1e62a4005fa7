"""Choice of the table with the faces among several files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Final

from fer_edge.errors import DataError
from fer_edge.sources.images import HEIC_SUFFIXES, IMAGE_SUFFIXES
from fer_edge.sources.left_out import is_system_file
from fer_train.data.readers.split_names import find_split
from fer_train.data.readers.table_text import Lines, open_lines, read_header

__all__ = ["KNOWN_TABLES", "TABLE_SUFFIXES", "choose_table", "find_table_file"]

KNOWN_TABLES: Final = ("fer2013.csv", "icml_face_data.csv")
"""Names of the tables that contain all of FER-2013."""
TABLE_SUFFIXES: Final = (".csv", ".tsv")
_ARCHIVE_SUFFIXES: Final = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz")
_FOREIGN_SUFFIXES: Final = (
    ".parquet",
    ".npz",
    ".npy",
    ".h5",
    ".hdf5",
    ".pkl",
    ".xlsx",
    ".xls",
    ".7z",
    ".rar",
)
_MAX_NAMED: Final = 5


def choose_table(
    where: str, names: Sequence[str], open_member: Callable[[str], Lines]
) -> tuple[str, tuple[str, ...]]:
    """Choose the table to read from ``names``, one or more paths.

    It is one of :data:`KNOWN_TABLES`, or the only table, or the only one whose header is that of labeled faces, such as
    Kaggle's ``train.csv`` next to ``test.csv``. ``where`` names the archive or folder in messages. Returns the table
    and messages about assumptions. Raises DataError if several tables are possible, or none.
    """
    for known in KNOWN_TABLES:
        for name in names:
            if PurePosixPath(name).name.lower() == known:
                return name, ()
    if len(names) == 1:
        return names[0], ()
    usable = [name for name in names if _has_labeled_faces(name, open_member)]
    others = [name for name in names if name not in usable]
    if len(usable) == 1:
        return usable[0], (
            f"reading {usable[0]}; ignoring tables without labeled faces: {', '.join(others[:_MAX_NAMED])}",
        )
    kind = "tables of labeled faces" if usable else "tables, none of them with labeled faces"
    listed = ", ".join((usable or others)[:_MAX_NAMED])
    remedy = (
        "specify one of them as DATA, or merge them and add a column Usage"
        if usable
        else "a table of faces needs the columns emotion, pixels and Usage"
    )
    raise DataError(f"{where}: contains {len(usable or others)} {kind} ({listed}); {remedy}")


def _has_labeled_faces(name: str, open_member: Callable[[str], Lines]) -> bool:
    try:
        read_header(name, open_member(name))
    except DataError:
        return False
    return True


def find_table_file(folder: Path) -> tuple[Path, tuple[str, ...]] | None:
    """Find the table or archive in a folder without image folders.

    Descends into a single subfolder. Returns its path and messages about assumptions; None if there is no table, or if
    there are split folders or images. Raises DataError as :func:`choose_table` does.
    """
    users = sorted(path for path in folder.iterdir() if not is_system_file(path.name))
    folders = [path for path in users if path.is_dir()]
    files = [path for path in users if path.is_file()]
    if any(find_split(path.name) for path in folders) or any(map(_contains_images, [folder, *folders])):
        return None
    tables = {path.name: path for path in files if path.name.lower().endswith(TABLE_SUFFIXES)}
    if tables:
        name, assumptions = _choose_file(folder, tables)
        return tables[name], assumptions or (f"reading the table {name} in this folder",)
    packed = [path for path in files if path.name.lower().endswith(_ARCHIVE_SUFFIXES)]
    if len(packed) > 1:
        raise DataError(
            f"{folder}: contains {len(packed)} archives ({', '.join(path.name for path in packed[:_MAX_NAMED])}); "
            "specify one of them as DATA"
        )
    if packed:
        return packed[0], (f"reading the archive {packed[0].name} in this folder",)
    if foreign := [path for path in files if path.name.lower().endswith(_FOREIGN_SUFFIXES)]:
        return foreign[0], ()  # reading it raises an error with advice
    return find_table_file(folders[0]) if len(folders) == 1 else None


def _choose_file(folder: Path, tables: dict[str, Path]) -> tuple[str, tuple[str, ...]]:
    with ExitStack() as stack:
        return choose_table(
            str(folder),
            list(tables),
            lambda name: open_lines(name, stack.enter_context(tables[name].open("rb"))),
        )


def _contains_images(folder: Path) -> bool:
    suffixes = IMAGE_SUFFIXES | HEIC_SUFFIXES
    return any(path.suffix.lower() in suffixes for path in folder.iterdir() if not is_system_file(path.name))
