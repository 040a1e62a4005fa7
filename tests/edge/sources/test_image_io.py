"""Image files as found in practice, intact and damaged."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import struct
import sys
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.errors import SourceError, add_hint
from fer_edge.sources.image_io import can_list, load_image, read_image
from fer_edge.sources.images import IMAGE_SUFFIXES
from fer_edge.types import Image
from tests.edge.support import corners, encode, noise, write_bytes

LOSSY = {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".jp2", ".j2k", ".webp", ".avif"}
WRITTEN_AS = {".jfif": ".jpg", ".mpo": ".jpg", ".j2k": ".jp2", ".pic": ".hdr"}
"""Suffixes whose content OpenCV can read but does not write under that name."""
FFMPEG_CODECS = {".tga": "targa", ".pcx": "pcx", ".sgi": "sgi", ".qoi": "qoi", ".pam": "pam"}
ELSEWHERE = {".pbm", ".pgm", ".ico", ".psd", ".dds", ".exr", ".hdr", ".pic", ".pfm", ".apng", ".gif"}
"""Formats with separate tests."""


def encode_with_ffmpeg(codec: str, image: Image, pixels: str = "rgb24", *options: str) -> bytes:
    """Encode an image with one of FFmpeg's encoders."""
    context: Any = av.CodecContext.create(codec, "w")
    context.height, context.width = image.shape[:2]
    context.pix_fmt, context.time_base = pixels, Fraction(1, 25)
    context.options = dict(option.split("=") for option in options)
    frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format=pixels)
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def encoded_as(suffix: str, image: Image) -> bytes:
    """Encode an image in the format of a suffix."""
    if suffix in FFMPEG_CODECS:
        return encode_with_ffmpeg(FFMPEG_CODECS[suffix], image, "bgr24" if suffix == ".tga" else "rgb24")
    return encode(WRITTEN_AS.get(suffix, suffix), image)


