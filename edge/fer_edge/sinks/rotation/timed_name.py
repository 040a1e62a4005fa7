"""File names with time fields, such as ``rows-%Y-%m-%d.csv``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final

from fer_edge.errors import UsageError

__all__ = ["TimedName", "has_fields", "number_path", "refuse_fields"]

# The fields that consist of digits in every locale.
_FIELDS: Final = {
    "Y": r"\d{4}", "y": r"\d\d", "m": r"\d\d", "d": r"\d\d", "j": r"\d{3}", "F": r"\d{4}-\d\d-\d\d",
    "H": r"\d\d", "M": r"\d\d", "S": r"\d\d", "z": r"[+-]\d{4,6}",
    "G": r"\d{4}", "V": r"\d\d", "u": r"\d", "w": r"\d",
}  # fmt: skip
_PIECES: Final = re.compile(r"%(.?)", re.DOTALL)


class TimedName:
    """A path with strftime fields such as ``%Y``, filled in with the local time.

    ``%%`` stands for a percent sign. Raises UsageError if a field is unknown or depends on the locale, or if
    the path is a folder.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if not Path(text).name or text.endswith("/"):
            raise UsageError(f"{text or '(empty)'}: is a folder; specify a file")
        for field in _PIECES.findall(text):
            if field != "%" and field not in _FIELDS:
                raise UsageError(
                    f"{text}: unknown field %{field}; choose one of: %{', %'.join(_FIELDS)}, "
                    "or write %% for a percent sign"
                )
        self._expanded: tuple[int, Path] | None = None  # cached, since many frames share a second
        self.rotates = has_fields(text)
        """Whether the name has time fields."""
        parts = Path(text).parts
        fixed = next((place for place, part in enumerate(parts) if has_fields(part)), len(parts) - 1)
        if ".." in parts[fixed:]:
            raise UsageError(f"{text}: .. is not allowed after a time field; write the path without it")
        self.folder = Path(*(part.replace("%%", "%") for part in parts[:fixed]))
        """The fixed folder that contains all files, directly or in subfolders."""
        self.pattern = "/".join(parts[fixed:])
        """The variable part: the path of the file below :attr:`folder`, with time fields."""
        self._regex = re.compile(_to_regex(self.pattern))
        suffix = PurePosixPath(self.pattern).suffix
        stem = self.pattern.removesuffix(suffix)
        self._numbered = re.compile(_to_regex(stem) + r"(?:-\d+)?" + _to_regex(suffix))

    def expand(self, clock: datetime) -> Path:
        """Return the path for a time."""
        second = int(clock.timestamp())
        if self._expanded is not None and self._expanded[0] == second:
            return self._expanded[1]
        path = self._expand(clock.astimezone())
        self._expanded = second, path
        return path

    def _expand(self, local: datetime) -> Path:

        def fill(match: re.Match[str]) -> str:
            field = match[1]
            if field == "F":
                return local.strftime("%Y-%m-%d")
            return "%" if field == "%" else local.strftime(f"%{field}")

        return Path(_PIECES.sub(fill, self.text))

    def matches_path(self, path: Path) -> bool:
        """Return whether a path is this name at some time."""
        return self._regex.fullmatch(self._relative(path)) is not None

    def matches_relative(self, relative: str) -> bool:
        """Return whether a relative path is this name at some time.

        The path is relative to :attr:`folder` and uses ``/`` as separator. It may have a number, as files do
        whose name was taken.
        """
        return self._numbered.fullmatch(relative) is not None

    def relative(self, path: Path) -> str:
        """Return a path of this name relative to :attr:`folder`, as for :meth:`matches_relative`."""
        return path.relative_to(self.folder).as_posix()

    def find_folders(self) -> Iterator[Path]:
        """Yield the existing folders that may contain files of this name."""
        folders = [self.folder]
        for part in self.pattern.split("/")[:-1]:
            wanted = re.compile(_to_regex(part))
            folders = [
                Path(entry.path)
                for folder in folders
                for entry in _scan(folder)
                if entry.is_dir(follow_symlinks=False) and wanted.fullmatch(entry.name)
            ]
        yield from folders

    def find_files(self) -> Iterator[Path]:
        """Yield the existing files of this name for any time, including numbered ones."""
        for folder in self.find_folders():
            for entry in _scan(folder):
                if entry.is_file(follow_symlinks=False) and self.matches_relative(
                    self.relative(Path(entry.path))
                ):
                    yield Path(entry.path)

    def _relative(self, path: Path) -> str:
        try:
            return path.resolve().relative_to(self.folder.resolve()).as_posix()
        except (ValueError, OSError, RuntimeError):
            return ""


def has_fields(text: str) -> bool:
    """Return whether a name has at least one known time field."""
    return any(field in _FIELDS for field in _PIECES.findall(text))


def refuse_fields(text: str) -> None:
    """Raise UsageError if a name has time fields; for sources without a clock.

    A single field other than the year or date does not count: ``100%done.csv`` is an ordinary name.
    """
    fields = [field for field in _PIECES.findall(text) if field in _FIELDS]
    if len(fields) > 1 or not {"Y", "F"}.isdisjoint(fields):
        raise UsageError(
            f"{text}: %{fields[0]} stands for a time, which only frames of cameras have; "
            "use a name without time fields"
        )


def number_path(path: Path, number: int) -> Path:
    """Return the path with a number before its suffix; for 1, the path itself."""
    return path if number == 1 else path.with_stem(f"{path.stem}-{number}")


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _to_regex(pattern: str) -> str:
    regex, end = "", 0
    for match in _PIECES.finditer(pattern):
        regex += re.escape(pattern[end : match.start()]) + _FIELDS.get(match[1], "%")
        end = match.end()
    return regex + re.escape(pattern[end:])
