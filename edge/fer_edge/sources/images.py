"""Single images and folders of images."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from fer_edge.errors import SourceError
from fer_edge.sources.base import SourceItem, SourceRequest
from fer_edge.sources.image_decoders import CONVERT_HEIC, reads_heic
from fer_edge.sources.image_io import can_list, read_image
from fer_edge.sources.left_out import describe_left_out, is_system_file
from fer_edge.types import Frame, SkippedInput, StreamInfo

__all__ = [
    "HEIC_SUFFIXES",
    "IMAGE_SUFFIXES",
    "FoundImages",
    "ImageSource",
    "create_source",
    "find_images",
    "is_image_path",
    "search_images",
]

IMAGE_SUFFIXES: Final = frozenset(
    {
        ".apng",
        ".avif",
        ".bmp",
        ".dds",
        ".dib",
        ".exr",
        ".gif",
        ".hdr",
        ".ico",
        ".j2k",
        ".jfif",
        ".jp2",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".mpo",
        ".pam",
        ".pbm",
        ".pcx",
        ".pfm",
        ".pgm",
        ".pic",
        ".png",
        ".pnm",
        ".ppm",
        ".psd",
        ".qoi",
        ".ras",
        ".sgi",
        ".sr",
        ".tga",
        ".tif",
        ".tiff",
        ".webp",
    }
)
"""Suffixes of the files in a folder that count as images; an image named explicitly may have any suffix."""
HEIC_SUFFIXES: Final = frozenset({".heic", ".heif", ".hif"})
"""Suffixes that also count as images if pi-heif is installed."""


@dataclass(frozen=True, slots=True)
class FoundImages:
    """The images found in a folder, sorted by path.

    ``left_out`` counts the other files by suffix ("" for files without one).
    """

    paths: list[Path]
    left_out: Counter[str] = field(default_factory=Counter)

    def describe_left_out(self) -> str | None:
        """Summarize the other files, such as ``3 files skipped (2 .heic, 1 .tga)``.

        Returns None if there are none. HEIC files come with a remedy.
        """
        line = describe_left_out(self.left_out)
        return f"{line}; to read HEIC: {CONVERT_HEIC}" if HEIC_SUFFIXES & set(self.left_out) else line


class ImageSource:
    """Images given by path, one frame each, in the order given.

    An image that cannot be read becomes a SkippedInput.
    """

    def __init__(self, paths: Sequence[Path | str], name: str | None = None) -> None:
        self.paths = tuple(os.fspath(path) for path in paths)
        self.info = StreamInfo(
            name=name if name is not None else " ".join(self.paths), still=True, frame_count=len(self.paths)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: no file stays open."""

    def __iter__(self) -> Iterator[SourceItem]:
        for path in self.paths:
            try:
                yield Frame(read_image(path), path)
            except SourceError as error:
                yield SkippedInput(path, str(error), error.hint)


def create_source(request: SourceRequest) -> ImageSource:
    """Create a source of images from their paths."""
    return ImageSource(request.addresses, request.name)


def is_image_path(name: str) -> bool:
    """Return whether a name is an image path by its suffix, and not a URL.

    GIFs count as images; ``fer-edge video`` reads all their frames.
    """
    return Path(name).suffix.lower() in IMAGE_SUFFIXES | HEIC_SUFFIXES and "://" not in name


def find_images(folder: Path | str, *, recursive: bool = False, exclude: Path | None = None) -> list[Path]:
    """Return the images in a folder, as found by :func:`search_images`."""
    return search_images(folder, recursive=recursive, exclude=exclude).paths


def search_images(folder: Path | str, *, recursive: bool = False, exclude: Path | None = None) -> FoundImages:
    """Find the images in a folder and count its other files.

    Hidden and system files and folders are ignored, as is the folder ``exclude``. Anything that cannot be examined,
    such as an unreadable subfolder, is listed as an image, so that reading it reports the reason. Paths start with
    ``folder`` as given. Raises SourceError if the folder cannot be read or contains no images.
    """
    root = Path(folder)
    try:
        if not root.is_dir():
            if root.exists():
                raise SourceError(
                    f"{os.fspath(folder)}: not a folder", hint="for a file, use: fer-edge image"
                )
            raise SourceError(f"{os.fspath(folder)}: folder does not exist")
        excluded = None if exclude is None else exclude.resolve()
        suffixes = IMAGE_SUFFIXES | HEIC_SUFFIXES if reads_heic() else IMAGE_SUFFIXES
        left_out: Counter[str] = Counter()
        found = FoundImages(sorted(_images_below(root, recursive, excluded, suffixes, left_out)), left_out)
    except (OSError, ValueError, RuntimeError) as error:
        name = getattr(error, "filename", None) or os.fspath(folder)
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"{name}: cannot read folder: {reason}") from error
    if not found.paths:
        others = found.describe_left_out()
        raise SourceError(
            f"{folder}: no images in this folder"
            + ("" if others is None else f", {others}")
            + f"; images are files named {', '.join(sorted(suffixes))}",
            hint=None
            if recursive
            else f"to search its subfolders, use: fer-edge folder {folder} --recursive",
        )
    return found


def _images_below(
    folder: Path, recursive: bool, exclude: Path | None, suffixes: frozenset[str], left_out: Counter[str]
) -> Iterator[Path]:
    folders = [folder]
    while folders:
        folder = folders.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                below = folder / entry.name
                if is_system_file(entry.name):
                    continue
                # Symbolic links to folders are not followed: they may lead back up.
                if entry.is_dir(follow_symlinks=False):
                    if recursive and (exclude is None or below.resolve() != exclude):
                        if can_list(below):
                            folders.append(below)
                        else:
                            yield below
                elif _may_be_file(entry):
                    if below.suffix.lower() in suffixes:
                        yield below
                    else:
                        left_out[below.suffix.lower()] += 1


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a loop of symbolic links
        return True
