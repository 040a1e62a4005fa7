"""Expand folders and glob patterns into video paths."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fer_edge.errors import SourceError
from fer_edge.runtime.paths import expand_paths
from fer_edge.sources.urls import is_url

__all__ = ["VIDEO_SUFFIXES", "expand_videos", "find_videos", "is_video_path"]

VIDEO_SUFFIXES: Final = frozenset(
    {
        ".3g2", ".3gp", ".asf", ".avi", ".dv", ".f4v", ".flv", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv",
        ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m",
    }
)  # fmt: skip
"""Suffixes of the files in a folder that count as videos; a video named explicitly may have any suffix."""


def is_video_path(name: str) -> bool:
    """Return whether a file in a folder is a video by its name; hidden files are not."""
    path = Path(name)
    return not path.name.startswith(".") and path.suffix.lower() in VIDEO_SUFFIXES


def find_videos(folder: str) -> list[str]:
    """Return the videos in a folder, sorted by name.

    Raises SourceError if the folder cannot be read or contains no videos.
    """
    try:
        with os.scandir(folder) as entries:
            found = sorted(entry.path for entry in entries if is_video_path(entry.name))
    except OSError as error:
        raise SourceError(f"{folder}: cannot read folder: {error.strerror}") from error
    if not found:
        raise SourceError(f"{folder}: no videos in this folder; for images, use: fer-edge folder")
    return found


def expand_videos(paths: Sequence[str]) -> list[str]:
    """Expand folders and glob patterns, and remove duplicates.

    Folders become the videos in them; globs that the shell did not expand become their matches.
    """
    return list(dict.fromkeys(expand_paths(paths, find_videos, keep=is_url)))
