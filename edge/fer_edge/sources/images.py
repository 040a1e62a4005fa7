"""Single pictures and folders of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import cv2
import numpy as np

from fer_edge.errors import SourceError
from fer_edge.types import Frame, Image, Unreadable

__all__ = ["PICTURE_SUFFIXES", "PictureSource", "find_pictures", "read_picture"]

PICTURE_SUFFIXES: Final = frozenset(
    {".bmp", ".jpeg", ".jpg", ".jp2", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""What is taken for a picture in a folder; a picture that is named may have any suffix."""

_JPEG_START: Final = b"\xff\xd8"
_JPEG_END: Final = b"\xff\xd9"
_JPEG_MARKER, _JPEG_SCAN = 0xFF, 0xDA


class PictureSource:
    """Pictures by their paths, one frame each, in the order given; one that cannot be read is Unreadable."""

    live = False
    frame_rate: float | None = None

    def __init__(self, paths: Sequence[Path | str], name: str | None = None) -> None:
        self._paths = [os.fspath(path) for path in paths]
        self.name = name if name is not None else " ".join(self._paths)
        self.frame_count: int | None = len(self._paths)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""

    def __iter__(self) -> Iterator[Frame | Unreadable]:
        for path in self._paths:
            try:
                yield Frame(read_picture(path), path)
            except SourceError as error:
                yield Unreadable(path, str(error))


def find_pictures(folder: Path | str, *, recursive: bool = False, without: Path | None = None) -> list[Path]:
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
        found = sorted(_pictures_below(root, recursive, None if without is None else without.resolve()))
    except OSError as error:
        raise SourceError(f"{error.filename}: the folder cannot be read: {error.strerror}") from error
    if not found:
        hint = "" if recursive else "; its subfolders are searched by: fer-edge folder --recursive"
        raise SourceError(
            f"{folder}: expected pictures ({', '.join(sorted(PICTURE_SUFFIXES))}), found none{hint}"
        )
    return found


def _pictures_below(folder: Path, recursive: bool, without: Path | None) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            # A link to a folder is not followed: it may lead back up.
            if entry.is_dir(follow_symlinks=False):
                below = folder / entry.name
                if recursive and (without is None or below.resolve() != without):
                    yield from _pictures_below(below, recursive, without) if _opens(below) else [below]
            elif Path(entry.name).suffix.lower() in PICTURE_SUFFIXES and _may_be_file(entry):
                yield folder / entry.name


def _opens(folder: Path) -> bool:
    try:
        with os.scandir(folder):
            return True
    except OSError:
        return False


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # links in a circle
        return True


def read_picture(path: Path | str) -> Image:
    """A picture as uint8 (height, width, 3) BGR, turned as its EXIF data say; raises SourceError.

    Greyscale, 16-bit and transparent pictures are converted. The reading does not depend on the file's
    name, and names of any script work on every system.
    """
    name = os.fspath(path)
    try:
        if Path(path).is_dir():
            if not _opens(Path(path)):
                raise SourceError(f"{name}: the folder cannot be read; its pictures are left out")
            raise SourceError(
                f"{name}: expected a picture, got a folder; for its pictures use: fer-edge folder"
            )
        if Path(path).is_char_device() or Path(path).is_block_device():  # which may never end
            raise SourceError(f"{name}: expected a picture, got a device; for a camera use: fer-edge camera")
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"{name}: expected a picture, the file cannot be read: {reason}") from error
    if not content:
        raise SourceError(f"{name}: expected a picture, the file is empty")
    if content.startswith(_JPEG_START) and _breaks_off(content):
        raise SourceError(f"{name}: the JPEG ends before its picture does; get the whole file")
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE_PIXELS" in error.err:
            limit = os.environ.get("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 30))
            raise SourceError(
                f"{name}: expected at most {limit} pixels, the picture has more; "
                "make it smaller, or set OPENCV_IO_MAX_IMAGE_PIXELS"
            ) from error
        raise SourceError(f"{name}: the picture cannot be decoded: {error.err or error}") from error
    if image is None:
        raise SourceError(
            f"{name}: expected a picture, the file is none that OpenCV can read, or is damaged; "
            "for a video use: fer-edge video"
        )
    return np.asarray(image, np.uint8)


def _breaks_off(jpeg: bytes) -> bool:
    """Whether a JPEG's picture data lack their end; OpenCV would fill up the rest with grey.

    Neither a thumbnail in the header counts, which has an end of its own, nor what a telephone appends,
    such as a short film, in which any bytes occur. A header that makes no sense is left to OpenCV.
    """
    position = len(_JPEG_START)
    while position + 4 <= len(jpeg) and jpeg[position] == _JPEG_MARKER:
        if jpeg[position + 1] == _JPEG_SCAN:
            # Within the data each FF is followed by 00 or a restart marker: this is the end and no other.
            return _JPEG_END not in jpeg[position:]
        position += 2 + int.from_bytes(jpeg[position + 2 : position + 4])
    return False
