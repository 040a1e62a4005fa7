"""Image files as they are met with, whole and damaged."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from fer_edge.errors import SourceError
from fer_edge.sources.image_io import can_list, read_image
from fer_edge.sources.images import IMAGE_SUFFIXES
from fer_edge.types import Image
from tests.edge.support import corners, encode, write_bytes

LOSSY = {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".jp2", ".j2k", ".webp", ".avif"}
WRITTEN_AS = {".jfif": ".jpg", ".mpo": ".jpg", ".j2k": ".jp2", ".pic": ".hdr"}
"""Suffixes that OpenCV reads the content of, but does not write by that name."""
FFMPEG_CODECS = {".tga": "targa", ".pcx": "pcx", ".sgi": "sgi", ".qoi": "qoi", ".pam": "pam"}
ELSEWHERE = {".pbm", ".pgm", ".ico", ".psd", ".dds", ".exr", ".hdr", ".pic", ".pfm", ".apng", ".gif"}
"""Formats with tests of their own."""


def encode_with_ffmpeg(codec: str, image: Image, pixels: str = "rgb24", *options: str) -> bytes:
    """A picture as one of FFmpeg's encoders writes it."""
    context: Any = av.CodecContext.create(codec, "w")
    context.height, context.width = image.shape[:2]
    context.pix_fmt, context.time_base = pixels, Fraction(1, 25)
    context.options = dict(option.split("=") for option in options)
    frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format=pixels)
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def encoded_as(suffix: str, image: Image) -> bytes:
    """A picture in the format of a suffix."""
    if suffix in FFMPEG_CODECS:
        return encode_with_ffmpeg(FFMPEG_CODECS[suffix], image, "bgr24" if suffix == ".tga" else "rgb24")
    return encode(WRITTEN_AS.get(suffix, suffix), image)


def with_exif(jpeg: bytes, orientation: int, thumbnail: bytes = b"") -> bytes:
    """The JPEG with an EXIF header that says how it is turned, and holds a thumbnail."""
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
    [("bits.pbm", b"P1 2 2\n0 1\n1 0\n"), ("grey.pgm", b"P5 2 2 255\n\xff\0\0\xff")],
)
def test_every_grey_format_is_read(name: str, content: bytes, tmp_path: Path) -> None:
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


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode")
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
def test_grey_becomes_three_equal_channels(dtype: type[np.unsignedinteger[Any]], tmp_path: Path) -> None:
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


def test_where_all_is_transparent_the_colours_are_seen(tmp_path: Path) -> None:
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
def test_a_truncated_picture_is_no_picture(suffix: str, kept: float, tmp_path: Path, portrait: Image) -> None:
    content = encoded_as(suffix, portrait[100:400])
    path = write_bytes(tmp_path / f"part{suffix}", content[: int(len(content) * kept)])
    with pytest.raises(SourceError, match=f"part{suffix}: "):
        read_image(path)


def test_a_thumbnail_s_end_is_not_the_jpeg_s(tmp_path: Path, portrait: Image) -> None:
    thumbnail = encode(".jpg", corners(16, 16))
    jpeg = with_exif(encode(".jpg", portrait), 1, thumbnail)
    assert read_image(write_bytes(tmp_path / "whole.jpg", jpeg)).shape == portrait.shape
    with pytest.raises(SourceError, match="the JPEG ends before its picture does; get the whole file"):
        read_image(write_bytes(tmp_path / "part.jpg", jpeg[: len(jpeg) // 2]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.jpg: expected a picture, the file is empty"),
        (
            b"Dear Sir or Madam,\n",
            "a.jpg: expected a picture, the file is none that OpenCV or FFmpeg can read",
        ),
        (b"\xff\xd8", "a.jpg: expected a picture"),
        (b"\xff\xd8\xff\xe0\0\0" * 9, "a.jpg: expected a picture"),
        (b"\x89PNG\r\n\x1a\n", "a.jpg: expected a picture"),
        (bytes(10_000), "a.jpg: expected a picture"),
    ],
)
def test_what_is_no_picture_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=message):
        read_image(write_bytes(tmp_path / "a.jpg", content))


@pytest.mark.parametrize("name", ["missing.jpg", "no\0name.jpg", "x" * 300 + ".jpg", "missing/a.jpg"])
def test_what_cannot_be_opened_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="expected a picture, the file cannot be read: "):
        read_image(tmp_path / name)


def test_a_picture_too_large_for_memory_is_refused(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "bomb.ppm", b"P6 999999 999999 255\n" + bytes(100))
    with pytest.raises(SourceError, match=r"bomb\.ppm: "):
        read_image(path)


def test_a_folder_is_named_with_what_reads_it(tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match="expected a picture, got a folder; for its pictures use: fer-edge folder"
    ):
        read_image(tmp_path)


@pytest.mark.skipif(not Path(os.devnull).is_char_device(), reason="this system's devices are no files")
def test_a_device_is_refused_unread() -> None:
    with pytest.raises(SourceError, match="got a device; for a camera use: fer-edge camera"):
        read_image("/dev/zero")


def test_a_folder_that_is_there_can_be_listed_and_another_cannot(tmp_path: Path) -> None:
    assert can_list(tmp_path)
    assert not can_list(tmp_path / "missing")
