from __future__ import annotations

from fer_edge.archive.joining import match_faces
from fer_edge.types import FaceBox

LEFT, RIGHT = FaceBox(0, 0, 100, 100), FaceBox(300, 0, 100, 100)


def test_no_faces_match_no_faces() -> None:
    assert match_faces({}, {}) == {}
    assert match_faces({1: {0: LEFT}}, {}) == {}


def test_faces_in_the_same_place_are_the_same() -> None:
    before = {frame: {4: LEFT, 7: RIGHT} for frame in range(10)}
    after = {frame: {0: RIGHT, 1: LEFT} for frame in range(10)}
    assert match_faces(before, after) == {0: 7, 1: 4}


def test_a_face_elsewhere_is_another_one() -> None:
    assert match_faces({1: {4: LEFT}}, {1: {0: RIGHT}}) == {}


def test_a_face_that_was_there_for_a_moment_is_another_one() -> None:
    before = {1: {4: LEFT}}
    after = {frame: {0: LEFT} for frame in range(10)}
    assert match_faces(before, after) == {}


def test_one_face_matches_only_once() -> None:
    before = {frame: {4: LEFT} for frame in range(10)}
    after = {frame: {0: LEFT, 1: FaceBox(20, 0, 100, 100)} for frame in range(10)}
    assert list(match_faces(before, after).values()) == [4]
