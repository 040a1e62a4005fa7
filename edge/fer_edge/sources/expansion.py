"""The videos that paths, folders and patterns name."""

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
"""What is taken for a video in a folder; a video that is named may have any suffix."""


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
    return list(dict.fromkeys(expand_paths(paths, find_videos, keep=is_url)))
