"""Near-duplicate detection, and folds of a data set that keep duplicates together.

FER-2013 contains many photos more than once: byte for byte, or shifted by a pixel, with a different size, contrast or
compression, with a watermark, or mirrored; often with different labels. Results on a fold that shares photos with the
training faces would be too optimistic. Needs only NumPy and OpenCV.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import UsageError
from fer_train.data.cache import load_arrays, save_arrays
from fer_train.data.dataset import BLANK_STD, FaceDataset

__all__ = ["Fold", "assign_folds", "duplicate_groups"]

# Chosen by inspecting pairs from FER-2013's Training and PublicTest: of 72 pairs just above _SAME (0.70 to 0.80), 71
# showed the same photo; of those below it (0.60 to 0.70), half did.
_SIDE: Final = 12  # pixels of the thumbnails used to find candidates
_ALIKE: Final = 0.88  # correlation of thumbnails above which images are candidates
_SAME: Final = 0.70  # correlation of details above which images are duplicates
_DETAILS: Final = (0.8, 2.0)  # pixels: standard deviations of the difference of Gaussians
_SHIFT: Final = 4  # pixels in either direction
_MAX_CANDIDATES: Final = 64  # per face; limits the time for many similar images, such as frames of a video
_BLOCK: Final = 512  # faces compared at a time
_MAX_FOLDS: Final = 100


@dataclass(frozen=True, slots=True)
class Fold:
    """One of ``count`` folds of Training; ``number`` counts from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a fold written as ``K/N``; raises UsageError for anything else."""
        match = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
        number, count = map(int, match.groups()) if match else (0, 0)
        if not 2 <= count <= _MAX_FOLDS or not 1 <= number <= count:
            raise UsageError(
                f"expected a fold K/N such as 1/5, with N from 2 to {_MAX_FOLDS} and K from 1 to N, got {text!r}"
            )
        return cls(number, count)

    @property
    def title(self) -> str:
        """Name in reports, used like the name of a split."""
        return f"Training, fold {self.number} of {self.count}"

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def duplicate_groups(faces: FaceDataset) -> NDArray[np.int64]:
    """Return the number of each face's group of near-duplicates, int64 (n,).

    A group also contains exact duplicates. Groups are numbered from 0 in the order of their first faces. Two images are
    near-duplicates if their details correlate by more than 0.7 at the best shift of at most 4 pixels, mirrored or not;
    brightness and contrast are ignored. The relation is transitive: near-duplicates of the same image are in one group.
    Takes about 5 s for 28,709 faces on one core; the result is cached.
    """
    digest = hashlib.sha256(np.ascontiguousarray(faces.pixels).data).hexdigest()
    settings = (_SIDE, _ALIKE, _SAME, _DETAILS, _SHIFT, BLANK_STD, _MAX_CANDIDATES, faces.pixels.shape)
    key = hashlib.sha256(f"groups {settings} {digest}".encode()).hexdigest()
    arrays = load_arrays(key)
    if arrays is None or arrays["groups"].shape != (len(faces),):
        arrays = {"groups": _group_faces(faces.pixels)}
        save_arrays(key, arrays)
    return arrays["groups"]


def assign_folds(
    groups: NDArray[np.int64], labels: NDArray[np.int64], folds: int, seed: int = 0
) -> NDArray[np.int64]:
    """Assign each face to a fold, 0…folds-1, int64 (n,), keeping groups together.

    Groups are assigned in random order, large ones first, each to the fold that has the least of its labels (and the
    fewest faces if tied), so that every fold has about the same share of each label.
    """
    kinds, index = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(kinds), int(labels.max(initial=0)) + 1), np.int64)
    np.add.at(counts, (index, labels), 1)
    order = np.random.default_rng(seed).permutation(len(kinds))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    share = 1 / np.maximum(counts.sum(axis=0), 1)
    filled = np.zeros((folds, counts.shape[1]))
    chosen = np.zeros(len(kinds), np.int64)
    for group in order:
        load = filled @ (counts[group] * share)
        chosen[group] = np.lexsort((filled.sum(axis=1), load))[0]
        filled[chosen[group]] += counts[group]
    return chosen[index]


def _group_faces(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the number of each face's group of near-duplicates, int64 (n,)."""
    first = _find_first_equal(pixels)
    places = np.flatnonzero(first == np.arange(len(pixels)))  # one of each set of equal images
    thumbnails = _make_thumbnails(pixels[places])
    mirrored = np.ascontiguousarray(thumbnails[:, :, ::-1])
    straight, mirrored = (part.reshape(len(places), _SIDE * _SIDE) for part in (thumbnails, mirrored))
    group = np.arange(len(places))
    for start in range(0, len(places), _BLOCK):
        block = straight[start : start + _BLOCK]
        alike = np.maximum(block @ straight[start:].T, block @ mirrored[start:].T)
        for row in np.flatnonzero((alike > _ALIKE).sum(axis=1) > 1).tolist():
            _merge(pixels, places, group, start + row, start + _find_candidates(alike[row], row))
    numbers = np.full(len(pixels), -1, np.int64)
    numbers[places] = places[group]
    return np.unique(numbers[first], return_inverse=True)[1].astype(np.int64)


