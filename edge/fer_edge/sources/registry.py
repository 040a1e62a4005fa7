"""The registry of sources: a new source is a module here and a line below."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from fer_edge.errors import UsageError
from fer_edge.runtime.registry import Registry
from fer_edge.sources.base import Source, SourceFactory, SourceRequest
from fer_edge.sources.rotation import RotatedSource
from fer_edge.sources.urls import scheme_of

__all__ = ["SOURCES", "create_source", "create_source_for"]

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
    """Create a source by name, or by the scheme of the first address.

    A source that another package registers as ``ndi`` therefore reads ``ndi:studio`` wherever an address is accepted.
    Frames are rotated clockwise by ``rotate`` degrees. The other ``options`` are those of :class:`SourceRequest`.
    Raises UsageError, PluginError.
    """
    scheme = scheme_of(addresses[0]) if addresses else None
    if name == "camera" and addresses[:1] == (_PICAMERA,):
        name = _PICAMERA
    elif scheme is not None and scheme in SOURCES and not Path(addresses[0]).exists():
        name = scheme
    source = SOURCES.load(name)(SourceRequest(addresses=addresses, **options))
    return RotatedSource(source, rotate) if rotate else source


def create_source_for(source: str | Path | int) -> Source:
    """Create the source for a path, a URL or a camera index.

    A folder is read as the images in it. Raises UsageError, SourceError.
    """
    from fer_edge.sources.images import ImageSource, find_images, is_image_path

    name = os.fspath(source) if not isinstance(source, int) else str(source)
    is_picamera = name == _PICAMERA and not Path(name).exists()
    if isinstance(source, int) or is_picamera or name.startswith(("rtsp://", "rtsps://", "/dev/video")):
        return create_source("camera", name)
    if not name:
        raise UsageError("no source given; pass a path, a URL or a camera index")
    if Path(name).is_dir():
        return ImageSource(find_images(name), name)
    return create_source("images" if is_image_path(name) else "video", name)
