"""Detection of changed regions in a frame."""

from __future__ import annotations

import numpy as np
import pytest

from fer_edge.tracking.motion import MotionDetector, MotionMask
from fer_edge.types import FaceBox, GrayImage


def wall(level: int = 100, *, grain: int = 0) -> GrayImage:
    """Return a wall of 320×240 pixels with camera noise."""
    noise = np.random.default_rng(grain).normal(0, 6, (240, 320)) if grain else np.zeros((240, 320))
    return np.asarray(np.clip(level + noise, 0, 255), np.uint8)


def with_patch(box: FaceBox, level: int = 200) -> GrayImage:
    """Return the wall with an object in front of it."""
    gray = wall()
    gray[box.y : box.y + box.height, box.x : box.x + box.width] = level
    return gray


@pytest.fixture
def motion() -> MotionDetector:
    """Return a detector that has seen the empty wall."""
    detector = MotionDetector()
    detector.mark_searched(wall())
    return detector


def test_a_frame_that_stays_as_it_is_has_not_changed(motion: MotionDetector) -> None:
    assert motion.update(wall(), []) is None


def test_a_camera_s_noise_is_no_change(motion: MotionDetector) -> None:
    assert [motion.update(wall(grain=grain), []) for grain in range(1, 6)] == [None] * 5


def test_what_appears_is_a_change_there(motion: MotionDetector) -> None:
    box = FaceBox(160, 80, 64, 64)
    mask = motion.update(with_patch(box), [])
    assert mask is not None
    around = mask.around(64)
    assert around is not None
    # The centers of windows in which a fifth changed: around the patch, plus half a window.
    assert around.clipped(320, 240) == around
    assert around.x <= 160 < 224 <= around.x + around.width
    assert around.y <= 80 < 144 <= around.y + around.height
    assert around.width <= 64 + 64 + 16


def test_it_is_a_change_once(motion: MotionDetector) -> None:
    gray = with_patch(FaceBox(160, 80, 64, 64))
    assert motion.update(gray, []) is not None
    assert motion.update(gray, []) is None


def test_a_slow_change_is_noticed_when_it_is_large_enough(motion: MotionDetector) -> None:
    noticed = [motion.update(wall(100 + step), []) is not None for step in range(1, 13)]
    assert noticed.count(True) == 1
    assert noticed.index(True) >= 7


def test_changes_at_a_tracked_face_are_ignored(motion: MotionDetector) -> None:
    box = FaceBox(160, 80, 64, 64)
    assert motion.update(with_patch(box), [box]) is None
    # When the face has left, the uncovered area is searched.
    assert motion.update(with_patch(box), []) is not None


def test_a_small_thing_is_no_change_for_large_faces(motion: MotionDetector) -> None:
    mask = motion.update(with_patch(FaceBox(160, 80, 16, 16)), [])
    assert mask is not None
    assert mask.around(16) is not None
    assert mask.around(160) is None


def test_after_a_search_of_everything_nothing_has_changed(motion: MotionDetector) -> None:
    gray = np.full((100, 150), 30, np.uint8)  # of another size
    motion.mark_searched(gray)
    assert motion.update(gray, []) is None


def test_a_mask_without_changes_has_no_box() -> None:
    assert MotionMask(np.zeros((30, 40), np.bool_)).around(50) is None


class TestTheBorderOfAFollowedFace:
    FACE = FaceBox(96, 80, 80, 80)
    BESIDE = FaceBox(72, 88, 24, 56)

    def test_has_changed_once_where_something_comes_out_beside_the_face(self, motion: MotionDetector) -> None:
        assert motion.update(with_patch(self.BESIDE), [self.FACE]) is None
        assert motion.update_beside(self.FACE, [])
        assert not motion.update_beside(self.FACE, [])

    def test_has_not_where_only_the_face_changed(self, motion: MotionDetector) -> None:
        motion.update(with_patch(FaceBox(104, 88, 64, 64)), [self.FACE])
        assert not motion.update_beside(self.FACE, [])

    def test_has_not_where_another_followed_face_is_what_changed(self, motion: MotionDetector) -> None:
        motion.update(with_patch(self.BESIDE), [self.FACE, FaceBox(48, 64, 48, 96)])
        assert not motion.update_beside(self.FACE, [FaceBox(48, 64, 48, 96)])
