"""Expand the paths given by a user: files, folders and glob patterns."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from fer_edge.errors import SourceError

__all__ = ["expand_paths"]

_GLOB: Final = frozenset("*?[")


def expand_paths(
    paths: Sequence[str],
    find: Callable[[str], Iterable[str]],
    keep: Callable[[str], bool] = lambda path: False,
) -> list[str]:
    """Expand folders with ``find``, and globs that the shell did not expand.

    Paths for which ``keep`` returns true, such as URLs, are kept as they are. Raises SourceError if a glob matches
    nothing.
    """
    expanded: list[str] = []
    for path in paths:
        if keep(path) or _exists(path, Path.is_file):
            expanded.append(path)
        elif _exists(path, Path.is_dir):
            expanded += find(path)
        elif _GLOB & set(path):
            expanded += _match(path)
        else:
            expanded.append(path)  # an invalid path is reported when it is opened
    return expanded


def _exists(path: str, kind: Callable[[Path], bool]) -> bool:
    try:
        return kind(Path(path))
    except (OSError, ValueError):  # a name that is too long or contains a NUL
        return False


def _match(pattern: str) -> list[str]:
    matches = sorted(
        match
        for match in glob.glob(pattern, recursive=True)  # noqa: PTH207  (Path.glob does not accept absolute patterns)
        if not Path(match).is_dir()
    )
    if not matches:
        raise SourceError(f"{pattern}: no file matches; check the pattern")
    return matches
