"""Finding a face again by its appearance."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fer_edge.tracking.template import Template, correlate_detail, match_template, thin_out
from fer_edge.types import FaceBox, GrayImage, Image
from tests.edge.support import moved
from tests.edge.tracking.scenes import face_image, paste, room


def gray_scene(box: FaceBox, number: int = 0) -> GrayImage:
    """Return a room with one face."""
    image = room(0).copy()
    paste(image, face_image(number), box)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


PLACE = FaceBox(120, 80, 60, 60)


@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (-3, 5), (12, -9), (-23, 23)])
def test_a_face_that_moved_is_found_to_the_pixel(shift: tuple[int, int]) -> None:
    template = Template.from_box(gray_scene(PLACE), PLACE)
    now = FaceBox(PLACE.x + shift[0], PLACE.y + shift[1], 60, 60)
    match = match_template(gray_scene(now), template, PLACE)
    assert match.box.iou(now) > 0.93
    assert match.similarity > 0.9


def test_a_real_face_is_found(portrait: Image) -> None:
    gray = np.asarray(cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY), np.uint8)
    face = FaceBox(155, 105, 222, 222)
    shifted = np.asarray(cv2.cvtColor(moved(portrait, 31, -18), cv2.COLOR_BGR2GRAY), np.uint8)
    match = match_template(shifted, Template.from_box(gray, face), face)
    assert match.box.iou(FaceBox(186, 87, 222, 222)) > 0.93


def test_another_face_is_not_alike() -> None:
    template = Template.from_box(gray_scene(PLACE), PLACE)
    assert match_template(gray_scene(PLACE, 1), template, PLACE).similarity < 0.7
    assert template.similarity(gray_scene(PLACE, 1), PLACE) < 0.7
    assert template.similarity(gray_scene(PLACE), PLACE) == pytest.approx(1, abs=0.01)


def test_in_an_empty_frame_nothing_is_alike() -> None:
    template = Template.from_box(gray_scene(PLACE), PLACE)
    assert match_template(np.full((240, 320), 128, np.uint8), template, PLACE).similarity < 0.7
    assert template.similarity(np.full((240, 320), 128, np.uint8), PLACE) == 0


@pytest.mark.parametrize(
    "near", [FaceBox(400, 80, 60, 60), FaceBox(120, -90, 60, 60), FaceBox(-80, 300, 60, 60)]
)
def test_a_face_that_left_the_frame_is_alike_to_nothing(near: FaceBox) -> None:
    template = Template.from_box(gray_scene(PLACE), PLACE)
    assert match_template(gray_scene(PLACE), template, near).similarity == 0


@pytest.mark.parametrize(
    "near", [FaceBox(-20, 80, 60, 60), FaceBox(290, 80, 60, 60), FaceBox(120, 200, 60, 60)]
)
def test_the_box_lies_inside_the_frame(near: FaceBox) -> None:
    template = Template.from_box(gray_scene(PLACE), PLACE)
    box = match_template(gray_scene(near), template, near).box
    assert box.clipped(320, 240) == box or box == near


def test_thinning_out_takes_every_nth_pixel() -> None:
    gray = np.arange(12 * 20, dtype=np.uint8).reshape(12, 20)
    assert thin_out(gray, 4).shape == (3, 5)
    assert thin_out(gray, 1).tolist() == gray.tolist()
    assert set(thin_out(gray, 4).ravel()) <= set(gray.ravel())


def test_the_detail_of_a_face_that_moved_is_its_own() -> None:
    now = FaceBox(PLACE.x + 7, PLACE.y - 4, 60, 60)
    same = correlate_detail(gray_scene(PLACE), PLACE, gray_scene(now), now)
    other = correlate_detail(gray_scene(PLACE), PLACE, gray_scene(now, 1), now)
    assert same is not None
    assert same > 0.9
    assert other is not None
    assert other < 0.4


@pytest.mark.parametrize("box", [FaceBox(-200, 0, 60, 60), FaceBox(0, 0, 1, 1), FaceBox(300, 220, 60, 60)])
def test_detail_of_what_cannot_be_compared_says_nothing(box: FaceBox) -> None:
    gray = gray_scene(PLACE)
    assert correlate_detail(gray, box, gray, FaceBox(900, 900, 60, 60)) is None
    assert correlate_detail(np.zeros_like(gray), PLACE, gray, PLACE) in (0.0, 1.0, None)
