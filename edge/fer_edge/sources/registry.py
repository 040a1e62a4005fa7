"""The sources by name. A new one is a module in this folder and a line here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from fer_edge.errors import UsageError
from fer_edge.runtime.registry import Registry
from fer_edge.sources.base import Source, SourceFactory, SourceRequest
from fer_edge.sources.rotation import RotatedSource
from fer_edge.sources.urls import scheme_of

__all__ = ["SOURCES", "create_source", "source_of"]

_PICAMERA: Final = "picamera"

SOURCES: Final = Registry[SourceFactory](
    "source",
    "fer_edge.sources",
    {
        "camera": "fer_edge.sources.camera:create_source",
        "images": "fer_edge.sources.images:create_source",
        "video": "fer_edge.sources.video:create_source",
        "picamera": "fer_edge.sources.picamera:create_source",
    },
)


def create_source(name: str, *addresses: str, rotate: int = 0, **options: Any) -> Source:
    """Make the source of that name, or the one that is named by the first address's scheme.

    So a source that another package adds as ``ndi`` reads ``ndi:studio`` wherever an address is taken. Its frames are
    turned clockwise by ``rotate`` degrees; the other ``options`` are those of :class:`SourceRequest`.
    Raises UsageError, PluginError.
    """
    scheme = scheme_of(addresses[0]) if addresses else None
    if name == "camera" and addresses[:1] == (_PICAMERA,):
        name = _PICAMERA
    elif scheme is not None and scheme in SOURCES and not Path(addresses[0]).exists():
        name = scheme
    source = SOURCES.load(name)(SourceRequest(addresses=addresses, **options))
    return RotatedSource(source, rotate) if rotate else source


def source_of(source: str | Path | int) -> Source:
    """Make the source that a path, a URL or a camera's index stands for; a folder is its images."""
    from fer_edge.sources.images import ImageSource, find_images, is_image_path

    name = os.fspath(source) if not isinstance(source, int) else str(source)
    is_picamera = name == _PICAMERA and not Path(name).exists()
    if isinstance(source, int) or is_picamera or name.startswith(("rtsp://", "rtsps://", "/dev/video")):
        return create_source("camera", name)
    if not name:
        raise UsageError("expected a path, a URL or a camera's index, got an empty text")
    if Path(name).is_dir():
        return ImageSource(find_images(name), name)
    return create_source("images" if is_image_path(name) else "video", name)
