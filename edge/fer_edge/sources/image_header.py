"""Image headers: size, frames, transparency and orientation, without decoding."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fer_edge.sources.image_boxes import read_boxed_header
from fer_edge.sources.image_exif import read_exif_orientation
from fer_edge.sources.image_jpeg import JPEG_START, read_jpeg_header

__all__ = ["ImageHeader", "read_header"]

_DAMAGED: Final = (struct.error, IndexError, ValueError, OverflowError)
_MAX_PARTS: Final = 100_000  # chunks or pages that are read at most
_HEIF_BRANDS: Final = frozenset({b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader:
    """The properties of an image that are known before decoding.

    ``kind`` names the format. ``size`` is (width, height) in pixels before rotation, None if the header does not state
    it. ``orientation`` is the EXIF orientation, 1 if the decoder applies it. ``frames`` counts pages or frames;
    ``animated`` means that they form an animation. ``premultiplied`` means that colors are already multiplied by
    their opacity; ``inverted`` that 0 is white and more than 8 bits are used, which decoders leave as they are;
    ``separate_planes`` that such values are stored color by color. ``depth`` is in bits per value, None if it has to be
    inferred.
    """

    kind: str
    size: tuple[int, int] | None = None
    orientation: int = 1
    frames: int = 1
    animated: bool = False
    alpha: bool = False
    premultiplied: bool = False
    inverted: bool = False
    separate_planes: bool = False
    depth: int | None = None


def read_header(content: bytes) -> ImageHeader:
    """Return the header of an image file.

    ``kind`` is "" if the first bytes match no known format, and "damaged" if the header cannot be read.
    """
    for starts, read in _READERS:
        if content.startswith(starts):
            try:
                return read(content)
            except _DAMAGED:
                return ImageHeader(kind="damaged")
    boxed = _read_boxed(content)
    if boxed is not None:
        return boxed
    return _read_tga(content) or ImageHeader(kind="")


def _read_jpeg(content: bytes) -> ImageHeader:
    found = read_jpeg_header(content)
    if found is None:
        return ImageHeader(kind="JPEG")
    return ImageHeader(kind="JPEG", size=found.size, orientation=found.orientation, frames=found.views)


def _read_png(content: bytes) -> ImageHeader:
    width, height, _, color = struct.unpack_from(">IIBB", content, 16)
    alpha, frames, orientation, position = color in (4, 6), 1, 1, 8
    for _ in range(_MAX_PARTS):
        if position + 8 > len(content):
            break
        length, name = struct.unpack_from(">I4s", content, position)
        body = position + 8
        if name == b"tRNS":
            alpha = True
        elif name == b"acTL":
            (frames,) = struct.unpack_from(">I", content, body)
        elif name == b"eXIf":
            orientation = read_exif_orientation(content[body : body + length])
        position = body + length + 4
    return ImageHeader(
        kind="PNG", size=(width, height), orientation=orientation, frames=frames, animated=True, alpha=alpha
    )


def _read_webp(content: bytes) -> ImageHeader:
    if content[8:12] != b"WEBP":
        return ImageHeader(kind="")
    size, alpha, frames, orientation, position = None, False, 0, 1, 12
    for _ in range(_MAX_PARTS):
        if position + 8 > len(content):
            break
        name, length = struct.unpack_from("<4sI", content, position)
        body = content[position + 8 : position + 8 + min(length, 1 << 16)]
        if name == b"VP8X":
            size = (int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1)
            alpha = bool(body[0] & 0x10)
        elif name == b"VP8L" and size is None:
            bits = int.from_bytes(body[1:5], "little")
            size, alpha = ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1), bool(bits >> 28 & 1)
        elif name == b"VP8 " and size is None:
            width, height = struct.unpack_from("<HH", body, 6)
            size = (width & 0x3FFF, height & 0x3FFF)
        frames += name == b"ANMF"
        if name == b"EXIF":
            orientation = read_exif_orientation(body)
        position += 8 + length + length % 2
    return ImageHeader(
        kind="WebP", size=size, orientation=orientation, frames=max(1, frames), animated=True, alpha=alpha
    )


def _read_gif(content: bytes) -> ImageHeader:
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    position = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    frames, alpha = 0, False
    while position < len(content) and content[position] in b"\x21\x2c":
        if content[position] == 0x2C:
            frames += 1
            flags = content[position + 9]
            position += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        else:
            alpha |= content[position + 1] == 0xF9 and bool(content[position + 3] & 1)
            position += 2
        while position < len(content) and content[position]:
            position += content[position] + 1
        position += 1
    return ImageHeader(
        kind="GIF", size=(width, height), frames=max(1, frames), animated=True, alpha=alpha and frames > 0
    )


def _read_tiff(content: bytes) -> ImageHeader:
    order = "<" if content[:2] == b"II" else ">"
    (magic,) = struct.unpack_from(f"{order}2xH", content)
    count_format, word = ("Q", 8) if magic == 43 else ("H", 4)
    (page,) = struct.unpack_from(order + ("8xQ" if magic == 43 else "4xI"), content)
    entry_size, pages = 4 + 2 * word, 0
    first: dict[int, int] = {}
    seen: set[int] = set()
    while page and page not in seen and len(seen) < _MAX_PARTS:
        seen.add(page)
        try:
            (count,) = struct.unpack_from(order + count_format, content, page)
            start = page + struct.calcsize(f"={count_format}")
            tags = {}
            for index in range(count):
                at = start + index * entry_size
                (tag,) = struct.unpack_from(f"{order}H", content, at)
                tags[tag] = _read_tiff_value(content, order, word, at + 4 + word)
            (page,) = struct.unpack_from(
                order + ("Q" if word == 8 else "I"), content, start + count * entry_size
            )
        except _DAMAGED:
            break
        first = first or tags
        pages += not tags.get(254, 0) & 1  # bit 0: a reduced copy of another page
    size = (first[256], first[257]) if 256 in first and 257 in first else None
    deep = first.get(258, 1) > 8  # bits per value
    return ImageHeader(
        kind="TIFF",
        size=size,
        frames=max(1, pages),
        alpha=first.get(338) in (1, 2),
        premultiplied=first.get(338) == 1,
        inverted=deep and first.get(262) == 0,
        separate_planes=deep and first.get(284) == 2 and first.get(277, 1) > 1,
    )


def _read_tiff_value(content: bytes, order: str, word: int, at: int) -> int:
    """Return the first value of a TIFF tag. ``at`` is the position of the tag's value or of its address."""
    kind, number = struct.unpack_from(order + ("HQ" if word == 8 else "HI"), content, at - word - 2)
    if kind != 3:  # not 16 bits
        return int(struct.unpack_from(f"{order}I", content, at)[0])
    if number * 2 > word:  # stored elsewhere
        (at,) = struct.unpack_from(order + ("Q" if word == 8 else "I"), content, at)
    return int(struct.unpack_from(f"{order}H", content, at)[0])


