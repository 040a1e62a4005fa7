"""Face ids in simulated scenes with an ideal detector, and with real faces."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from fer_edge.detectors.full_frame import EXACT, FullFrameDetector
from fer_edge.detectors.haar import HaarDetector
from fer_edge.errors import DetectorError
from fer_edge.tracking.tracker import TrackedFace, Tracker
from fer_edge.types import Detection, FaceBox, Frame, Image
from tests.edge.support import FixedDetector
from tests.edge.tracking.scenes import (
    HEIGHT,
    MOTIONS,
    RATE,
    TRAITS,
    WIDTH,
    Path,
    Scene,
    SceneDetector,
    all_ids,
    between,
    hidden,
    id_at,
    ids,
    moving,
    paste,
    room,
    still,
    swinging,
    track,
)

EVERY = pytest.mark.parametrize("detect_every", [None, 1, 5])


class TestAFaceKeepsItsId:
    @EVERY
    @pytest.mark.parametrize("motion", MOTIONS)
    def test_through_motion(self, motion: str, detect_every: int | None) -> None:
        scene = Scene(MOTIONS[motion])
        for index, faces in enumerate(track(scene, 1.6, detect_every)):
            assert len(faces) == 1
            assert id_at(faces, MOTIONS[motion](scene.time_of(index))) == 0

    @pytest.mark.parametrize("parts", TRAITS)
    @pytest.mark.parametrize("motion", MOTIONS)
    def test_with_any_kind_of_detector(self, motion: str, parts: str) -> None:
        scene = Scene(MOTIONS[motion])
        run = track(scene, 1.6, None, SceneDetector(scene, parts=parts))
        assert [ids(faces) for faces in run] == [[0]] * 40

    @EVERY
    @pytest.mark.parametrize("rate", [8.0, 60.0])
    def test_at_any_frame_rate(self, rate: float, detect_every: int | None) -> None:
        path = moving((40, 60), (60, 20))
        scene = Scene(path, rate=rate)
        run = track(scene, 2, detect_every)
        assert [ids(faces) for faces in run] == [[0]] * round(2 * rate)
        assert all(id_at(faces, path(scene.time_of(index))) == 0 for index, faces in enumerate(run))

    @EVERY
    def test_among_several(self, detect_every: int | None) -> None:
        paths = [
            moving((10, 10), (40, 0), 50),
            still(230, 20, 70),
            moving((40, 150), (60, -10), 60),
            still(220, 150, 50),
        ]
        scene = Scene(*paths)
        run = track(scene, 2, detect_every)
        first = [id_at(run[0], path(0)) for path in paths]
        assert sorted(number for number in first if number is not None) == [0, 1, 2, 3]
        for index, faces in enumerate(run):
            assert [id_at(faces, path(scene.time_of(index))) for path in paths] == first

    @EVERY
    @pytest.mark.parametrize("offset", [0, 40, 60])
    @pytest.mark.parametrize(
        ("speed", "parts"),
        [
            (60, "never"),
            (150, "never"),
            (60, "all sizes"),
            (150, "all sizes"),
            (80, "by size"),
            (150, "by size"),
        ],
    )
    def test_when_two_cross(self, speed: float, parts: str, offset: int, detect_every: int | None) -> None:
        paths = [moving((30, 60), (speed, 0)), moving((230, 60 + offset), (-speed, 0))]
        scene = Scene(*paths)
        run = track(scene, 200 / speed, detect_every, SceneDetector(scene, parts=parts))
        last_s = scene.time_of(len(run) - 1)
        assert [id_at(run[0], path(0)) for path in paths] == [0, 1]
        assert [id_at(run[-1], path(last_s)) for path in paths] == [0, 1]
        assert all_ids(run) == {0, 1}

    @EVERY
    def test_when_it_is_missed_now_and_then(self, detect_every: int | None) -> None:
        scene = Scene(moving((40, 60), (30, 10)))
        detector = SceneDetector(scene, misses=lambda time_s: round(time_s * RATE) % 3 == 1)
        run = track(scene, 2, detect_every, detector)
        assert all_ids(run) == {0}
        # If every frame is searched, the result is exactly what the search finds.
        assert sum(faces != () for faces in run) >= (33 if detect_every else 50)


class TestAFaceThatHides:
    @EVERY
    @pytest.mark.parametrize(
        ("away_s", "number"), [(0.2, 0), (0.6, 0), (0.9, 0), (1.5, 1), (3.0, 1)], ids=lambda value: str(value)
    )
    def test_has_its_id_back_within_a_second(
        self, away_s: float, number: int, detect_every: int | None
    ) -> None:
        run = track(Scene(hidden(still(120, 80), 0.5, 0.5 + away_s)), 2.2 + away_s, detect_every)
        assert ids(run[5]) == [0]
        assert run[round((0.5 + away_s) * RATE) - 1] == ()
        # By default not every frame is searched, so a return after 0.9 s may be noticed too late.
        if (away_s, detect_every) != (0.9, None):
            assert ids(run[-1]) == [number]
        assert len(all_ids(run)) <= 2

    @EVERY
    @pytest.mark.parametrize("start", range(20, 28))
    def test_for_a_moment_is_there_again_at_once(self, start: int, detect_every: int | None) -> None:
        run = track(Scene(hidden(still(110, 60), start / RATE, (start + 4) / RATE)), 2, detect_every)
        assert ids(run[start + 1]) == []
        assert [ids(faces) for faces in run[start + 4 :]] == [[0]] * (50 - start - 4)

    @EVERY
    def test_by_leaving_the_frame_is_gone(self, detect_every: int | None) -> None:
        run = track(Scene(moving((200, 80), (120, 0))), 2, detect_every)
        assert run[-1] == ()
        assert all_ids(run) == {0}

    @EVERY
    def test_leaves_an_id_that_is_never_used_again(self, detect_every: int | None) -> None:
        paths = [between(still(100, 80), 3.0 * n, 3.0 * n + 1.5) for n in range(3)]
        run = track(Scene(*paths, rate=10), 9, detect_every)
        seen = [number for faces in run for number in ids(faces)]
        assert set(seen) == {0, 1, 2}
        assert seen == sorted(seen)


class TestFindingFaces:
    @EVERY
    @pytest.mark.parametrize("start_s", [0.1, 0.5, 1.3])
    def test_one_that_appears_is_found_within_a_third_of_a_second(
        self, start_s: float, detect_every: int | None
    ) -> None:
        run = track(Scene(still(20, 30), hidden(still(180, 120), 0, start_s)), 2, detect_every)
        assert len(run[math.ceil((start_s + 0.33) * RATE)]) == 2
        assert ids(run[-1]) == [0, 1]

    @pytest.mark.parametrize("parts", TRAITS)
    @pytest.mark.parametrize("offset", [-60, 60])
    def test_one_that_comes_out_beside_a_followed_face_is_found_within_two_thirds_of_a_second(
        self, offset: int, parts: str
    ) -> None:
        front = still(120, 80, 90)
        behind = hidden(still(130 + offset, 90, 70), 0, 2)
        scene = Scene(behind, front)
        run = track(scene, 3, None, SceneDetector(scene, parts=parts))
        assert ids(run[49]) == [0]
        assert all(ids(faces) == [0, 1] for faces in run[math.ceil(2.66 * RATE) :])
        assert id_at(run[-1], front(3)) == 0

    @EVERY
    def test_one_that_the_first_searches_miss_is_found_within_three_quarters_of_a_second(
        self, detect_every: int | None
    ) -> None:
        scene = Scene(still(150, 80))
        detector = SceneDetector(scene, misses=lambda time_s: time_s < 0.4)
        assert all(ids(faces) == [0] for faces in track(scene, 2, detect_every, detector)[18:])

    @EVERY
    def test_one_seen_once_where_there_is_none_goes_away(self, detect_every: int | None) -> None:
        scene = Scene(still(150, 80))
        run = track(scene, 3, detect_every, SceneDetector(scene, false_at=0.0))
        assert len(run[0]) == 2
        assert ids(run[-1]) == [id_at(run[0], FaceBox(150, 80, 60, 60))]

    @EVERY
    def test_a_box_on_part_of_a_followed_face_does_not_end_it(self, detect_every: int | None) -> None:
        class Eyes(SceneDetector):
            """Takes an eye of a large face for a face in some searches, with more hits than the face has."""

            def detect(
                self, frame: Frame, roi: FaceBox | None = None, **sizes: float | None
            ) -> tuple[Detection, ...]:
                found = super().detect(frame, roi, **sizes)
                if roi is not None or frame.index < 8:
                    return tuple(replace(face, support=6) for face in found)
                return (Detection(FaceBox(150, 70, 40, 40), support=9),)

        scene = Scene(still(90, 40, 130))
        run = track(scene, 2, detect_every, Eyes(scene))
        assert [ids(faces) for faces in run] == [[0]] * 50
        assert all(faces[0].detection.box.width > 100 for faces in run)

    @EVERY
    def test_an_empty_room_has_none(self, detect_every: int | None) -> None:
        assert track(Scene(), 1, detect_every) == [()] * 25

    @EVERY
    def test_boxes_stay_inside_the_frame(self, detect_every: int | None) -> None:
        scene = Scene(moving((250, 80), (60, 0)), moving((10, 80), (-40, -60)), moving((100, 180), (0, 60)))
        for faces in track(scene, 1.5, detect_every):
            assert all(face.detection.box.clipped(WIDTH, HEIGHT) == face.detection.box for face in faces)

    @EVERY
    def test_a_detector_s_failure_comes_through(self, detect_every: int | None) -> None:
        scene = Scene()
        with pytest.raises(DetectorError, match="the cascade failed"):
            track(scene, 1, detect_every, SceneDetector(scene, broken=True))

    @EVERY
    def test_where_each_frame_is_one_face_it_is_one_and_the_same(self, detect_every: int | None) -> None:
        tracker = Tracker(FullFrameDetector(), detect_every)
        whole = TrackedFace(0, Detection(FaceBox(0, 0, WIDTH, HEIGHT), framing=EXACT))
        assert [tracker.update(frame) for frame in Scene().frames(0.8)] == [(whole,)] * 20

    @pytest.mark.parametrize("size", [1, 3, 10])
    def test_tiny_frames_and_boxes_are_tracked(self, size: int) -> None:
        tracker = Tracker(FixedDetector([FaceBox(0, 0, size, size)]))
        for index in range(12):
            image = np.random.default_rng(index).integers(0, 256, (size, size, 3), np.uint8)
            for face in tracker.update(Frame(image, "tiny", index, index / 10)):
                assert face.detection.box.clipped(size, size) == face.detection.box

    def test_a_face_s_key_points_move_with_it(self) -> None:
        class WithEyes(SceneDetector):
            def detect(self, frame: Frame, roi: FaceBox | None = None, **sizes: float | None) -> tuple[Detection, ...]:  # type: ignore[override]  # fmt: skip
                faces = super().detect(frame, roi, **sizes)
                return tuple(Detection(f.box, 0.9, ((f.box.x + 20.0, f.box.y + 25.0),)) for f in faces)

        scene = Scene(moving((20, 60), (120, 30)))
        for (face,) in track(scene, 1.6, None, WithEyes(scene)):
            box = face.detection.box
            assert face.detection.landmarks == ((box.x + 20, box.y + 25),)
            assert face.detection.score == 0.9


class TestSearching:
    @pytest.mark.parametrize("detect_every", [1, 2, 5, 12])
    def test_the_whole_frame_at_least_every_so_many_frames(self, detect_every: int) -> None:
        scene = Scene(moving((20, 60), (60, 0)))
        detector = SceneDetector(scene)
        track(scene, 2, detect_every, detector)
        assert detector.searched_everywhere[0] == 0
        assert max(np.diff(detector.searched_everywhere)) == detect_every

    @pytest.mark.parametrize("rate", [5.0, 25.0, 50.0])
    def test_the_whole_frame_every_90_frames_or_3_seconds_by_default(self, rate: float) -> None:
        scene = Scene(still(20, 60), rate=rate)
        detector = SceneDetector(scene)
        track(scene, 38, None, detector)
        # Three more times soon after the start, because one search occasionally misses a face.
        assert detector.searched_everywhere[:4] == [0, 8, 18, 28]
        assert set(np.diff(detector.searched_everywhere[3:])) == {max(90, round(3 * rate))}

    def test_every_frame_where_that_is_wanted(self) -> None:
        scene = Scene(still(20, 60))
        detector = SceneDetector(scene)
        track(scene, 1, 1, detector)
        assert detector.searched_everywhere == list(range(25))

    @pytest.mark.parametrize("parts", TRAITS)
    def test_fewer_frames_than_there_are(self, parts: str) -> None:
        scene = Scene(moving((20, 60), (60, 0)))
        detector = SceneDetector(scene, parts=parts)
        track(scene, 4, None, detector)
        assert len(detector.searched_everywhere) <= 100 / 5
        assert len(set(detector.searched)) <= 100 / 3


class TestWhatDoesNotContinue:
    @EVERY
    def test_images_without_a_time_have_faces_of_their_own(self, detect_every: int | None) -> None:
        detector = FixedDetector([FaceBox(20, 60, 60, 60), FaceBox(180, 60, 60, 60)])
        tracker = Tracker(detector, detect_every)
        faces = [tracker.update(Frame(room(0), f"{number}.png")) for number in range(3)]
        assert [ids(each) for each in faces] == [[0, 1], [2, 3], [4, 5]]
        assert len(detector.searched) == 3

    @EVERY
    def test_after_a_reset_the_frame_is_searched_and_faces_are_new(self, detect_every: int | None) -> None:
        scene = Scene(still(20, 60))
        detector = SceneDetector(scene)
        tracker = Tracker(detector, detect_every)
        numbers = []
        for frame in scene.frames(9 / RATE):
            if frame.index in (3, 6):
                tracker.reset()
            numbers.append(ids(tracker.update(frame)))
        assert numbers == [[0]] * 3 + [[1]] * 3 + [[2]] * 3
        assert {0, 3, 6} <= set(detector.searched_everywhere)

    @EVERY
    def test_after_a_reset_frames_may_have_another_size(self, detect_every: int | None) -> None:
        tracker = Tracker(FixedDetector([FaceBox(20, 60, 60, 60)]), detect_every)
        numbers = []
        for index in range(9):
            image = room(index) if index < 4 else np.ascontiguousarray(room(index)[:200, :150])
            if index == 4:
                tracker.reset()
            numbers.append(ids(tracker.update(Frame(image, "scene", index, index / RATE))))
        assert numbers == [[0]] * 4 + [[1]] * 5

    @EVERY
    def test_after_a_cut_other_faces_have_other_ids(self, detect_every: int | None) -> None:
        """The cut is not announced: the faces of the second shot differ in appearance and position."""
        shots = [between(still(30, 30), 0, 1), between(still(200, 140, 80), 1, 9)]
        run = track(Scene(*shots), 2, detect_every)
        assert ids(run[24]) == [0]
        assert ids(run[-1]) == [1]

    @EVERY
    def test_after_a_cut_another_face_in_the_same_place_has_another_id(
        self, detect_every: int | None
    ) -> None:
        """The rest of the frame stays as it was."""
        shots = [between(still(100, 80), 0, 1), between(still(100, 80), 1, 9)]
        run = track(Scene(*shots), 2, detect_every)
        assert [ids(faces) for faces in run] == [[0]] * 25 + [[1]] * 25

    @EVERY
    def test_after_a_cut_back_the_first_face_has_its_id(self, detect_every: int | None) -> None:
        path = still(100, 80)
        shots = [lambda t: path(t) if t < 1 or t >= 1.5 else None, between(path, 1, 1.5)]
        run = track(Scene(*shots), 2, detect_every)
        assert [ids(run[index]) for index in (24, 25, 49)] == [[0], [1], [0]]


@pytest.fixture
def head(portrait: Image) -> Image:
    """Return the portrait's head as a square; the face is its middle two thirds."""
    return np.ascontiguousarray(portrait[40:400, 90:450])


