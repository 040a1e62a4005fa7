"""Quantized inputs: which ones can hold the pixels, and what the others were made for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_edge.classification.input_range import (
    build_pixel_table,
    describe_mismatch,
    find_range,
    is_own_range,
    preserves_gray_levels,
)
from fer_edge.classification.preprocess import quantize_pixels

ALL_PIXELS = np.arange(256, dtype=np.uint8)


def test_the_table_of_our_own_int8_files_is_the_pixel_minus_128() -> None:
    assert np.array_equal(build_pixel_table(np.int8, 1 / 64, 0), quantize_pixels(ALL_PIXELS))


def test_the_table_of_a_uint8_input_of_our_range_is_the_pixel() -> None:
    assert np.array_equal(build_pixel_table(np.uint8, 1 / 64, 128), ALL_PIXELS)


@pytest.mark.parametrize(
    ("kind", "scale", "zero_point", "holds"),
    [
        (np.int8, 1 / 64, 0, True),
        (np.uint8, 1 / 64, 128, True),
        (np.int8, 4 / 255, -1, True),  # calibrated on -2…2
        (np.int8, 0.0149, 1, False),  # calibrated on dim images: bright pixels are clipped
        (np.int16, 2 / 32767, 0, True),
        (np.uint8, 1 / 255, 0, False),
        (np.int8, 1 / 255, -128, False),
        (np.uint8, 1 / 127.5, 127, False),
        (np.uint8, 1.0, 0, False),
        (np.int8, 1.0, 0, False),  # wide enough, but only five gray levels
        (np.int16, 1 / 32768, 0, False),
    ],
)
def test_an_input_holds_the_pixels_or_not(
    kind: type[np.integer[Any]], scale: float, zero_point: int, holds: bool
) -> None:
    assert preserves_gray_levels(build_pixel_table(kind, scale, zero_point)) == holds


@pytest.mark.parametrize(
    ("kind", "scale", "zero_point", "mean", "std"),
    [
        (np.uint8, 1 / 255, 0, 0, 255),
        (np.int8, 1 / 255, -128, 0, 255),
        (np.uint8, 1 / 127.5, 127, 127.5, 127.5),
        (np.uint8, 1 / 127.5, 128, 127.5, 127.5),
        (np.int8, 1 / 127.5, -1, 127.5, 127.5),
        (np.uint8, 1.0, 0, 0, 1),
        (np.int8, 1.0, -128, 0, 1),
        (np.uint8, 1 / 64, 128, 128, 64),
    ],
)
def test_usual_ranges_are_recognized(
    kind: type[np.integer[Any]], scale: float, zero_point: int, mean: float, std: float
) -> None:
    assert find_range(kind, scale, zero_point) == (mean, std)


def test_an_unusual_range_is_computed() -> None:
    mean, std = find_range(np.uint8, 0.02, 100)
    assert (mean, std) == pytest.approx((100, 50))


@pytest.mark.parametrize(
    ("means", "stds", "range_", "layer"),
    [
        ([0.0], [255.0], "pixel / 255 (0 to 1)", "64 / 255, offset=128 / 255"),
        ([127.5], [127.5], "(pixel - 127.5) / 127.5 (-1 to 1)", "64 / 127.5, offset=0.5 / 127.5"),
        ([0.0], [1.0], "pixel (0 to 255)", "64, offset=128"),
        (
            [1.0, 2.0],
            [50.0, 60.0],
            "(pixel - 1) / 50, (pixel - 2) / 60",
            "[64 / 50, 64 / 60], offset=[127 / 50, 126 / 60]",
        ),
        ([0.0] * 3, [255.0] * 3, "pixel / 255 (0 to 1)", "64 / 255, offset=128 / 255"),
    ],
)
def test_the_layer_of_the_remedy_turns_our_numbers_into_the_network_s(
    means: list[float], stds: list[float], range_: str, layer: str
) -> None:
    text = describe_mismatch(means, stds)
    assert f"expects {range_}, but" in text
    assert f"Rescaling({layer}) in front" in text
    scale, offset = eval(f"(lambda scale, offset: (scale, offset))({layer})")
    ours = (ALL_PIXELS[:, None].astype(float) - 128) / 64
    theirs = (ALL_PIXELS[:, None] - np.array(means)) / np.array(stds)
    for computed, wanted in zip((ours * np.array(scale) + np.array(offset)).T, theirs.T, strict=False):
        np.testing.assert_allclose(computed, wanted, atol=1e-6)


def test_our_own_range_is_recognized_with_some_tolerance() -> None:
    assert is_own_range([128.0], [64.0])
    assert is_own_range([127.5], [63.75])
    assert is_own_range([128.0] * 3, [64.0])
    assert not is_own_range([127.5], [127.5])
    assert not is_own_range([128.0, 128.0, 100.0], [64.0])
