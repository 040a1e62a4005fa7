"""Faces are found by their hashes, whatever their order in a data set."""

from __future__ import annotations

import numpy as np

from fer_train.data.face_hashes import find_faces, hash_faces

FACES = np.random.default_rng(0).integers(0, 256, (6, 48, 48), np.uint8)


def test_faces_are_found_in_another_order_and_among_others() -> None:
    listed = FACES[[4, 0, 5, 2, 1, 3]]
    places = find_faces(hash_faces(FACES[[2, 0, 5]]), listed)
    assert np.array_equal(listed[places], FACES[[2, 0, 5]])


def test_equal_faces_are_found_one_after_the_other() -> None:
    twice = FACES[[1, 0, 1, 2]]
    assert find_faces(hash_faces(FACES[[1, 2, 1]]), twice).tolist() == [0, 3, 2]
    assert find_faces(hash_faces(FACES[[1]]), twice).tolist() == [0]


def test_of_equal_faces_the_one_is_found_that_keeps_the_order() -> None:
    listed = FACES[[1, 0, 1, 2]]  # the first of them has no answers
    assert find_faces(hash_faces(FACES[[0, 1, 2]]), listed).tolist() == [1, 2, 3]


def test_what_is_not_found_is_minus_one() -> None:
    assert find_faces(hash_faces(FACES[[1, 1, 3]]), FACES[:3]).tolist() == [1, -1, -1]
    assert find_faces(hash_faces(FACES[:2]), FACES[:0]).tolist() == [-1, -1]


def test_a_face_that_differs_in_one_pixel_has_another_hash() -> None:
    other = FACES[:1].copy()
    other[0, 47, 47] ^= 1
    assert hash_faces(other) != hash_faces(FACES[:1])
    assert hash_faces(FACES).dtype == np.uint64
