"""One tracked face: limits of its growth between two detections."""

from __future__ import annotations

import numpy as np
import pytest

from fer_edge.tracking.template import Template
from fer_edge.tracking.track import Track
from fer_edge.types import Detection, FaceBox, GrayImage
from tests.edge.tracking.scenes import face_image, paste, room

SIDE = 100


def gray_with_face(side: int) -> GrayImage:
    """Return a room with one face in the middle."""
    image = room(0).copy()
    paste(image, face_image(1), FaceBox(160 - side // 2, 120 - side // 2, side, side))
    return np.asarray(image[..., 0], np.uint8)


def follow(sides: list[int], miss_count: int = 0) -> Track:
    """Return a track of a face with these sides in consecutive frames, not confirmed by the detector."""
    gray = gray_with_face(SIDE)
    box = FaceBox(160 - SIDE // 2, 120 - SIDE // 2, SIDE, SIDE)
    track = Track(0, Detection(box), 0.0, Template.from_box(gray, box), miss_count=miss_count)
    for number, side in enumerate(sides, 1):
        match = track.match(gray_with_face(side), number / 30)
        track.update(track.detection.moved_to(match.box), number / 30)
    return track


def test_a_face_that_comes_nearer_or_goes_changes_its_size() -> None:
    assert follow(list(range(SIDE, 84, -2))).box.width <= 90
    assert follow(list(range(SIDE, 124, 2))).box.width >= 110


@pytest.mark.parametrize("end", [40, 190])
def test_a_size_does_not_run_away_between_two_looks_of_the_detector(end: int) -> None:
    step = 5 if end > SIDE else -3
    width = follow(list(range(SIDE, end, step))).box.width
    assert SIDE / 1.31 <= width <= SIDE * 1.31


def test_a_face_that_its_detector_does_not_see_keeps_its_size() -> None:
    assert follow(list(range(SIDE, 70, -3)), miss_count=1).box.width == SIDE
