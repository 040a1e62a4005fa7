"""Faces recognised by hashes of their pixels, so that files about them need not hold them."""

from __future__ import annotations

import hashlib
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

__all__ = ["find_faces", "hash_faces"]


def hash_faces(pixels: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Hash uint8 (n, height, width) faces, uint64 (n,): the first eight bytes of each one's SHA-256.

    Two of a million different faces share one once in forty million times.
    """
    hashes = b"".join(hashlib.sha256(np.ascontiguousarray(face).data).digest()[:8] for face in pixels)
    return np.frombuffer(hashes, "<u8").astype(np.uint64)


def find_faces(keys: NDArray[np.uint64], pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Find the faces of these hashes, uint64 (n,), among uint8 (m, height, width): their places, int64 (n,).

    A hash that occurs several times finds as many equal faces. Of equal faces that one is taken which comes after the
    face that was found before: equal pictures may differ in their labels, and data sets are mostly in one order. -1
    where no face is left for a hash.
    """
    listed: defaultdict[int, list[int]] = defaultdict(list)
    for place, key in enumerate(hash_faces(pixels).tolist()):
        listed[key].append(place)
    places = np.full(len(keys), -1, np.int64)
    before = -1
    for index, key in enumerate(keys.tolist()):
        if equal := listed.get(key):
            before = next((place for place in equal if place > before), equal[0])
            equal.remove(before)
            places[index] = before
    return places