def _read_boxed(content: bytes) -> ImageHeader | None:
    found = read_boxed_header(content)
    if found is None:
        return None
    if found.brands & {b"avif", b"avis"}:
        return ImageHeader(
            kind="AVIF",
            size=found.size,
            orientation=found.orientation,
            frames=2 if b"avis" in found.brands and found.sequence else 1,
            animated=True,
            alpha=found.alpha,
            depth=found.depth,
        )
    return ImageHeader(kind="HEIC", size=found.size) if found.brands & _HEIF_BRANDS else None


def _read_bmp(content: bytes) -> ImageHeader:
    (head,) = struct.unpack_from("<I", content, 14)
    width, height = struct.unpack_from("<HH" if head == 12 else "<ii", content, 18)
    return ImageHeader(kind="BMP", size=(abs(width), abs(height)))


def _read_jpeg2000(content: bytes) -> ImageHeader:
    start = content.find(b"\xff\x4f\xff\x51")
    right, bottom, left, top = struct.unpack_from(">IIII", content, start + 8)
    (components,) = struct.unpack_from(">H", content, start + 40)
    return ImageHeader(kind="JPEG 2000", size=(right - left, bottom - top), alpha=components == 4)


def _read_netpbm(content: bytes) -> ImageHeader:
    if content[:2] == b"P7":
        fields = dict(re.findall(rb"^(WIDTH|HEIGHT)\s+(\d+)", content[:4096], re.MULTILINE))
        return ImageHeader(kind="PAM", size=(int(fields.get(b"WIDTH", 0)), int(fields.get(b"HEIGHT", 0))))
    numbers = re.findall(rb"\s(\d{1,19})", re.sub(rb"#[^\n]*", b" ", content[2:4096]))
    kind = "PFM" if content[1:2] in b"Ff" else "PNM"
    return ImageHeader(kind=kind, size=(int(numbers[0]), int(numbers[1])))


