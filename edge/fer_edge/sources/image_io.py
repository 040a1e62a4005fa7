"""One image file as the runtime sees pictures: 8-bit colours, upright, whatever the file's name."""

from __future__ import annotations

import logging
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from fer_edge.errors import SourceError
from fer_edge.sources.image_decoders import decode
from fer_edge.sources.image_exif import oriented
from fer_edge.sources.image_header import ImageHeader, read_header
from fer_edge.sources.image_jpeg import completed_jpeg
from fer_edge.sources.image_values import to_bgr
from fer_edge.types import Image

__all__ = ["MOST_PIXELS", "ImageFile", "can_list", "load_image", "read_image"]

_LOG: Final = logging.getLogger(__name__)

MOST_PIXELS: Final = 1 << 28
"""Pixels of a picture: more than any camera takes. A small file can hold one that takes all memory."""
_MOST_BYTES: Final = 1 << 31  # of a file; a picture of so many pixels takes less, even in floats
_LINEAR: Final = frozenset({"HDR", "OpenEXR"})
_VIDEO_KINDS: Final = frozenset({"GIF", "PNG"})  # whose frames FFmpeg reads one after the other


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A picture, uint8 (height, width, 3) BGR, upright; and ``notes``: what a user should know of its reading."""

    image: Image
    notes: tuple[str, ...] = ()


def read_image(path: Path | str) -> Image:
    """A picture as :func:`load_image` reads it; its notes go to the log as warnings."""
    read = load_image(path)
    for note in read.notes:
        _LOG.warning("%s: %s", os.fspath(path), note)
    return read.image


def load_image(path: Path | str) -> ImageFile:
    """Read a picture file; raises SourceError.

    It is turned as its EXIF data say. Gray becomes three equal channels, transparent pixels lie on white, 10
    to 32 bits and floats are scaled to 8; of several pages or frames it is the first. The format is known by
    the content, and names of any script work on every system.
    """
    name = os.fspath(path)
    content = _read_content(Path(path), name)
    header = read_header(content)
    if header.size is not None and header.size[0] * header.size[1] > MOST_PIXELS:
        raise SourceError(
            f"{name}: expected at most {MOST_PIXELS} pixels, "
            f"the picture has {header.size[0]} × {header.size[1]}; make it smaller"
        )
    whole = completed_jpeg(content) if header.kind == "JPEG" else content
    if whole is None:
        raise SourceError(f"{name}: the JPEG ends before its picture does; get the whole file")
    try:
        decoded = decode(whole, header, MOST_PIXELS)
        if decoded is None or not decoded.size:
            raise SourceError(_unreadable(header))
        upright = oriented(decoded, header.orientation)
        image, notes = to_bgr(
            upright,
            depth=header.depth,
            linear=header.kind in _LINEAR,
            # As libtiff gives them, however they are stored.
            premultiplied=header.premultiplied or (header.kind == "TIFF" and decoded.dtype == np.uint8),
        )
    except SourceError as error:
        raise SourceError(f"{name}: {error}") from error
    except (cv2.error, MemoryError) as error:
        reason = getattr(error, "err", "") or str(error) or "there is not enough memory"
        raise SourceError(f"{name}: the picture cannot be decoded: {' '.join(reason.split())}") from error
    return ImageFile(np.asarray(image, np.uint8), (*_frames_note(header, name), *notes))


def _read_content(path: Path, name: str) -> bytes:
    """The bytes of a regular file; what may never end is not opened."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            if not can_list(path):
                raise SourceError(f"{name}: the folder cannot be read; its pictures are left out")
            raise SourceError(
                f"{name}: expected a picture, got a folder; for its pictures use: fer-edge folder"
            )
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise SourceError(f"{name}: expected a picture, got a device; for a camera use: fer-edge camera")
        if not stat.S_ISREG(mode):
            raise SourceError(f"{name}: expected a picture, got a pipe or socket; save it to a file")
        if path.stat().st_size > _MOST_BYTES:
            raise SourceError(f"{name}: expected a picture, got a file of more than 2 GB")
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"{name}: expected a picture, the file cannot be read: {reason}") from error
    if not content:
        raise SourceError(f"{name}: expected a picture, the file is empty")
    return content


def _unreadable(header: ImageHeader) -> str:
    if header.kind in ("", "TGA"):
        return (
            "expected a picture, the file is none that OpenCV or FFmpeg can read, or is damaged; "
            "for a video use: fer-edge video"
        )
    kind = "picture" if header.kind == "damaged" else header.kind
    return f"expected a picture, the {kind} is damaged or of a kind that cannot be read"


def _frames_note(header: ImageHeader, name: str) -> tuple[str, ...]:
    if header.frames < 2:
        return ()
    if not header.animated:
        what = "pages" if header.kind == "TIFF" else "pictures"
        return (f"the first of {header.frames} {what} is read; save the others as files of their own",)
    count = "several" if header.kind == "AVIF" else header.frames
    use = f"for all use: fer-edge video {name}" if header.kind in _VIDEO_KINDS else "save the others as files"
    return (f"the first of {count} frames is read; {use}",)


def can_list(folder: Path) -> bool:
    """Whether a folder's entries can be listed."""
    try:
        with os.scandir(folder):
            return True
    except OSError:
        return False
