"""OpenCV's cascade on a real image."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.detectors.haar import FRAMING, HaarDetector
from fer_edge.detectors.registry import create_detector
from fer_edge.errors import DetectorError
from fer_edge.types import Detection, FaceBox, Frame, Image
from tests.edge.support import FACE_IN_PORTRAIT as FACE
from tests.edge.support import moved


def boxes_of(faces: Iterable[Detection]) -> list[FaceBox]:
    return [face.box for face in faces]


@pytest.fixture(params=[False, True], ids=["video", "still"])
def haar(request: pytest.FixtureRequest) -> HaarDetector:
    return HaarDetector(still_image=request.param)


def test_the_portrait_has_exactly_one_face_inside_it(haar: HaarDetector, portrait: Image) -> None:
    (face,) = haar.detect(Frame(portrait))
    height, width = portrait.shape[:2]
    assert face.box.clipped(width, height) == face.box
    assert face.box.iou(FACE) > 0.75
    assert (face.score, face.landmarks, face.framing) == (None, (), FRAMING)


def test_the_hits_that_agree_on_a_face_are_counted_and_are_no_score(portrait: Image) -> None:
    haar = HaarDetector()
    (face,) = haar.detect(Frame(portrait))
    assert face.support is not None
    assert face.support >= haar.traits.sure_support > 0
    assert face.score is None


def test_weak_hits_tell_where_a_face_of_a_known_size_is_and_make_no_face(portrait: Image) -> None:
    haar = HaarDetector()
    frame = Frame(np.asarray(cv2.GaussianBlur(portrait, (0, 0), 9), np.uint8))
    found = haar.detect(frame, frame.box, min_size=0.85 * FACE.width, max_size=1.2 * FACE.width)
    weak = [face for face in found if (face.support or 0) < haar.traits.sure_support]
    everywhere = haar.detect(frame)
    assert all((face.support or 0) >= haar.traits.sure_support for face in everywhere)
    assert len(weak) + len(everywhere) > 0


def test_the_same_image_gives_the_same_faces(haar: HaarDetector, portrait: Image) -> None:
    assert haar.detect(Frame(portrait)) == haar.detect(Frame(portrait))


def test_a_face_cut_off_by_the_image_gives_a_box_inside_it(portrait: Image) -> None:
    haar = HaarDetector()
    for x, y in [(-140, 0), (120, 0), (0, -90), (0, 250)]:
        for face in haar.detect(Frame(moved(portrait, x, y))):
            assert face.box.clipped(512, 600) == face.box


def test_several_faces_come_largest_first(portrait: Image) -> None:
    row = [portrait]
    for scale in (0.6, 0.8):
        small = cv2.resize(portrait, None, fx=scale, fy=scale)
        below = cv2.copyMakeBorder(small, 0, 600 - small.shape[0], 0, 0, cv2.BORDER_REPLICATE)
        row.append(np.asarray(below, np.uint8))
    boxes = boxes_of(HaarDetector().detect(Frame(np.asarray(np.hstack(row), np.uint8))))
    assert [box.x > 512 * 1.6 for box in boxes] == [False, True, False]
    assert [box.width for box in boxes] == sorted((box.width for box in boxes), reverse=True)


@pytest.mark.parametrize(
    ("min_face", "found"), [(24, 1), (60, 1), (100, 1), (300, 0), (600, 0), (100_000, 0)]
)
@pytest.mark.parametrize("still_image", [False, True])
def test_a_face_below_the_smallest_is_not_found(
    min_face: int, found: int, still_image: bool, portrait: Image
) -> None:
    limited = create_detector("haar", min_face=min_face, still_image=still_image)
    assert len(limited.detect(Frame(portrait))) == found


def test_in_a_still_image_it_finds_smaller_faces(portrait: Image) -> None:
    small = np.asarray(cv2.resize(portrait, (85, 100), interpolation=cv2.INTER_AREA), np.uint8)
    image = np.asarray(cv2.copyMakeBorder(small, 300, 300, 300, 300, cv2.BORDER_REPLICATE), np.uint8)
    assert not HaarDetector().detect(Frame(image))
    assert len(HaarDetector(still_image=True).detect(Frame(image))) == 1


@pytest.mark.parametrize("scale", [0.25, 1, 8])
def test_in_a_still_image_it_finds_a_face_that_fills_the_image(scale: float, portrait: Image) -> None:
    inside = portrait[FACE.y + 20 : FACE.y + 210, FACE.x + 20 : FACE.x + 210]
    image = np.asarray(cv2.resize(inside, None, fx=scale, fy=scale), np.uint8)
    height, width = image.shape[:2]
    (box,) = boxes_of(HaarDetector(still_image=True).detect(Frame(image)))
    assert box.iou(FaceBox(0, 0, width, height)) > 0.75
    assert box.clipped(width, height) == box
    assert HaarDetector(still_image=True, min_face=2 * width).detect(Frame(image)) == ()


@pytest.mark.parametrize(
    "shape", [(1, 1), (10, 10), (23, 23), (24, 24), (25, 25), (1, 1000), (1000, 1), (24, 500)]
)
@pytest.mark.parametrize("min_face", [None, 1, 24, 500])
def test_tiny_images_have_no_face(shape: tuple[int, int], min_face: int | None) -> None:
    haar = HaarDetector(min_face=min_face, still_image=True)
    assert haar.detect(Frame(np.full((*shape, 3), 128, np.uint8))) == ()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_empty_image_has_no_face(value: int, haar: HaarDetector) -> None:
    assert haar.detect(Frame(np.full((480, 640, 3), value, np.uint8))) == ()


def detect_near(haar: HaarDetector, image: Image, box: FaceBox) -> FaceBox | None:
    """Search for a face that was just seen in a box, with the tracker's parameters."""
    size = max(box.width, box.height)
    part = box.grown(round(haar.traits.follow_margin * size)).clipped(image.shape[1], image.shape[0])
    assert part is not None
    found = haar.detect(Frame(image), part, min_size=size / 1.2, max_size=1.2 * size)
    return max(boxes_of(found), key=box.iou, default=None)


