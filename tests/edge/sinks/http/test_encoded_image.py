"""The rate and encoding of images for viewers."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fer_edge.sinks.http import encoded_image
from fer_edge.sinks.http.encoded_image import ImageRate, SharedJpeg
from tests.edge.support import noise


def images_in(seconds: float, rate: ImageRate, frames_per_s: float) -> int:
    return sum(rate.is_due(index / frames_per_s) for index in range(round(seconds * frames_per_s)))


@pytest.mark.parametrize(
    ("encoding_ms", "images"), [(0.1, 15), (1.0, 15), (3.2, 10.4), (30.0, 8)], ids=lambda value: str(value)
)
def test_a_slow_device_encodes_fewer_images_a_second(encoding_ms: float, images: float) -> None:
    rate = ImageRate()
    for _ in range(50):
        rate.record_encoding_time(encoding_ms / 1000)
    assert images_in(10, rate, 30) == pytest.approx(10 * images, abs=5)


def test_a_fast_video_is_shown_at_fifteen_images_a_second_at_most() -> None:
    assert images_in(10, ImageRate(), 240) == pytest.approx(150, abs=5)


def test_an_image_is_encoded_once_and_its_time_counted() -> None:
    counted: list[float] = []

    class Counting(ImageRate):
        def record_encoding_time(self, seconds: float) -> None:
            counted.append(seconds)

    image = SharedJpeg(noise(640, 480), Counting())
    first, second = image.jpeg(), image.jpeg()
    assert first == second
    assert len(counted) == 1
    decoded = cv2.imdecode(np.frombuffer(first, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == (480, 640, 3)


def test_a_large_image_is_made_smaller() -> None:
    content = SharedJpeg(noise(2560, 600), ImageRate()).jpeg()
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == (300, encoded_image._MAX_SIDE, 3)
