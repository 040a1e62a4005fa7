"""Check that output does not go into the data, which could then no longer be read."""

from __future__ import annotations

from pathlib import Path

from fer_edge.errors import UsageError
from fer_edge.sources.left_out import is_system_file
from fer_train.data.readers.table_choice import find_table_file

__all__ = ["check_outside_data"]


def check_outside_data(out: Path, data: Path) -> None:
    """Raise UsageError if files in the folder ``out`` would be taken for a part of the folder ``data``.

    A folder of label folders may contain nothing else. A folder with a table may contain other files in subfolders of
    its subfolders.
    """
    if not data.is_dir() or not out.resolve().is_relative_to(data.resolve()):
        return
    below = out.resolve().relative_to(data.resolve()).parts
    if any(map(is_system_file, below)):
        return
    if len(below) < 2 or find_table_file(data) is None:
        raise UsageError(
            f"{out}: this folder is in the data, {data}, which could not be read again with other files in it; choose "
            "a folder elsewhere"
        )
