"""Which face is which: with faces drawn by hand and a detector that knows where they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.detectors.full_frame import WholePicture
from fer_edge.detectors.haar import HaarDetector
from fer_edge.errors import DetectorError
from fer_edge.tracking.template import Changes
from fer_edge.tracking.tracker import TrackedFace, Tracker
from fer_edge.types import FaceBox, Frame

WIDTH, HEIGHT, RATE = 320, 240, 25.0

Path = Callable[[float], FaceBox | None]
"""Where a face is at a time in seconds; None while it is out of sight."""


def still(x: int, y: int, size: int = 60) -> Path:
    return lambda time_s: FaceBox(x, y, size, size)


def moving(
    start: tuple[float, float], velocity: tuple[float, float], size: float = 60, growth: float = 0
) -> Path:
    """A face that moves by ``velocity`` pixels per second and grows by ``growth`` of its size per second."""

    def at(time_s: float) -> FaceBox:
        side = round(size * (1 + growth * time_s))
        return FaceBox(
            round(start[0] + velocity[0] * time_s), round(start[1] + velocity[1] * time_s), side, side
        )

    return at


def hidden(path: Path, start: float, end: float) -> Path:
    return lambda time_s: None if start <= time_s < end else path(time_s)


@cache
def noise(number: int) -> NDArray[np.uint8]:
    """An empty room, as a camera sees it."""
    return np.random.default_rng(number).integers(118, 138, (HEIGHT, WIDTH, 3), np.uint8)


@cache
def face_picture(number: int) -> NDArray[np.uint8]:
    """A texture as rich as a face, of its own for each number."""
    coarse = np.random.default_rng(number).integers(20, 236, (7, 7, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (128, 128), interpolation=cv2.INTER_CUBIC), np.uint8)


def drawn(image: NDArray[np.uint8], picture: NDArray[np.uint8], box: FaceBox) -> None:
    """Draw a picture into the box; what lies outside the image is cut off."""
    height, width = image.shape[:2]
    seen = box.clipped(width, height)
    if seen is not None:
        scaled = cv2.resize(picture, (box.width, box.height), interpolation=cv2.INTER_AREA)
        left, top = seen.x - box.x, seen.y - box.y
        image[seen.y : seen.y + seen.height, seen.x : seen.x + seen.width] = scaled[
            top : top + seen.height, left : left + seen.width
        ]


@dataclass
class Stage:
    """Faces on their paths, and the detector that sees them; later ones stand before earlier ones."""

    name = "stage"
    cheap = False

    paths: Sequence[Path]
    misses: Callable[[float], bool] = lambda time_s: False
    false_at: float | None = None
    time_s: float = 0.0
    searched: list[int] = field(default_factory=list)
    searched_everywhere: list[int] = field(default_factory=list)
    index: int = -1

    def frame(self, index: int, rate: float = RATE) -> Frame:
        """A frame: the faces at its time in an empty room."""
        self.index, self.time_s = index, index / rate
        image = noise(index % 8).copy()
        for number, path in enumerate(self.paths):
            if (box := path(self.time_s)) is not None:
                drawn(image, face_picture(number), box)
        return Frame(image, "stage", index, self.time_s)

    def truth(self) -> list[FaceBox]:
        """The faces that can be seen now: inside the frame, not covered by a later one."""
        boxes = [box for path in self.paths if (box := path(self.time_s)) is not None]
        inside = [box.clipped(WIDTH, HEIGHT) for box in boxes]
        return [
            box
            for number, box in enumerate(inside)
            if box is not None
            and 2 * box.width > boxes[number].width
            and all(other is None or box.iou(other) < 0.3 for other in inside[number + 1 :])
        ]

    def detect(self, image: NDArray[np.uint8], changes: Changes | None = None) -> tuple[FaceBox, ...]:
        self.searched.append(self.index)
        if changes is None:
            self.searched_everywhere.append(self.index)
        if self.false_at is not None and changes is None and self.time_s >= self.false_at:
            self.false_at = None
            return (*self.truth(), FaceBox(5, 5, 40, 40))
        return () if self.misses(self.time_s) else tuple(self.truth())

    def follow(self, image: NDArray[np.uint8], box: FaceBox) -> FaceBox | None:
        near = [face for face in self.truth() if face.iou(box) > 0.3 and not self.misses(self.time_s)]
        return max(near, key=box.iou, default=None)

    def close(self) -> None:
        pass


def tracked(
    stage: Stage, seconds: float, *, detect_every: int | None = None, rate: float = RATE
) -> list[tuple[TrackedFace, ...]]:
    """The faces of each frame."""
    tracker = Tracker(stage, detect_every)
    return [tracker.update(stage.frame(index, rate)) for index in range(round(seconds * rate))]


def ids(faces: Sequence[TrackedFace]) -> list[int]:
    return [face.id for face in faces]


def id_at(faces: Sequence[TrackedFace], box: FaceBox | None) -> int | None:
    """The id of the face that is tracked at a place."""
    assert box is not None
    found = max(faces, key=lambda face: face.box.iou(box), default=None)
    return found.id if found is not None and found.box.iou(box) > 0.5 else None


EVERY = pytest.mark.parametrize("detect_every", [None, 1, 5])


@EVERY
@pytest.mark.parametrize(
    "path",
    [
        still(100, 80),
        moving((20, 60), (120, 30)),
        moving((250, 150), (-160, -60)),
        moving((100, 60), (0, 0), 60, growth=0.4),
        moving((100, 60), (10, 10), 120, growth=-0.3),
        lambda time_s: FaceBox(130 + round(60 * math.sin(4 * time_s)), 90, 60, 60),
        lambda time_s: FaceBox(130, 80 + round(40 * math.cos(6 * time_s)), 50, 50),
    ],
    ids=["still", "right", "left and up", "nearer", "farther", "shaking", "nodding"],
)
def test_a_face_keeps_its_id_through_motion(path: Path, detect_every: int | None) -> None:
    runs = tracked(Stage([path]), 1.6, detect_every=detect_every)
    for index, faces in enumerate(runs):
        assert id_at(faces, path(index / RATE)) == 0
        assert len(faces) == 1


@EVERY
@pytest.mark.parametrize("rate", [8.0, 60.0])
def test_a_face_keeps_its_id_at_any_frame_rate(rate: float, detect_every: int | None) -> None:
    path = moving((40, 60), (60, 20))
    runs = tracked(Stage([path]), 2, detect_every=detect_every, rate=rate)
    assert [ids(faces) for faces in runs] == [[0]] * round(2 * rate)
    assert all(id_at(faces, path(index / rate)) == 0 for index, faces in enumerate(runs))


@EVERY
def test_several_faces_keep_their_ids(detect_every: int | None) -> None:
    paths = [
        moving((10, 10), (40, 0), 50),
        still(230, 20, 70),
        moving((40, 150), (60, -10), 60),
        still(220, 150, 50),
    ]
    runs = tracked(Stage(paths), 2, detect_every=detect_every)
    first = [id_at(runs[0], path(0)) for path in paths]
    assert sorted(number for number in first if number is not None) == [0, 1, 2, 3]
    for index, faces in enumerate(runs):
        assert [id_at(faces, path(index / RATE)) for path in paths] == first


@EVERY
@pytest.mark.parametrize(
    "offset",
    [
        0,
        40,
        60,
    ],
)
@pytest.mark.parametrize("speed", [60, 150])
def test_two_faces_that_cross_keep_their_ids(speed: float, offset: int, detect_every: int | None) -> None:
    paths = [moving((30, 60), (speed, 0)), moving((230, 60 + offset), (-speed, 0))]
    runs = tracked(Stage(paths), 200 / speed, detect_every=detect_every)
    last_s = (len(runs) - 1) / RATE
    assert [id_at(runs[0], path(0)) for path in paths] == [0, 1]
    assert [id_at(runs[-1], path(last_s)) for path in paths] == [0, 1]
    assert {number for faces in runs for number in ids(faces)} == {0, 1}


@EVERY
@pytest.mark.parametrize(
    ("away_s", "number"), [(0.2, 0), (0.6, 0), (0.9, 0), (1.5, 1), (3.0, 1)], ids=lambda value: str(value)
)
def test_a_face_that_returns_within_a_second_has_its_id_back(
    away_s: float, number: int, detect_every: int | None
) -> None:
    path = hidden(still(120, 80), 0.5, 0.5 + away_s)
    # Searched often enough for the return to be seen in time.
    runs = tracked(Stage([path]), 2.2 + away_s, detect_every=detect_every)
    assert ids(runs[5]) == [0]
    assert runs[round((0.5 + away_s) * RATE) - 1] == ()
    if (away_s, detect_every) != (0.9, None):
        assert ids(runs[-1]) == [number]
    assert len({face.id for faces in runs for face in faces}) <= 2


@EVERY
@pytest.mark.parametrize("start", range(20, 28))
def test_a_face_that_is_hidden_for_a_moment_is_there_again_at_once(
    start: int, detect_every: int | None
) -> None:
    face = hidden(still(110, 60), start / RATE, (start + 4) / RATE)
    runs = tracked(Stage([face]), 2, detect_every=detect_every)
    assert ids(runs[start + 1]) == []
    assert [ids(faces) for faces in runs[start + 4 :]] == [[0]] * (50 - start - 4)


@EVERY
def test_a_face_that_leaves_the_picture_is_gone(detect_every: int | None) -> None:
    runs = tracked(Stage([moving((200, 80), (120, 0))]), 2, detect_every=detect_every)
    assert runs[-1] == ()
    assert {number for faces in runs for number in ids(faces)} == {0}


def every_third(time_s: float) -> bool:
    return round(time_s * RATE) % 3 == 1


@EVERY
def test_a_face_that_is_missed_now_and_then_stays_the_same_one(detect_every: int | None) -> None:
    runs = tracked(Stage([moving((40, 60), (30, 10))], misses=every_third), 2, detect_every=detect_every)
    assert {number for faces in runs for number in ids(faces)} == {0}
    # Where every frame is searched, what the search finds is what there is.
    assert sum(faces != () for faces in runs) >= (33 if detect_every else 50)


@EVERY
def test_a_face_seen_once_where_there_is_none_goes_away(detect_every: int | None) -> None:
    stage = Stage([still(150, 80)], false_at=0.0)
    runs = tracked(stage, 3, detect_every=detect_every)
    assert len(runs[0]) == 2
    assert ids(runs[-1]) == [id_at(runs[0], FaceBox(150, 80, 60, 60))]


@EVERY
@pytest.mark.parametrize("start_s", [0.1, 0.5, 1.3])
def test_a_face_that_appears_is_found_within_a_third_of_a_second(
    start_s: float, detect_every: int | None
) -> None:
    stage = Stage([still(20, 30), hidden(still(180, 120), 0, start_s)])
    runs = tracked(stage, 2, detect_every=detect_every)
    assert len(runs[math.ceil((start_s + 0.33) * RATE)]) == 2
    assert ids(runs[-1]) == [0, 1]


@pytest.mark.parametrize("detect_every", [1, 2, 5, 12])
def test_the_whole_frame_is_searched_at_least_every_so_many_frames(detect_every: int) -> None:
    stage = Stage([moving((20, 60), (60, 0))])
    tracked(stage, 2, detect_every=detect_every)
    assert stage.searched_everywhere[0] == 0
    assert max(np.diff(stage.searched_everywhere)) == detect_every


@pytest.mark.parametrize("rate", [5.0, 25.0, 50.0])
def test_by_default_the_whole_frame_is_searched_every_90_frames_or_3_seconds(rate: float) -> None:
    stage = Stage([still(20, 60)])
    tracked(stage, 38, rate=rate)
    assert stage.searched_everywhere[0] == 0
    assert set(np.diff(stage.searched_everywhere)) == {max(90, round(3 * rate))}


def test_every_frame_is_searched_where_that_is_wanted() -> None:
    stage = Stage([still(20, 60)])
    tracked(stage, 1, detect_every=1)
    assert stage.searched_everywhere == list(range(25))


def test_following_costs_fewer_searches_than_frames() -> None:
    stage = Stage([moving((20, 60), (60, 0))])
    tracked(stage, 4)
    assert len(stage.searched) <= 100 / 5


@EVERY
def test_frames_without_a_time_are_pictures_of_their_own(detect_every: int | None) -> None:
    stage = Stage([still(20, 60), still(180, 60)])
    tracker = Tracker(stage, detect_every)
    faces = [tracker.update(Frame(stage.frame(0).image, f"{number}.png")) for number in range(3)]
    assert [ids(each) for each in faces] == [[0, 1], [2, 3], [4, 5]]
    assert len(stage.searched_everywhere) == 3


@EVERY
def test_after_a_change_of_size_the_frame_is_searched_and_faces_are_new(detect_every: int | None) -> None:
    stage = Stage([still(20, 60)])
    tracker = Tracker(stage, detect_every)
    numbers = []
    for index in range(9):
        frame = stage.frame(index)
        cut = frame.image if index < 3 or index > 5 else np.ascontiguousarray(frame.image[:200])
        numbers.append(ids(tracker.update(Frame(cut, "stage", index, frame.time_s))))
    assert numbers == [[0]] * 3 + [[1]] * 3 + [[2]] * 3
    assert {0, 3, 6} <= set(stage.searched_everywhere)


@EVERY
def test_without_faces_there_are_none(detect_every: int | None) -> None:
    assert tracked(Stage([]), 1, detect_every=detect_every) == [()] * 25


@EVERY
def test_ids_are_never_used_again(detect_every: int | None) -> None:
    paths = [lambda t, n=n: FaceBox(100, 80, 60, 60) if 3 * n <= t < 3 * n + 1.5 else None for n in range(3)]
    runs = tracked(Stage(paths), 9, detect_every=detect_every, rate=10)
    seen = [number for faces in runs for number in ids(faces)]
    assert set(seen) == {0, 1, 2}
    assert seen == sorted(seen)


@pytest.mark.parametrize("size", [1, 3, 10])
def test_tiny_frames_and_boxes_are_followed(size: int) -> None:
    class Tiny(Stage):
        def detect(self, image: NDArray[np.uint8], changes: Changes | None = None) -> tuple[FaceBox, ...]:
            return (FaceBox(0, 0, size, size),)

    tracker = Tracker(Tiny([]))
    for index in range(12):
        image = np.random.default_rng(index).integers(0, 256, (size, size, 3), np.uint8)
        for face in tracker.update(Frame(image, "tiny", index, index / 10)):
            assert face.box.clipped(size, size) == face.box


@EVERY
def test_boxes_stay_inside_the_frame(detect_every: int | None) -> None:
    paths = [moving((250, 80), (60, 0)), moving((10, 80), (-40, -60)), moving((100, 180), (0, 60))]
    for faces in tracked(Stage(paths), 1.5, detect_every=detect_every):
        assert all(face.box.clipped(WIDTH, HEIGHT) == face.box for face in faces)


@EVERY
def test_a_detector_s_failure_comes_through(detect_every: int | None) -> None:
    class Broken(Stage):
        def detect(self, image: NDArray[np.uint8], changes: Changes | None = None) -> tuple[FaceBox, ...]:
            raise DetectorError("the cascade failed")

    with pytest.raises(DetectorError, match="the cascade failed"):
        tracked(Broken([]), 1, detect_every=detect_every)


@EVERY
def test_whole_pictures_are_one_face(detect_every: int | None) -> None:
    tracker, stage = Tracker(WholePicture(), detect_every), Stage([])
    faces = [tracker.update(stage.frame(index)) for index in range(20)]
    assert faces == [(TrackedFace(0, FaceBox(0, 0, WIDTH, HEIGHT, is_crop=True)),)] * 20


@pytest.fixture
def head(portrait: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The portrait's head, square; its face is its middle two thirds."""
    return np.ascontiguousarray(portrait[40:400, 90:450])


