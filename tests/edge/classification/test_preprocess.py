"""From a frame and a box to the network's pixels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.classification.preprocess import crop_box, face_pixels, normalize, quantize_pixels
from fer_edge.models.spec import FER2013_LABELS, Crop, ModelSpec
from fer_edge.types import FaceBox

GRAY = ModelSpec(name="gray", labels=FER2013_LABELS)
ALL_PIXELS = np.arange(256, dtype=np.uint8)


def test_quantized_pixels_are_the_normalised_ones_without_loss() -> None:
    assert np.array_equal(quantize_pixels(ALL_PIXELS).astype(np.float32) / 64, normalize(ALL_PIXELS))


def test_normalisation_is_pixel_minus_128_over_64() -> None:
    assert normalize(np.array([0, 128, 192, 255], np.uint8)).tolist() == [-2.0, 0.0, 1.0, 1.984375]


@pytest.mark.parametrize(
    ("box", "crop", "expected"),
    [
        (FaceBox(10, 20, 40, 40), Crop(), (10, 20, 50, 60)),
        (FaceBox(10, 20, 40, 40), Crop(margin=0.25), (0, 10, 60, 70)),
        (FaceBox(10, 20, 40, 20), Crop(square=True), (10, 10, 50, 50)),
        (FaceBox(10, 20, 40, 20), Crop(square=False), (10, 20, 50, 40)),
        (FaceBox(10, 20, 40, 40), Crop(shift_y=0.1), (10, 24, 50, 64)),
        (FaceBox(10, 20, 40, 40, is_crop=True), Crop(margin=1.0, shift_y=0.5), (10, 20, 50, 60)),
        (FaceBox(0, 0, 1, 1), Crop(margin=-0.4), (0, 0, 1, 1)),
    ],
)
def test_crop_rule(box: FaceBox, crop: Crop, expected: tuple[int, int, int, int]) -> None:
    assert crop_box(box, crop) == expected


def test_a_whole_picture_of_input_size_is_taken_pixel_for_pixel() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    image = np.repeat(gray[..., None], 3, axis=2)
    assert np.array_equal(face_pixels(image, FaceBox(0, 0, 48, 48, is_crop=True), GRAY)[..., 0], gray)


def test_colour_order_is_rgb_where_the_spec_says_so(portrait: NDArray[np.uint8]) -> None:
    box = FaceBox(100, 100, 48, 48, is_crop=True)
    pixels = face_pixels(portrait, box, GRAY.replace(color="rgb"))
    assert np.array_equal(pixels, portrait[100:148, 100:148, ::-1])


def test_grey_weighs_the_colours_as_bt601() -> None:
    image = np.zeros((48, 48, 3), np.uint8)
    image[..., 2] = 200  # red, in BGR
    pixels = face_pixels(image, FaceBox(0, 0, 48, 48), GRAY)
    assert pixels[0, 0, 0] == round(0.299 * 200)


def test_what_lies_outside_the_frame_repeats_its_edge() -> None:
    image = np.full((40, 40, 3), 50, np.uint8)
    image[:, :5] = 200
    pixels = face_pixels(image, FaceBox(0, 0, 40, 40), GRAY.replace(crop=Crop(margin=0.5)))
    assert pixels.shape == (48, 48, 1)
    assert np.all(pixels[:, :10] == 200)
    assert np.all(pixels[:, -20:] == 50)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (7, 3), (1000, 1000)])
@pytest.mark.parametrize("interpolation", ["area", "linear", "cubic"])
@pytest.mark.parametrize(
    "crop", [Crop(), Crop(margin=2.0, shift_y=1.0), Crop(margin=-0.4, shift_y=-1.0, square=False)]
)
def test_any_frame_gives_a_face_of_the_input_size(
    shape: tuple[int, int], interpolation: str, crop: Crop
) -> None:
    image = np.full((*shape, 3), 77, np.uint8)
    spec = GRAY.replace(interpolation=interpolation, crop=crop)
    box = FaceBox(0, 0, shape[1], shape[0])
    assert np.all(face_pixels(image, box, spec) == 77)


def test_the_frame_is_not_changed(portrait: NDArray[np.uint8]) -> None:
    before = portrait.copy()
    face_pixels(portrait, FaceBox(-20, -20, 400, 400), GRAY.replace(crop=Crop(margin=0.3)))
    assert np.array_equal(portrait, before)
