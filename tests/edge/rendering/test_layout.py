"""The position of tags and the size of letters."""

from __future__ import annotations

import pytest

from fer_edge.rendering.layout import (
    Layout,
    Rectangle,
    choose_text_size,
    clamp_rectangle,
    compute_outline_width,
)

SIZES = [(160, 120), (320, 240), (640, 480), (956, 534), (1280, 720), (1920, 1080), (3840, 2160)]


def apart(one: Rectangle, other: Rectangle) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def place_all(
    width: int, height: int, faces: list[Rectangle], tag: tuple[int, int] = (90, 20)
) -> list[Rectangle]:
    layout = Layout(width, height, faces)
    for face in faces:
        layout.tags.append(layout.find_place(face, *tag, gap=1)[0])
    return layout.tags


def test_a_tag_stands_above_its_face() -> None:
    assert place_all(400, 300, [(100, 100, 200, 200)]) == [(100, 79, 190, 99)]


@pytest.mark.parametrize("x", [0, 125, 250])
@pytest.mark.parametrize("y", [0, 125, 250])
def test_a_tag_is_inside_the_image_and_off_its_face(x: int, y: int) -> None:
    face = (x, y, x + 50, y + 50)
    (tag,) = place_all(300, 300, [face])
    assert clamp_rectangle(tag, 300, 300) == tag
    assert apart(tag, face)


def test_a_tag_in_a_face_that_fills_the_image_does_not_cover_the_eyes() -> None:
    (tag,) = place_all(300, 300, [(0, 0, 300, 300)])
    assert apart(tag, (0, 60, 300, 150))


@pytest.mark.parametrize("gap", [0, 10, 40])
def test_neighboring_tags_cover_neither_one_another_nor_faces(gap: int) -> None:
    step = 60 + gap
    faces = [(40 + step * n, 150, 100 + step * n, 210) for n in range(4)]
    tags = place_all(600, 400, faces)
    assert all(apart(tag, other) for n, tag in enumerate(tags) for other in tags[:n])
    assert all(apart(tag, face) for tag in tags for face in faces)


def test_a_tag_between_faces_one_above_the_other_covers_no_eyes() -> None:
    faces = [(100, 60, 180, 140), (100, 142, 180, 222), (100, 224, 180, 304)]
    tags = place_all(400, 400, faces)
    assert all(apart(tag, (l, t + 16, r, t + 40)) for tag in tags for l, t, r, _ in faces)  # noqa: E741


def test_where_nothing_is_free_the_tag_covers_least() -> None:
    layout = Layout(90, 40, [(0, 0, 90, 40)], tags=[(0, 0, 90, 25)])
    place, covered = layout.find_place((0, 0, 90, 40), 90, 20, gap=1)
    assert place == (0, 20, 90, 40)
    assert covered > 0


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("face", [1, 20, 60, 200, 5000])
def test_letters_are_readable_and_never_large_for_their_image(size: tuple[int, int], face: int) -> None:
    letters, side = choose_text_size(face, *size), min(size)
    assert letters >= 11
    assert letters > side / 54  # 20 pixels on a screen with 1080 rows
    assert letters <= max(11, side / 26)


def test_letters_follow_the_face_between_the_limits_of_the_image() -> None:
    letters = [choose_text_size(face, 1280, 720) for face in (10, 60, 100, 120, 400)]
    assert letters == sorted(letters)
    assert letters[0] < letters[-1]
    assert len({choose_text_size(face, 1280, 720) for face in range(10, 720)}) < 10


def test_outlines_grow_with_the_image_and_stay_thin_around_small_faces() -> None:
    assert [compute_outline_width(5000, *size) for size in SIZES] == sorted(
        compute_outline_width(5000, *size) for size in SIZES
    )
    assert compute_outline_width(5000, 160, 120) == 1
    assert compute_outline_width(10, 3840, 2160) == 1


@pytest.mark.parametrize(
    ("rectangle", "clamped"),
    [
        ((2, 3, 8, 9), (2, 3, 8, 9)),
        ((-5, -5, 50, 50), (0, 0, 10, 20)),
        ((-9, -9, -3, -3), (0, 0, 1, 1)),
        ((30, 30, 40, 40), (9, 19, 10, 20)),
        ((4, 4, 4, 4), (4, 4, 5, 5)),
    ],
)
def test_rectangles_are_clamped_to_at_least_a_pixel(rectangle: Rectangle, clamped: Rectangle) -> None:
    assert clamp_rectangle(rectangle, 10, 20) == clamped
