"""The assignment of detections to tracks, and duplicate boxes."""

from __future__ import annotations

import numpy as np
import pytest

from fer_edge.tracking.association import (
    find_duplicates,
    find_occluder,
    is_same_face,
    keep_best_supported,
    match_tracks,
)
from fer_edge.tracking.template import Template
from fer_edge.tracking.track import Track
from fer_edge.types import Detection, FaceBox

GRAY = np.random.default_rng(0).integers(0, 256, (400, 640), np.uint8)


def track(number: int, box: FaceBox, *, support: int | None = None, miss_count: int = 0) -> Track:
    return Track(
        number, Detection(box, support=support), 0.0, Template.from_box(GRAY, box), miss_count=miss_count
    )


def test_the_box_with_more_hits_wins_not_the_larger_one() -> None:
    large = Detection(FaceBox(100, 100, 187, 187), support=5)
    small = Detection(FaceBox(118, 120, 150, 150), support=45)
    assert keep_best_supported([large, small]) == [small]


def test_where_hits_are_not_counted_the_score_decides() -> None:
    large, small = Detection(FaceBox(0, 0, 100, 100), 0.6), Detection(FaceBox(5, 5, 90, 90), 0.9)
    assert keep_best_supported([large, small]) == [small]


@pytest.mark.parametrize(
    ("box", "same"),
    [((105, 100, 100, 100), True), ((120, 120, 40, 40), True), ((180, 100, 100, 100), False)],
)
def test_boxes_show_one_face_where_they_overlap_or_nest(box: tuple[int, int, int, int], same: bool) -> None:
    assert is_same_face(FaceBox(100, 100, 100, 100), FaceBox(*box)) is same


def test_of_two_nested_tracks_one_ends_the_one_with_more_doubt() -> None:
    outer = track(0, FaceBox(100, 100, 187, 187), support=5)
    inner = track(1, FaceBox(118, 120, 150, 150), support=45)
    assert find_duplicates([outer, inner]) == [outer]
    inner.miss_count = 1
    assert find_duplicates([outer, inner]) == [inner]


@pytest.mark.parametrize(("support", "ends"), [(8, "new"), (20, "new"), (45, "followed")])
def test_a_followed_face_ends_for_a_box_on_it_only_if_that_has_far_more_hits(support: int, ends: str) -> None:
    followed = track(0, FaceBox(352, 0, 207, 207), support=6)
    followed.established = True
    new = track(1, FaceBox(475, 56, 72, 72), support=support)
    assert find_duplicates([followed, new]) == [{"new": new, "followed": followed}[ends]]


def test_a_face_that_was_covered_comes_out_beside_whoever_covers_it() -> None:
    lost, occluder = track(0, FaceBox(100, 100, 80, 80)), track(1, FaceBox(120, 100, 90, 90))
    lost.may_return = True
    lost.occluder = find_occluder(lost, [occluder], 0.0)
    assert lost.occluder is occluder
    occluder.update(Detection(FaceBox(300, 100, 90, 90)), 0.5)
    face = Detection(FaceBox(220, 100, 80, 80))
    assert match_tracks([lost], [face], GRAY, 0.5, 0.8) == [(lost, face)]
    lost.occluder = None
    assert match_tracks([lost], [face], GRAY, 0.5, 0.8) == []


def test_who_left_the_frame_is_not_who_enters_there() -> None:
    leaving = track(0, FaceBox(2, 100, 80, 80))
    leaving.velocity = (-90.0, 0.0)
    assert leaving.is_leaving((640, 400))
    leaving.velocity = (90.0, 0.0)
    assert not leaving.is_leaving((640, 400))
