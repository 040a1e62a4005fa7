"""Hidden faces: what remains of them, and that none is visible before, between and after detections."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest

from fer_edge.rendering.anonymize import Anonymizer, AnonymizerMode, Cover, cover_face, hide_faces
from fer_edge.types import Detection, FaceBox, FaceResult, Frame, FrameResult, Framing, Image
from tests.edge.support import make_face, noise

RATE = 25.0
SIZE = (200, 120)

Path = Callable[[int], FaceBox | None]


def still(frame: int) -> FaceBox:
    return FaceBox(60, 40, 30, 30)


def crossing(frame: int) -> FaceBox:
    return FaceBox(3 * frame, 40, 30, 30)


def result(frame: int, faces: Sequence[FaceResult] = ()) -> FrameResult:
    return FrameResult(Frame(noise(*SIZE, seed=frame), "clip.mp4", frame, frame / RATE), tuple(faces))


def run(results: Sequence[FrameResult]) -> list[tuple[Cover, ...]]:
    """Return the hidden boxes of each result; results come in order and none is lost."""
    anonymizer = Anonymizer()
    done = [ready for item in results for ready in anonymizer.add(item)]
    done += anonymizer.flush()
    assert [found.frame.index for found, _ in done] == [item.frame.index for item in results]
    return [covers for _, covers in done]


def is_hidden(box: FaceBox, covers: Sequence[Cover]) -> bool:
    """Return whether every pixel of a box inside the image is hidden."""
    shown = np.zeros((SIZE[1], SIZE[0]), bool)
    clipped = box.clipped(*SIZE)
    if clipped is None:
        return True
    shown[clipped.y : clipped.y + clipped.height, clipped.x : clipped.x + clipped.width] = True
    for cover in covers:
        part = cover.box.clipped(*SIZE)
        if part is not None:
            shown[part.y : part.y + part.height, part.x : part.x + part.width] = False
    return not shown.any()


class TestCover:
    @pytest.mark.parametrize("framing", [Framing(), Framing(scale=1.05), Framing(scale=0.8, shift_y=0.1)])
    def test_hair_ears_and_chin_are_hidden_with_the_face(self, framing: Framing) -> None:
        cover = cover_face(Detection(FaceBox(100, 100, 50, 50), framing=framing))
        face = 50 * framing.scale
        center_x, center_y = 125, 125 + framing.shift_y * 50
        assert cover.box.x <= center_x - 0.75 * face
        assert cover.box.x + cover.box.width >= center_x + 0.75 * face
        assert cover.box.y <= center_y - 0.95 * face
        assert cover.box.y + cover.box.height >= center_y + 0.75 * face

    def test_a_face_that_the_edge_cuts_counts_whole(self) -> None:
        whole = FaceBox(-60, -20, 100, 100)
        cover = cover_face(Detection(FaceBox(0, 0, 40, 80), outer=whole))
        assert cover.face >= 100
        assert cover.box.x < -60
        assert cover.box.y < -20


@pytest.mark.parametrize("mode", ["blur", "pixelate"])
class TestHiding:
    @pytest.mark.parametrize(
        "face", [FaceBox(60, 40, 40, 40), FaceBox(-10, -12, 50, 50), FaceBox(170, 90, 50, 50)]
    )
    def test_the_rest_stays_and_nothing_finer_than_an_eighth_of_the_face_is_left(
        self, mode: AnonymizerMode, face: FaceBox
    ) -> None:
        image = noise(*SIZE)
        cover = cover_face(Detection(face))
        hidden = hide_faces(image, [cover], mode)
        part = cover.box.clipped(*SIZE)
        assert part is not None
        rows, columns = slice(part.y, part.y + part.height), slice(part.x, part.x + part.width)
        untouched = np.ones(image.shape[:2], bool)
        untouched[rows, columns] = False
        assert (hidden[untouched] == image[untouched]).all()
        assert finest_step(hidden[rows, columns], mode) >= face.width / 8

    def test_neither_the_image_nor_its_detail_can_be_recovered(self, mode: AnonymizerMode) -> None:
        image = noise(*SIZE)
        before = image.copy()
        covers = [Cover(FaceBox(10, 10, 80, 80), 60)]
        hidden = hide_faces(image, covers, mode)
        assert (image == before).all()
        # Another image with the same mean per square gives the same result.
        few = cv2.resize(image[10:90, 10:90], (8, 8), interpolation=cv2.INTER_AREA)
        other = image.copy()
        other[10:90, 10:90] = cv2.resize(few, (80, 80), interpolation=cv2.INTER_NEAREST)
        again = hide_faces(other, covers, mode)
        assert np.abs(again.astype(int) - hidden).max() <= 1

    def test_of_two_faces_the_larger_one_decides(self, mode: AnonymizerMode) -> None:
        large, small = Cover(FaceBox(20, 10, 100, 100), 96), Cover(FaceBox(50, 40, 20, 20), 12)
        image = noise(*SIZE)
        for covers in ([large, small], [small, large]):
            hidden = hide_faces(image, covers, mode)
            assert finest_step(hidden[10:110, 20:120], mode) >= 96 / 8

    def test_a_cover_outside_or_larger_than_the_image(self, mode: AnonymizerMode) -> None:
        image = noise(*SIZE)
        assert (hide_faces(image, [Cover(FaceBox(300, 0, 50, 50), 50)], mode) == image).all()
        hidden = hide_faces(image, [Cover(FaceBox(-500, -500, 2000, 2000), 1500)], mode)
        assert (hidden == hidden[0, 0]).all()
        tiny = hide_faces(noise(1, 1), [Cover(FaceBox(0, 0, 1, 1), 1)], mode)
        assert tiny.shape == (1, 1, 3)


def finest_step(part: Image, mode: AnonymizerMode) -> float:
    """Return the width of the narrowest square in an image, or between two bends if it is blurred."""
    row = part[part.shape[0] // 2].astype(int)
    change = np.abs(np.diff(row, axis=0)).max(axis=1)
    if mode == "blur":  # linear interpolation bends only at the centers of squares
        change = (np.abs(np.diff(row, n=2, axis=0)).max(axis=1) > 3).astype(int)
    places = np.flatnonzero(change > 0)
    places = places[np.diff(places, prepend=-10) > 1]
    return float(np.diff(places).min()) if len(places) > 1 else float(part.shape[1])


class TestOverTime:
    @pytest.mark.parametrize("path", [still, crossing])
    @pytest.mark.parametrize("every", [1, 2, 5, 9, 12])
    def test_a_face_is_hidden_in_every_frame_although_a_detector_skips_some(
        self, path: Path, every: int
    ) -> None:
        results = []
        for frame in range(40):
            box = path(frame)
            assert box is not None
            faces = [make_face(box, number=3)] if frame % every == every - 1 else []
            results.append(result(frame, faces))
        for frame, covers in enumerate(run(results)):
            box = path(frame)
            assert box is not None
            if frame <= 36:
                assert is_hidden(box, covers), f"frame {frame}"

    def test_it_is_hidden_half_a_second_before_it_is_found_and_after_it_is_lost(self) -> None:
        seen = range(20, 23)
        results = [result(n, [make_face(still(n), number=1)] if n in seen else []) for n in range(60)]
        hidden = [n for n, covers in enumerate(run(results)) if is_hidden(still(n), covers)]
        assert set(range(8, 35)) <= set(hidden) <= set(range(7, 36))

    def test_another_id_makes_no_gap(self) -> None:
        results = [
            result(n, [make_face(crossing(n), number=n // 10)] if n % 10 > 3 else []) for n in range(40)
        ]
        assert all(is_hidden(crossing(n), covers) for n, covers in enumerate(run(results)))

    def test_nothing_is_hidden_without_faces(self) -> None:
        assert run([result(n) for n in range(40)]) == [()] * 40

    def test_results_wait_half_a_second_and_no_longer(self) -> None:
        anonymizer = Anonymizer()
        waiting = 0
        for frame in range(100):
            waiting += 1 - len(list(anonymizer.add(result(frame))))
            assert waiting <= RATE / 2 + 1
        assert len(list(anonymizer.flush())) == waiting
        assert list(anonymizer.flush()) == []

    def test_few_large_images_wait(self) -> None:
        anonymizer = Anonymizer()
        image = np.zeros((2160, 3840, 3), np.uint8)
        waiting = 0
        for frame in range(20):
            item = FrameResult(Frame(image, "clip.mp4", frame, frame / RATE), ())
            waiting += 1 - len(list(anonymizer.add(item)))
        assert 1 <= waiting <= 6

    def test_a_clock_that_is_set_back_holds_nothing_up(self) -> None:
        anonymizer = Anonymizer()
        face = make_face(still(0), number=1)
        late = FrameResult(Frame(noise(*SIZE), "0", 0, 1000.0), (face,))
        assert list(anonymizer.add(late)) == []
        early = FrameResult(Frame(noise(*SIZE), "0", 1, 2.0), ())
        assert [item.frame.index for item, _ in anonymizer.add(early)] == [0]

    def test_still_images_leave_at_once(self) -> None:
        anonymizer = Anonymizer()
        item = FrameResult(Frame(noise(*SIZE), "a.jpg"), (make_face(still(0)),))
        [(found, covers)] = anonymizer.add(item)
        assert found is item
        assert is_hidden(still(0), covers)
        assert [covers for _, covers in anonymizer.add(FrameResult(Frame(noise(*SIZE), "b.jpg"), ()))] == [()]

    def test_what_waits_leaves_in_time_also_where_nothing_comes(self) -> None:
        anonymizer = Anonymizer()
        assert list(anonymizer.add(result(0, [make_face(still(0), number=1)]))) == []
        assert list(anonymizer.add(result(1))) == []
        assert list(anonymizer.release(0.49)) == []
        [(found, _)] = anonymizer.release(0.51)
        assert found.frame.index == 0
        [(found, covers)] = anonymizer.release(10.0)
        assert found.frame.index == 1
        assert is_hidden(still(0), covers)
        assert list(anonymizer.flush()) == []
