"""From a frame and a box to the network's input pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fer_edge.classification.preprocess import (
    compute_crop_bounds,
    extract_face,
    normalize,
    quantize_pixels,
    resize_to_input,
)
from fer_edge.detectors.full_frame import EXACT
from fer_edge.detectors.haar import FRAMING as HAAR_FRAMING
from fer_edge.detectors.mediapipe import FRAMING
from fer_edge.models.spec import FER2013_LABELS, Crop, ModelSpec
from fer_edge.types import Detection, FaceBox, Frame, Framing, Image

GRAY = ModelSpec(name="gray", labels=FER2013_LABELS)
ALL_PIXELS = np.arange(256, dtype=np.uint8)


def test_quantized_pixels_are_the_normalized_ones_without_loss() -> None:
    assert np.array_equal(quantize_pixels(ALL_PIXELS).astype(np.float32) / 64, normalize(ALL_PIXELS))


def test_normalization_is_pixel_minus_128_over_64() -> None:
    assert normalize(np.array([0, 128, 192, 255], np.uint8)).tolist() == [-2.0, 0.0, 1.0, 1.984375]


@pytest.mark.parametrize(
    ("box", "crop", "expected"),
    [
        (FaceBox(10, 20, 40, 40), Crop(), (10, 20, 50, 60)),
        (FaceBox(10, 20, 40, 40), Crop(margin=0.25), (0, 10, 60, 70)),
        (FaceBox(10, 20, 40, 20), Crop(square=True), (10, 10, 50, 50)),
        (FaceBox(10, 20, 40, 20), Crop(square=False), (10, 20, 50, 40)),
        (FaceBox(10, 20, 40, 40), Crop(shift_y=0.1), (10, 24, 50, 64)),
        (FaceBox(0, 0, 1, 1), Crop(margin=-0.4), (0, 0, 1, 1)),
    ],
)
def test_crop_rule(box: FaceBox, crop: Crop, expected: tuple[int, int, int, int]) -> None:
    assert compute_crop_bounds(Detection(box), crop) == expected


@pytest.mark.parametrize("crop", [Crop(), Crop(margin=1.0, shift_y=0.5)])
def test_an_exact_box_is_taken_as_it_is(crop: Crop) -> None:
    assert compute_crop_bounds(Detection(FaceBox(10, 20, 40, 30), framing=EXACT), crop) == (10, 20, 50, 50)


@pytest.mark.parametrize(
    ("framing", "crop", "expected"),
    [
        (Framing(), Crop(), (100, 100, 200, 200)),
        (Framing(scale=1.2), Crop(), (90, 90, 210, 210)),
        (Framing(shift_y=-0.1), Crop(), (100, 90, 200, 190)),
        (Framing(scale=1.2, shift_y=-0.1), Crop(), (90, 80, 210, 200)),
        # The model's rule is relative to the size of the framed box.
        (Framing(scale=1.2), Crop(margin=0.1), (78, 78, 222, 222)),
        (Framing(scale=1.2), Crop(shift_y=0.1), (90, 102, 210, 222)),
    ],
)
def test_a_detector_s_framing_comes_before_the_crop_rule(
    framing: Framing, crop: Crop, expected: tuple[int, int, int, int]
) -> None:
    assert compute_crop_bounds(Detection(FaceBox(100, 100, 100, 100), framing=framing), crop) == expected


@pytest.mark.parametrize("crop", [Crop(), Crop(margin=0.1), Crop(margin=-0.05, shift_y=0.03)])
def test_mediapipe_s_boxes_show_what_haar_s_around_the_same_face_show(crop: Crop) -> None:
    box = FaceBox(200, 200, 200, 200)
    # Haar's box for that face is 14 % larger, and higher by 10.7 % of the height of MediaPipe's.
    haar = FaceBox(200 - 14, 200 - 14 - 21, 228, 228)
    seen = np.array(compute_crop_bounds(Detection(box, framing=FRAMING), crop))
    assert np.abs(seen - compute_crop_bounds(Detection(haar, framing=HAAR_FRAMING), crop)).max() <= 1


def test_a_whole_image_of_input_size_is_taken_pixel_for_pixel() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    image = np.repeat(gray[..., None], 3, axis=2)
    assert np.array_equal(
        extract_face(Frame(image), Detection(FaceBox(0, 0, 48, 48), framing=EXACT), GRAY)[..., 0], gray
    )


def test_color_order_is_rgb_where_the_spec_says_so(portrait: Image) -> None:
    face = Detection(FaceBox(100, 100, 48, 48), framing=EXACT)
    pixels = extract_face(Frame(portrait), face, GRAY.replace(color="rgb"))
    assert np.array_equal(pixels, portrait[100:148, 100:148, ::-1])


def test_gray_weighs_the_colors_as_bt601() -> None:
    image = np.zeros((48, 48, 3), np.uint8)
    image[..., 2] = 200  # red, in BGR
    pixels = extract_face(Frame(image), Detection(FaceBox(0, 0, 48, 48)), GRAY)
    assert pixels[0, 0, 0] == round(0.299 * 200)


def test_what_lies_outside_the_frame_repeats_its_edge() -> None:
    image = np.full((40, 40, 3), 50, np.uint8)
    image[:, :5] = 200
    pixels = extract_face(Frame(image), Detection(FaceBox(0, 0, 40, 40)), GRAY.replace(crop=Crop(margin=0.5)))
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
    assert np.all(extract_face(Frame(image), Detection(box), spec) == 77)


def test_the_frame_is_not_changed(portrait: Image) -> None:
    before = portrait.copy()
    extract_face(Frame(portrait), Detection(FaceBox(-20, -20, 400, 400)), GRAY.replace(crop=Crop(margin=0.3)))
    assert np.array_equal(portrait, before)


def test_a_gray_model_never_requests_colors(portrait: Image) -> None:
    def unwanted() -> Image:
        raise AssertionError("nobody needs the colors")

    face = Detection(FaceBox(150, 100, 230, 230))
    lazy = Frame(unwanted, gray=Frame(portrait).gray)
    assert np.array_equal(extract_face(lazy, face, GRAY), extract_face(Frame(portrait), face, GRAY))


def test_an_image_of_the_input_size_is_left_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    assert resize_to_input(pixels, GRAY) is pixels
    assert resize_to_input(pixels[:30], GRAY).shape == (48, 48)


class TestLevel:
    """Faces that the detector reports as tilted."""

    @pytest.mark.parametrize("tilt", [-45.0, -10.0, 5.0, 30.0, 60.0])
    def test_a_tilted_face_is_cut_out_as_the_upright_one(self, tilt: float, portrait: Image) -> None:
        box = FaceBox(155, 105, 222, 222)
        x, y = box.center
        turned = cv2.warpAffine(portrait, cv2.getRotationMatrix2D((x - 0.5, y - 0.5), -tilt, 1.0), (512, 600))
        upright = extract_face(Frame(portrait), Detection(box), GRAY).astype(int)
        level = extract_face(Frame(np.asarray(turned, np.uint8)), Detection(box, tilt=tilt), GRAY).astype(int)
        crooked = extract_face(Frame(np.asarray(turned, np.uint8)), Detection(box), GRAY).astype(int)
        middle = (slice(6, -6), slice(6, -6))
        assert np.abs(level[middle] - upright[middle]).mean() < 3
        assert (
            np.abs(crooked[middle] - upright[middle]).mean()
            > 2 * np.abs(level[middle] - upright[middle]).mean()
        )

    def test_without_a_tilt_no_pixel_changes(self, portrait: Image) -> None:
        box = FaceBox(155, 105, 222, 222)
        assert np.array_equal(
            extract_face(Frame(portrait), Detection(box, tilt=0.0), GRAY),
            extract_face(Frame(portrait), Detection(box), GRAY),
        )

    @pytest.mark.parametrize("tilt", [61.0, -90.0, 179.0])
    def test_a_tilt_beyond_the_limit_is_ignored(self, tilt: float, portrait: Image) -> None:
        box = FaceBox(155, 105, 222, 222)
        assert np.array_equal(
            extract_face(Frame(portrait), Detection(box, tilt=tilt), GRAY),
            extract_face(Frame(portrait), Detection(box), GRAY),
        )

    def test_outside_the_frame_its_edge_is_repeated(self) -> None:
        image = np.full((60, 60, 3), 77, np.uint8)
        pixels = extract_face(Frame(image), Detection(FaceBox(0, 0, 60, 60), tilt=45.0), GRAY)
        assert np.all(pixels == 77)

    def test_a_face_of_one_pixel(self) -> None:
        image = np.zeros((9, 9, 3), np.uint8)
        pixels = extract_face(Frame(image), Detection(FaceBox(4, 4, 1, 1), tilt=20.0), GRAY)
        assert pixels.shape == (48, 48, 1)


def test_the_crop_is_that_of_the_whole_face_where_it_reaches_out_of_the_frame() -> None:
    inside, outer = FaceBox(0, 10, 60, 80), FaceBox(-20, 10, 80, 80)
    assert compute_crop_bounds(Detection(inside, outer=outer), Crop()) == (-20, 10, 60, 90)
    moved = Detection(inside, outer=outer).moved_to(FaceBox(5, 12, 60, 80))
    assert moved.outer == FaceBox(-15, 12, 80, 80)
