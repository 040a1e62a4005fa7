"""Boxes, scores and the rows that users script against."""

from __future__ import annotations

import numpy as np
import pytest

from fer_edge.types import EmotionScores, FaceBox, FaceResult, Frame, FrameResult


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (FaceBox(-5, -5, 20, 20), FaceBox(0, 0, 15, 15)),
        (FaceBox(90, 40, 20, 20), FaceBox(90, 40, 10, 10)),
        (FaceBox(10, 10, 5, 5), FaceBox(10, 10, 5, 5)),
        (FaceBox(100, 0, 5, 5), None),
        (FaceBox(-5, 0, 5, 5), None),
        (FaceBox(3, 3, 0, 4), None),
    ],
)
def test_a_box_is_clipped_to_the_frame(box: FaceBox, expected: FaceBox | None) -> None:
    assert box.clipped(100, 50) == expected


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (FaceBox(0, 0, 10, 10), 1.0),
        (FaceBox(5, 0, 10, 10), 1 / 3),
        (FaceBox(10, 0, 10, 10), 0.0),
        (FaceBox(2, 2, 5, 5), 0.25),
    ],
)
def test_intersection_over_union(other: FaceBox, expected: float) -> None:
    assert FaceBox(0, 0, 10, 10).iou(other) == pytest.approx(expected)


def test_record_has_the_documented_form() -> None:
    frame = Frame(np.zeros((4, 4, 3), np.uint8), "clip.mp4", 12, 0.4)
    scores = EmotionScores(("sad", "happy"), (1 / 3, 2 / 3))
    result = FrameResult(frame, (FaceResult(3, FaceBox(1, 2, 3, 4, 0.98765432), scores, "happy"),))
    assert result.as_record() == {
        "source": "clip.mp4",
        "frame": 12,
        "time_s": 0.4,
        "faces": [
            {
                "id": 3,
                "box": [1, 2, 3, 4],
                "confidence": 0.987654,
                "emotion": "happy",
                "score": 0.666667,
                "scores": {"sad": 0.333333, "happy": 0.666667},
            }
        ],
    }


def test_a_picture_has_no_time_and_may_have_no_face() -> None:
    record = FrameResult(Frame(np.zeros((4, 4, 3), np.uint8), "a.png"), ()).as_record()
    assert record == {"source": "a.png", "frame": 0, "time_s": None, "faces": []}


def test_results_can_be_compared_and_kept_in_sets() -> None:
    frame, same = (Frame(np.zeros((4, 4, 3), np.uint8), "a.png") for _ in range(2))
    assert FrameResult(frame, ()) == FrameResult(frame, ())
    assert FrameResult(frame, ()) != FrameResult(same, ())
    assert len({FrameResult(frame, ()), FrameResult(frame, ()), FrameResult(same, ())}) == 2
