"""Non-maximum suppression: of strongly overlapping boxes, one remains."""

from __future__ import annotations

import numpy as np
import pytest

from fer_edge.detectors.nms import suppress_overlaps
from fer_edge.types import Detection, FaceBox


def face(x: int, size: int = 100, score: float = 0.5) -> Detection:
    return Detection(FaceBox(x, 0, size, size), score)


def by_score(detection: Detection) -> float:
    return detection.score or 0.0


def test_no_boxes_stay_no_boxes() -> None:
    assert suppress_overlaps([], 0.5, by_score) == ()


def test_separate_boxes_are_kept_by_descending_key() -> None:
    faces = [face(0, score=0.3), face(200, score=0.9), face(400, score=0.6)]
    assert suppress_overlaps(faces, 0.5, by_score) == (faces[1], faces[2], faces[0])


def test_of_overlapping_boxes_the_one_with_the_highest_key_is_kept() -> None:
    faces = [face(0, score=0.3), face(10, score=0.9), face(20, score=0.6)]
    assert suppress_overlaps(faces, 0.5, by_score) == (faces[1],)
    assert suppress_overlaps(faces, 0.5, lambda found: -found.box.x) == (faces[0],)


@pytest.mark.parametrize(("shift", "kept"), [(49, 2), (50, 1), (51, 2)])
def test_overlap_at_the_limit_is_suppressed(shift: int, kept: int) -> None:
    # Two boxes of 100×100 pixels that are 50 apart have an IoU of one third.
    limit = 1 / 3 if shift == 50 else FaceBox(0, 0, 100, 100).iou(FaceBox(shift, 0, 100, 100)) + 1e-9
    assert len(suppress_overlaps([face(0), face(shift)], limit, by_score)) == kept


def test_a_box_that_overlaps_only_a_suppressed_one_is_kept() -> None:
    faces = [face(0, score=0.9), face(40, score=0.8), face(80, score=0.7)]
    assert suppress_overlaps(faces, 0.3, by_score) == (faces[0], faces[2])


def test_of_equal_boxes_the_first_is_kept() -> None:
    first, second = face(0), face(5)
    assert suppress_overlaps([first, second], 0.5, by_score) == (first,)


def test_kept_boxes_are_disjoint_and_each_other_box_overlaps_an_earlier_one() -> None:
    rng = np.random.default_rng(0)
    faces = [
        Detection(FaceBox(*rng.integers(0, 300, 2).tolist(), *rng.integers(20, 90, 2).tolist()), float(score))
        for score in rng.random(200)
    ]
    kept = suppress_overlaps(iter(faces), 0.4, by_score)
    assert [by_score(one) for one in kept] == sorted(map(by_score, kept), reverse=True)
    assert all(one.box.iou(other.box) < 0.4 for one in kept for other in kept if one is not other)
    for left_out in set(faces) - set(kept):
        assert any(one.box.iou(left_out.box) >= 0.4 and by_score(one) >= by_score(left_out) for one in kept)


def test_nested_boxes_are_suppressed_on_request() -> None:
    outer, inner, beside = (
        Detection(FaceBox(*values), score)
        for values, score in (((0, 0, 187, 187), 0.2), ((40, 40, 80, 80), 0.9), ((200, 0, 80, 80), 0.1))
    )
    assert set(suppress_overlaps([outer, inner, beside], 0.5, by_score)) == {outer, inner, beside}
    assert suppress_overlaps([outer, inner, beside], 0.5, by_score, max_cover=0.6) == (inner, beside)
