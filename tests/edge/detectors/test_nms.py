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


def test_none_stay_none() -> None:
    assert suppress_overlaps([], 0.5, by_score) == ()


def test_those_apart_stay_by_falling_key() -> None:
    faces = [face(0, score=0.3), face(200, score=0.9), face(400, score=0.6)]
    assert suppress_overlaps(faces, 0.5, by_score) == (faces[1], faces[2], faces[0])


def test_of_those_that_overlap_the_one_with_the_highest_key_stays() -> None:
    faces = [face(0, score=0.3), face(10, score=0.9), face(20, score=0.6)]
    assert suppress_overlaps(faces, 0.5, by_score) == (faces[1],)
    assert suppress_overlaps(faces, 0.5, lambda found: -found.box.x) == (faces[0],)


@pytest.mark.parametrize(("shift", "kept"), [(49, 2), (50, 1), (51, 2)])
def test_the_limit_itself_is_too_much(shift: int, kept: int) -> None:
    # Two boxes of 100×100 pixels that are 50 apart have an IoU of one third.
    limit = 1 / 3 if shift == 50 else FaceBox(0, 0, 100, 100).iou(FaceBox(shift, 0, 100, 100)) + 1e-9
    assert len(suppress_overlaps([face(0), face(shift)], limit, by_score)) == kept


def test_what_overlaps_a_suppressed_one_only_stays() -> None:
    faces = [face(0, score=0.9), face(40, score=0.8), face(80, score=0.7)]
    assert suppress_overlaps(faces, 0.3, by_score) == (faces[0], faces[2])


def test_of_equals_the_first_stays() -> None:
    first, second = face(0), face(5)
    assert suppress_overlaps([first, second], 0.5, by_score) == (first,)


def test_no_two_that_are_left_overlap_and_every_other_overlaps_one_before_it() -> None:
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


def test_a_box_nested_in_another_one_is_left_out_where_that_is_asked_for() -> None:
    outer, inner, beside = (
        Detection(FaceBox(*values), score)
        for values, score in (((0, 0, 187, 187), 0.2), ((40, 40, 80, 80), 0.9), ((200, 0, 80, 80), 0.1))
    )
    assert set(suppress_overlaps([outer, inner, beside], 0.5, by_score)) == {outer, inner, beside}
    assert suppress_overlaps([outer, inner, beside], 0.5, by_score, max_cover=0.6) == (inner, beside)
