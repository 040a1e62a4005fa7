"""Write the files of a folder together, or none of them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from fer_edge.errors import FerEdgeError, OutputError
from fer_edge.runtime.atomic_files import convert_errors_to_output_error, is_dead
from fer_edge.runtime.locks import lock_folder

__all__ = ["check_staged_folder", "staged_folder"]

_STAGING: Final = ".fer-edge-"


def check_staged_folder(folder: Path, *, overwrite: bool) -> None:
    """Raise OutputError if :func:`staged_folder` would refuse a folder."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder}: is a file, not a folder; choose another name")
    present = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if present and not overwrite:
        raise OutputError(
            f"{folder}: folder is not empty: it contains {', '.join(present[:3])}"
            f"{' and more' if len(present) > 3 else ''}; choose another",
            hint="or allow it with --overwrite",
        )


@contextmanager
def staged_folder(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """Provide an empty folder whose files move into ``folder`` if the block succeeds.

    After an error, no file is moved. A folder that is not empty is refused unless ``overwrite`` is set; then files of
    the same names are replaced, including in subfolders, and others stay. ``folder`` is locked against other programs
    until the block ends. Errors name the files as they would be named in ``folder``. Raises OutputError.
    """
    with lock_folder(folder), convert_errors_to_output_error(folder):
        check_staged_folder(folder, overwrite=overwrite)
        for left in folder.glob(f"{_STAGING}*-*"):
            if is_dead(left.name.removeprefix(_STAGING).partition("-")[0]):
                shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f"{_STAGING}{os.getpid()}-", dir=folder) as staging:
            try:
                yield Path(staging)
            except FerEdgeError as error:
                error.args = tuple(str(text).replace(staging, str(folder)) for text in error.args)
                raise
            _move_into(Path(staging), folder)


def _move_into(staging: Path, folder: Path) -> None:
    for path in sorted(staging.iterdir()):
        target = folder / path.name
        if path.is_dir() and target.is_dir():
            _move_into(path, target)
        else:
            path.replace(target)
