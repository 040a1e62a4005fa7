"""Hashes that identify faces in files that do not contain the faces."""

from __future__ import annotations

import hashlib
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

__all__ = ["find_faces", "hash_faces"]


def hash_faces(pixels: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Hash faces, uint8 (n, height, width), to uint64 (n,).

    The hash is the first eight bytes of the face's SHA-256. The probability of any collision among a million different
    faces is one in forty million.
    """
    hashes = b"".join(hashlib.sha256(np.ascontiguousarray(face).data).digest()[:8] for face in pixels)
    return np.frombuffer(hashes, "<u8").astype(np.uint64)


def find_faces(keys: NDArray[np.uint64], pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the indices, int64 (n,), of the faces with the given hashes.

    ``keys`` is uint64 (n,), ``pixels`` is uint8 (m, height, width). The index is -1 if no face is left for a hash. A
    hash that occurs several times finds as many equal faces. Of several equal faces, the one after the previously found
    face is preferred: equal images may have different labels, and data sets mostly have the same order.
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
