"""The faces that calibrate int8: balanced over the labels, seeded, and without non-faces.

Their number and the effect of excluding non-faces were measured: docs/conversion.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.detectors.haar import load_cascade
from fer_edge.errors import DataError
from fer_train.data.dataset import FaceDataset
from fer_train.data.face_check import shows_face

__all__ = ["select_calibration_faces"]


def select_calibration_faces(faces: FaceDataset, samples: int, seed: int) -> FaceDataset:
    """Select up to ``samples`` faces with the seed, as evenly over the labels as possible.

    Images in which the Haar detector finds a face come first: of FER-2013's faces it finds two in three, of
    its 150 non-faces two. Other images are selected only for a label that has too few of these, and blank
    images never. Raises DataError when every image is blank.
    """
    is_blank = faces.is_blank()
    order = np.random.default_rng(seed).permutation(np.flatnonzero(~is_blank))
    if not len(order):
        raise DataError(
            f"no faces to calibrate with: all {len(faces)} images are blank; use another data set"
        )
    by_label = [order[faces.labels[order] == label] for label in np.unique(faces.labels[order])]
    detector = load_cascade()
    chosen: list[int] = []
    for done, candidates in enumerate(sorted(by_label, key=len)):
        # The faces that a small label lacks are taken from the larger labels after it.
        share = -(-(samples - len(chosen)) // (len(by_label) - done))
        chosen += _select_detectable(faces.pixels, candidates, share, detector)
    return faces.select(np.random.default_rng(seed).permutation(np.array(chosen)))


def _select_detectable(
    pixels: NDArray[np.uint8], candidates: NDArray[np.int64], count: int, detector: Any
) -> list[int]:
    """Select ``count`` of the candidates' indices, those in which a face is detected first."""
    found: list[int] = []
    others: list[int] = []
    for index in candidates.tolist():
        if len(found) >= count:
            break
        (found if shows_face(pixels[index], detector) else others).append(index)
    return (found + others)[:count]
