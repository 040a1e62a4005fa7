"""Single pictures and folders of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from fer_edge.errors import SourceError
from fer_edge.sources.base import SourceItem, SourceRequest
from fer_edge.sources.image_io import can_list, read_image
from fer_edge.types import Frame, SkippedInput, StreamInfo

__all__ = ["IMAGE_SUFFIXES", "ImageSource", "create_source", "find_images", "is_image_path"]

IMAGE_SUFFIXES: Final = frozenset(
    {".bmp", ".jpeg", ".jpg", ".jp2", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""What is taken for a picture in a folder; a picture that is named may have any suffix."""


class ImageSource:
    """Images by their paths, one frame each, in the order given; what cannot be read is a SkippedInput."""

    def __init__(self, paths: Sequence[Path | str], name: str | None = None) -> None:
        self._paths = [os.fspath(path) for path in paths]
        self.info = StreamInfo(
            name=name if name is not None else " ".join(self._paths), still=True, frame_count=len(self._paths)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""

    def __iter__(self) -> Iterator[SourceItem]:
        for path in self._paths:
            try:
                yield Frame(read_image(path), path)
            except SourceError as error:
                yield SkippedInput(path, str(error))


def create_source(request: SourceRequest) -> ImageSource:
    """Make a source of images by their paths."""
    return ImageSource(request.addresses, request.name)


def is_image_path(name: str) -> bool:
    """Whether a name is an image's, by its suffix, and not a URL."""
    return Path(name).suffix.lower() in IMAGE_SUFFIXES and "://" not in name


def find_images(folder: Path | str, *, recursive: bool = False, without: Path | None = None) -> list[Path]:
    """The pictures of a folder, sorted by path; raises SourceError where there is none.

    Hidden files and folders are left out, and the folder ``without``. What cannot be looked at, such as a
    folder below that may not be read, is among them: reading it says why. Paths begin with ``folder`` as it
    is given.
    """
    root = Path(folder)
    if not root.is_dir():
        state = "which is a file; name it with: fer-edge image" if root.exists() else "which is not there"
        raise SourceError(f"expected a folder, got {os.fspath(folder)!r}, {state}")
    try:
        found = sorted(_images_below(root, recursive, None if without is None else without.resolve()))
    except OSError as error:
        raise SourceError(f"{error.filename}: the folder cannot be read: {error.strerror}") from error
    if not found:
        hint = "" if recursive else "; its subfolders are searched by: fer-edge folder --recursive"
        raise SourceError(
            f"{folder}: expected pictures ({', '.join(sorted(IMAGE_SUFFIXES))}), found none{hint}"
        )
    return found


def _images_below(folder: Path, recursive: bool, without: Path | None) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            # A link to a folder is not followed: it may lead back up.
            if entry.is_dir(follow_symlinks=False):
                below = folder / entry.name
                if recursive and (without is None or below.resolve() != without):
                    yield from _images_below(below, recursive, without) if can_list(below) else [below]
            elif Path(entry.name).suffix.lower() in IMAGE_SUFFIXES and _may_be_file(entry):
                yield folder / entry.name


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # links in a circle
        return True