def _read_hdr(content: bytes) -> ImageHeader:
    found = re.search(rb"[-+]Y (\d+) [-+]X (\d+)", content[:65536])
    return ImageHeader(kind="HDR", size=None if found is None else (int(found[2]), int(found[1])))


def _at(kind: str, layout: str, offset: int, *, alpha: bool = False) -> Callable[[bytes], ImageHeader]:
    """Return a reader for headers with width and height at a fixed offset."""

    def read(content: bytes) -> ImageHeader:
        width, height = struct.unpack_from(layout, content, offset)
        return ImageHeader(kind=kind, size=(width, height), alpha=alpha)

    return read


def _read_psd(content: bytes) -> ImageHeader:
    height, width = struct.unpack_from(">II", content, 14)
    return ImageHeader(kind="PSD", size=(width, height))


def _read_pcx(content: bytes) -> ImageHeader:
    left, top, right, bottom = struct.unpack_from("<HHHH", content, 4)
    return ImageHeader(kind="PCX", size=(right - left + 1, bottom - top + 1))


def _read_dds(content: bytes) -> ImageHeader:
    height, width = struct.unpack_from("<II", content, 12)
    return ImageHeader(kind="DDS", size=(width, height))


def _read_tga(content: bytes) -> ImageHeader | None:
    """Return the header of a TGA, or None.

    The format has no signature, so its first fields have to be consistent with each other.
    """
    if len(content) < 18:
        return None
    palette, kind = content[1], content[2]
    width, height, depth, flags = struct.unpack_from("<HHBB", content, 12)
    sensible = (palette, kind) in {(1, 1), (1, 9), (0, 2), (0, 3), (0, 10), (0, 11)}
    if not (sensible and width and height and depth in (8, 15, 16, 24, 32) and not flags & 0xC0):
        return None
    if kind in (3, 11) and depth != 8:  # gray with alpha, which FFmpeg decodes as color
        return None
    return ImageHeader(kind="TGA", size=(width, height))


_READERS: Final[tuple[tuple[bytes | tuple[bytes, ...], Callable[[bytes], ImageHeader]], ...]] = (
    (JPEG_START, _read_jpeg),
    (b"\x89PNG\r\n\x1a\n", _read_png),
    (b"RIFF", _read_webp),
    ((b"GIF87a", b"GIF89a"), _read_gif),
    ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _read_tiff),
    (b"BM", _read_bmp),
    ((b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"), _read_jpeg2000),
    (tuple(b"P%c" % sign for sign in b"1234567Ff"), _read_netpbm),
    ((b"#?RADIANCE", b"#?RGBE"), _read_hdr),
    (b"\x59\xa6\x6a\x95", _at("Sun raster", ">II", 4)),
    (b"qoif", _at("QOI", ">II", 4)),
    (b"\x01\xda", _at("SGI", ">HH", 6)),
    (b"8BPS", _read_psd),
    (b"DDS ", _read_dds),
    ((b"\n\0\1", b"\n\2\1", b"\n\3\1", b"\n\4\1", b"\n\5\1"), _read_pcx),
    (b"\x76\x2f\x31\x01", lambda _: ImageHeader(kind="OpenEXR")),
    (b"\0\0\1\0", lambda _: ImageHeader(kind="ICO")),
    ((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"), lambda _: ImageHeader(kind="JPEG XL")),
)
