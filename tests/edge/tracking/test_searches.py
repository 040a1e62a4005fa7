"""Searches of changes by a detector that finds faces of all sizes at once."""

from __future__ import annotations

import numpy as np
import pytest

from fer_edge.detectors.base import DetectorTraits
from fer_edge.tracking.motion import MotionMask
from fer_edge.tracking.searches import detect_changes
from fer_edge.types import Detection, FaceBox, Frame

WIDTH, HEIGHT = 640, 360
FRAME = Frame(np.zeros((HEIGHT, WIDTH, 3), np.uint8))


class AllSizes:
    """Detector that reports the given faces if the searched part shows half of them, and records each part."""

    name = "all sizes"
    traits = DetectorTraits(cheap_parts=True, all_sizes=True)

    def __init__(self, *faces: FaceBox) -> None:
        self.faces = faces
        self.parts: list[FaceBox | None] = []

    def detect(
        self,
        frame: Frame,
        roi: FaceBox | None = None,
        *,
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> tuple[Detection, ...]:
        self.parts.append(roi)
        part = roi or frame.box
        return tuple(Detection(face) for face in self.faces if part.cover(face) > 0.5)

    def smallest_face(self, frame: Frame) -> int:
        return 40

    def close(self) -> None: ...


def changed(box: FaceBox) -> MotionMask:
    """Return changes in all cells of a box."""
    cells = np.zeros((HEIGHT // 8, WIDTH // 8), bool)
    cells[box.y // 8 : (box.y + box.height) // 8, box.x // 8 : (box.x + box.width) // 8] = True
    return MotionMask(cells)


def test_only_the_surroundings_of_a_change_are_searched() -> None:
    face = FaceBox(304, 152, 64, 64)
    detector = AllSizes(face)
    (found,) = detect_changes(detector, FRAME, changed(face))
    (part,) = detector.parts
    assert found.box == face
    assert part is not None
    assert part.area < FRAME.box.area / 4
    assert part.x < face.x - 20 < face.x + face.width + 20 < part.x + part.width


def test_a_change_that_is_too_small_for_a_face_is_not_searched() -> None:
    detector = AllSizes(FaceBox(304, 152, 64, 64))
    assert detect_changes(detector, FRAME, changed(FaceBox(320, 160, 16, 8))) == []
    assert detector.parts == []


def test_if_most_of_the_frame_changes_all_of_it_is_searched() -> None:
    detector = AllSizes(FaceBox(10, 10, 64, 64))
    assert len(detect_changes(detector, FRAME, changed(FRAME.box))) == 1
    assert detector.parts == [None]


@pytest.mark.parametrize("offset", [-70, 70])
def test_a_followed_face_that_extends_beyond_the_searched_part_is_left_alone(offset: int) -> None:
    face = FaceBox(270 + offset, 100, 160, 160)
    detector = AllSizes(face)
    assert detect_changes(detector, FRAME, changed(FaceBox(320, 152, 64, 64)), [face]) == []
    assert len(detector.parts) == 1


def test_for_an_unknown_face_that_extends_beyond_the_part_the_whole_frame_is_searched() -> None:
    face = FaceBox(200, 100, 160, 160)
    detector = AllSizes(face)
    (found,) = detect_changes(detector, FRAME, changed(FaceBox(320, 152, 64, 64)))
    assert found.box == face
    assert detector.parts[1:] == [None]


def test_a_face_at_the_edge_of_the_frame_is_found_in_a_part() -> None:
    face = FaceBox(560, 280, 80, 80)
    detector = AllSizes(face)
    (found,) = detect_changes(detector, FRAME, changed(face))
    assert found.box == face
    assert None not in detector.parts
