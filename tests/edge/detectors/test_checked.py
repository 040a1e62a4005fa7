"""Detectors from outside this package: what they return is checked, and their failures are errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fer_edge.detectors.base import DetectorTraits
from fer_edge.detectors.checked import CheckedDetector
from fer_edge.errors import DetectorError, ModelError
from fer_edge.types import Detection, FaceBox, Frame, Framing

FRAME = Frame(np.zeros((300, 400, 3), np.uint8), "photo.jpg")
BOX = FaceBox(100, 80, 90, 90)


class Own:
    """A detector that returns or raises whatever a test needs."""

    name = "own"
    traits = DetectorTraits()

    def __init__(self, result: Callable[[], Any], smallest: Any = 24) -> None:
        self.result, self.smallest = result, smallest

    def detect(self, frame: Frame, roi: FaceBox | None = None, **sizes: float | None) -> Any:
        return self.result()

    def smallest_face(self, frame: Frame) -> Any:
        return self.smallest

    def close(self) -> None: ...


def detect(result: Any) -> tuple[Detection, ...]:
    """Return what remains of the result of a detector."""
    return CheckedDetector(Own(lambda: result)).detect(FRAME)


@pytest.mark.parametrize(
    "face",
    [
        Detection(BOX),
        Detection(BOX, score=0.0),
        Detection(FaceBox(399, 299, 1, 1), score=1.0),
        Detection(BOX, landmarks=((-900.0, 4000.0), (120.0, 110.0))),  # outside the frame
        Detection(BOX, landmarks=((120.0, 110.0), (120.0, 110.0))),  # eyes that coincide
        Detection(BOX, outer=FaceBox(-100, -100, 400, 400), tilt=-170.0),
        Detection(BOX, framing=Framing(scale=1.2, shift_y=-0.1)),
    ],
)
def test_valid_faces_stay_as_they_are(face: Detection) -> None:
    assert detect((face,)) == (face,)


def test_a_list_and_no_faces_are_fine() -> None:
    assert detect([Detection(BOX)]) == (Detection(BOX),)
    assert detect([]) == ()


def test_a_box_beyond_the_frame_is_clipped_and_kept_for_the_crop() -> None:
    beyond = FaceBox(-50, 200, 600, 700)
    (face,) = detect((Detection(beyond),))
    assert face.box == FaceBox(0, 200, 400, 100)
    assert face.outer == beyond


def test_numbers_become_plain_ones() -> None:
    box = FaceBox(*np.array([10, 20, 30, 40]))
    points = ((np.float32(15), np.float32(25)),)
    (face,) = detect((Detection(box, score=np.float32(0.5), landmarks=points),))  # type: ignore[arg-type]
    assert face == Detection(FaceBox(10, 20, 30, 40), 0.5, ((15.0, 25.0),))
    assert {type(n) for n in (face.box.x, face.box.height)} == {int}
    assert {type(n) for n in (face.score, *face.landmarks[0])} == {float}
    (face,) = detect((Detection(FaceBox(10.4, 20.6, 30.2, 0.3 + 1)),))  # type: ignore[arg-type]
    assert face.box == FaceBox(10, 21, 30, 1)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (None, "returned NoneType; it must return a tuple"),
        (((1, 2, 3, 4),), "returned a tuple as a face"),
        ((Detection((1, 2, 3, 4)),), r"returned \(1, 2, 3, 4\) as a box"),  # type: ignore[arg-type]
        ((Detection(FaceBox(0, 0, math.nan, 5)),), "a FaceBox of finite numbers"),  # type: ignore[arg-type]
        ((Detection(FaceBox(5, 5, 0, 10)),), "a box of 0×10 pixels"),
        ((Detection(FaceBox(50, 50, -9, -9)),), "a box of -9×-9 pixels"),
        ((Detection(FaceBox(500, 10, 40, 40)),), "outside the frame of 400×300 pixels"),
        ((Detection(FaceBox(-(10**9), 0, 2 * 10**9, 100)),), "too large for a face"),
        ((Detection(BOX, outer=FaceBox(0, 0, 10**6, 9)),), "too large for a face"),
        ((Detection(BOX, score=math.nan),), "the score nan; it must be from 0 to 1"),
        ((Detection(BOX, score=87.0),), r"the score 87\.0; it must be from 0 to 1"),
        ((Detection(BOX, landmarks=((math.nan, 1.0),)),), "key points that are not pairs"),
        ((Detection(BOX, landmarks=((1.0,),)),), "key points that are not pairs"),  # type: ignore[arg-type]
        ((Detection(BOX, landmarks=None),), "key points that are not pairs"),  # type: ignore[arg-type]
        ((Detection(BOX, tilt=math.inf),), "the tilt inf"),
        ((Detection(BOX, framing=Framing(scale=math.inf)),), "its scale must be above 0"),
        ((Detection(BOX, framing=Framing(scale=0.0)),), "its scale must be above 0"),
    ],
)
def test_invalid_results_are_errors_of_one_line_and_not_no_face(result: Any, reason: str) -> None:
    with pytest.raises(DetectorError, match=rf"^photo\.jpg: the detector own .*{reason}") as caught:
        detect(result)
    assert "\n" not in str(caught.value)


def test_any_exception_is_an_error_that_names_the_image() -> None:
    def fail() -> None:
        raise ValueError("no\nluck")

    with pytest.raises(DetectorError, match=r"^photo\.jpg: the detector own failed: ValueError: no luck$"):
        CheckedDetector(Own(fail)).detect(FRAME)
    frame = Frame(FRAME.image, "clip.mp4", 7, 0.25)
    with pytest.raises(DetectorError, match=r"^clip\.mp4, frame 7: the detector own failed: "):
        CheckedDetector(Own(fail)).detect(frame)


def test_an_error_of_this_package_comes_through() -> None:
    def fail() -> None:
        raise ModelError("own.onnx: damaged")

    with pytest.raises(ModelError, match=r"^own\.onnx: damaged$"):
        CheckedDetector(Own(fail)).detect(FRAME)


@pytest.mark.parametrize("smallest", [0, -3, math.nan, math.inf, None, "24"])
def test_a_smallest_face_without_a_size_is_an_error(smallest: Any) -> None:
    with pytest.raises(DetectorError, match="as its smallest face; it must be at least 1 pixel"):
        CheckedDetector(Own(tuple, smallest)).smallest_face(FRAME)


def test_a_fractional_smallest_face_is_rounded() -> None:
    assert CheckedDetector(Own(tuple, 23.6)).smallest_face(FRAME) == 24
