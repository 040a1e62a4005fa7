"""Load an image file as an upright 8-bit color image.

The format is detected from the content, not from the file name.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from fer_edge.errors import SourceError
from fer_edge.runtime.native_stderr import capture_native_stderr
from fer_edge.runtime.notice import Notice
from fer_edge.sources.image_decoders import decode
from fer_edge.sources.image_exif import apply_orientation
from fer_edge.sources.image_header import ImageHeader, read_header
from fer_edge.sources.image_jpeg import complete_jpeg
from fer_edge.sources.image_values import to_bgr
from fer_edge.types import Image

__all__ = ["MOST_PIXELS", "ImageFile", "can_list", "load_image", "read_image"]

_LOG: Final = logging.getLogger(__name__)

MOST_PIXELS: Final = 1 << 28
"""The most pixels of an image; more than any camera takes. A small file can claim enough to use up all memory."""
_MAX_BYTES: Final = 1 << 31  # of a file; an image of that many pixels needs less, even with floats
_MAX_SUPERFLUOUS: Final = 32  # bytes
_SUPERFLUOUS: Final = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes")
_DAMAGE: Final = re.compile(
    r"Corrupt JPEG data|Premature end of JPEG|Inconsistent progression|TIFF_Error|Fax\w+: .*(Premature|[Bb]ad code)"
)
_LINEAR: Final = frozenset({"HDR", "OpenEXR"})
_VIDEO_KINDS: Final = frozenset({"GIF", "PNG"})  # FFmpeg can read all their frames


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An upright image, uint8 (height, width, 3) BGR, and notes on how it was read.

    ``notes`` are facts about the conversion that the user should know.
    """

    image: Image
    notes: tuple[Notice, ...] = ()


def read_image(path: Path | str) -> Image:
    """Load an image with :func:`load_image` and log its notes as warnings."""
    read = load_image(path)
    for note in read.notes:
        _LOG.warning("%s: %s", os.fspath(path), note, extra={"hint": note.hint})
    return read.image


def load_image(path: Path | str) -> ImageFile:
    """Load an image file. Raises SourceError, also for most kinds of damage; a note reports the others.

    The image is turned upright according to its EXIF data. Gray becomes three equal channels, transparent pixels are
    drawn on white, and values of 10 to 32 bits and floats are scaled to 8 bits. Only the first page or frame is read.
    The format is detected from the content. File names in any script work on every system.
    """
    name = os.fspath(path)
    content = _read_content(Path(path), name)
    header = read_header(content)
    if header.size is not None and header.size[0] * header.size[1] > MOST_PIXELS:
        raise SourceError(
            f"{name}: image too large: {header.size[0]}×{header.size[1]} pixels, more than {MOST_PIXELS:,}; "
            "make it smaller"
        )
    if header.separate_planes:  # OpenCV would draw the colors below each other
        raise SourceError(
            f"{name}: cannot read TIFF with separate color planes of more than 8 bits; "
            "convert it with: tiffcp -p contig in.tif out.tif"
        )
    whole = complete_jpeg(content) if header.kind == "JPEG" else content
    if whole is None:
        raise SourceError(f"{name}: incomplete JPEG; get the complete file")
    try:
        with capture_native_stderr() as messages:
            decoded = decode(whole, header, MOST_PIXELS)
        for line in messages.lines:
            _LOG.debug("%s: %s", name, line)
        if decoded is None or not decoded.size:
            raise _explain_unreadable(header)
        upright = apply_orientation(decoded, header.orientation)
        image, notes = to_bgr(
            upright,
            depth=header.depth,
            linear=header.kind in _LINEAR,
            # libtiff always returns premultiplied colors for these.
            premultiplied=header.premultiplied or (header.kind == "TIFF" and decoded.dtype == np.uint8),
            inverted=header.inverted,
        )
    except SourceError as error:
        raise SourceError(f"{name}: {error}", hint=error.hint) from error
    except (cv2.error, MemoryError) as error:
        reason = getattr(error, "err", "") or str(error) or "not enough memory"
        raise SourceError(f"{name}: cannot decode image: {' '.join(reason.split())}") from error
    if any(map(_reports_damage, messages.lines)):
        notes.append(f"the {header.kind} is damaged, so part of the image is wrong; get a new copy")
    return ImageFile(
        np.asarray(image, np.uint8), (*_describe_other_frames(header, name), *map(Notice, notes))
    )


def _reports_damage(line: str) -> bool:
    """Return whether a message of an image library says that part of an image could not be decoded.

    Cameras often write a few superfluous bytes, which do no harm.
    """
    superfluous = _SUPERFLUOUS.search(line)
    if superfluous is not None:
        return int(superfluous[1]) > _MAX_SUPERFLUOUS
    return _DAMAGE.search(line) is not None


def _read_content(path: Path, name: str) -> bytes:
    """Return the bytes of a regular file.

    Pipes and devices are not opened, because they may never end.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            if not can_list(path):
                raise SourceError(f"{name}: cannot read folder; its images are skipped")
            raise SourceError(
                f"{name}: not an image: it is a folder", hint="for the images in it, use: fer-edge folder"
            )
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise SourceError(
                f"{name}: not an image: it is a device", hint="for a camera, use: fer-edge camera"
            )
        if not stat.S_ISREG(mode):
            raise SourceError(f"{name}: not an image: it is a pipe or socket; save the image to a file")
        if path.stat().st_size > _MAX_BYTES:
            raise SourceError(f"{name}: cannot read image: the file is larger than 2 GB; make it smaller")
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"{name}: cannot read image: {reason}") from error
    if not content:
        raise SourceError(f"{name}: cannot read image: the file is empty")
    return content


def _explain_unreadable(header: ImageHeader) -> SourceError:
    if header.kind in ("", "TGA"):
        return SourceError(
            "cannot read image: unsupported format or damaged file", hint="for a video, use: fer-edge video"
        )
    kind = "file" if header.kind == "damaged" else header.kind
    return SourceError(
        f"cannot read image: the {kind} is damaged or of an unsupported kind; convert it to PNG or get a new copy"
    )


def _describe_other_frames(header: ImageHeader, name: str) -> tuple[Notice, ...]:
    if header.frames < 2:
        return ()
    if not header.animated:
        what = "pages" if header.kind == "TIFF" else "images"
        return (
            Notice(f"only the first of {header.frames} {what} is read; save the others as separate files"),
        )
    count = "several" if header.kind == "AVIF" else header.frames
    text = f"only the first of {count} frames is read"
    if header.kind in _VIDEO_KINDS:
        return (Notice(text, hint=f"for all of them, use: fer-edge video {name}"),)
    return (Notice(f"{text}; save the others as separate files"),)


def can_list(folder: Path) -> bool:
    """Return whether the entries of a folder can be listed."""
    try:
        with os.scandir(folder):
            return True
    except OSError:
        return False
