"""Finding and following faces on a real picture."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.detectors.haar import HaarDetector
from fer_edge.detectors.registry import DETECTORS, Detector, create_detector
from fer_edge.errors import DetectorError, UsageError
from fer_edge.types import FaceBox

FACE = FaceBox(150, 100, 230, 230)
"""Where the portrait's face is, about."""


@pytest.fixture(params=[False, True], ids=["video", "thorough"])
def haar(request: pytest.FixtureRequest) -> HaarDetector:
    return HaarDetector(thorough=request.param)


def moved(image: NDArray[np.uint8], x: int, y: int) -> NDArray[np.uint8]:
    """The picture moved by some pixels, its edge repeated."""
    height, width = image.shape[:2]
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
    return np.asarray(
        cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def test_the_portrait_has_exactly_one_face_inside_it(haar: HaarDetector, portrait: NDArray[np.uint8]) -> None:
    (box,) = haar.detect(portrait)
    height, width = portrait.shape[:2]
    assert box.clipped(width, height) == box
    assert box.iou(FACE) > 0.75
    assert box.confidence is None
    assert not box.is_crop


def test_the_same_picture_gives_the_same_faces(haar: HaarDetector, portrait: NDArray[np.uint8]) -> None:
    assert haar.detect(portrait) == haar.detect(portrait)


def test_a_face_cut_off_by_the_picture_gives_a_box_inside_it(portrait: NDArray[np.uint8]) -> None:
    haar = HaarDetector()
    for x, y in [(-140, 0), (120, 0), (0, -90), (0, 250)]:
        for box in haar.detect(moved(portrait, x, y)):
            assert box.clipped(512, 600) == box


def test_several_faces_come_largest_first(portrait: NDArray[np.uint8]) -> None:
    row = [portrait]
    for scale in (0.6, 0.8):
        small = cv2.resize(portrait, None, fx=scale, fy=scale)
        below = cv2.copyMakeBorder(small, 0, 600 - small.shape[0], 0, 0, cv2.BORDER_REPLICATE)
        row.append(np.asarray(below, np.uint8))
    boxes = HaarDetector().detect(np.asarray(np.hstack(row), np.uint8))
    assert [box.x > 512 * 1.6 for box in boxes] == [False, True, False]
    assert [box.width for box in boxes] == sorted((box.width for box in boxes), reverse=True)


@pytest.mark.parametrize(
    ("min_face", "found"), [(24, 1), (60, 1), (100, 1), (300, 0), (600, 0), (100_000, 0)]
)
@pytest.mark.parametrize("thorough", [False, True])
def test_a_face_below_the_smallest_is_not_found(
    min_face: int, found: int, thorough: bool, portrait: NDArray[np.uint8]
) -> None:
    limited = create_detector("haar", min_face=min_face, thorough=thorough)
    assert len(limited.detect(portrait)) == found


def test_thorough_finds_smaller_faces(portrait: NDArray[np.uint8]) -> None:
    small = np.asarray(cv2.resize(portrait, (85, 100), interpolation=cv2.INTER_AREA), np.uint8)
    image = np.asarray(cv2.copyMakeBorder(small, 300, 300, 300, 300, cv2.BORDER_REPLICATE), np.uint8)
    assert not HaarDetector().detect(image)
    assert len(HaarDetector(thorough=True).detect(image)) == 1


@pytest.mark.parametrize("scale", [0.25, 1, 8])
def test_thorough_finds_a_face_that_fills_its_picture(scale: float, portrait: NDArray[np.uint8]) -> None:
    inside = portrait[FACE.y + 20 : FACE.y + 210, FACE.x + 20 : FACE.x + 210]
    image = np.asarray(cv2.resize(inside, None, fx=scale, fy=scale), np.uint8)
    height, width = image.shape[:2]
    (box,) = HaarDetector(thorough=True).detect(image)
    assert box.iou(FaceBox(0, 0, width, height)) > 0.75
    assert box.clipped(width, height) == box
    assert HaarDetector(thorough=True, min_face=2 * width).detect(image) == ()


@pytest.mark.parametrize(
    "shape", [(1, 1), (10, 10), (23, 23), (24, 24), (25, 25), (1, 1000), (1000, 1), (24, 500)]
)
@pytest.mark.parametrize("min_face", [None, 1, 24, 500])
def test_tiny_pictures_have_no_face(shape: tuple[int, int], min_face: int | None) -> None:
    haar = HaarDetector(min_face=min_face, thorough=True)
    assert haar.detect(np.full((*shape, 3), 128, np.uint8)) == ()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_empty_picture_has_no_face(value: int, haar: HaarDetector) -> None:
    assert haar.detect(np.full((480, 640, 3), value, np.uint8)) == ()


def test_a_face_is_followed_where_it_moves(haar: HaarDetector, portrait: NDArray[np.uint8]) -> None:
    (box,) = haar.detect(portrait)
    shifts = list(itertools.product(range(-40, 41, 20), repeat=2))
    followed = [(shift, haar.follow(moved(portrait, *shift), box)) for shift in shifts]
    found = [(shift, found) for shift, found in followed if found is not None]
    # Where it is not found the whole picture is searched: rare is enough.
    assert len(found) >= 0.9 * len(shifts)
    for (x, y), now in found:
        assert now.iou(FaceBox(box.x + x, box.y + y, box.width, box.height)) > 0.7
        assert now.clipped(512, 600) == now


def test_a_face_that_is_gone_is_not_followed(haar: HaarDetector) -> None:
    assert haar.follow(np.full((600, 512, 3), 128, np.uint8), FACE) is None


def test_a_face_elsewhere_is_not_followed(haar: HaarDetector, portrait: NDArray[np.uint8]) -> None:
    assert haar.follow(portrait, FaceBox(0, 420, 100, 100)) is None


@pytest.mark.parametrize("box", [FaceBox(0, 0, 1, 1), FaceBox(511, 599, 1, 1), FaceBox(0, 0, 512, 600)])
def test_any_box_in_the_picture_can_be_followed(box: FaceBox, portrait: NDArray[np.uint8]) -> None:
    now = HaarDetector().follow(portrait, box)
    assert now is None or now.clipped(512, 600) == now


def test_the_picture_is_not_changed(haar: HaarDetector, portrait: NDArray[np.uint8]) -> None:
    before = portrait.copy()
    haar.detect(portrait)
    haar.follow(portrait, FACE)
    assert np.array_equal(portrait, before)


@pytest.mark.parametrize(
    "content",
    [None, b"", b"no XML"],
    ids=["missing", "empty", "damaged"],
)
def test_a_cascade_that_is_missing_or_damaged_is_an_error(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    if content is not None:
        (tmp_path / "data/haarcascade_frontalface_default.xml").write_bytes(content)
    monkeypatch.setattr(cv2, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(DetectorError, match=r"expected OpenCV's Haar cascade in .*pip install"):
        HaarDetector()


def test_an_opencv_without_cascades_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(DetectorError, match=r"opencv-python-headless<5"):
        create_detector("haar")


def test_without_detection_each_picture_is_one_face(portrait: NDArray[np.uint8]) -> None:
    none = create_detector("none")
    (box,) = none.detect(portrait)
    assert box == FaceBox(0, 0, 512, 600, is_crop=True)
    assert none.follow(portrait[:48, :40], box) == FaceBox(0, 0, 40, 48, is_crop=True)


@pytest.mark.parametrize("name", sorted(DETECTORS.keys() - {"mediapipe"}))  # which wants a model
def test_a_detector_is_made_by_its_name(name: str) -> None:
    detector: Detector = create_detector(name)
    assert detector.name == name
    detector.close()


def test_an_unknown_detector_is_refused() -> None:
    with pytest.raises(UsageError, match=r"expected a detector \(haar, mediapipe, none\), got 'hog'"):
        create_detector("hog")


def test_a_smallest_face_means_nothing_without_detection() -> None:
    with pytest.raises(UsageError, match="--min-face"):
        create_detector("none", min_face=40)