def test_a_face_of_a_known_size_is_found_near_where_it_was(haar: HaarDetector, portrait: Image) -> None:
    (face,) = haar.detect(Frame(portrait))
    box = face.box
    shifts = list(itertools.product(range(-40, 41, 20), repeat=2))
    followed = [(shift, detect_near(haar, moved(portrait, *shift), box)) for shift in shifts]
    found = [(shift, found) for shift, found in followed if found is not None]
    # The whole image is searched where the face is not found, so 90 % is enough.
    assert len(found) >= 0.9 * len(shifts)
    for (x, y), now in found:
        assert now.iou(FaceBox(box.x + x, box.y + y, box.width, box.height)) > 0.7
        assert now.clipped(512, 600) == now


def test_a_face_that_is_gone_is_not_found(haar: HaarDetector) -> None:
    assert detect_near(haar, np.full((600, 512, 3), 128, np.uint8), FACE) is None


def test_a_face_elsewhere_is_not_found(haar: HaarDetector, portrait: Image) -> None:
    found = detect_near(haar, portrait, FaceBox(0, 420, 100, 100))
    assert found is None or found.iou(FaceBox(0, 420, 100, 100)) < 0.2


@pytest.mark.parametrize("box", [FaceBox(0, 0, 1, 1), FaceBox(511, 599, 1, 1), FaceBox(0, 0, 512, 600)])
def test_any_part_of_the_image_can_be_searched(box: FaceBox, portrait: Image) -> None:
    now = detect_near(HaarDetector(), portrait, box)
    assert now is None or now.clipped(512, 600) == now
    for face in HaarDetector().detect(Frame(portrait), box):
        assert face.box.clipped(512, 600) == face.box


@pytest.mark.parametrize(
    ("sizes", "found"),
    [((None, None), 1), ((100, 300), 1), ((300, None), 0), ((None, 100), 0), ((24, 100), 0)],
)
@pytest.mark.parametrize("part", [None, FaceBox(100, 50, 350, 350)])
def test_faces_of_the_sizes_that_are_wanted(
    sizes: tuple[int | None, int | None], part: FaceBox | None, found: int, portrait: Image
) -> None:
    faces = HaarDetector().detect(Frame(portrait), part, min_size=sizes[0], max_size=sizes[1])
    # Other boxes are allowed, such as an eye that resembles a small face.
    assert sum(face.box.iou(FACE) > 0.6 for face in faces) >= min(1, found)
    if not found:
        assert all(face.box.iou(FACE) < 0.6 for face in faces)


def test_only_the_part_is_searched(portrait: Image) -> None:
    both = Frame(np.asarray(np.hstack([portrait, portrait]), np.uint8))
    right = FaceBox(512, 0, 512, 600)
    boxes = boxes_of(HaarDetector().detect(both, right))
    assert boxes
    assert all(box.x >= 512 for box in boxes)


def test_the_smallest_face_is_a_share_of_the_frame() -> None:
    frame = Frame(np.zeros((480, 640, 3), np.uint8))
    assert HaarDetector().smallest_face(frame) == 40
    assert HaarDetector(still_image=True).smallest_face(frame) == 24
    assert HaarDetector(min_face=77).smallest_face(frame) == 77


def test_in_a_video_no_colors_are_needed(portrait: Image) -> None:
    def unwanted() -> Image:
        raise AssertionError("nobody needs the colors")

    assert len(HaarDetector().detect(Frame(unwanted, gray=Frame(portrait).gray))) == 1


def test_the_image_is_not_changed(haar: HaarDetector, portrait: Image) -> None:
    before = portrait.copy()
    haar.detect(Frame(portrait))
    haar.detect(Frame(portrait), FACE)
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
    with pytest.raises(DetectorError, match=r"cannot load OpenCV's Haar cascade; .*pip install"):
        HaarDetector()


def test_an_opencv_without_cascades_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(DetectorError, match=r"opencv-python-headless<5"):
        create_detector("haar")


def test_long_images_do_not_change_the_cascade(portrait: Image) -> None:
    """The largest width combined with the largest height would take gigabytes."""
    haar = HaarDetector(still_image=True)
    before = haar.detect(Frame(portrait))
    for shape in ((112, 28_000), (28_000, 112)):
        haar.detect(Frame(np.full((*shape, 3), 99, np.uint8)))
    assert math.prod(haar._searched) <= 5_000_000
    assert haar.detect(Frame(portrait)) == before


def test_faces_are_found_once_in_every_section_of_a_long_image(portrait: Image) -> None:
    strip = np.full((600, 8_000, 3), 128, np.uint8)
    places = range(0, 8_000 - 512, 1700)
    for x in places:
        strip[:, x : x + 512] = portrait[:600]
    found = [face.box for face in HaarDetector(still_image=True, min_face=30).detect(Frame(strip))]
    for x in places:
        assert sum(box.iou(FaceBox(FACE.x + x, FACE.y, FACE.width, FACE.height)) > 0.6 for box in found) == 1