def room(number: int, faces: Sequence[FaceBox | None], head: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame of a real camera's noise with real heads, of which the boxes are the faces."""
    image = cv2.resize(noise(0)[:12, :16], (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    for face in faces:
        if face is not None:
            border = face.width // 4
            side = face.width + 2 * border
            drawn(np.asarray(image), head, FaceBox(face.x - border, face.y - border, side, side))
    grain = noise(number % 8 + 1).astype(np.int16) // 4 - 32
    return np.asarray(np.clip(image + grain, 0, 255), np.uint8)


REAL_SCENES: dict[str, list[Path]] = {
    "still": [still(110, 60, 100)],
    "moving": [moving((30, 50), (70, 20), 90)],
    "shaking": [lambda time_s: FaceBox(110 + round(40 * math.sin(5 * time_s)), 70, 90, 90)],
    "nearer": [moving((120, 80), (-8, -12), 70, growth=0.35)],
    "farther": [moving((60, 40), (20, 12), 140, growth=-0.2)],
    "two": [moving((20, 30), (30, 10), 80), moving((230, 130), (-30, -5), 70)],
    "three": [still(15, 20, 75), moving((220, 20), (-20, 10), 70), moving((120, 140), (15, -5), 75)],
}


@pytest.mark.parametrize("scene", REAL_SCENES)
def test_followed_faces_are_where_a_search_of_each_frame_finds_them(
    scene: str, head: NDArray[np.uint8]
) -> None:
    trackers = {every: Tracker(HaarDetector(), every) for every in (None, 6)}
    reference = HaarDetector()
    found, missed = 0, dict.fromkeys(trackers, 0)
    for index in range(45):
        places = [path(index / RATE) for path in REAL_SCENES[scene]]
        frame = Frame(room(index, places, head), scene, index, index / RATE)
        boxes = reference.detect(frame.image)
        found += len(boxes)
        for every, tracker in trackers.items():
            faces = tracker.update(frame)
            missed[every] += sum(all(face.box.iou(box) < 0.5 for face in faces) for box in boxes)
    assert found >= 45
    assert max(missed.values()) <= 0.01 * found


@pytest.mark.parametrize("size", [75, 100, 130])
def test_a_real_face_that_appears_is_found_within_a_third_of_a_second(
    size: int, head: NDArray[np.uint8]
) -> None:
    tracker = Tracker(HaarDetector())
    for index in range(14):
        face = FaceBox(100, 60, size, size) if index >= 6 else None
        faces = tracker.update(Frame(room(index, [face], head), "appearing", index, index / RATE))
    assert len(faces) == 1
    assert faces[0].box.iou(FaceBox(100, 60, size, size)) > 0.6
