"""Boxes and labels drawn into images."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge import annotate
from fer_edge.rendering.palette import EMOTIONS, choose_text_color, color_of
from fer_edge.rendering.shapes import RIM
from fer_edge.types import Detection, EmotionScores, FaceBox, FaceResult, Image
from tests.edge.support import plain

YELLOW = EMOTIONS["happy"]


def face(box: FaceBox, label: str = "happy", score: float = 0.9) -> FaceResult:
    return FaceResult(0, Detection(box), EmotionScores((label, "other"), (score, 1 - score)), label)


def canvas(width: int, height: int) -> Image:
    return plain(128, width, height)


def changed(before: Image, after: Image) -> NDArray[np.bool_]:
    return np.asarray(np.any(before != after, axis=2))


def tag_size(drawn: Image) -> tuple[int, int]:
    """Return the width and height of the area with the color of happy."""
    rows, columns = np.nonzero(np.all(drawn == YELLOW, axis=2))
    return int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


def tag_of(box: FaceBox, size: tuple[int, int] = (400, 300), **options: Any) -> Image:
    """Return the tag drawn above a box that leaves room for it."""
    image = canvas(*size)
    return annotate(image, [face(box)], **options)[: box.y - 3]


def test_the_image_itself_is_not_changed(portrait: Image) -> None:
    before = portrait.copy()
    drawn = annotate(portrait, [face(FaceBox(150, 80, 200, 200))])
    assert np.array_equal(portrait, before)
    assert drawn.shape == portrait.shape
    assert drawn.dtype == np.uint8
    assert not np.shares_memory(drawn, portrait)


def test_an_image_without_faces_is_copied_as_it_is(portrait: Image) -> None:
    drawn = annotate(portrait, [])
    assert np.array_equal(drawn, portrait)
    assert not np.shares_memory(drawn, portrait)


def test_an_image_that_cannot_be_written_to_can_be_drawn(portrait: Image) -> None:
    portrait.flags.writeable = False
    drawn = annotate(portrait, [face(FaceBox(150, 80, 200, 200))])
    assert np.any(changed(portrait, drawn))


def test_the_outline_is_the_box(portrait: Image) -> None:
    drawn = annotate(portrait, [face(FaceBox(150, 200, 200, 180))])
    for x, y in [(150, 290), (349, 290), (250, 200), (250, 379)]:
        assert tuple(drawn[y, x]) == YELLOW
    inside = np.s_[210:370, 160:340]
    assert np.array_equal(drawn[inside], portrait[inside])


def test_a_dark_rim_sets_the_outline_off_from_its_background() -> None:
    image = canvas(400, 400)
    image[...] = YELLOW
    column = annotate(image, [face(FaceBox(100, 200, 150, 150))])[275, 95:105]
    assert RIM in [tuple(pixel) for pixel in column]


def test_corners_are_round_and_smooth() -> None:
    image = canvas(800, 800)
    drawn = annotate(image, [face(FaceBox(200, 300, 300, 300))])
    corner = drawn[590:606, 490:506].reshape(-1, 3)
    assert tuple(drawn[601, 501]) == (128, 128, 128)
    assert len(np.unique(corner, axis=0)) > 6


@pytest.mark.parametrize("label", EMOTIONS)
def test_box_and_tag_have_the_color_of_the_label(label: str) -> None:
    image, box = canvas(400, 400), FaceBox(100, 200, 150, 150)
    drawn = annotate(image, [face(box, label)])
    assert tuple(drawn[275, 100]) == EMOTIONS[label]
    assert np.count_nonzero(np.all(drawn[:198] == EMOTIONS[label], axis=2)) > 500
    assert np.any(np.all(drawn[:198] == choose_text_color(EMOTIONS[label]), axis=2))


def test_a_label_of_another_model_has_its_color() -> None:
    box, scores = FaceBox(100, 200, 150, 150), EmotionScores(("calm", "bored"), (0.2, 0.8))
    drawn = annotate(canvas(400, 400), [FaceResult(0, Detection(box), scores, "bored")])
    assert tuple(drawn[275, 100]) == color_of("bored", ("calm", "bored"))


def test_the_label_stands_above_the_box() -> None:
    image = canvas(400, 400)
    drawn = changed(image, annotate(image, [face(FaceBox(100, 200, 150, 150))]))
    assert drawn[182:197, 110:150].all()
    assert not drawn[360:].any()
    assert not drawn[:150].any()


def test_no_outline_crosses_a_label() -> None:
    def count_ink(size: tuple[int, int], *boxes: FaceBox) -> int:
        drawn = annotate(canvas(*size), [face(box) for box in boxes])
        return np.count_nonzero(np.all(drawn == (0, 0, 0), axis=2))

    alone = count_ink((48, 48), FaceBox(0, 0, 48, 48))
    within_one_another = FaceBox(60, 30, 50, 50), FaceBox(0, 0, 200, 100)
    assert count_ink((200, 100), *within_one_another) == 2 * alone > 0


def test_where_every_place_is_taken_the_label_is_drawn_all_the_same() -> None:
    image, box = canvas(200, 100), FaceBox(60, 20, 60, 60)
    labels = tuple("abcdefghijkl")
    all_of_them = annotate(image, [face(box, label) for label in labels])
    assert not np.array_equal(all_of_them, annotate(image, [face(box, label) for label in labels[:-1]]))


def test_a_score_without_room_is_left_out() -> None:
    small = annotate(canvas(48, 48), [face(FaceBox(0, 0, 48, 48), score=0.9)])
    assert np.array_equal(small, annotate(canvas(48, 48), [face(FaceBox(0, 0, 48, 48), score=0.6)]))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (9, 9), (64, 48), (640, 480), (1920, 1080)])
@pytest.mark.parametrize("mirror", [False, True])
def test_any_image_and_any_box_can_be_drawn(size: tuple[int, int], mirror: bool) -> None:
    width, height = size
    image = canvas(width, height)
    boxes = [
        FaceBox(0, 0, width, height),
        FaceBox(0, 0, 1, 1),
        FaceBox(width - 1, height - 1, 1, 1),
        FaceBox(width // 3, height // 3, max(1, width // 3), max(1, height // 3)),
        FaceBox(-width, -height, 3 * width, 3 * height),
        FaceBox(2 * width, 2 * height, 10, 10),
        FaceBox(-20, -20, 10, 10),
    ]
    for box in boxes:
        drawn = annotate(image, [face(box)], mirror=mirror, ids=True)
        assert drawn.shape == image.shape
        assert changed(image, drawn).any()


@pytest.mark.parametrize("x", [0, 250])
@pytest.mark.parametrize("y", [0, 250])
def test_at_the_image_s_edge_the_whole_label_is_inside(x: int, y: int) -> None:
    middle = annotate(canvas(300, 300), [face(FaceBox(120, 120, 50, 50))])
    at_edge = annotate(canvas(300, 300), [face(FaceBox(x, y, 50, 50))])
    black = [np.count_nonzero(np.all(drawn == (0, 0, 0), axis=2)) for drawn in (middle, at_edge)]
    assert black[0] == black[1] > 0


def test_letters_grow_with_their_face_and_stay_legible() -> None:
    image = canvas(1600, 1200)
    widths = [
        tag_size(annotate(image, [face(FaceBox(300, 400, w, w))])[:396])[0] for w in (20, 100, 180, 900)
    ]
    assert widths == sorted(widths)
    assert 100 < widths[0] < widths[-1] < 300


@pytest.mark.parametrize(("width", "height"), [(160, 120), (640, 480), (3840, 2160)])
def test_letters_follow_the_image(width: int, height: int) -> None:
    box = FaceBox(width // 3, height // 2, width // 4, width // 4)
    tag = tag_size(tag_of(box, (width, height)))
    assert 0.02 < tag[1] / height < 0.15


def test_the_second_drawing_is_identical_to_the_first() -> None:
    image, faces = canvas(400, 300), [face(FaceBox(100, 100, 150, 150), score=0.777)]
    assert np.array_equal(annotate(image, faces), annotate(image, faces))


def test_ids_are_drawn_when_asked_for() -> None:
    image, box = canvas(400, 300), FaceBox(100, 100, 150, 150)
    scores = EmotionScores(("happy", "other"), (0.9, 0.1))
    faces = [FaceResult(number, Detection(box), scores, "happy") for number in (7, 8)]
    without = [annotate(image, [each]) for each in faces]
    with_ids = [annotate(image, [each], ids=True) for each in faces]
    assert np.array_equal(without[0], without[1])
    assert not np.array_equal(with_ids[0], with_ids[1])
    assert tag_size(with_ids[0][:97])[0] > tag_size(without[0][:97])[0]


def test_an_id_wanted_stays_where_the_score_has_no_room() -> None:
    scores = EmotionScores(("sad", "other"), (0.9, 0.1))
    box = FaceBox(0, 0, 64, 64)
    drawn = [
        annotate(canvas(64, 64), [FaceResult(number, Detection(box), scores, "sad")], ids=True)
        for number in (7, 8)
    ]
    assert not np.array_equal(drawn[0], drawn[1])


def test_mirror_turns_the_image_and_its_boxes_but_not_the_writing() -> None:
    image = canvas(400, 300)
    image[:, :200] = 30
    mirrored = annotate(image, [face(FaceBox(20, 100, 80, 80))], mirror=True)
    turned = np.asarray(cv2.flip(image, 1), np.uint8)
    assert np.array_equal(mirrored, annotate(turned, [face(FaceBox(300, 100, 80, 80))]))


def test_a_mirrored_image_without_faces_is_flipped(portrait: Image) -> None:
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
