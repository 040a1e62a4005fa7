"""File names with the time in them: ``rows-%Y-%m-%d.csv``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final

from fer_edge.errors import UsageError

__all__ = ["TimedName", "has_fields", "number_path", "refuse_fields"]

# Those that are digits everywhere, whatever the language of the machine.
_FIELDS: Final = {
    "Y": r"\d{4}", "y": r"\d\d", "m": r"\d\d", "d": r"\d\d", "j": r"\d{3}", "F": r"\d{4}-\d\d-\d\d",
    "H": r"\d\d", "M": r"\d\d", "S": r"\d\d", "z": r"[+-]\d{4,6}",
    "G": r"\d{4}", "V": r"\d\d", "u": r"\d", "w": r"\d",
}  # fmt: skip
_PIECES: Final = re.compile(r"%(.?)", re.DOTALL)


class TimedName:
    """A path that strftime fields such as ``%Y`` make another one as time goes by, in local time.

    ``%%`` stands for a percent sign. Raises UsageError for a field that is unknown, or whose text depends on the
    language of the machine, and for a folder.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if not Path(text).name or text.endswith("/"):
            raise UsageError(f"{text or '(empty)'}: it is a folder; name a file")
        for field in _PIECES.findall(text):
            if field != "%" and field not in _FIELDS:
                raise UsageError(
                    f"{text}: unknown field %{field}; choose among %{' %'.join(_FIELDS)}, or write %% for a percent "
                    "sign"
                )
        self._expanded: tuple[int, Path] | None = None  # many frames are of one second
        self.rotates = has_fields(text)
        """Whether the name ever changes."""
        parts = Path(text).parts
        fixed = next((place for place, part in enumerate(parts) if has_fields(part)), len(parts) - 1)
        if ".." in parts[fixed:]:
            raise UsageError(f"{text}: there may be no .. after a name that changes; name the folder itself")
        self.folder = Path(*(part.replace("%%", "%") for part in parts[:fixed]))
        """The folder whose name never changes, in which all files are, or folders with them."""
        self.pattern = "/".join(parts[fixed:])
        """What changes: the name of the file, and of the folders below :attr:`folder`."""
        self._regex = re.compile(_to_regex(self.pattern))
        suffix = PurePosixPath(self.pattern).suffix
        stem = self.pattern.removesuffix(suffix)
        self._numbered = re.compile(_to_regex(stem) + r"(?:-\d+)?" + _to_regex(suffix))

    def expand(self, clock: datetime) -> Path:
        """The path at that time."""
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

    def can_be(self, path: Path) -> bool:
        """Whether that path is this name at some time."""
        return self._regex.fullmatch(self._relative(path)) is not None

    def owns(self, relative: str) -> bool:
        """Whether a path below :attr:`folder`, with ``/`` between its parts, is this name at some time.

        It may carry a number, as files do whose own name was taken.
        """
        return self._numbered.fullmatch(relative) is not None

    def relative(self, path: Path) -> str:
        """A path of this name as :meth:`owns` takes it."""
        return path.relative_to(self.folder).as_posix()

    def find_folders(self) -> Iterator[Path]:
        """The folders that exist in which files of this name may be."""
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
        """The files of this name at any time that exist, those with a number too."""
        for folder in self.find_folders():
            for entry in _scan(folder):
                if entry.is_file(follow_symlinks=False) and self.owns(self.relative(Path(entry.path))):
                    yield Path(entry.path)

    def _relative(self, path: Path) -> str:
        try:
            return path.resolve().relative_to(self.folder.resolve()).as_posix()
        except (ValueError, OSError, RuntimeError):
            return ""


def has_fields(text: str) -> bool:
    """Whether a name holds a known field, so that time changes it."""
    return any(field in _FIELDS for field in _PIECES.findall(text))


def refuse_fields(text: str) -> None:
    """Raise UsageError for a name that is meant to change with time, for a source without a clock.

    A single field is none: ``100%done.csv`` is a name as any other.
    """
    fields = [field for field in _PIECES.findall(text) if field in _FIELDS]
    if len(fields) > 1 or not {"Y", "F"}.isdisjoint(fields):
        raise UsageError(
            f"{text}: only a camera's frames have the time that %{fields[0]} stands for; name a file without it"
        )


def number_path(path: Path, number: int) -> Path:
    """The path with a number before its suffix; from 2 on, 1 is the path itself."""
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
