"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fer_edge.errors import OutputError

__all__ = ["make_folder", "refuse_if_present", "replaced", "write_json"]


def make_folder(path: Path) -> None:
    """Make a folder that may be there already; raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path}: expected a folder to write into: {error.strerror or error}; name another"
        ) from error


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A path beside ``path``, of the same suffix, that takes its place at the end or vanishes after an error.

    Raises OutputError when it cannot be written.
    """
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written: {error.strerror or error}; free some space or name another place"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write an object as JSON that people can read; raises OutputError."""
    with replaced(path) as part:
        part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def refuse_if_present(folder: Path, name: str, *, overwrite: bool) -> None:
    """Raise OutputError where a folder is none, or holds a file of that name and may not be overwritten."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: expected a folder to write into, it is a file; name another")
    if (folder / name).exists() and not overwrite:
        raise OutputError(
            f"{folder / name}: it is there already; replace it with --overwrite, or name another folder"
        )
