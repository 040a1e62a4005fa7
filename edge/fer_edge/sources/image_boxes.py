"""AVIF and HEIC headers, read from the boxes of the ISO base media file format."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from fer_edge.sources.image_exif import convert_to_exif_orientation

__all__ = ["BoxedHeader", "read_boxed_header"]

_MAX_BOXES = 10_000


@dataclass(frozen=True, slots=True)
class BoxedHeader:
    """The header of an AVIF or HEIC file.

    ``brands`` identify the format. ``size`` (width, height) is before rotation. ``depth`` is in bits per value, None
    if the file does not state it.
    """

    brands: frozenset[bytes]
    size: tuple[int, int] | None = None
    orientation: int = 1
    depth: int | None = None
    alpha: bool = False
    sequence: bool = False


def read_boxed_header(content: bytes) -> BoxedHeader | None:
    """Return the header of an AVIF or HEIC file, or None for other files."""
    if content[4:8] != b"ftyp":
        return None
    top = dict(_iterate_boxes(content))
    brands = top.get(b"ftyp", b"")
    names = frozenset({brands[:4], *(brands[i : i + 4] for i in range(8, len(brands), 4))})
    try:
        size, orientation, depth, alpha = _read_meta(top.get(b"meta", b""))
    except (struct.error, IndexError, KeyError, OverflowError):
        return BoxedHeader(names, sequence=b"moov" in top)
    return BoxedHeader(names, size, orientation, depth, alpha, sequence=b"moov" in top)


def _iterate_boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    for _ in range(_MAX_BOXES):
        if position + 8 > len(content):
            return
        size, name = struct.unpack_from(">I4s", content, position)
        head = 8
        if size == 1 and position + 16 <= len(content):
            (size,) = struct.unpack_from(">Q", content, position + 8)
            head = 16
        end = len(content) if size == 0 else position + size
        if end < position + head:
            return
        yield name, content[position + head : end]
        position = end


def _read_meta(meta: bytes) -> tuple[tuple[int, int] | None, int, int | None, bool]:
    """Return the size, orientation, depth and transparency of the primary item."""
    boxes = dict(_iterate_boxes(meta[4:]))
    primary = boxes[b"pitm"]
    item = int.from_bytes(primary[4:6] if primary[0] == 0 else primary[4:8])
    within = list(_iterate_boxes(boxes[b"iprp"]))
    properties = list(_iterate_boxes(dict(within)[b"ipco"]))
    size, depth, turns, mirror = None, None, 0, None
    for index in _read_associations(dict(within)[b"ipma"], item):
        name, body = properties[index - 1]
        if name == b"ispe":
            width, height = struct.unpack_from(">4xII", body)
            size = (width, height)
        elif name == b"pixi":
            depth = body[5]
        elif name == b"irot":
            turns = body[0] & 3
        elif name == b"imir":
            mirror = body[0] & 1
    alpha = any(name == b"auxC" and b"alpha" in body for name, body in properties)
    return size, convert_to_exif_orientation(turns, mirror), depth, alpha


def _read_associations(ipma: bytes, item: int) -> list[int]:
    """Return the numbers of an item's properties, counted from 1."""
    version, wide = ipma[0], ipma[3] & 1
    (entries,) = struct.unpack_from(">4xI", ipma)
    position, id_size = 8, 2 if version == 0 else 4
    for _ in range(entries):
        number = int.from_bytes(ipma[position : position + id_size])
        count = ipma[position + id_size]
        position += id_size + 1
        step = 2 if wide else 1
        values = [int.from_bytes(ipma[p : p + step]) for p in range(position, position + count * step, step)]
        if number == item:
            return [found for value in values if (found := value & (0x7FFF if wide else 0x7F))]
        position += count * step
    return []