def real_frame(number: int, faces: Sequence[FaceBox | None], head: Image) -> Frame:
    """Return a frame with camera noise and real heads, whose faces are the boxes."""
    image = cv2.resize(room(0)[:12, :16], (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    for face in faces:
        if face is not None:
            border = face.width // 4
            side = face.width + 2 * border
            paste(np.asarray(image), head, FaceBox(face.x - border, face.y - border, side, side))
    grain = room(number % 8 + 1).astype(np.int16) // 4 - 32
    pixels = np.asarray(np.clip(image + grain, 0, 255), np.uint8)
    return Frame(pixels, "real", number, number / RATE)


REAL_SCENES: dict[str, list[Path]] = {
    "still": [still(110, 60, 100)],
    "moving": [moving((30, 50), (70, 20), 90)],
    "shaking": [swinging((110, 70), (40, 0), 5, 90)],
    "nearer": [moving((120, 80), (-8, -12), 70, growth=0.35)],
    "farther": [moving((60, 40), (20, 12), 140, growth=-0.2)],
    "two": [moving((20, 30), (30, 10), 80), moving((230, 130), (-30, -5), 70)],
    "three": [still(15, 20, 75), moving((220, 20), (-20, 10), 70), moving((120, 140), (15, -5), 75)],
}


def squeezed(head: Image) -> Image:
    """The head narrower, as one that turns."""
    height, width = head.shape[:2]
    matrix = np.array([[0.85, 0, 0.075 * width], [0, 1, 0]])
    return np.asarray(cv2.warpAffine(head, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE))


def turned(head: Image) -> Image:
    """The head tilted by ten degrees."""
    height, width = head.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 10, 1)
    return np.asarray(cv2.warpAffine(head, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE))


def lit_from_aside(head: Image) -> Image:
    """The head with half of its light gone, towards one side."""
    shade = np.linspace(0.4, 1.1, head.shape[1])[None, :, None]
    return np.asarray(np.clip(head * shade, 0, 255), np.uint8)


CHANGES: dict[str, Callable[[Image], Image]] = {
    "darker": lambda head: np.asarray(head // 2, np.uint8),
    "brighter": lambda head: np.asarray(np.clip(head.astype(np.int16) * 2, 0, 255), np.uint8),
    "blurred": lambda head: np.asarray(cv2.GaussianBlur(head, (0, 0), 9), np.uint8),
    "squeezed": squeezed,
    "turned": turned,
    "lit from aside": lit_from_aside,
}


class TestRealFaces:
    @pytest.mark.parametrize("scene", REAL_SCENES)
    def test_are_where_a_search_of_each_frame_finds_them(self, scene: str, head: Image) -> None:
        trackers = {every: Tracker(HaarDetector(), every) for every in (None, 6)}
        reference = HaarDetector()
        found, missed = 0, dict.fromkeys(trackers, 0)
        for index in range(45):
            frame = real_frame(index, [path(index / RATE) for path in REAL_SCENES[scene]], head)
            boxes = [face.box for face in reference.detect(frame)]
            found += len(boxes)
            for every, tracker in trackers.items():
                faces = [face.detection.box for face in tracker.update(frame)]
                missed[every] += sum(all(face.iou(box) < 0.5 for face in faces) for box in boxes)
        assert found >= 45
        assert max(missed.values()) <= 0.01 * found

    @pytest.mark.parametrize("change", sorted(CHANGES))
    def test_that_look_different_from_one_frame_to_the_next_keep_their_ids(
        self, change: str, head: Image
    ) -> None:
        tracker = Tracker(HaarDetector())
        place = FaceBox(110, 60, 110, 110)
        numbers = set()
        for index in range(16):
            seen = head if index < 8 else CHANGES[change](head)
            numbers.add(tuple(ids(tracker.update(real_frame(index, [place], seen)))))
        assert numbers == {(0,)}

    @pytest.mark.parametrize("size", [75, 100, 130])
    def test_that_appear_are_found_within_a_third_of_a_second(self, size: int, head: Image) -> None:
        tracker = Tracker(HaarDetector())
        place = FaceBox(100, 60, size, size)
        for index in range(14):
            faces = tracker.update(real_frame(index, [place if index >= 6 else None], head))
        (face,) = faces
        assert face.detection.box.iou(place) > 0.6
