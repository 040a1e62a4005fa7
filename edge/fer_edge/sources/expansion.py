"""Files that paths name: those of folders and patterns, and which of them are videos."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from fer_edge.errors import SourceError
from fer_edge.sources.urls import is_url

__all__ = ["VIDEO_SUFFIXES", "expand", "expand_videos", "find_videos", "is_video_path"]

VIDEO_SUFFIXES: Final = frozenset(
    {
        ".3g2", ".3gp", ".asf", ".avi", ".dv", ".f4v", ".flv", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv",
        ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m",
    }
)  # fmt: skip
"""What is taken for a video in a folder; a video that is named may have any suffix."""

_GLOB: Final = frozenset("*?[")


def is_video_path(name: str) -> bool:
    """Whether a file in a folder is taken for a video, by its name; hidden files are not."""
    path = Path(name)
    return not path.name.startswith(".") and path.suffix.lower() in VIDEO_SUFFIXES


def find_videos(folder: str) -> list[str]:
    """The videos of a folder, sorted by name; raises SourceError where there is none."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entry.path for entry in entries if is_video_path(entry.name))
    except OSError as error:
        raise SourceError(f"{folder}: the folder cannot be read: {error.strerror}") from error
    if not found:
        raise SourceError(f"{folder}: no video in this folder; for its images use: fer-edge folder")
    return found


def expand_videos(paths: Sequence[str]) -> list[str]:
    """Replace folders by the videos in them, and globs that the shell left alone by what they match; each once."""
    return list(dict.fromkeys(expand(paths, find_videos)))


def expand(paths: Sequence[str], find: Callable[[str], Iterable[str]]) -> list[str]:
    """Replace folders by what ``find`` finds in them, and globs that the shell left alone by what they match."""
    expanded: list[str] = []
    for path in paths:
        if is_url(path) or _exists(path, Path.is_file):
            expanded.append(path)
        elif _exists(path, Path.is_dir):
            expanded += find(path)
        elif _GLOB & set(path):
            expanded += _match(path)
        else:
            expanded.append(path)  # what is wrong with it is said when its turn comes
    return expanded


def _exists(path: str, kind: Callable[[Path], bool]) -> bool:
    try:
        return kind(Path(path))
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        return False


def _match(pattern: str) -> list[str]:
    matches = sorted(
        match
        for match in glob.glob(pattern, recursive=True)  # noqa: PTH207  (Path.glob takes no absolute pattern)
        if not Path(match).is_dir()
    )
    if not matches:
        raise SourceError(f"{pattern}: no file matches; check the pattern")
    return matches
