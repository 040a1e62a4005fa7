"""Publishing of finished files under free names, and recovery after killed runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from fer_edge.errors import OutputError
from fer_edge.runtime.atomic_files import find_leftovers
from fer_edge.sinks.rotation.journal import FileJournal
from fer_edge.sinks.rotation.timed_name import TimedName, number_path

__all__ = ["publish_file", "recover_files"]

_logger = logging.getLogger(__name__)

_MAX_NUMBERS: Final = 10_000


def publish_file(part: Path, target: Path, journal: FileJournal, *, replace: bool = False) -> Path:
    """Rename ``part`` to ``target`` and record it in the journal; return its new path.

    If ``target`` exists, a number is added to the name; ``replace`` replaces the existing file instead.
    Raises OSError, and OutputError if no name is free.
    """
    for number in range(1, _MAX_NUMBERS):
        candidate = number_path(target, number)
        if os.path.lexists(candidate) and not (replace and number == 1):
            continue
        journal.finish(candidate, part)
        try:
            if replace:
                part.replace(candidate)
            else:
                _rename_to_new(part, candidate)
        except FileExistsError:
            journal.drop(journal.name.relative(candidate))
            continue
        journal.announce()
        return candidate
    raise OutputError(f"{target}: no free file name left; choose another location")


def recover_files(name: TimedName, journal: FileJournal, is_usable: Callable[[Path], bool]) -> None:
    """Publish the usable files that killed runs were writing, and delete the others."""
    for part, target in _find_parts(name):
        try:
            if part.stat().st_nlink > 1 or not is_usable(part):  # already published, or unusable
                part.unlink()
            else:
                published = publish_file(part, target, journal)
                _logger.warning("%s: recovered from a run that was killed", published)
        except (OSError, OutputError) as error:
            _logger.warning("%s: cannot recover this file: %s", part, error)


def _find_parts(name: TimedName) -> list[tuple[Path, Path]]:
    found = []
    for folder in name.find_folders():
        with suppress(OSError):  # the folder was deleted or cannot be read
            found += [
                (part, target)
                for part, target in find_leftovers(folder)
                if name.matches_relative(name.relative(target))
            ]
    return found


def _rename_to_new(part: Path, target: Path) -> None:
    """Rename without replacing; raises FileExistsError if ``target`` exists."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # FAT does not support hard links
        if os.path.lexists(target):
            raise FileExistsError(target) from None
        part.rename(target)
        return
    with suppress(OSError):
        part.unlink()
