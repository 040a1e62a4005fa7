"""Output paths for the annotated copies of several inputs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from fer_edge.errors import OutputError, UsageError

__all__ = ["assign_targets"]


def assign_targets(
    folder: Path,
    sources: Sequence[str],
    name: Callable[[Path], Path],
    *,
    root: Path | None = None,
    overwrite: bool = False,
) -> dict[str, Path]:
    """Assign each source a file in ``folder``, at its path relative to ``root``.

    Without ``root``, the file has the name of the source. ``name`` maps a path to one with a writable suffix.
    Sources with the same name get numbers, except for one whose suffix is kept. Raises OutputError if a file
    already exists, UsageError if it is one of the sources.
    """
    targets: dict[str, Path] = {}
    taken: set[Path] = set()
    originals = {os.path.realpath(source) for source in sources}
    places = {
        source: Path(source).relative_to(root) if root is not None else Path(Path(source).name)
        for source in dict.fromkeys(sources)
    }
    # First those that keep their names: a.png is the copy of a.png, and that of a.gif is a-2.png.
    for source in sorted(places, key=lambda source: name(places[source]) != places[source]):
        target = _find_free(folder / name(places[source]), taken)
        if os.path.realpath(target) in originals:
            raise UsageError(f"{target}: is an input and would be overwritten; choose another output")
        if not overwrite and target.exists():
            raise OutputError(
                f"{target}: already exists; choose another output", hint="or replace it with --overwrite"
            )
        taken.add(target)
        targets[source] = target
    return targets


def _find_free(path: Path, taken: set[Path]) -> Path:
    number, free = 2, path
    while free in taken:
        free = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return free
