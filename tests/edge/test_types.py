"""Frames, boxes, scores, and the rows that user scripts depend on."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import cv2
import numpy as np
import pytest

from fer_edge.types import Detection, FaceBox, Frame, FrameResult, GrayImage, Image
from tests.edge.support import make_face, noise


def unwanted() -> Image:
    raise AssertionError("nobody needs this image")


class TestFrame:
    def test_gray_is_bt601_of_the_colors(self) -> None:
        image = noise()
        assert np.array_equal(Frame(image).gray, cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))

    def test_gray_is_made_once(self) -> None:
        frame = Frame(noise())
        assert frame.gray is frame.gray

    def test_the_image_is_the_one_that_was_given(self) -> None:
        image = noise()
        assert Frame(image).image is image

    def test_images_made_by_functions_are_made_when_they_are_asked_for_and_once(self) -> None:
        made: list[str] = []

        def image() -> Image:
            made.append("image")
            return noise()

        def gray() -> GrayImage:
            made.append("gray")
            return noise()[..., 0]

        frame = Frame(image, gray=gray, size=(64, 48))
        assert made == []
        assert (frame.size, frame.box) == ((64, 48), FaceBox(0, 0, 64, 48))
        assert frame.gray is frame.gray
        assert made == ["gray"]
        assert frame.image is frame.image
        assert made == ["gray", "image"]

    def test_gray_provided_by_a_source_needs_no_colors(self) -> None:
        gray = noise()[..., 0]
        frame = Frame(unwanted, gray=gray)
        assert frame.gray is gray
        assert frame.size == (64, 48)

    def test_gray_of_a_lazy_image_is_made_from_it(self) -> None:
        frame = Frame(noise, size=(64, 48))
        assert np.array_equal(frame.gray, cv2.cvtColor(noise(), cv2.COLOR_BGR2GRAY))

    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (lambda: Frame(noise()[..., 0]), r"shape \(height, width, 3\), got uint8 \(48, 64\)"),
            (lambda: Frame(noise() / 255), "got float64"),
            (lambda: Frame(noise()[:0]), r"got uint8 \(0, 64, 3\)"),
            (lambda: Frame(None), "got NoneType"),  # type: ignore[arg-type]
            (lambda: Frame("face.jpg"), "got str"),  # type: ignore[arg-type]
            (lambda: Frame(noise(), gray=noise()), r"shape \(height, width\), got uint8 \(48, 64, 3\)"),
            (lambda: Frame(noise(), gray=noise(30, 20)[..., 0]), "has \\(30, 20\\) pixels, not \\(64, 48\\)"),
            (lambda: Frame(unwanted), "needs a size"),
            (lambda: Frame(noise(), index=0.5), "whole index"),
            (lambda: Frame(noise(), time_s="now"), "time in seconds"),
            (lambda: Frame(noise(), time_s=float("nan")), "finite"),
        ],
    )
    def test_anything_else_is_refused(self, make: Callable[[], Any], said: str) -> None:
        with pytest.raises(ValueError, match=said):
            make()

    def test_numbers_of_numpy_become_plain_numbers(self) -> None:
        frame = Frame(noise(), "screen", np.int64(3), np.float32(0.5))
        assert json.dumps([frame.index, frame.time_s]) == "[3, 0.5]"

    def test_it_can_be_pickled_with_its_images(self) -> None:
        clock = datetime(2026, 11, 26, tzinfo=UTC)
        copy = pickle.loads(
            pickle.dumps(Frame(lambda: noise(), "screen", 3, 0.5, size=(64, 48), clock=clock))
        )
        assert (copy.source, copy.index, copy.time_s, copy.clock, copy.size) == (
            "screen",
            3,
            0.5,
            clock,
            (64, 48),
        )
        assert np.array_equal(copy.image, noise())

    def test_the_box_of_a_frame_is_all_of_it(self) -> None:
        assert Frame(noise(30, 20)).box == FaceBox(0, 0, 30, 20)


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


def test_a_box_has_a_center_and_an_area_and_can_grow() -> None:
    box = FaceBox(10, 20, 30, 40)
    assert (box.center, box.area) == ((25, 40), 1200)
    assert box.grown(5) == FaceBox(5, 15, 40, 50)
    assert box.grown(-5) == FaceBox(15, 25, 20, 30)


def test_a_detection_s_key_points_move_with_it() -> None:
    detection = Detection(FaceBox(10, 20, 30, 30), 0.9, ((15.0, 25.0), (35.5, 25.0)))
    moved = detection.moved_to(FaceBox(13, 16, 30, 30))
    assert moved == Detection(FaceBox(13, 16, 30, 30), 0.9, ((18.0, 21.0), (38.5, 21.0)))
    assert detection.moved_to(detection.box) == detection


def test_a_face_shows_where_it_is_and_how_sure_the_detector_is() -> None:
    face = make_face(FaceBox(1, 2, 3, 4), confidence=0.5)
    assert (face.box, face.confidence) == (FaceBox(1, 2, 3, 4), 0.5)
    assert (face.emotion, face.score) == ("happy", 0.75)


def test_record_has_the_documented_form() -> None:
    frame = Frame(np.zeros((4, 4, 3), np.uint8), "clip.mp4", 12, 0.4)
    face = make_face(FaceBox(1, 2, 3, 4), score=2 / 3, number=3, confidence=0.98765432)
    assert FrameResult(frame, (face,)).as_record() == {
        "source": "clip.mp4",
        "frame": 12,
        "time_s": 0.4,
        "clock": None,
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


def test_a_live_frame_has_the_wall_clock_with_its_offset() -> None:
    clock = datetime(2026, 11, 26, 1, 2, 3, 456789, timezone(timedelta(hours=1)))
    record = FrameResult(Frame(np.zeros((4, 4, 3), np.uint8), "0", 5, 0.2, clock=clock), ()).as_record()
    assert record["clock"] == "2026-11-26T01:02:03.456+01:00"


def test_a_still_image_has_no_time_and_may_have_no_face() -> None:
    record = FrameResult(Frame(np.zeros((4, 4, 3), np.uint8), "a.png"), ()).as_record()
    assert record == {"source": "a.png", "frame": 0, "time_s": None, "clock": None, "faces": []}


def test_results_can_be_compared_and_kept_in_sets() -> None:
    frame, same = (Frame(np.zeros((4, 4, 3), np.uint8), "a.png") for _ in range(2))
    assert FrameResult(frame, ()) == FrameResult(frame, ())
    assert FrameResult(frame, ()) != FrameResult(same, ())
    assert len({FrameResult(frame, ()), FrameResult(frame, ()), FrameResult(same, ())}) == 2
