"""Expand folders and glob patterns into video paths."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from fer_edge.errors import SourceError
from fer_edge.runtime.paths import expand_paths
from fer_edge.sources.left_out import describe_left_out, is_system_file
from fer_edge.sources.urls import is_url

__all__ = ["VIDEO_SUFFIXES", "expand_videos", "find_videos", "is_video_path"]

VIDEO_SUFFIXES: Final = frozenset(
    {
        ".264", ".265", ".3g2", ".3gp", ".3gpp", ".amv", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".h264",
        ".h265", ".hevc", ".ivf", ".m1v", ".m2t", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4",
        ".mp4v", ".mpe", ".mpeg", ".mpg", ".mpv", ".mts", ".mxf", ".nut", ".ogm", ".ogv", ".qt", ".rm", ".rmvb",
        ".tod", ".trp", ".ts", ".vob", ".webm", ".wmv", ".wtv", ".y4m",
    }
)  # fmt: skip
"""Suffixes of the files in a folder that count as videos; a video named explicitly may have any suffix."""


OnLeftOut = Callable[[str], None]


def _ignore(_summary: str) -> None:
    """Do nothing."""


def is_video_path(name: str) -> bool:
    """Return whether a file in a folder is a video by its name; hidden files are not."""
    path = Path(name)
    return not path.name.startswith(".") and path.suffix.lower() in VIDEO_SUFFIXES


def _is_special(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a pipe, socket or device, whose reading may never end."""
    try:
        return not stat.S_ISREG(entry.stat().st_mode)
    except OSError:  # such as a broken link, which is reported when it is opened
        return False


def find_videos(folder: str, on_left_out: OnLeftOut = _ignore) -> list[str]:
    """Return the videos in a folder, sorted by name.

    ``on_left_out`` is called with a summary of the other files, if there are any. Subfolders, hidden files and system
    files are ignored. Raises SourceError if the folder cannot be read or contains no videos.
    """
    found: list[str] = []
    others: Counter[str] = Counter()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir() or is_system_file(entry.name):
                    continue
                if is_video_path(entry.name) and not _is_special(entry):
                    found.append(entry.path)
                else:
                    others[Path(entry.name).suffix.lower()] += 1
    except OSError as error:
        raise SourceError(f"{folder}: cannot read folder: {error.strerror}") from error
    if not found:
        raise SourceError(f"{folder}: no videos in this folder", hint="for images, use: fer-edge folder")
    if (summary := describe_left_out(others)) is not None:
        on_left_out(f"{folder}: {summary}")
    return sorted(found)


def expand_videos(paths: Sequence[str], on_left_out: OnLeftOut = _ignore) -> list[str]:
    """Expand folders and glob patterns, and remove duplicates.

    Folders become the videos in them; globs that the shell did not expand become their matches. ``on_left_out`` is
    called with a summary of the other files of each folder.
    """
    find = partial(find_videos, on_left_out=on_left_out)
    return list(dict.fromkeys(expand_paths(paths, find, keep=is_url)))
