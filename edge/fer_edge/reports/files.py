"""Find results files, put them in order and collect their problems."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

from fer_edge.archive.schema import IDENTITY_FILE, ROWS_FOLDER
from fer_edge.errors import MissingExtraError, PluginError, SourceError
from fer_edge.reports.readers.base import STANDARD_INPUT, ErrorRow, FrameRow, Item, Problem
from fer_edge.reports.readers.registry import READERS
from fer_edge.runtime.paths import expand_paths
from fer_edge.runtime.tables import format_count

__all__ = ["ResultsFile", "open_results", "read_file"]

_PEEKED: Final = 50  # rows compared to recognize two files of the same run
_LATEST: Final = float("inf")


@dataclass(frozen=True, slots=True)
class ResultsFile:
    """A results file.

    ``path`` is None for standard input, ``format`` is a name in READERS.
    """

    name: str
    path: Path | None
    format: str

    def read(self) -> Iterator[Item]:
        """Yield the rows; raises SourceError, MissingExtraError."""
        return READERS.load(self.format)(self.path)


@dataclass(slots=True)
class _Peek:
    """The start time of a file and a hash of its first rows.

    ``digest`` is "" if these rows contain no face.
    """

    clock_s: float = _LATEST
    digest: str = ""


def open_results(paths: Sequence[str | os.PathLike[str]], problems: list[str]) -> list[ResultsFile]:
    """Find the results files in ``paths``, with camera files ordered by their clocks.

    Folders are searched recursively. Leaves out files that cannot be read and files with the same rows as another,
    such as the CSV and the JSON Lines of one run, and adds a line to ``problems`` for each. Raises SourceError if no
    file remains.
    """
    found: list[tuple[float, ResultsFile]] = []
    seen: dict[str, str] = {}
    for file in _find_files(paths, problems):
        try:
            peek = _Peek() if file.path is None else _look_into(file)
        except (SourceError, MissingExtraError, PluginError) as error:
            problems.append(str(error))
            continue
        if peek.digest and peek.digest in seen:
            problems.append(
                f"{file.name}: has the same rows as {seen[peek.digest]} and is left out; use only one of them"
            )
            continue
        seen[peek.digest] = file.name
        found.append((peek.clock_s, file))
    if not found:
        raise SourceError("; ".join(problems[:3]) or "no results to read; use results files of fer-edge")
    return [file for _, file in sorted(found, key=lambda pair: pair[0])]


def read_file(file: ResultsFile, problems: list[str]) -> Iterator[FrameRow | ErrorRow]:
    """Yield the rows of a file.

    Adds a line to ``problems`` if parts of it could not be read.
    """
    first: Problem | None = None
    bad = rows = 0
    try:
        for item in file.read():
            if isinstance(item, Problem):
                first, bad = first or item, bad + 1
            else:
                rows += 1
                yield item
    except SourceError as error:
        problems.append(
            f"{error}; the preceding {format_count(rows, 'row')} are shown" if rows else str(error)
        )
    if first is not None:
        what = f"{format_count(bad, 'row')} left out" if bad > 1 else "left out"
        problems.append(f"{file.name}: {first.place}: {first.reason}; {what}, {_remedy(rows)}")
    elif not rows:
        problems.append(f"{file.name}: no rows; leave the file out, or check whether its run failed")


def _remedy(rows: int) -> str:
    return "the others are shown" if rows else "use a results file of fer-edge"


def _find_files(paths: Sequence[str | os.PathLike[str]], problems: list[str]) -> Iterator[ResultsFile]:
    """Yield each results file once."""
    known = set[Path]()
    for given in [os.fspath(path) for path in paths]:
        try:
            expanded = expand_paths([given], _find_in_folder, keep=lambda path: path == STANDARD_INPUT)
        except SourceError as error:
            problems.append(str(error))
            continue
        for name in expanded:
            if name == STANDARD_INPUT:
                yield ResultsFile("standard input", None, "jsonl")
                continue
            path = Path(name)
            suffix = path.suffix.lower().removeprefix(".")
            if not path.exists():
                problems.append(f"{name}: does not exist; check the path")
            elif suffix not in READERS:
                names = ", ".join(f".{known}" for known in READERS.names)
                problems.append(f"{name}: unknown results format; use a file that ends in {names}")
            elif (resolved := path.resolve()) not in known:
                known.add(resolved)
                yield ResultsFile(name, path, suffix)


def _find_in_folder(folder: str) -> list[str]:
    suffixes = {f".{name}" for name in READERS.names}
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if IDENTITY_FILE in names:  # an archive, whose other tables do not contain rows
            folders[:], names = [ROWS_FOLDER], []
        found += [
            os.path.join(parent, name)  # noqa: PTH118  (keeps the form of the given path)
            for name in sorted(names)
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes
        ]
    if not found:
        raise SourceError(f"{folder}: the folder contains no results files; check the path")
    return found


def _look_into(file: ResultsFile) -> _Peek:
    peek, digest, faces = _Peek(), hashlib.sha256(), 0
    for item in islice(file.read(), _PEEKED):
        if not isinstance(item, FrameRow):
            continue
        if peek.clock_s == _LATEST and item.clock is not None:
            peek.clock_s = _seconds(item.clock)
        scores = [(face.id, face.box, face.scores) for face in item.faces]
        faces += len(scores)
        digest.update(
            repr((item.source, item.frame, item.time_s, item.clock, scores)).encode("utf-8", "replace")
        )
    peek.digest = digest.hexdigest() if faces else ""
    return peek


def _seconds(clock: datetime) -> float:
    return clock.timestamp()
