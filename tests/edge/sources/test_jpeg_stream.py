"""JPEGs extracted from byte chunks of any size, with arbitrary bytes between them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fer_edge.sources.jpeg_stream import JpegSplitter
from tests.edge.support import corners, encode, noise


def split(data: bytes, size: int) -> list[bytes]:
    splitter = JpegSplitter()
    return [image for at in range(0, len(data), size) for image in splitter.feed(data[at : at + size])]


SMOOTH = encode(".jpg", corners(200, 120))
NOISY = encode(".jpg", noise(160, 128), cv2.IMWRITE_JPEG_QUALITY, 100)
PROGRESSIVE = encode(".jpg", noise(96, 64), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
RESTARTS = encode(".jpg", noise(96, 64), cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
# An EXIF segment with an embedded image, as cameras write it.
THUMBNAIL = SMOOTH[:2] + b"\xff\xe1" + (2 + len(SMOOTH)).to_bytes(2, "big") + SMOOTH + SMOOTH[2:]
KINDS = [SMOOTH, NOISY, PROGRESSIVE, RESTARTS, THUMBNAIL]


@pytest.mark.parametrize("size", [1, 2, 7, 1000, 1 << 20])
@pytest.mark.parametrize(
    "between",
    [b"", b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n", b"\xff\xff\xd8\x00\xff", bytes(range(256))],
)
def test_every_image_comes_whole(size: int, between: bytes) -> None:
    data = b"".join(between + kind for kind in KINDS) + between
    assert split(data, size) == KINDS


def test_an_image_is_there_with_its_last_byte() -> None:
    splitter = JpegSplitter()
    assert list(splitter.feed(SMOOTH[:-1])) == []
    assert list(splitter.feed(SMOOTH[-1:])) == [SMOOTH]


@pytest.mark.parametrize("size", [1, 50, 1 << 20])
@pytest.mark.parametrize("cut", [2, 3, 21, 300, 0.5, -3])
def test_an_image_that_is_cut_off_is_left_out(cut: float, size: int) -> None:
    at = int(len(NOISY) * cut) if isinstance(cut, float) else cut
    data = SMOOTH + NOISY[:at] + b"\r\n--frame\r\n\r\n" + SMOOTH + SMOOTH
    images = split(data, size)
    assert images[0] == images[-1] == SMOOTH
    assert all(cv2.imdecode(np.frombuffer(image, np.uint8), 1) is not None for image in images)
    assert len(images) in (2, 3)  # a truncated length may reach into the next image


def test_what_is_no_image_takes_no_memory() -> None:
    splitter = JpegSplitter()
    for _ in range(200):
        assert list(splitter.feed(bytes(100_000))) == []
    assert splitter.skipped > 19_000_000
    assert len(splitter._data) < 10


def test_an_image_without_end_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fer_edge.sources.jpeg_stream._MAX_BYTES", 1 << 20)
    splitter = JpegSplitter()
    list(splitter.feed(NOISY[: len(NOISY) // 2]))
    for _ in range(40):
        assert list(splitter.feed(bytes(100_000))) == []
    assert splitter.broken >= 1
    assert list(splitter.feed(SMOOTH)) == [SMOOTH]


HEAD = b"\r\n--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 4000\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize(
    ("broken", "count"),
    [
        (b"", 0),
        (HEAD + SMOOTH, 0),
        (HEAD + NOISY[:6000], 1),
        (HEAD + bytes(range(250)) * 16, 1),
        ((HEAD + bytes(4000)) * 3, 3),
        (HEAD, 0),  # an empty part is not an image
        (b"\r\n--frame\r\nContent-Type: text/plain\r\n\r\n" + bytes(4000), 0),
    ],
)
def test_parts_that_should_be_images_are_counted(broken: bytes, count: int, size: int) -> None:
    splitter = JpegSplitter()
    data = HEAD + SMOOTH + broken + HEAD + SMOOTH
    images = [image for at in range(0, len(data), size) for image in splitter.feed(data[at : at + size])]
    assert images[0] == images[-1] == SMOOTH
    assert splitter.broken == count
