"""Boxes and labels drawn into pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge import annotate
from fer_edge.types import Detection, EmotionScores, FaceBox, FaceResult, Image
from tests.edge.support import plain

GREEN = (64, 200, 48)


def face(box: FaceBox, label: str = "happy", score: float = 0.9) -> FaceResult:
    return FaceResult(0, Detection(box), EmotionScores((label, "other"), (score, 1 - score)), label)


def canvas(width: int, height: int) -> Image:
    return plain(128, width, height)


def changed(before: Image, after: Image) -> NDArray[np.bool_]:
    return np.asarray(np.any(before != after, axis=2))


def ink_size(drawn: Image) -> tuple[int, int]:
    """The width and height that the letters take, on a canvas that has no dark pixel of its own."""
    rows, columns = np.nonzero(drawn[..., 1] < 60)
    return int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


def test_the_picture_itself_is_not_changed(portrait: Image) -> None:
    before = portrait.copy()
    drawn = annotate(portrait, [face(FaceBox(150, 80, 200, 200))])
    assert np.array_equal(portrait, before)
    assert drawn.shape == portrait.shape
    assert drawn.dtype == np.uint8
    assert not np.shares_memory(drawn, portrait)


def test_a_picture_without_faces_is_copied_as_it_is(portrait: Image) -> None:
    drawn = annotate(portrait, [])
    assert np.array_equal(drawn, portrait)
    assert not np.shares_memory(drawn, portrait)


def test_a_picture_that_cannot_be_written_to_can_be_drawn(portrait: Image) -> None:
    portrait.flags.writeable = False
    drawn = annotate(portrait, [face(FaceBox(150, 80, 200, 200))])
    assert np.any(changed(portrait, drawn))


def test_the_outline_is_the_box(portrait: Image) -> None:
    drawn = annotate(portrait, [face(FaceBox(150, 200, 200, 180))])
    for x, y in [(150, 200), (349, 200), (150, 379), (349, 379)]:
        assert tuple(drawn[y, x]) == GREEN
    inside = np.s_[210:370, 160:340]
    assert np.array_equal(drawn[inside], portrait[inside])


def test_the_label_stands_above_the_box() -> None:
    image = canvas(400, 400)
    drawn = changed(image, annotate(image, [face(FaceBox(100, 200, 150, 150))]))
    assert drawn[180:195, 110:150].all()
    assert not drawn[360:].any()
    assert not drawn[:150].any()


def test_an_outline_does_not_cross_another_faces_label() -> None:
    image = canvas(400, 400)
    alone = annotate(image, [face(FaceBox(100, 200, 150, 150))])
    label = np.s_[182:196, 102:150]
    crossing = face(FaceBox(120, 60, 200, 200))
    drawn = annotate(image, [face(FaceBox(100, 200, 150, 150)), crossing])
    assert np.array_equal(drawn[label], alone[label])


def test_labels_of_faces_side_by_side_do_not_cover_each_other() -> None:
    image = canvas(600, 400)
    boxes = [FaceBox(x, 150, 60, 60) for x in (60, 120, 180)]
    letters = [annotate(image, [face(box)])[..., 1] < 60 for box in boxes]
    together = annotate(image, [face(box) for box in boxes])[..., 1] < 60
    assert np.count_nonzero(together) == sum(np.count_nonzero(alone) for alone in letters)


def test_where_every_place_is_taken_the_label_is_drawn_all_the_same() -> None:
    image, box = canvas(400, 300), FaceBox(100, 100, 60, 60)
    six = annotate(image, [face(box, label) for label in ("a", "b", "c", "d", "e", "f")])
    assert not np.array_equal(six, annotate(image, [face(box, label) for label in ("a", "b", "c", "d", "e")]))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (9, 9), (64, 48), (640, 480), (1920, 1080)])
@pytest.mark.parametrize("mirror", [False, True])
def test_any_picture_and_any_box_in_it_can_be_drawn(size: tuple[int, int], mirror: bool) -> None:
    width, height = size
    image = canvas(width, height)
    boxes = [
        FaceBox(0, 0, width, height),
        FaceBox(0, 0, 1, 1),
        FaceBox(width - 1, height - 1, 1, 1),
        FaceBox(width // 3, height // 3, max(1, width // 3), max(1, height // 3)),
    ]
    for box in boxes:
        drawn = annotate(image, [face(box)], mirror=mirror)
        assert drawn.shape == image.shape
        assert changed(image, drawn).any()


@pytest.mark.parametrize("x", [0, 250])
@pytest.mark.parametrize("y", [0, 250])
def test_at_the_picture_s_edge_the_whole_label_is_inside(x: int, y: int) -> None:
    image = canvas(300, 300)
    inked = [ink_size(annotate(image, [face(FaceBox(*at, 50, 50))])) for at in [(120, 120), (x, y)]]
    assert inked[0] == inked[1]


def test_letters_grow_with_their_face_and_stay_legible() -> None:
    image = canvas(1600, 1200)
    widths = [ink_size(annotate(image, [face(FaceBox(300, 300, w, w))]))[0] for w in (20, 100, 250, 900)]
    assert widths == sorted(widths)
    assert 50 < widths[0] < widths[-1] < 400


def test_mirror_turns_the_picture_and_its_boxes_but_not_the_writing() -> None:
    image = canvas(400, 300)
    image[:, :200] = 30
    mirrored = annotate(image, [face(FaceBox(20, 100, 80, 80))], mirror=True)
    turned = np.asarray(cv2.flip(image, 1), np.uint8)
    assert np.array_equal(mirrored, annotate(turned, [face(FaceBox(300, 100, 80, 80))]))


def test_a_mirrored_picture_without_faces_is_flipped(portrait: Image) -> None:
    assert np.array_equal(annotate(portrait, [], mirror=True), portrait[:, ::-1])


def test_the_drawn_label_is_the_held_one_with_its_own_score() -> None:
    image, box = canvas(400, 300), FaceBox(100, 100, 150, 150)
    scores = EmotionScores(("sad", "happy"), (0.48, 0.52))
    held = annotate(image, [FaceResult(0, Detection(box), scores, "sad")])
    assert np.array_equal(held, annotate(image, [face(box, "sad", 0.48)]))
    assert not np.array_equal(held, annotate(image, [FaceResult(0, Detection(box), scores, "happy")]))


@pytest.mark.parametrize("score", [0.0, 0.123, 1.0])
def test_the_score_is_drawn(score: float) -> None:
    image, box = canvas(400, 300), FaceBox(100, 100, 150, 150)
    drawn = annotate(image, [face(box, score=score)])
    assert not np.array_equal(drawn, annotate(image, [face(box, score=0.5)]))


@pytest.mark.parametrize("label", ["fröhlich", "喜び", "радость", "😀", "a" * 40, "%d"])
def test_labels_of_any_script_can_be_drawn(label: str) -> None:
    image = canvas(400, 300)
    drawn = annotate(image, [face(FaceBox(100, 100, 150, 150), label)])
    assert changed(image, drawn).any()


def test_accents_are_left_off() -> None:
    image, box = canvas(400, 300), FaceBox(100, 100, 150, 150)
    assert np.array_equal(annotate(image, [face(box, "fache")]), annotate(image, [face(box, "fâché")]))