def _find_first_equal(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return for each image the index of the first equal one, int64 (n,)."""
    places: dict[bytes, int] = {}
    return np.array([places.setdefault(face.tobytes(), place) for place, face in enumerate(pixels)], np.int64)


def _make_thumbnails(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return thumbnails with mean 0 and norm 1, float32 (n, 12, 12).

    Thumbnails of blank images are 0. The product of two thumbnails is their correlation.
    """
    small = np.zeros((len(pixels), _SIDE, _SIDE), np.float32)
    for face, thumbnail in zip(pixels, small, strict=True):
        thumbnail[:] = cv2.resize(face, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    small -= small.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt((small**2).sum(axis=(1, 2), keepdims=True))
    return np.where(length < BLANK_STD * _SIDE, 0, small / np.maximum(length, 1e-6)).astype(np.float32)


def _find_candidates(alike: NDArray[np.float32], row: int) -> NDArray[np.int64]:
    """Return the indices after ``row`` with a high correlation, the highest first."""
    later = row + 1 + np.flatnonzero(alike[row + 1 :] > _ALIKE)
    return later[np.argsort(-alike[later], kind="stable")]


def _merge(
    pixels: NDArray[np.uint8],
    places: NDArray[np.int64],
    group: NDArray[np.int64],
    one: int,
    others: NDArray[np.int64],
) -> None:
    """Merge the near-duplicates of an image into its group, in place.

    ``group`` contains the smallest index of each image's group.
    """
    others = others[group[others] != group[one]][:_MAX_CANDIDATES]
    if not len(others):
        return
    details = _extract_details(pixels[places[one]])
    turned = np.ascontiguousarray(details[:, ::-1])
    for other in others:
        if group[other] != group[one] and _is_same(details, turned, _extract_details(pixels[places[other]])):
            joined = min(group[one], group[other])
            group[np.isin(group, (group[one], group[other]))] = joined


def _extract_details(face: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the difference of Gaussians: details without noise and lighting.

    The result is float32 of the same shape.
    """
    levels = face.astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(levels, (0, 0), sigma) for sigma in _DETAILS)
    return np.asarray(fine - coarse, np.float32)


def _is_same(details: NDArray[np.float32], turned: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Return whether the details of two images match, mirrored or not.

    They may be shifted by a few pixels.
    """
    middle = np.ascontiguousarray(other[_SHIFT:-_SHIFT, _SHIFT:-_SHIFT])
    return any(
        float(cv2.matchTemplate(whole, middle, cv2.TM_CCOEFF_NORMED).max()) > _SAME
        for whole in (details, turned)
    )