def with_exif(jpeg: bytes, orientation: int, thumbnail: bytes = b"") -> bytes:
    """Return the JPEG with an EXIF header that contains an orientation and a thumbnail."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0) + thumbnail
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES - ELSEWHERE))
def test_every_format_is_read(suffix: str, tmp_path: Path) -> None:
    read = read_image(write_bytes(tmp_path / f"a{suffix}", encoded_as(suffix, corners())))
    assert read.dtype == np.uint8
    assert read.shape == (48, 64, 3)
    assert np.abs(read.astype(int) - corners()).mean() <= (8 if suffix in LOSSY else 0)


@pytest.mark.parametrize(
    ("name", "content"),
    [("bits.pbm", b"P1 2 2\n0 1\n1 0\n"), ("gray.pgm", b"P5 2 2 255\n\xff\0\0\xff")],
)
def test_every_gray_format_is_read(name: str, content: bytes, tmp_path: Path) -> None:
    read = read_image(write_bytes(tmp_path / name, content))
    assert read.tolist() == [[[255] * 3, [0] * 3], [[0] * 3, [255] * 3]]


@pytest.mark.parametrize("suffix", ["", ".bin", ".txt", ".png"])
def test_the_file_s_name_does_not_matter(suffix: str, tmp_path: Path) -> None:
    path = write_bytes(tmp_path / f"a{suffix}", encode(".bmp", corners()))
    assert np.array_equal(read_image(path), corners())


@pytest.mark.parametrize("name", ["フェイス.png", "Gesicht – schön.png", "лицо.png", "a b'c\".png", "😀.png"])
def test_names_of_any_script(name: str, tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "Bilder ü" / name, encode(".png", corners()))
    assert np.array_equal(read_image(path), corners())
    assert np.array_equal(read_image(str(path)), corners())


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode on other systems")
def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / os.fsdecode(b"bild\xff.png"), encode(".png", corners()))
    assert np.array_equal(read_image(path), corners())


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, lambda image: image),
        (2, lambda image: image[:, ::-1]),
        (3, lambda image: image[::-1, ::-1]),
        (4, lambda image: image[::-1]),
        (5, lambda image: image.transpose(1, 0, 2)),
        (6, lambda image: np.rot90(image, -1)),
        (7, lambda image: image[::-1, ::-1].transpose(1, 0, 2)),
        (8, lambda image: np.rot90(image)),
        (0, lambda image: image),
        (99, lambda image: image),
    ],
)
def test_a_photograph_is_turned_as_its_exif_data_say(
    orientation: int, turned: Callable[[Any], Any], tmp_path: Path
) -> None:
    jpeg = encode(".jpg", corners())
    upright = read_image(write_bytes(tmp_path / "upright.jpg", jpeg))
    read = read_image(write_bytes(tmp_path / "turned.jpg", with_exif(jpeg, orientation)))
    assert np.array_equal(read, turned(upright))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_become_eight(suffix: str, tmp_path: Path) -> None:
    image = corners().astype(np.uint16) * 257
    read = read_image(write_bytes(tmp_path / f"a{suffix}", encode(suffix, image)))
    assert np.abs(read.astype(int) - corners()).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gray_becomes_three_equal_channels(dtype: type[np.unsignedinteger[Any]], tmp_path: Path) -> None:
    levels = np.arange(256).reshape(16, 16)
    gray = (levels * (np.iinfo(dtype).max // 255)).astype(dtype)
    read = read_image(write_bytes(tmp_path / "a.png", encode(".png", gray)))
    assert np.array_equal(read, np.repeat(levels[..., None], 3, axis=2))


@pytest.mark.parametrize("suffix", [".png", ".webp", ".avif", ".jp2"])
def test_transparent_pixels_lie_on_white(suffix: str, tmp_path: Path) -> None:
    opacity = np.zeros((48, 64), np.uint8)
    opacity[:, 20:40], opacity[:, 40:] = 102, 255
    image = np.dstack([np.full((48, 64, 3), 100, np.uint8), opacity])
    read = read_image(write_bytes(tmp_path / f"a{suffix}", encode(suffix, image)))
    for columns, expected in ((slice(2, 18), 255), (slice(22, 38), 193), (slice(42, 62), 100)):
        assert np.abs(read[4:-4, columns].astype(int) - expected).max() <= 8


def test_a_fully_transparent_image_shows_its_colors(tmp_path: Path) -> None:
    image = np.dstack([corners(), np.zeros((48, 64), np.uint8)])
    assert np.array_equal(read_image(write_bytes(tmp_path / "a.png", encode(".png", image))), corners())


def test_a_progressive_jpeg_with_restarts_is_whole(tmp_path: Path) -> None:
    options = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
    jpeg = encode(".jpg", corners(), *options)
    assert read_image(write_bytes(tmp_path / "a.jpg", jpeg)).shape == (48, 64, 3)


def test_what_a_telephone_appends_to_a_jpeg_is_left_alone(tmp_path: Path) -> None:
    film = b"\0\0\0\x18ftypmp42" + b"\xff\xd9 \xff\xda any bytes" * 100
    path = write_bytes(tmp_path / "motion.jpg", encode(".jpg", corners()) + film)
    assert read_image(path).shape == (48, 64, 3)


@pytest.mark.parametrize("kept", [0.01, 0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize(
    "suffix", [".jpg", ".png", ".bmp", ".webp", ".tif", ".avif", ".gif", ".jp2", *sorted(FFMPEG_CODECS)]
)
def test_a_truncated_image_is_refused(suffix: str, kept: float, tmp_path: Path, portrait: Image) -> None:
    content = encoded_as(suffix, portrait[100:400])
    path = write_bytes(tmp_path / f"part{suffix}", content[: int(len(content) * kept)])
    with pytest.raises(SourceError, match=f"part{suffix}: "):
        read_image(path)


def test_a_thumbnail_s_end_is_not_the_jpeg_s(tmp_path: Path, portrait: Image) -> None:
    thumbnail = encode(".jpg", corners(16, 16))
    jpeg = with_exif(encode(".jpg", portrait), 1, thumbnail)
    assert read_image(write_bytes(tmp_path / "whole.jpg", jpeg)).shape == portrait.shape
    with pytest.raises(SourceError, match="incomplete JPEG; get the complete file"):
        read_image(write_bytes(tmp_path / "part.jpg", jpeg[: len(jpeg) // 2]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.jpg: cannot read image: the file is empty"),
        (b"Dear Sir or Madam,\n", "a.jpg: cannot read image: unsupported format or damaged file"),
        (b"\xff\xd8", "a.jpg: cannot read image"),
        (b"\xff\xd8\xff\xe0\0\0" * 9, "a.jpg: cannot read image"),
        (b"\x89PNG\r\n\x1a\n", "a.jpg: cannot read image"),
        (bytes(10_000), "a.jpg: cannot read image"),
    ],
)
def test_a_file_that_is_not_an_image_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=message):
        read_image(write_bytes(tmp_path / "a.jpg", content))


@pytest.mark.parametrize("name", ["missing.jpg", "no\0name.jpg", "x" * 300 + ".jpg", "missing/a.jpg"])
def test_what_cannot_be_opened_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot read image: "):
        read_image(tmp_path / name)


def test_an_image_too_large_for_memory_is_refused(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "bomb.ppm", b"P6 999999 999999 255\n" + bytes(100))
    with pytest.raises(SourceError, match=r"bomb\.ppm: "):
        read_image(path)


def test_a_folder_is_named_with_what_reads_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"it is a folder$") as raised:
        read_image(tmp_path)
    assert raised.value.hint == "for the images in it, use: fer-edge folder"


@pytest.mark.skipif(not Path(os.devnull).is_char_device(), reason="devices are not files on this system")
def test_a_device_is_refused_unread() -> None:
    with pytest.raises(SourceError, match=r"it is a device$") as raised:
        read_image("/dev/zero")
    assert raised.value.hint == "for a camera, use: fer-edge camera"


def test_a_folder_that_is_there_can_be_listed_and_another_cannot(tmp_path: Path) -> None:
    assert can_list(tmp_path)
    assert not can_list(tmp_path / "missing")


MIRRORED_AVIF = base64.b85decode(
    "0000WW^{RQVRmU|00000VRmU|ZE0pPZE0a<O+hh200030ZDn*}000000000XXk=`10000000000aA{+700000000000000000000"
    "4sdC7Z2$lO000310016oY;R)#0000)000310RR910RR92CjbBd*8l(jC~0YKW&i*H00031000_kZf0cy000000RRADb}%tRZ)|UJ"
    "00000era%WZ~y=RU1@M*ZvX%Q6lrsCWdHyG00000KmY&$FaQ7m5O8UDX#fBK00RgJ2mk;83}JRLLxBJc000006Ju{|a&BX6cmM$a"
    "4FCp!00009X>xCL0RR9132AL<asU7T02yg;ZD9Za00000009621_1(t1cinG007@@WMOm?0162h6@R^=0vZhnGRFZIhlhqCgpx@n"
    "RR910+taso>It?v!|uhFkHeWCxQVnM=|!sh;(qiojbKI`5_t&z!hf<97?p5Oa-e*W|KQraTNBv@jo3Twp{?o%2-Y+lnhiUA0h{a}"
    "q(cg!tlqUJ*+&VHi`mJmt%l8m&DC2RvEJhGVzjSqm0^J=U>0kb%|;^`x@VWscAh<Yo&87ivS+G=op#pJ;%^lo=kz*7v#*JJMB|yQ"
    "zOG38@f|9ExyZdy(Dv~yLJ_XZg40)u`V0%wcHR"
)
"""The corners as AVIF, with the boxes ``irot`` and ``imir``."""
TURNED_AVIF = base64.b85decode(
    "0000WW^{RQVRmU|00000VRmU|ZE0pPZE0a<O+hh20002>ZDn*}000000000XXk=`10000000000aA{+700000000000000000000"
    "4sdC7Z2$lO000310016oY;R)#0000)000310RR910RR929RL6T*8l(jC~0YKW&i*H00031000_kZf0cy000000RRADb}%tRZ)|UJ"
    "00000bZKyMZ~y=RRB3QyZvX%Q6lrsCWdHyG00000KmY&$FaQ7m5O8UDX#fBK00RgJ2mk;83}JRLLxBJc000006Ju{|a&BX6cmM$a"
    "4FCp!00009X>xCL0RR917-?{AVE_OC000000RRC70Rn>rg#Z8m-)&@JbP@mx2^bZBy`lmd4G1#F0T+jdh9QKKNhVbQ007(5w{_|X"
    "wmHM@#g>o5nIE``v>)k3s{7)8^f8TKMjR4(2>!x<vJ@DVa8Giee31X(+Pzy7*#(W*JME#Z>IVqcG#r`@JA46~>>s2<3ZbmtwI|s}"
    "36YE0$*Zk~&4bO=TO6_8;_+g%uWglKfhS-VYnaVOBN@79m(g~fJ$jw}NAt30s)e0)*3#l{6(HyIIz_XuiF-ujnXSIANc`~~Du21i"
    "y;0Ei@hw6TuFHbcSBm-!3(|Jp"
)
"""The same with ``irot`` alone."""
ORIENTED = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
    8: lambda image: np.rot90(image),
}


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def exif_data(orientation: int, order: str = "<") -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def png_turned(image: NDArray[Any], orientation: int) -> bytes:
    png = encode(".png", image)
    return png[:33] + png_chunk(b"eXIf", exif_data(orientation, ">")) + png[33:]


def webp_turned(image: NDArray[Any], orientation: int) -> bytes:
    plain = encode(".webp", image, cv2.IMWRITE_WEBP_QUALITY, 101)[12:]
    alpha = 0x10 if image.shape[2] == 4 else 0
    height, width = image.shape[:2]
    canvas = (
        struct.pack("<I", 8 | alpha) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    )
    exif = exif_data(orientation)
    chunks = b"VP8X" + struct.pack("<I", 10) + canvas + plain + b"EXIF" + struct.pack("<I", len(exif)) + exif
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def tiff_turned(image: NDArray[Any], orientation: int) -> bytes:
    """Build a TIFF by hand: bits per channel, pixels in one strip, and the directory."""
    height, width = image.shape[:2]
    pixels = image[..., ::-1].tobytes()
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, 8), (259, 3, 1, 1), (262, 3, 1, 2)]
    tags += [(273, 4, 1, 14), (274, 3, 1, orientation), (277, 3, 1, 3), (278, 4, 1, height)]
    tags += [(279, 4, 1, len(pixels))]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    return b"II*\0" + struct.pack("<I3H", 14 + len(pixels), 8, 8, 8) + pixels + directory


AVIF_TURNS = {
    1: (0, None),
    2: (0, 1),
    3: (2, None),
    4: (0, 0),
    5: (1, 0),
    6: (3, None),
    7: (1, 1),
    8: (1, None),
}
"""The quarter turns and the mirroring for an EXIF orientation."""


def avif_turned(orientation: int) -> bytes:
    turns, mirror = AVIF_TURNS[orientation]
    content = bytearray(TURNED_AVIF if mirror is None else MIRRORED_AVIF)
    content[content.index(b"irot") + 4] = turns
    if mirror is not None:
        content[content.index(b"imir") + 4] = mirror
    return bytes(content)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("make", [png_turned, webp_turned, tiff_turned])
def test_every_format_with_exif_is_turned(make: Any, orientation: int, tmp_path: Path) -> None:
    read = read_image(write_bytes(tmp_path / "a", make(corners(), orientation)))
    assert np.array_equal(read, ORIENTED[orientation](corners()))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("make", [png_turned, webp_turned])
def test_transparent_images_are_turned(make: Any, orientation: int, tmp_path: Path) -> None:
    opacity = np.full((48, 64), 255, np.uint8)
    opacity[:9, :20] = 0
    expected = corners()
    expected[:9, :20] = 255
    content = make(np.dstack([corners(), opacity]), orientation)
    assert np.array_equal(read_image(write_bytes(tmp_path / "a", content)), ORIENTED[orientation](expected))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_by_its_own_boxes(orientation: int, tmp_path: Path) -> None:
    read = read_image(write_bytes(tmp_path / "a.avif", avif_turned(orientation)))
    expected = ORIENTED[orientation](corners())
    assert read.shape == expected.shape
    assert np.abs(read.astype(int) - expected).mean() < 8


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("behind", [b"", b"\xff", bytes(500), b"\xff" * 9, b"other bytes " * 50])
def test_a_jpeg_without_its_end_marker_is_whole(progressive: int, behind: bytes, tmp_path: Path) -> None:
    jpeg = encode(".jpg", noise(), cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    whole = read_image(write_bytes(tmp_path / "a.jpg", jpeg))
    assert np.array_equal(read_image(write_bytes(tmp_path / "b.jpg", jpeg[:-2] + behind)), whole)


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("missing", [1, 10, 100, 1000, 3000])
@pytest.mark.parametrize("zeros", [False, True])
def test_a_jpeg_that_lacks_image_data_is_incomplete(
    progressive: int, missing: int, zeros: bool, tmp_path: Path
) -> None:
    jpeg = encode(".jpg", noise(), cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    content = jpeg[: -2 - missing] + bytes(missing if zeros else 0)
    with pytest.raises(SourceError, match="incomplete JPEG"):
        read_image(write_bytes(tmp_path / "a.jpg", content))


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("ends", [False, True])
def test_a_jpeg_damaged_in_the_middle_is_read_and_reported(
    progressive: int, ends: bool, tmp_path: Path, portrait: Image, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = encode(".jpg", portrait, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    size = len(whole)
    damaged = whole[: size // 2] + (b"\xff\xd9" if ends else bytes(size // 5) + whole[size * 7 // 10 :])
    read = load_image(write_bytes(tmp_path / "a.jpg", damaged))
    assert read.image.shape == portrait.shape
    assert [note.text for note in read.notes] == [
        "the JPEG is damaged, so part of the image is wrong; get a new copy"
    ]
    assert capfd.readouterr().err == ""


def test_superfluous_bytes_before_the_end_of_a_jpeg_are_harmless(tmp_path: Path) -> None:
    jpeg = encode(".jpg", noise())
    read = load_image(write_bytes(tmp_path / "a.jpg", jpeg[:-2] + b"abcdef" + jpeg[-2:]))
    assert read.notes == ()
    assert np.array_equal(read.image, read_image(write_bytes(tmp_path / "b.jpg", jpeg)))


@pytest.mark.parametrize("compression", [5, 8, 32773])  # LZW, Deflate, PackBits
def test_a_tiff_damaged_in_the_middle_is_reported(compression: int, tmp_path: Path, portrait: Image) -> None:
    whole = encode(".tif", portrait, cv2.IMWRITE_TIFF_COMPRESSION, compression)
    size = len(whole)
    damaged = whole[: size // 2] + b"\xff" * (size // 5) + whole[size // 2 + size // 5 :]
    read = load_image(write_bytes(tmp_path / "a.tif", damaged))
    assert [note.text for note in read.notes] == [
        "the TIFF is damaged, so part of the image is wrong; get a new copy"
    ]


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_fewer_bits_in_sixteen_are_scaled_and_said(suffix: str, bits: int, tmp_path: Path) -> None:
    levels = np.tile(np.arange(256, dtype=np.uint16), (16, 1))
    values = (levels.astype(float) * ((1 << bits) - 1) / 255).round().astype(np.uint16)
    read = load_image(write_bytes(tmp_path / f"a{suffix}", encode(suffix, values)))
    assert np.abs(read.image[..., 0].astype(int) - levels).max() <= 1
    assert [f"scaled up from {bits} bits" in note.text for note in read.notes] == [True]


@pytest.mark.parametrize("depth", [10, 12])
def test_a_deep_avif_is_scaled_by_what_it_says(depth: int, tmp_path: Path) -> None:
    image = (corners() / 255 / 8 * ((1 << depth) - 1)).astype(np.uint16)
    content = encode(".avif", image, cv2.IMWRITE_AVIF_DEPTH, depth, cv2.IMWRITE_AVIF_QUALITY, 95)
    read = load_image(write_bytes(tmp_path / "a.avif", content))
    assert np.abs(read.image.astype(int) - corners() // 8).mean() < 4
    assert read.notes == ()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("white", [1, 255, 65535])
def test_float_tiff_is_scaled(channels: int, dtype: Any, white: int, tmp_path: Path) -> None:
    image = corners() if channels == 3 else corners()[..., 0]
    content = encode(".tif", (image / 255 * white).astype(dtype))
    read = load_image(write_bytes(tmp_path / "a.tif", content))
    expected = image if channels == 3 else np.repeat(image[..., None], 3, axis=2)
    assert np.abs(read.image.astype(int) - expected).max() <= 1
    assert len(read.notes) == (white > 1)


def test_amounts_of_light_become_what_a_screen_shows(tmp_path: Path) -> None:
    light = np.repeat(np.linspace(0, 8, 64, dtype=np.float32)[None, :, None], 48, axis=0).repeat(3, axis=2)
    read = load_image(write_bytes(tmp_path / "a.hdr", encode(".hdr", light)))
    assert read.image[0, 0].max() < 10
    assert read.image[0, -1].min() > 250
    assert 180 < read.image[0, 32].mean() < 195  # half the light
    assert "linear light" in read.notes[0].text


def test_whole_numbers_of_other_kinds_are_stretched(tmp_path: Path) -> None:
    image = corners().astype(np.int32) * 1000
    read = load_image(write_bytes(tmp_path / "a.tif", encode(".tif", image)))
    assert np.abs(read.image.astype(int) - corners()).max() <= 1
    assert "int32 values; the range from 0 to 255000" in read.notes[0].text


@pytest.mark.parametrize(
    "image",
    [
        (corners() / 127.5 - 1).astype(np.float32),
        (corners() / 255 / 100).astype(np.float32),
        (corners() / 255 * 5 + 300).astype(np.float32),
        (corners().astype(np.uint16) // 2 + 30000),  # thermal cameras deliver these
    ],
)
def test_values_in_an_unusual_range_are_stretched(image: NDArray[Any], tmp_path: Path) -> None:
    read = load_image(write_bytes(tmp_path / "a.tif", encode(".tif", image)))
    assert np.abs(read.image.astype(int) - corners()).max() <= 2
    assert [" is stretched from black to white" in note.text for note in read.notes] == [True]


def test_values_slightly_below_black_are_black(tmp_path: Path) -> None:
    image = (corners() / 255).astype(np.float32) - 0.02
    read = load_image(write_bytes(tmp_path / "a.tif", encode(".tif", image)))
    assert np.abs(read.image.astype(int) - corners()).max() <= 6
    assert read.notes == ()


@pytest.mark.parametrize("values", [np.zeros, np.ones])
def test_an_even_image_stays_even(values: Any, tmp_path: Path) -> None:
    for dtype in (np.uint16, np.float32):
        read = read_image(write_bytes(tmp_path / "a.tif", encode(".tif", values((9, 9), dtype))))
        assert len(np.unique(read)) == 1


def deep_tiff(values: NDArray[Any], *, photometric: int, planes: int = 1) -> bytes:
    """Build a TIFF of 64×48 pixels with 16 bits per value; ``values`` are in the order in which they are stored."""
    channels, strips = values.size // (48 * 64), 3 if planes == 2 else 1
    pixels = values.astype("<u2").tobytes()
    size = len(pixels) // strips
    bits = (258, 3, 1, 16) if channels == 1 else (258, 3, channels, 8)
    places, sizes = (14, 26) if strips > 1 else (38, size)
    tags = [(256, 4, 1, 64), (257, 4, 1, 48), bits, (259, 3, 1, 1), (262, 3, 1, photometric)]
    tags += [(273, 4, strips, places), (277, 3, 1, channels), (278, 4, 1, 48), (279, 4, strips, sizes)]
    tags += [(284, 3, 1, planes)]
    lists = struct.pack("<3H6I", 16, 16, 16, *(38 + size * strip for strip in range(3)), *[size] * 3)
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    return b"II*\0" + struct.pack("<I", 38 + len(pixels)) + lists + pixels + directory


def test_a_deep_tiff_in_which_zero_is_white_is_no_negative(tmp_path: Path) -> None:
    gray = corners()[..., 0]
    for photometric, stored in ((1, gray), (0, 255 - gray)):
        content = deep_tiff(stored.astype(np.uint16) * 257, photometric=photometric)
        assert np.array_equal(read_image(write_bytes(tmp_path / "a.tif", content))[..., 0], gray)


def test_a_deep_tiff_with_separate_planes_is_refused(tmp_path: Path) -> None:
    rgb = corners()[..., ::-1].astype(np.uint16) * 257
    content = deep_tiff(rgb, photometric=2)
    assert np.array_equal(read_image(write_bytes(tmp_path / "a.tif", content)), corners())
    content = deep_tiff(rgb.transpose(2, 0, 1), photometric=2, planes=2)
    with pytest.raises(SourceError, match=r"a.tif: .*separate color planes.*tiffcp"):
        read_image(write_bytes(tmp_path / "a.tif", content))


@pytest.mark.parametrize("page", [1 << 63, (1 << 64) - 1, 1 << 40])
def test_a_big_tiff_whose_directory_is_nowhere_is_refused(page: int, tmp_path: Path) -> None:
    content = b"II+\0\x08\0\0\0" + struct.pack("<Q", page) + bytes(64)
    with pytest.raises(SourceError, match="the TIFF is damaged or of an unsupported kind"):
        read_image(write_bytes(tmp_path / "a.tif", content))


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    content = encode(".tif", np.full((9, 9), np.nan, np.float32))  # type: ignore[arg-type]
    with pytest.raises(SourceError, match=r"a.tif: cannot read image: it contains no finite values"):
        read_image(write_bytes(tmp_path / "a.tif", content))


def animation(suffix: str, count: int = 3) -> bytes:
    """Encode distinct frames as an animation in the format of a suffix."""
    if suffix == ".tif":
        done, content = cv2.imencodemulti(suffix, [corners()] * count)
    else:
        frames = cv2.Animation()
        frames.frames = [np.roll(corners(), 9 * turn, axis=1) for turn in range(count)]
        frames.durations = np.full(count, 100, np.int32)
        done, content = cv2.imencodeanimation(suffix, frames)
    assert done
    return bytes(content.tobytes())


@pytest.mark.parametrize(
    ("suffix", "note"),
    [
        (".gif", r"only the first of 3 frames is read; for all of them, use: fer-edge video .*a\.gif"),
        (".png", r"only the first of 3 frames is read; for all of them, use: fer-edge video .*a\.png"),
        (".webp", r"only the first of 3 frames is read; save the others"),
        (".avif", r"only the first of several frames is read; save the others"),
        (".tif", r"only the first of 3 pages is read; save the others as separate files"),
    ],
)
def test_of_several_images_the_first_is_read_with_a_note(
    suffix: str, note: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_bytes(tmp_path / f"a{suffix}", animation(suffix))
    read = read_image(path)
    assert np.abs(read.astype(int) - corners()).mean() < 12  # a GIF has few colors
    (record,) = caplog.records
    assert (record.levelname, record.name) == ("WARNING", "fer_edge.sources.image_io")
    printed = add_hint(record.getMessage(), getattr(record, "hint", None))
    assert re.fullmatch(f"{re.escape(str(path))}: {note}.*", printed)


def test_an_ordinary_image_has_no_notes(tmp_path: Path, portrait: Image) -> None:
    for suffix in (".jpg", ".png", ".webp", ".gif", ".avif", ".tif"):
        assert load_image(write_bytes(tmp_path / f"a{suffix}", encode(suffix, portrait))).notes == ()


def test_formats_made_by_hand(tmp_path: Path) -> None:
    image = corners()
    rgb = image[..., ::-1]
    psd = (
        b"8BPS\0\1"
        + bytes(6)
        + struct.pack(">HIIHH", 3, 48, 64, 8, 3)
        + bytes(14)
        + rgb.transpose(2, 0, 1).tobytes()
    )
    header = struct.pack("<4sIIIIIII44x", b"DDS ", 124, 0x100F, 48, 64, 192, 0, 0)
    dds = (
        header
        + struct.pack("<IIIIIIII", 32, 0x40, 0, 24, 0xFF0000, 0xFF00, 0xFF, 0)
        + struct.pack("<I16x", 0x1000)
    )
    png = encode(".png", image)
    small = encode(".png", image[:16, :16])
    entries = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(small), 38)
    entries += struct.pack("<BBBBHHII", 64, 48, 0, 0, 1, 32, len(png), 38 + len(small))
    icon = struct.pack("<HHH", 0, 1, 2) + entries + small + png
    floats = (image / 255).astype(np.float32)
    pfm = encode(".pfm", floats)  # type: ignore[arg-type]
    for name, content in (("a.psd", psd), ("a.dds", dds + image.tobytes()), ("a.ico", icon), ("a.pfm", pfm)):
        read = read_image(write_bytes(tmp_path / name, content))
        assert np.abs(read.astype(int) - image).max() <= 1, name


@pytest.mark.parametrize(
    ("name", "content", "remedy"),
    [
        (
            "a.heic",
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            "pip install 'fer-edge.heif.' *|heif-convert photo.heic photo.jpg",
        ),
        ("a.jxl", b"\xff\x0a" + bytes(50), "djxl photo.jxl photo.png"),
    ],
)
def test_what_cannot_be_read_names_what_converts_it(
    name: str, content: bytes, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(SourceError, match=remedy):
        read_image(write_bytes(tmp_path / name, content))


def bomb(kind: str, width: int = 32767, height: int = 32767) -> bytes:
    """Return a small file that claims to be a huge image."""
    if kind == "gif":
        return (
            b"GIF89a"
            + struct.pack("<HHBBB", width, height, 0xF0, 0, 0)
            + bytes(6)
            + b","
            + struct.pack("<HHHHB", 0, 0, width, height, 0)
            + b"\2\1\0\0;"
        )
    if kind == "png":
        return (
            b"\x89PNG\r\n\x1a\n"
            + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + png_chunk(b"IDAT", zlib.compress(bytes(99)))
            + png_chunk(b"IEND", b"")
        )
    if kind == "bmp":
        return b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, width, -height, 1, 24, 0, 0, 0, 0, 0, 0)
    if kind == "jpg":
        jpeg = encode(".jpg", corners())
        place = jpeg.index(b"\xff\xc0") + 5
        return jpeg[:place] + struct.pack(">HH", height, width) + jpeg[place + 4 :]
    if kind == "tga":
        return struct.pack("<BBB9xHHBB", 0, 0, 10, width, height, 24, 0) + bytes(99)
    return b"P6 %d %d 255\n" % (width, height) + bytes(9)


@pytest.mark.parametrize("kind", ["gif", "png", "bmp", "jpg", "tga", "ppm"])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(kind: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="32767×32767 pixels, more than 268,435,456"):
        read_image(write_bytes(tmp_path / f"a.{kind}", bomb(kind)))


def test_links_in_a_circle_and_pipes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(SourceError, match="cannot read image: Too many levels of symbolic links"):
        read_image(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(SourceError, match="it is a pipe or socket"):
        read_image(tmp_path / "pipe.png")


@pytest.mark.parametrize("name", ["\ud800.png", "a\nb.png", "a\0.png", "x" * 300, "x/" * 3000, ""])
def test_odd_names_are_source_errors(name: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        read_image(os.fspath(tmp_path / "none") + name)


def test_damaged_headers_are_source_errors(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for content in [encoded_as(s, corners()) for s in (".jpg", ".png", ".webp", ".avif", ".tif", ".tga", ".jp2")] + [
        animation(".gif"), png_turned(corners(), 3), webp_turned(corners(), 3), TURNED_AVIF,
    ]:  # fmt: skip
        for _ in range(8):
            damaged = bytearray(content[: random.integers(1, len(content) + 1)])
            for place in random.integers(0, min(len(damaged), 300), 4):
                damaged[place] = random.integers(256)
            with contextlib.suppress(SourceError):
                read_image(write_bytes(tmp_path / "a", bytes(damaged)))
