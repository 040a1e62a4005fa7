"""Gray and color for every pixel format, compared with FFmpeg's own conversion."""

from __future__ import annotations

import threading
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from fer_edge.sources.video_pixels import Geometry, compute_geometry, to_frame
from tests.edge.sources.clips import face

FORMATS = [
    "yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "yuva420p", "yuvj444p",
    "nv12", "nv21", "nv16", "gray", "gray10le", "gray12le", "gray16le", "gray16be",
    "yuv420p9le", "yuv420p10le", "yuv422p10le", "yuv444p12le", "yuv420p12le", "yuv420p14le", "yuv420p16le",
    "yuv420p10be", "yuva444p10le", "p010le", "p016le",
    "yuyv422", "uyvy422", "rgb24", "bgr24", "rgba", "bgra", "bgr0", "gbrp", "gbrp10le", "gbrap", "rgb48le",
    "rgb565le", "monow", "ya8",
]  # fmt: skip


def in_format(name: str, size: tuple[int, int] = (256, 192), **attributes: Any) -> Any:
    """Return a decoded frame of the portrait in a pixel format."""
    frame = av.VideoFrame.from_ndarray(face(size), format="bgr24").reformat(format=name)
    for attribute, value in attributes.items():
        setattr(frame, attribute, value)
    return frame


@pytest.mark.parametrize("color_range", [0, 1, 2])
@pytest.mark.parametrize("name", FORMATS)
def test_gray_is_that_of_ffmpeg_within_a_level(name: str, color_range: int) -> None:
    decoded = in_format(name, color_range=color_range)
    frame = to_frame(decoded, compute_geometry(decoded, None), "clip.mp4", 0, 0.0)
    reference = decoded.to_ndarray(format="gray").astype(int)
    assert frame.gray.dtype == np.uint8
    assert np.abs(frame.gray - reference).max() <= 1


@pytest.mark.parametrize("name", FORMATS)
def test_colors_match_ffmpeg(name: str) -> None:
    decoded = in_format(name)
    frame = to_frame(decoded, compute_geometry(decoded, None), "clip.mp4", 0, 0.0)
    assert np.array_equal(frame.image, decoded.to_ndarray(format="bgr24"))


@pytest.mark.parametrize("size", [(251, 301), (17, 33), (956, 534)])
def test_odd_sizes_and_strides(size: tuple[int, int]) -> None:
    for name in ("yuv420p", "yuv420p10le", "gray"):
        decoded = in_format(name, size)
        frame = to_frame(decoded, compute_geometry(decoded, None), "clip.mp4", 0, 0.0)
        assert np.abs(frame.gray - decoded.to_ndarray(format="gray").astype(int)).max() <= 1
        assert frame.image.shape == (size[1], size[0], 3)


@pytest.mark.parametrize("transfer", [16, 18])
def test_high_dynamic_range_is_mapped_as_ffmpeg_does(transfer: int) -> None:
    decoded = in_format("yuv420p10le", color_trc=transfer, color_primaries=9, colorspace=9, color_range=1)
    frame = to_frame(decoded, compute_geometry(decoded, None), "clip.mp4", 0, 0.0)
    reference = decoded.to_ndarray(format="gray").astype(int)
    assert np.abs(frame.gray - reference).max() <= 1


def test_one_frame_may_be_converted_in_many_threads() -> None:
    decoded = in_format("yuyv422", (640, 480))
    expected = decoded.to_ndarray(format="bgr24")
    wrong = []

    def convert() -> None:
        for _ in range(30):
            frame = to_frame(decoded, compute_geometry(decoded, None), "clip.mp4", 0, 0.0)
            if not np.array_equal(frame.image, expected) or frame.gray.shape != (480, 640):
                wrong.append(frame)

    threads = [threading.Thread(target=convert) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        (None, (64, 48)),
        (Fraction(1), (64, 48)),
        (Fraction(2), (128, 48)),
        (Fraction(1, 2), (64, 96)),
        (Fraction(8), (512, 48)),
        (Fraction(9), (64, 48)),  # from a damaged header
        (Fraction(1, 100), (64, 48)),
        (Fraction(0), (64, 48)),
    ],
)
def test_the_shape_of_pixels(shape: Fraction | None, size: tuple[int, int]) -> None:
    assert compute_geometry(in_format("yuv420p", (64, 48)), shape).size == size


def test_nothing_is_done_to_an_upright_image() -> None:
    pixels = np.zeros((48, 64), np.uint8)
    assert Geometry((64, 48), (64, 48)).apply(pixels) is pixels
